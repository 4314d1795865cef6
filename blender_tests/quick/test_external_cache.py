# SPDX-License-Identifier: GPL-3.0-or-later
"""Converted copies of external models: whole or absent, the same as what was read, and never trusted."""

import os
from dataclasses import fields, replace

import numpy as np
import pytest

from blender_tests.core.external_files import quiet, skin_of, write_bfm_hdf5
from facedetail_addon.core.errors import FaceModelError, OutputError
from facedetail_addon.core.model_import.cache import read_copy, write_copy
from facedetail_addon.core.model_import.external import ExternalModel, require_sound
from facedetail_addon.core.model_import.importers.read import read_external_model


@pytest.fixture(scope="module")
def source(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("bfm") / "model.h5"
    write_bfm_hdf5(path, skin_of(model))
    return path


@pytest.fixture(scope="module")
def external(source) -> ExternalModel:
    return read_external_model(source, quiet)


def same(one: ExternalModel, other: ExternalModel) -> None:
    for field in fields(ExternalModel):
        here, there = getattr(one, field.name), getattr(other, field.name)
        if field.name == "parts":
            assert [part.name for part in here] == [part.name for part in there]
            for a, b in zip(here, there, strict=True):
                assert (a.start, a.stop, a.materials) == (b.start, b.stop, b.materials)
                for key in ("faces", "uv", "face_uv", "face_material"):
                    np.testing.assert_array_equal(getattr(a, key), getattr(b, key))
                    assert getattr(a, key).dtype == getattr(b, key).dtype
        elif isinstance(here, np.ndarray):
            np.testing.assert_array_equal(here, there)
            assert here.dtype == there.dtype
        else:
            assert type(here) is type(there) and here == there, field.name


def test_a_copy_is_the_model(external, tmp_path):
    copy = tmp_path / "models" / f"{external.source_sha256}.npz"
    write_copy(external, copy)
    same(read_copy(copy), external)
    assert os.listdir(tmp_path / "models") == [copy.name]


def test_what_a_model_lacks_stays_absent(external, tmp_path):
    bare = replace(
        external, albedo_mean=None, albedo_basis=None, albedo_space="", landmarks68=None, expression_names=(),
        expression_basis=external.expression_basis[:0],
    )  # fmt: skip
    path = tmp_path / f"{bare.source_sha256}.npz"
    write_copy(bare, path)
    same(read_copy(path), bare)


def test_a_damaged_copy_is_refused(external, tmp_path):
    copy = tmp_path / f"{external.source_sha256}.npz"
    write_copy(external, copy)
    content = copy.read_bytes()
    middle = len(content) // 2
    for damaged in (content[:middle], b"", content[:middle] + bytes(64) + content[middle + 64 :]):
        copy.write_bytes(damaged)
        with pytest.raises(FaceModelError, match=copy.name):
            read_copy(copy)


def test_a_folder_that_cannot_be_written_is_reported(external, tmp_path):
    (tmp_path / "models").write_text("a file in the way")
    with pytest.raises(OutputError) as caught:
        write_copy(external, tmp_path / "models" / f"{external.source_sha256}.npz")
    assert "models" in caught.value.message and caught.value.remedy


def rewritten(path, **changes) -> None:
    with np.load(path, allow_pickle=False) as data:
        arrays = {key: data[key] for key in data.files}
    arrays |= changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"format_version": np.int32(99)}, "format 99"),
        ({"mean": None}, "has no array 'mean'"),
        ({"source_sha256": np.array("0" * 64)}, "made from another file"),
        ({"mean": np.zeros((4, 3), np.float32)}, "expression_mean is float32"),
        ({"mean": np.float32(1)}, "mean is float32 ()"),
        ({"mean": np.array([{}], dtype=object)}, "pickled objects"),
        ({"part_names": np.array(["eye"])}, "part.eye"),
        ({"part_ranges": np.array([(0, 9)], np.int32)}, "parts do not follow each other"),
        ({"part.skin.faces": np.full((9, 4), 10**6, np.int32)}, "skin has UV of faces"),
        ({"part.skin.materials": np.array([])}, "materials it does not have"),
        ({"albedo_mean": None}, "colours are incomplete"),
        ({"landmarks68": np.zeros(3, np.int32)}, "landmarks68 is int32 (3,)"),
        ({"landmarks68": np.full(68, 10**6, np.int32)}, "landmarks68 names vertices"),
        ({"expression_names": np.array(["smile"] * 5)}, "two expressions have the same name"),
    ],
)
def test_a_copy_that_was_changed_says_what_is_wrong(external, tmp_path, changes, expected):
    path = tmp_path / f"{external.source_sha256}.npz"
    write_copy(external, path)
    rewritten(path, **changes)
    with pytest.raises(FaceModelError) as caught:
        read_copy(path)
    assert expected in caught.value.message and caught.value.remedy


def test_a_missing_copy_says_so(tmp_path):
    with pytest.raises(FaceModelError) as caught:
        read_copy(tmp_path / "none.npz")
    assert "none.npz is missing" in caught.value.message


def test_values_that_are_not_numbers_are_named(external):
    basis = external.identity_basis.copy()
    basis[1, 7, 2] = np.nan
    with pytest.raises(FaceModelError, match="identity_basis holds values that are not numbers"):
        require_sound(replace(external, identity_basis=basis), "model")
