# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks of person, hair and skin around one face, on real and drawn people."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from blender_tests.made_up import assert_same
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.masks.find import find_masks
from facedetail_addon.core.observe.masks.networks import MaskNetworks
from facedetail_addon.core.observe.masks.types import LEVELS, MASK_SIDE, MASKS, PhotoMasks
from facedetail_addon.core.observe.photo import read_photo

CHEEKS, FOREHEAD, CHIN, PUPILS = (50, 280), (151,), (199,), (468, 473)
TOP, BOTTOM = 10, 152  # of the face's outline


@pytest.fixture(scope="module")
def landmarker() -> MeshLandmarker:
    return MeshLandmarker.load()


@pytest.fixture(scope="module")
def networks() -> MaskNetworks:
    return MaskNetworks.load()


@pytest.fixture(scope="module")
def look(landmarker, networks):
    """A picture to the landmarks and masks of its largest face."""

    def masks_of(picture: np.ndarray) -> tuple[FaceLandmarks, PhotoMasks]:
        face = landmarker.find(picture)[0]
        return face, find_masks(picture, face, networks)

    return masks_of


def at(masks: PhotoMasks, face: FaceLandmarks, which: tuple[int, ...]) -> dict[str, np.ndarray]:
    """What the masks say at landmarks, by the masks' names."""
    return dict(zip(MASKS, masks.sample(face.mesh_px[list(which), :2]).T, strict=True))


def over(masks: PhotoMasks, face: FaceLandmarks, height: float) -> dict[str, float]:
    """What they say over the forehead's top, so many face heights above it."""
    top, bottom = face.mesh_px[[TOP, BOTTOM], :2]
    return dict(zip(MASKS, masks.sample(top + height * (top - bottom))[0].tolist(), strict=True))


def assert_bare_face(masks: PhotoMasks, face: FaceLandmarks) -> None:
    seen = at(masks, face, (*CHEEKS, *CHIN))
    assert (seen["person"] > 0.9).all() and (seen["hair"] < 0.1).all() and (seen["skin"] > 0.8).all(), seen


def test_the_astronaut(look):
    face, masks = look(astronaut())
    assert all(getattr(masks, name).shape == (MASK_SIDE, MASK_SIDE) for name in MASKS)
    assert_bare_face(masks, face)
    assert over(masks, face, 0.15)["hair"] > 0.9 and over(masks, face, 0.15)["skin"] < 0.1
    assert (at(masks, face, PUPILS)["skin"] < 0.5).all()  # nobody's eye has the skin's colour
    suit = masks.sample(np.array([[225.0, 205.0], [115.0, 235.0]]))  # black and orange, of the person, no skin
    assert (suit[:, 0] > 0.9).all() and (suit[:, 1:] < 0.1).all()
    ground = masks.sample(np.array([[120.0, 60.0], [335.0, 60.0]]))
    assert (ground < 0.05).all()


def test_the_same_photo_gives_the_same_masks_and_they_fit_into_bytes(look):
    _face, masks = look(astronaut())
    assert_same(look(astronaut())[1], masks)
    for name in MASKS:
        mask = getattr(masks, name)
        levels = np.round(mask * LEVELS).astype(np.uint8)
        np.testing.assert_array_equal(levels.astype(np.float32) / np.float32(LEVELS), mask)


def test_nobody_knows_what_lies_outside(look):
    _face, masks = look(astronaut())
    outside = masks.sample(np.array([[-1.0, 100.0], [100.0, 513.0], [510.0, 510.0]]))  # the last one is far below
    assert np.isnan(outside).all()
    assert masks.sample(np.zeros((0, 2))).shape == (0, 3)


@pytest.mark.parametrize("degrees", [25.0, 90.0, 180.0, -60.0])
def test_a_turned_photo_has_the_same_masks(look, degrees):
    picture = astronaut()[:360, 40:400]
    upright_face, upright = look(picture)
    turn = cv2.getRotationMatrix2D((179.5, 179.5), degrees, 0.7)
    turned = cv2.warpAffine(picture, turn, (360, 360), borderMode=cv2.BORDER_REFLECT)
    face, masks = look(turned)
    assert_bare_face(masks, face)
    points = upright_face.mesh_px[:468:5, :2]
    moved = (points - 0.5) @ turn[:, :2].T + turn[:, 2] + 0.5
    assert np.abs(masks.sample(moved) - upright.sample(points)).mean(axis=0).max() < 0.06


def test_a_face_at_the_border(look):
    face, masks = look(astronaut()[60:, 178:])  # at two sides, cut through hair and shoulder
    assert_bare_face(masks, face)
    inside = masks.sample(np.stack(np.meshgrid(np.arange(10.0, 150, 20), np.arange(10.0, 150, 20)), -1).reshape(-1, 2))
    assert np.isfinite(inside).all()


def test_a_face_that_fills_the_photo(look):
    face, masks = look(astronaut()[70:200, 165:285])
    assert_bare_face(masks, face)


def test_a_face_of_60_pixels(look):
    picture = cv2.resize(astronaut(), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    face, masks = look(picture)
    assert np.ptp(face.mesh_px[:, 0]) < 62
    assert_bare_face(masks, face)
    assert over(masks, face, 0.15)["hair"] > 0.9


def test_a_grey_photo(look):
    grey = np.repeat(cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    face, masks = look(grey)
    assert_bare_face(masks, face)
    assert over(masks, face, 0.15)["hair"] > 0.9


def test_a_damaged_weight_file_is_told(tmp_path):
    with pytest.raises(AssetError, match="index of weights"):
        MaskNetworks.load(tmp_path)


@pytest.mark.parametrize("person", ["011", "061", "113", "124", "172"])
def test_people_in_a_studio(data_dir, look, person):
    picture = read_photo(data_dir / "london" / "neutral" / f"{person}.jpg").pixels
    face, masks = look(picture)
    assert_bare_face(masks, face)
    assert over(masks, face, 0.22)["hair"] > 0.6
    top, ear = face.mesh_px[TOP, :2], face.mesh_px[234, :2]
    wall = masks.sample(np.array([[ear[0] - 250, ear[1]], [ear[0] - 250, top[1]], [picture.shape[1] - 250, top[1]]]))
    assert (wall < 0.03).all(), wall


@pytest.mark.parametrize(
    ("person", "hair"), [("male-19", False), ("female-41", False), ("female-63", True), ("male-73", True)]
)
def test_bald_and_covered_heads_have_no_hair_and_old_ones_grey_hair(data_dir: Path, look, person, hair):
    """A shaved head, a headscarf, and white hair on dark and on balding heads."""
    face, masks = look(read_photo(data_dir / "synthetic_portraits" / f"{person}.jpg").pixels)
    assert_bare_face(masks, face)
    low, high = face.mesh_px[:, :2].min(axis=0), face.mesh_px[:, :2].max(axis=0)
    wide = (high - low)[0]
    x, y = np.meshgrid(np.linspace(low[0] - wide / 4, high[0] + wide / 4, 60), np.linspace(low[1] - wide, low[1], 60))
    share = np.nanmean(masks.sample(np.stack([x, y], -1).reshape(-1, 2))[:, 1])
    assert share > 0.1 if hair else share < 0.02, share
