# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in coloured light and in the dark: which way up they are, and whether they are found at all."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut, coffee

from facedetail_addon.core.colour import to_linear, to_srgb8
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker

RED, BLUE = np.float32([1.6, 0.03, 0.05]), np.float32([0.03, 0.08, 1.8])


def relit(light: np.ndarray, name: str) -> np.ndarray:
    """A portrait's linear picture under a red or a blue lamp, or both."""
    height, width = light.shape[:2]
    if name == "red":
        gain = np.float32([1.2, 0.02, 0.02])
    elif name == "blue":
        gain = np.float32([0.02, 0.03, 1.5])
    elif name == "red over blue":
        share = 1 / (1 + np.exp(-(np.linspace(0, 1, height, dtype=np.float32) - 0.45) * 12))[:, None, None]
        gain = RED * (1 - share) + BLUE * share
    else:
        share = 1 / (1 + np.exp(-(np.linspace(0, 1, width, dtype=np.float32) - 0.5) * 12))[:, None]
        light = (light @ np.float32([0.2126, 0.7152, 0.0722]))[..., None] * 2
        gain = RED * (1 - share) + BLUE * share
    return to_srgb8(light * gain)


@pytest.fixture(scope="module")
def landmarker() -> MeshLandmarker:
    return MeshLandmarker.load()


def portrait(data_dir, name: str) -> np.ndarray:
    picture = cv2.imread(str(data_dir / "synthetic_portraits" / f"{name}.jpg"))[:, :, ::-1]
    return to_linear(cv2.resize(picture, (512, 512), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize(
    ("name", "lamps"),
    [
        ("female-14", "red"),
        ("female-19", "blue"),
        ("female-67", "blue"),
        ("female-78", "blue"),
        ("male-6", "red over blue"),
        ("male-67", "red over blue"),
        ("male-51", "red beside blue"),
    ],
)
def test_upright_faces_in_coloured_light(landmarker, data_dir, name, lamps):
    """All of them were taken for faces upside down, with scores of 0.66 to 0.86."""
    (face,) = landmarker.find(relit(portrait(data_dir, name), lamps))
    assert face.rotation == 0
    assert face.mesh_px[468:, 1].mean() < face.mesh_px[[61, 291], 1].mean(), "eyes over mouth"


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("lamps", [None, "red", "blue"])
def test_turned_photos_are_found_in_any_light(landmarker, turns, lamps):
    light = to_linear(astronaut())
    picture = astronaut() if lamps is None else relit(light, lamps)
    (face,) = landmarker.find(np.rot90(picture, turns))
    assert (face.rotation + turns) % 4 == 0


@pytest.mark.parametrize("name", ["female-13", "male-33"])
@pytest.mark.parametrize("lamps", ["red", "blue", "red over blue"])
def test_people_upside_down_are_found_in_any_light(landmarker, data_dir, name, lamps):
    (face,) = landmarker.find(np.rot90(relit(portrait(data_dir, name), lamps), 2))
    assert face.rotation == 2


@pytest.mark.parametrize("exposure", [0.02, 0.006, 0.003])
def test_a_dark_photo_shows_its_face(landmarker, exposure):
    """Of 39, 18 and 10 levels at most; before, the first had no face and the second one upside down."""
    (bright,) = landmarker.find(astronaut())
    (face,) = landmarker.find(to_srgb8(to_linear(astronaut()) * np.float32(exposure)))
    assert face.score > 0.9 and face.rotation == 0
    assert np.linalg.norm((face.mesh_px - bright.mesh_px)[:, :2], axis=1).max() < 6


def test_no_face_in_the_dark(landmarker):
    assert landmarker.find(coffee() // 8) == ()
    assert landmarker.find(np.random.default_rng(0).integers(0, 12, (300, 400, 3), dtype=np.uint8)) == ()
    assert landmarker.find(np.zeros((200, 300, 3), np.uint8)) == ()
