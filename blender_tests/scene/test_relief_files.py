# SPDX-License-Identifier: GPL-3.0-or-later
"""A result folder's relief as an artist loads it by hand: the same millimetres and normals, the right way up."""

import numpy as np
import pytest


@pytest.fixture
def loaded(blender, made_up_result):
    """The reconstruction, and the function that gives the pixels of one of its files, row 0 at the top."""

    def pixels(name: str) -> np.ndarray:
        image = blender.data.images.load(str(made_up_result[1] / name))
        image.colorspace_settings.name = "Non-Color"
        assert image.is_float  # 16-bit PNG too: nothing is rounded to 8 bit
        width, height = image.size
        return np.array(image.pixels[:], np.float32).reshape(height, width, image.channels)[::-1]

    return made_up_result[0], pixels


@pytest.mark.parametrize(
    ("name", "relief"),
    [
        ("displacement.exr", lambda made: made.displacement),
        ("displacement_medium.exr", lambda made: made.maps["displacement_medium"]),
        ("displacement_fine.exr", lambda made: made.maps["displacement_fine"]),
    ],
)
def test_millimetres(loaded, name, relief):
    made, pixels = loaded
    shown, wanted = pixels(name), relief(made)
    assert np.ptp(wanted) > 0.05 and not np.array_equal(wanted, wanted[::-1])
    for channel in range(3):
        np.testing.assert_array_equal(shown[..., channel], wanted)


@pytest.mark.parametrize("name", ["normal", "normal_fine"])
def test_normals(loaded, name):
    made, pixels = loaded
    shown = pixels(f"{name}.png")[..., :3]
    np.testing.assert_allclose(shown, made.maps[name] / np.float32(65535), atol=1e-6)
