# SPDX-License-Identifier: GPL-3.0-or-later
"""How small a thing a photo shows: pixels on the skin, and how many of them resolve something."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage import data

from blender_tests.made_up import observed
from facedetail_addon.core.detail.resolvable_size import resolvable_size, resolved_px
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.types import PoseFit
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return data.astronaut()


@pytest.fixture(scope="module")
def mesh_px(astronaut) -> np.ndarray:
    return MeshLandmarker.load().find(astronaut)[0].mesh_px[:, :2]


@pytest.fixture(scope="module")
def fit(model, astronaut) -> PoseFit:
    photo = observed(MeshLandmarker.load().find(astronaut)[0], astronaut.shape[1::-1])
    return fit_dense([photo], model, load_calibration()).pose


def enlarged(photo: np.ndarray, factor: float, way: int = cv2.INTER_CUBIC) -> np.ndarray:
    return cv2.resize(photo, None, fx=factor, fy=factor, interpolation=way)


def noisy(photo: np.ndarray, spread: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=photo.shape) * spread
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


def test_a_sharp_photo_resolves_its_pixels(astronaut, mesh_px):
    assert resolved_px(astronaut, mesh_px) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("way", [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4])
def test_an_enlarged_photo_shows_no_more_than_before(astronaut, mesh_px, way):
    found = [resolved_px(enlarged(astronaut, factor, way), mesh_px * factor) for factor in (1, 3, 5)]
    assert 2.0 < found[1] < 4.0 and 3.4 < found[2] < 6.6


@pytest.mark.parametrize("spread", [0, 3])
def test_blur_is_seen_through_noise(astronaut, mesh_px, spread):
    """A Gaussian resolves about its full width at half maximum, 2.4 standard deviations."""
    large = enlarged(astronaut, 3)
    found = resolved_px(noisy(cv2.GaussianBlur(large, (0, 0), 3.0), spread), mesh_px * 3)
    assert 4.0 < found < 9.0


def test_noise_is_not_taken_for_blur(astronaut, mesh_px):
    assert resolved_px(noisy(astronaut, 10), mesh_px) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("level", [0, 255])
def test_an_even_picture_does_no_harm(level, mesh_px):
    assert resolved_px(np.full((512, 512, 3), level, np.uint8), mesh_px) >= 1


@pytest.mark.parametrize("shift", [-600.0, 600.0])
def test_a_face_outside_the_photo_does_no_harm(astronaut, mesh_px, shift):
    assert resolved_px(astronaut, mesh_px + shift) == 1


def test_grain_is_the_pixels_size_where_the_skin_faces_the_camera(model, astronaut, mesh_px, fit):
    resolvable = resolvable_size(astronaut, mesh_px, fit, model.skin.triangles(), model.skin.stop)
    assert resolvable.shape == (model.skin.stop,) and resolvable.dtype == np.float32 and np.isfinite(resolvable).all()
    camera = fit.perspective
    nose = model.in_region("forehead")
    depth = model.skin.of(fit.vertices)[nose] @ camera.rotation[2] + camera.translation[2]
    assert np.quantile(resolvable[nose], 0.05) == pytest.approx(np.median(depth) / camera.focal_px, rel=0.1)
    away = model.in_region("ears")
    assert np.median(resolvable[away]) > 1.2 * np.median(resolvable[nose])


def test_grain_does_not_shrink_with_an_enlarged_photo(model, astronaut, mesh_px, fit):
    large = replace(fit, perspective=replace(fit.perspective, focal_px=fit.perspective.focal_px * 3))
    given = model.skin.triangles(), model.skin.stop
    one = resolvable_size(astronaut, mesh_px, fit, *given)
    other = resolvable_size(enlarged(astronaut, 3), mesh_px * 3, large, *given)
    assert 0.7 < np.median(other / one) < 1.3
