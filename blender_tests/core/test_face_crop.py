# SPDX-License-Identifier: GPL-3.0-or-later
"""The square of a face: the same for every way to hold the photo, and not moved by the mouth."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from facedetail_addon.core.observe.expression.face_crop import crop_face, face_region
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import PoseRange, sample_head

SIZE = 48


@pytest.fixture(scope="module")
def landmarker() -> MeshLandmarker:
    return MeshLandmarker.load()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return astronaut()


@pytest.fixture(scope="module")
def mesh(landmarker, photo) -> np.ndarray:
    return landmarker.find(photo)[0].mesh_px


@pytest.fixture(scope="module")
def crop(photo, mesh) -> np.ndarray:
    return crop_face(photo, mesh, SIZE)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute grey levels."""
    return float(np.abs(a.astype(float) - b).mean())


def found_crop(landmarker: MeshLandmarker, picture: np.ndarray) -> np.ndarray:
    picture = np.ascontiguousarray(picture)
    return crop_face(picture, landmarker.find(picture)[0].mesh_px, SIZE)


def test_form_and_contrast(crop):
    assert crop.shape == (SIZE, SIZE) and crop.dtype == np.uint8
    assert crop.std() > 25


def test_eyes_lie_level_and_where_fer2013_has_them(mesh):
    region = face_region(mesh)
    corners = mesh[[33, 263], :2].astype(float) - region.center
    turn = np.array([[np.cos(region.angle), np.sin(region.angle)], [-np.sin(region.angle), np.cos(region.angle)]])
    right, left = corners @ turn.T / region.side
    assert right[1] == pytest.approx(left[1], abs=1e-6)
    assert left[0] - right[0] == pytest.approx(0.53, abs=0.04)
    assert -0.35 < right[1] < -0.05 and abs(left[0] + right[0]) < 0.08


def test_sizes_agree(photo, mesh, crop):
    large = crop_face(photo, mesh, 2 * SIZE)
    assert difference(cv2.resize(large, (SIZE, SIZE), interpolation=cv2.INTER_AREA), crop) < 4
    assert difference(np.roll(crop, 1, axis=1), crop) > 4, "a shift by one pixel would be noticed"


def test_grey_and_colour_agree(photo, mesh, crop):
    assert difference(crop_face(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), mesh, SIZE), crop) < 1


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_photo(landmarker, photo, crop, turns):
    assert difference(found_crop(landmarker, np.rot90(photo, turns)), crop) < 6


def test_scaled_photo(landmarker, photo, crop):
    large = cv2.resize(photo, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC)
    assert difference(found_crop(landmarker, large), crop) < 6


def test_mirrored_photo(landmarker, photo, crop):
    mirrored = found_crop(landmarker, photo[:, ::-1])
    assert difference(mirrored[:, ::-1], crop) < 6
    assert difference(mirrored, crop) > 12, "the face is not symmetric"


def test_open_mouth_hardly_moves_the_crop(landmarker, model):
    painter, closed = make_painter(model), np.zeros(len(model.expression_names), np.float32)
    opened = closed.copy()
    opened[model.expression_names.index("jawOpen")] = 0.8
    head = sample_head(np.random.default_rng(4), model, 384, PoseRange(neutral_share=1.0), yaw_deg=0.0)
    regions, chins = [], []
    for beta in (closed, opened):
        picture, _ = render_head(painter, model.vertices(head.alpha, beta), head.camera, np.random.default_rng(5))
        mesh = landmarker.find(picture)[0].mesh_px
        regions.append(face_region(mesh))
        chins.append(mesh[152, :2])
    before, after = regions
    assert np.linalg.norm(chins[1] - chins[0]) > 0.07 * before.side, "the chin did move"
    assert np.linalg.norm(after.center - before.center) < 0.02 * before.side
    assert after.side == pytest.approx(before.side, rel=0.05)
    assert after.angle == pytest.approx(before.angle, abs=0.02)


def test_turning_the_head_keeps_the_size(landmarker, model):
    painter, sides = make_painter(model), []
    for yaw in (0.0, 35.0):
        head = sample_head(np.random.default_rng(4), model, 384, PoseRange(neutral_share=1.0), yaw_deg=yaw)
        vertices = model.vertices(head.alpha)
        picture, _ = render_head(painter, vertices, head.camera, np.random.default_rng(5))
        sides.append(face_region(landmarker.find(picture)[0].mesh_px).side)
    assert sides[1] == pytest.approx(sides[0], rel=0.08)


@pytest.mark.parametrize("scale", [1e-3, 0.02, 0.1])
def test_tiny_face(photo, mesh, scale):
    small = cv2.resize(photo, None, fx=max(scale, 0.01), fy=max(scale, 0.01), interpolation=cv2.INTER_AREA)
    crop = crop_face(small, mesh * scale, SIZE)
    assert crop.shape == (SIZE, SIZE) and np.isfinite(face_region(mesh * scale).side)


def test_flat_picture(mesh):
    assert (crop_face(np.full((512, 512, 3), 127, np.uint8), mesh, SIZE) == 127).all()


def test_landmarks_one_pixel_wide(photo, mesh):
    thin = mesh.copy()
    thin[:, 0] = 200 + thin[:, 0] / 512
    region = face_region(thin)
    assert np.isfinite([*region.center, region.side, region.angle]).all() and region.side >= 1
    assert crop_face(photo, thin, SIZE).shape == (SIZE, SIZE)


def test_landmarks_in_one_place(photo):
    crop = crop_face(photo, np.full((478, 3), 100.0), SIZE)
    assert crop.shape == (SIZE, SIZE) and np.ptp(crop.astype(int)) < 60


def test_face_half_outside_the_photo(photo, mesh):
    cut = int(mesh[:, 0].mean())
    crop = crop_face(np.ascontiguousarray(photo[:, :cut]), mesh, SIZE)
    whole = crop_face(photo, mesh, SIZE)
    assert difference(crop[:, :20], whole[:, :20]) < 1, "what is inside stays the same"
