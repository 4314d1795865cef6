# SPDX-License-Identifier: GPL-3.0-or-later
"""What covers a face is told; faces as they are, in usual and unusual light, are not called covered."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import Photo, read_photo
from facedetail_addon.core.pipeline import fit, illuminate, observe
from facedetail_addon.core.skin.cover import notices
from facedetail_addon.settings import Settings

SETTINGS = Settings(resolution=512, detail="none")


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.load(SETTINGS)


@pytest.fixture(scope="module")
def portrait(data_dir) -> np.ndarray:
    """A synthetic portrait; under a large mask the astronaut's smaller face is not found at all."""
    picture = cv2.imread(str(data_dir / "synthetic_portraits" / "male-56.jpg"))[..., ::-1]
    return cv2.resize(picture, (700, 700), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def landmarks(models, portrait) -> np.ndarray:
    """(478, 2) px of the portrait."""
    return models.landmarker.find(portrait)[0].mesh_px[:, :2]


def told(pixels: np.ndarray, models: Models, folder: Path) -> list[str]:
    """The messages for a photo, (H, W, 3) uint8."""
    path = folder / "photo.png"
    cv2.imwrite(str(path), pixels[..., ::-1])
    photo: Photo = read_photo(path)
    observation = observe(photo, models, SETTINGS)
    light = illuminate(observation, fit((observation,), models, SETTINGS).pose, models, SETTINGS)
    found = notices(light.estimate, light.unwrapped, models.basis, models.model)
    assert {one.code for one in found} <= {"face_covered"}
    return [one.message for one in found]


def painted(pixels: np.ndarray, shape: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """A portrait under a polygon, (N, 2) px, of one colour with some shade."""
    mask = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(shape).astype(np.int32)], 255)
    share = cv2.GaussianBlur(mask, (0, 0), 0.7)[..., None] / 255
    shade = np.linspace(1.05, 0.85, pixels.shape[1])[None, :, None] * np.float32(colour)
    return (pixels * (1 - share) + shade * share).clip(0, 255).astype(np.uint8)


def ellipse(middle: np.ndarray, width: float, height: float) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 40)
    return middle + np.stack([width * np.cos(turn), height * np.sin(turn)], axis=1)


@pytest.mark.parametrize("colour", [(150, 190, 215), (225, 225, 225), (35, 35, 38)], ids=["blue", "white", "black"])
def test_a_mask(models, portrait, landmarks, tmp_path, colour):
    rim = landmarks[[234, 6, 454, 361, 397, 378, 152, 149, 172, 132]].copy()
    rim[1] = 0.35 * landmarks[6] + 0.65 * landmarks[1]
    (message,) = told(painted(portrait, rim, colour), models, tmp_path)
    assert "mask" in message


def test_a_phone(models, portrait, landmarks, tmp_path):
    across, down = np.ptp(landmarks[:, 0]) * 0.22, np.ptp(landmarks[:, 1]) * 0.4
    middle = landmarks[13] + [0.7 * across, 0]
    box = middle + np.float64([[-across, -down], [across, -down], [across, down], [-across, down]])
    (message,) = told(painted(portrait, box, (28, 28, 32)), models, tmp_path)
    assert "the lower face" in message


def test_sunglasses(models, portrait, landmarks, tmp_path):
    width, height = np.ptp(landmarks[:, 0]), np.ptp(landmarks[:, 1])
    middles = [landmarks[list(corners)].mean(axis=0) + [0, 0.036 * height] for corners in ((33, 133), (263, 362))]
    lenses = [ellipse(middle, 0.17 * width, 0.12 * height) for middle in middles]
    both = np.concatenate([lenses[0], lenses[1], lenses[1][:1], lenses[0][:1]])
    (message,) = told(painted(portrait, both, (25, 22, 24)), models, tmp_path)
    assert "the eyes" in message


@pytest.mark.parametrize("change", ["dark", "warm", "grey", "from one side"])
def test_a_free_face(models, tmp_path, change):
    light = astronaut().astype(np.float32)
    side = np.linspace(0.35, 1.15, light.shape[1])[None, :, None]
    changed = {
        "dark": 0.5 * light,
        "warm": light * [1.0, 0.85, 0.65],
        "grey": np.repeat(light.mean(axis=2, keepdims=True), 3, axis=2),
        "from one side": light * side,
    }[change]
    assert told(changed.clip(0, 255).astype(np.uint8), models, tmp_path) == []


@pytest.mark.parametrize("name", ["female-73", "male-73"])
def test_old_dark_and_bearded_faces(models, data_dir, tmp_path, name):
    """Among the portraits the ones whose light and skin explain them least."""
    pixels = cv2.imread(str(data_dir / "synthetic_portraits" / f"{name}.jpg"))[..., ::-1]
    assert told(pixels, models, tmp_path) == []
