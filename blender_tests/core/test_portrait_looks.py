# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks taken from portraits: skin where it belongs, and nothing of the light or of the eyes in it."""

import cv2
import numpy as np
import pytest

from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.uv.atlas import mirror_embedding
from scripts.training.expression_dictionary.looks import portrait_looks, relative_light


@pytest.fixture(scope="module")
def calibration():
    return load_calibration()


@pytest.fixture(scope="module")
def looks(model, calibration, data_dir) -> np.ndarray:
    return portrait_looks(model, calibration, [data_dir / "london" / "neutral" / f"{n}.jpg" for n in ("001", "099")])


def around(model, look: np.ndarray, point: np.ndarray, radius_mm: float) -> float:
    """Median of the skin's albedo around a point of the mean head, as seen from the front."""
    off = model.skin.of(model.mean) - point
    near = (np.linalg.norm(off[:, :2], axis=1) < radius_mm) & (off[:, 2] > -40)
    near &= ~model.in_region("socket")
    assert near.sum() >= 5
    return float(np.median(look[: model.skin.stop][near]))


def test_form(model, looks):
    assert looks.shape == (2, len(model.mean)) and looks.dtype == np.float32
    assert np.isfinite(looks).all() and looks.min() > 0 and looks.max() <= 1


def test_left_and_right_are_alike(model, looks):
    mirror = mirror_embedding(model)
    face = model.in_region("cheeks", "nose", "forehead", "chin")
    for look in looks[:, : model.skin.stop]:
        other = (look[mirror.vertices] * mirror.weights).sum(1)
        ratio = np.log(look / other)[face & (model.mean[: model.skin.stop, 0] > 5)]
        assert abs(np.median(ratio)) < 0.12 and np.abs(ratio).mean() < 0.2


def test_brows_and_lips_are_where_they_belong(model, looks):
    marks = model.landmarks68.points(model.mean)
    for look in looks:
        skin = around(model, look, marks[27] + [0, 35, 0], 16)
        for brow in (19, 24):
            assert around(model, look, marks[brow], 4) < 0.8 * skin
        cheek = np.mean([around(model, look, (marks[a] + marks[b]) / 2, 12) for a, b in ((31, 3), (35, 13))])
        lips = np.array([around(model, look, (marks[a] + marks[b]) / 2, 4) for a, b in ((51, 62), (57, 66))])
        assert np.abs(np.log(lips / cheek)).max() > 0.06


def test_lids_hold_no_eyeball(model, looks):
    """What a blink draws over the eye is neither white nor black."""
    blinks = [model.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    moved = np.linalg.norm(model.expression_basis[blinks, : model.skin.stop].sum(0), axis=1)
    lid = (moved > 3) & ~model.in_region("socket")
    skin = model.in_region("cheeks", "forehead")
    for look in looks[:, : model.skin.stop]:
        relative = look[lid] / np.median(look[skin])
        assert lid.sum() > 50 and np.percentile(relative, 1) > 0.15 and np.percentile(relative, 99) < 1.6


def test_people_differ_in_tone(model, looks):
    cheeks = model.in_region("cheeks")
    light, dark = np.median(looks[:, : model.skin.stop][:, cheeks], axis=1)
    assert light > 2 * dark


def test_light_is_found_below_a_dark_beard(model):
    """Skin of albedo 0.4 in light from one side, a third of it covered by a beard of 0.1."""
    skin, height = model.skin.of(model.mean), model.mean[: model.skin.stop, 1]
    normals = vertex_normals(skin, model.skin.triangles())
    face = model.in_region("cheeks", "nose", "forehead", "chin")
    truth = 1 + 0.3 * normals[:, 0] + 0.15 * normals[:, 1]
    albedo = np.where(height < np.percentile(height[face], 33), 0.1, 0.4)
    light, tone = relative_light(normals, (albedo * truth).astype(np.float32), face.astype(np.float32))
    usual = face & (np.abs(normals[:, 0]) < 0.6) & (albedo > 0.2)
    found, expected = light[usual], truth[usual] / np.median(truth[face])
    assert np.abs(found / np.median(found) - expected / np.median(expected)).mean() < 0.03
    assert tone == pytest.approx(0.4 * np.median(truth[face]), rel=0.1)


def test_portrait_without_a_face(model, calibration, tmp_path):
    path = tmp_path / "wall.png"
    cv2.imwrite(str(path), np.full((300, 300, 3), 120, np.uint8))
    with pytest.raises(NoFaceError, match="wall.png"):
        portrait_looks(model, calibration, [path])
