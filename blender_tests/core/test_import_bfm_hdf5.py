# SPDX-License-Identifier: GPL-3.0-or-later
"""Basel Face Models of 2017 and 2019: a file in their layout comes back as written; each defect has its words."""

import json

import h5py
import numpy as np
import pytest

from blender_tests.core.external_files import (
    COLOURS,
    EXPRESSIONS,
    IDENTITIES,
    Skin,
    quiet,
    refusal,
    skin_of,
    volume,
    write_bfm_hdf5,
)
from facedetail_addon.core.model_import.importers.bfm_hdf5 import IBUG_OF_NAME
from facedetail_addon.core.model_import.importers.read import read_external_model, source_sha256


@pytest.fixture(scope="module")
def skin(model) -> Skin:
    return skin_of(model)


@pytest.fixture(scope="module")
def written_hdf5(skin, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("bfm") / "model.h5"
    write_bfm_hdf5(path, skin)
    return path.read_bytes()


@pytest.fixture
def hdf5(written_hdf5, tmp_path):
    path = tmp_path / "model2017-1_bfm_nomouth.h5"
    path.write_bytes(written_hdf5)
    return path


def test_hdf5_comes_back_as_written(hdf5, skin):
    found = read_external_model(hdf5, quiet)
    np.testing.assert_allclose(found.mean, skin.mean + skin.expression_mean, atol=1e-4)
    np.testing.assert_allclose(found.neutral, skin.mean, atol=1e-4)
    assert np.abs(found.expression_mean).max() > 0.5
    for basis, modes in (
        (found.identity_basis, skin.identity),
        (found.expression_basis, skin.expression),
        (found.albedo_basis, skin.albedo),
    ):
        assert basis.dtype == np.float32 and basis.flags.c_contiguous
        np.testing.assert_allclose(basis, modes, atol=1e-4 * np.abs(modes).max())
    np.testing.assert_array_equal(found.albedo_mean, skin.albedo_mean)
    assert (len(found.identity_basis), len(found.expression_basis), len(found.albedo_basis)) == (
        IDENTITIES,
        EXPRESSIONS,
        COLOURS,
    )
    assert found.expression_signed and found.expression_names[:2] == ("expression_00", "expression_01")
    assert found.albedo_space == "srgb" and "Basel" in found.licence
    np.testing.assert_array_equal(found.skin.triangles(), skin.triangles)
    assert found.skin.uv.shape == (0, 2) and (found.skin.face_uv == -1).all()
    assert found.source_sha256 == source_sha256(hdf5)


def test_hdf5_landmarks_are_those_of_ibug(hdf5, skin):
    found = read_external_model(hdf5, quiet).landmarks68
    known = sorted(IBUG_OF_NAME.values())
    assert np.flatnonzero(found >= 0).tolist() == known
    np.testing.assert_allclose(skin.mean[found[known]], skin.mean[skin.landmarks[known]], atol=1e-4)
    # Subject's right and left: iBUG's first eye corner is the subject's right, at negative x.
    assert skin.mean[found[36], 0] < -20 < 20 < skin.mean[found[45], 0]


def test_hdf5_landmarks_may_be_fixed_text_or_missing(hdf5):
    with h5py.File(hdf5, "r+") as file:
        text = file["metadata/landmarks/json"].asstr()[()]
        del file["metadata/landmarks/json"]
        file["metadata/landmarks/json"] = np.array([text.encode()])
    assert (read_external_model(hdf5, quiet).landmarks68 >= 0).sum() == len(IBUG_OF_NAME)
    with h5py.File(hdf5, "r+") as file:
        del file["metadata"]
    assert read_external_model(hdf5, quiet).landmarks68 is None


def test_hdf5_triangles_are_turned_outwards(hdf5, skin):
    with h5py.File(hdf5, "r+") as file:
        file["shape/representer/cells"][:] = file["shape/representer/cells"][:][::-1]
    found = read_external_model(hdf5, quiet)
    assert volume(found.mean, found.skin.triangles()) > 0 > volume(found.mean, skin.triangles[:, ::-1])


def change(name: str, value) -> callable:
    """A defect: another value under that name."""

    def apply(file: h5py.File) -> None:
        del file[name]
        file[name] = value(file) if callable(value) else value

    return apply


def edit(name: str, at, value) -> callable:
    """A defect: one value changed."""

    def apply(file: h5py.File) -> None:
        file[name][at] = value

    return apply


def remove(name: str) -> callable:
    def apply(file: h5py.File) -> None:
        del file[name]

    return apply


def replace_by(name: str, make) -> callable:
    """A defect: something that is made in its place."""

    def apply(file: h5py.File) -> None:
        shape = file[name].shape
        del file[name]
        make(file, name, shape)

    return apply


def transposed(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    file[name] = np.ones(shape[::-1], np.float32)


def unwritten(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    file.create_dataset(name, shape, np.float32)


def virtual(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    layout = h5py.VirtualLayout(shape, np.float32)
    layout[:] = h5py.VirtualSource("elsewhere.h5", "data", shape)
    file.create_virtual_dataset(name, layout)


def external(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    file.create_dataset(name, shape, np.float32, external=[("elsewhere.raw", 0, h5py.h5f.UNLIMITED)])


def linked(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    file[name] = h5py.ExternalLink("elsewhere.h5", "/data")


def softly_linked(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    file[name] = h5py.SoftLink("/color/model/pcaBasis")


def huge(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    file.create_dataset(name, (3, 1 << 40), np.float32, chunks=(3, 1024), compression="gzip")[:, :9] = 0


HDF5_DEFECTS = {
    "no group": (remove("expression"), "no group expression"),
    "group is data": (change("color", np.zeros(3)), "color is not a group"),
    "no mean": (remove("shape/model/mean"), "no dataset shape/model/mean"),
    "no noise": (remove("shape/model/noiseVariance"), "shape/model/noiseVariance is missing"),
    "bad noise": (change("shape/model/noiseVariance", np.float32(-1)), "shape/model/noiseVariance is -1"),
    "no cells": (remove("shape/representer/cells"), "no dataset shape/representer/cells"),
    "data is group": (
        replace_by("shape/model/mean", lambda file, name, shape: file.create_group(name)),
        "shape/model/mean is not a dataset",
    ),
    "short mean": (change("shape/model/mean", np.zeros(30, np.float32)), "shape/model/mean is 30, expected"),
    "points transposed": (replace_by("shape/representer/points", transposed), "shape/representer/points is"),
    "basis transposed": (replace_by("color/model/pcaBasis", transposed), "color/model/pcaBasis is"),
    "modes disagree": (change("shape/model/pcaVariance", np.ones(99, np.float32)), " × 99"),
    "integers": (change("shape/model/mean", np.zeros(9, np.int32)), "shape/model/mean holds int32"),
    "text": (change("shape/model/pcaVariance", "many"), "shape/model/pcaVariance holds object"),
    "floats as cells": (change("shape/representer/cells", np.zeros((3, 4), np.float32)), "not integers"),
    "NaN in mean": (edit("shape/model/mean", 5, np.nan), "shape/model/mean holds values that are not numbers"),
    "NaN in basis": (edit("expression/model/pcaBasis", (9, 2), np.nan), "expression/model/pcaBasis holds values that"),
    "infinite variance": (edit("color/model/pcaVariance", 1, np.inf), "color/model/pcaVariance holds values that"),
    "negative variance": (edit("shape/model/pcaVariance", 1, -1), "shape/model/pcaVariance holds negative values"),
    "cells too high": (edit("shape/representer/cells", (0, 0), 10**6), "cells names vertices outside"),
    "cells negative": (edit("shape/representer/cells", (0, 0), -1), "cells names vertices outside"),
    "unwritten": (replace_by("shape/model/pcaBasis", unwritten), "shape/model/pcaBasis was not written"),
    "virtual": (replace_by("shape/model/pcaBasis", virtual), "pcaBasis keeps its data in another file"),
    "external": (replace_by("shape/model/pcaBasis", external), "pcaBasis keeps its data in another file"),
    "external link": (replace_by("shape/model/pcaBasis", linked), "pcaBasis is a link to another place"),
    "soft link": (replace_by("shape/model/pcaBasis", softly_linked), "pcaBasis is a link to another place"),
    "huge": (replace_by("shape/representer/points", huge), "more than any face has"),
    "too many modes": (change("shape/model/pcaVariance", np.ones(4000, np.float32)), "declares 4,000 modes"),
    "colours 0 to 255": (edit("color/model/mean", 0, 200.0), "does not lie between 0 and 1"),
    "landmarks are no JSON": (change("metadata/landmarks/json", "{"), "is no list of landmarks"),
    "landmarks are no list": (change("metadata/landmarks/json", "7"), "is no list of landmarks"),
    "landmarks are numbers": (change("metadata/landmarks/json", np.float32(1)), "json is not one text"),
    "landmark of two": (
        change("metadata/landmarks/json", json.dumps([{"id": "center.nose.tip", "coordinates": [1, 2]}])),
        "a landmark that is not three numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", HDF5_DEFECTS)
def test_a_defect_of_hdf5_says_what_it_is(hdf5, defect):
    spoil, expected = HDF5_DEFECTS[defect]
    with h5py.File(hdf5, "r+") as file:
        spoil(file)
    message = refusal(hdf5)
    assert expected in message and hdf5.name in message


def scaled(factor: float) -> callable:
    def apply(file: h5py.File) -> None:
        for name in ("shape/model/mean", "expression/model/mean", "shape/representer/points"):
            file[name][:] *= factor

    return apply


def turned(matrix: np.ndarray) -> callable:
    """All points of the file in other axes, without landmarks."""

    def apply(file: h5py.File) -> None:
        del file["metadata"]
        for name in ("shape/model/mean", "expression/model/mean"):
            file[name][:] = (file[name][:].reshape(-1, 3) @ matrix).ravel()

    return apply


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (scaled(1000.0), "the unit of length is another"),
        (scaled(0.001), "the unit of length is another"),
        (turned(np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0.0]])), "not the same on both sides"),
        (turned(np.diag([-1, -1, 1.0])), None),
    ],
)
def test_units_and_axes_are_checked(hdf5, spoil, expected):
    with h5py.File(hdf5, "r+") as file:
        spoil(file)
    if expected is None:  # upside down: nothing tells without landmarks
        assert read_external_model(hdf5, quiet).landmarks68 is None
    else:
        assert expected in refusal(hdf5)


def test_landmarks_tell_a_face_upside_down(hdf5):
    with h5py.File(hdf5, "r+") as file:
        for name in ("shape/model/mean", "expression/model/mean"):
            file[name][:] = (file[name][:].reshape(-1, 3) * [-1, -1, 1]).ravel()
        landmarks = json.loads(file["metadata/landmarks/json"].asstr()[()])
        for landmark in landmarks:
            x, y, z = landmark["coordinates"]
            landmark["coordinates"] = [-x, -y, z]
        change("metadata/landmarks/json", json.dumps(landmarks))(file)
    assert "not upright" in refusal(hdf5)


@pytest.mark.parametrize("keep", [0.01, 0.5, 0.99])
def test_a_truncated_hdf5_file_is_refused(hdf5, keep):
    content = hdf5.read_bytes()
    hdf5.write_bytes(content[: int(keep * len(content))])
    assert "damaged or truncated HDF5" in refusal(hdf5)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it is empty"),
        (b"\x80\x04\x95....", "a Python pickle, which could run programs"),
        (b"MATLAB 7.3 MAT-file, Platform", "a MATLAB 7.3 file"),
        (b"solid thing", "of no known format"),
    ],
)
def test_what_is_no_model_is_told_apart(tmp_path, content, expected):
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    assert expected in refusal(path)


def test_missing_files_and_wrong_folders_are_refused(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "none.h5")
    assert "folder without generic_neutral_mesh.obj" in refusal(tmp_path)
