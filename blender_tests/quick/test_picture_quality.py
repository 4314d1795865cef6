# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise and blocks of a face's picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from PIL import Image

from facedetail_addon.core.observe.picture_quality import PictureQuality, notices, picture_quality

BOX = np.float32([[170, 60], [290, 230]])  # of the astronaut's face


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    with Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as picture:
        return np.asarray(picture.convert("RGB"))


def noisy(photo: np.ndarray, sigma: float) -> np.ndarray:
    return (photo + np.random.default_rng(0).normal(0, sigma, photo.shape)).clip(0, 255).round().astype(np.uint8)


def coded(photo: np.ndarray, quality: int) -> np.ndarray:
    _, packed = cv2.imencode(".jpg", photo[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    return cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1]


def codes(photo: np.ndarray, box: np.ndarray = BOX) -> list[str]:
    return [notice.code for notice in notices(picture_quality(photo, box))]


def test_a_usual_photo_is_taken_as_it_is(photo):
    found = picture_quality(photo, BOX)
    assert codes(photo) == [] and found.coarser < 1.05
    assert codes(coded(photo, 85)) == [] and codes(noisy(photo, 2)) == []
    large, blurred = cv2.resize(photo, None, fx=3, fy=3), cv2.GaussianBlur(photo, (0, 0), 3)
    assert codes(large, BOX * 3) == [] and codes(blurred) == []


def test_noise_is_measured(photo):
    grey = np.repeat(np.random.default_rng(0).normal(128, 9, (300, 300, 1)), 3, axis=2).clip(0, 255).astype(np.uint8)
    assert picture_quality(grey, np.float32([[0, 0], [300, 300]])).noise == pytest.approx(9, rel=0.05)
    found = picture_quality(noisy(photo, 14), BOX)
    assert codes(noisy(photo, 14)) == ["noisy_photo"] and found.coarser > 2


def test_blocks_are_found_wherever_they_begin(photo):
    for shift in (0, 3):
        blocky = np.roll(coded(photo, 12), shift, axis=(0, 1))
        assert codes(blocky) == ["compressed_photo"] and picture_quality(blocky, BOX).coarser > 1.3


def test_more_of_it_is_coarser_and_tiny_faces_are_not_judged(photo):
    found = [PictureQuality(noise, 0).coarser for noise in (0, 4, 8, 20)]
    assert found == sorted(found) and found[0] == 1 and found[-1] == pytest.approx(2.5)
    assert picture_quality(noisy(photo, 20), np.float32([[100, 100], [120, 120]])) == PictureQuality(0, 0)
    assert picture_quality(photo, BOX - 5000) == PictureQuality(0, 0)
