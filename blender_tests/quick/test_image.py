# SPDX-License-Identifier: GPL-3.0-or-later
"""What textures show around their islands."""

import numpy as np

from facedetail_addon.core.image import pad_islands, surroundings


def island() -> tuple[np.ndarray, np.ndarray]:
    """(256, 256, 3) of four colours on a disc, black elsewhere, and where that is."""
    y, x = np.indices((256, 256))
    covered = (x - 128) ** 2 + (y - 128) ** 2 < 30**2
    colour = np.zeros((256, 256, 3), np.uint8)
    colour[..., 0], colour[..., 1], colour[..., 2] = 200, np.where(x < 128, 40, 160), np.where(y < 128, 60, 90)
    colour[~covered] = 0
    return colour, covered


def test_padding_goes_on_with_the_nearest_colour_and_leaves_the_island_alone():
    colour, covered = island()
    padded = colour.copy()
    pad_islands(padded, surroundings(covered))
    np.testing.assert_array_equal(padded[covered], colour[covered])
    np.testing.assert_array_equal(padded[128 - 40, 128 - 20], (200, 40, 60))
    np.testing.assert_array_equal(padded[128 + 20, 128 + 40], (200, 160, 90))
    assert padded.reshape(-1, 3).min() > 30


def test_padding_far_out_is_soft():
    colour, covered = island()
    pad_islands(colour, surroundings(covered))
    steps = np.abs(np.diff(colour[..., 1].astype(int), axis=1)).max(axis=1)
    assert steps[128] == 120 and steps[2] < 20


def test_what_is_all_island_or_none_stays():
    colour, covered = island()
    for which in (np.ones_like(covered), np.zeros_like(covered)):
        same = colour.copy()
        pad_islands(same, surroundings(which))
        np.testing.assert_array_equal(same, colour)
