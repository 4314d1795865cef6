# SPDX-License-Identifier: GPL-3.0-or-later
"""Highlights of known strength on skin of known colour."""

import numpy as np
import pytest

from facedetail_addon.core.skin.highlights import SIDE, find_highlights

SKIN = np.float32([0.40, 0.24, 0.18])


def blob(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.exp(-(((columns - x) ** 2 + (rows - y) ** 2) / radius**2)).astype(np.float32)


@pytest.fixture
def skin() -> np.ndarray:
    shade = 1 + 0.05 * np.sin(np.arange(SIDE) / 20)
    return (np.ones((SIDE, SIDE, 1)) * shade[:, None, None] * SKIN).astype(np.float32)


def found(image: np.ndarray, skin: np.ndarray, monochrome: bool = False) -> np.ndarray:
    confidence = np.zeros((SIDE, SIDE), np.float32)
    confidence[40:216, 40:216] = 1
    return find_highlights(image.astype(np.float32), confidence, skin, monochrome)


def test_a_white_patch_is_found_and_skin_is_left(skin):
    white = 0.25 * blob(120, 100, 5)
    map_ = found(skin + white[..., None], skin)
    assert np.unravel_index(map_.argmax(), map_.shape) == (100, 120)
    assert map_.max() == pytest.approx(0.25, rel=0.25)
    assert map_[white < 0.01].max() < 0.02
    assert not found(skin, skin).any()


def test_pale_skin_of_its_own_hue_is_left(skin):
    pale = skin * (1 + 0.6 * blob(120, 100, 5))[..., None]
    assert found(pale, skin).max() < 0.03


def test_red_lips_and_dark_beards_are_no_highlights(skin):
    lips = skin + blob(100, 150, 8)[..., None] * np.float32([0.02, -0.1, -0.06])
    beard = skin * (1 - 0.7 * blob(150, 180, 14))[..., None]
    assert found(lips, skin).max() < 0.02 and found(beard, skin).max() < 0.02


def test_without_colours_only_strong_ones_count():
    grey = np.full((SIDE, SIDE, 3), 0.3, np.float32)
    assert not found(grey + 0.04 * blob(120, 100, 5)[..., None], grey, monochrome=True).any()
    assert found(grey + 0.4 * blob(120, 100, 5)[..., None], grey, monochrome=True).max() > 0.2


def test_nothing_seen():
    skin = np.full((SIDE, SIDE, 3), 0.3, np.float32)
    assert not find_highlights(skin, np.zeros((SIDE, SIDE), np.float32), skin, False).any()
