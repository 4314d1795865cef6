# SPDX-License-Identifier: GPL-3.0-or-later
"""A result folder of format 5, as version 2f63e44 wrote it: it is read whole, and written again in today's format."""

import json
from pathlib import Path

import numpy as np
import pytest

from blender_tests.made_up import assert_same, unpack_format5
from facedetail_addon.core.errors import FaceDetailError, OutputError
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.io.exr import read_exr
from facedetail_addon.core.io.images import read_png
from facedetail_addon.core.result.files import OBSERVATION_FILE, read_result, write_result
from facedetail_addon.core.result.maps import MAPS
from facedetail_addon.core.result.record import Reconstruction

SIDE = 64


@pytest.fixture
def folder(tmp_path) -> Path:
    return unpack_format5(tmp_path)


@pytest.fixture
def old(folder) -> Reconstruction:
    return read_result(folder)


def record_of(folder: Path) -> dict:
    return json.loads((folder / "reconstruction.json").read_text(encoding="utf-8"))


def test_it_is_a_real_one(folder):
    record = record_of(folder)
    assert record["format_version"] == 5 and "own_beta" in record and "residual_px" not in record
    assert not (folder / OBSERVATION_FILE).exists()


def test_all_of_its_record_is_read(folder, old):
    wanted, record = record_of(folder), old.record
    observation, pose, camera = record.observation, record.pose, wanted["camera"]["perspective"]
    numbers = {
        "alpha": record.fit.alpha, "beta": pose.beta, "own_beta": pose.native_beta, "gamma": record.light.gamma,
        "sh_radiance": record.light.radiance, "landmarks68_px": observation.landmarks.sparse_px,
        "landmarks68_mm": pose.landmarks68_mm,
    }  # fmt: skip
    for name, array in numbers.items():
        np.testing.assert_array_equal(array, np.float32(wanted[name]), err_msg=name)
    assert pose.beta[record.expression_names.index("jawOpen")] == np.float32(0.4)
    assert pose.native_beta.tolist() == [0.5, -1.25]
    assert pose.affine.matrix.tolist() == wanted["camera"]["affine"]
    assert pose.perspective.rotation.tolist() == camera["rotation"]
    assert pose.perspective.translation.tolist() == camera["translation_mm"]
    assert (pose.perspective.focal_px, pose.perspective.image_size) == (camera["focal_px"], (160, 120))
    assert (record.face_model, record.landmarker, record.expression_source) == ("builtin", "mesh", "prior+landmarks")
    assert (observation.photo_name, observation.emotion.name) == ("Zoë 5.png", "surprise")
    assert observation.emotion.probability == pytest.approx(0.75)
    assert record.eyes.iris == (0.1, 0.12, 0.15) and record.eyes.iris_mm == 12.25
    assert [notice.code for notice in record.notices] == ["yaw"] and record.stage_seconds == {"photo": 0.1}


def test_all_of_its_arrays_are_read(folder, old):
    with np.load(folder / "head_vertices.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(old.record.pose.vertices, arrays["posed"])
        np.testing.assert_array_equal(old.record.fit.vertices_neutral, arrays["neutral"])
    for spec in MAPS:
        if spec.optional:
            assert not (folder / spec.file).exists() and not old.maps[spec.name].any()
            continue
        path, array = folder / spec.file, old.maps[spec.name]
        stored = read_exr(path, (SIDE, SIDE)) if spec.is_height else read_png(path)
        scale = 1 if spec.dtype == spec.stored else np.iinfo(spec.stored).max
        np.testing.assert_allclose(array * scale, stored, rtol=1e-6, err_msg=spec.name)
        assert array.dtype == spec.dtype and np.ptp(array) > 0 or spec.name in ("roughness", "specular")
    np.testing.assert_array_equal(old.record.observation.pixels, old.maps["photo"])


def test_what_it_never_knew_is_told_as_not_known(old):
    observation = old.record.observation
    assert observation.landmarks.mesh_px is None and observation.expression_prior is None
    assert observation.camera_prior.image_size == (160, 120) and observation.camera_prior.focal_px is None
    assert old.record.light.stage is None
    assert np.isnan(old.record.pose.residual_px)


def test_it_is_written_again_as_format_6(old, model, tmp_path):
    again = write_result(old, tmp_path / "again", model)
    record = record_of(again)
    assert record["format_version"] == 6 and record["native_beta"] == [0.5, -1.25] and "own_beta" not in record
    assert not (again / OBSERVATION_FILE).exists()
    assert_same(read_result(again), old)


def test_no_head_can_be_fitted_to_it(old, model):
    with pytest.raises(FaceDetailError, match=r"Zoë 5\.png .*older version") as caught:
        fit_dense(old.record.observations, model, load_calibration(), start=old.record.fit)
    assert caught.value.remedy


def test_what_lies_beside_it_is_not_taken_for_its_observation(folder, old):
    (folder / OBSERVATION_FILE).write_bytes(b"no archive")
    assert_same(read_result(folder), old)


@pytest.mark.parametrize("name", ["own_beta", "alpha", "landmarks68_px"])
def test_damage_is_told(folder, name):
    record = record_of(folder)
    del record[name]
    (folder / "reconstruction.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(OutputError, match=f"{name} is missing") as caught:
        read_result(folder)
    assert str(folder) in caught.value.message and caught.value.remedy
