# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' look as a picture, for programs that do not know Blender's nodes."""

import numpy as np

from ...core.colour import to_srgb8
from ...core.eyes.look import eye_colors
from ...core.eyes.types import EyeLook

RADIUS = 2.4
"""Of the default iris, from the picture's centre to its border: what is farther away is white."""
_SIDE = 512


def eye_picture(look: EyeLook, size: float, pattern: np.ndarray) -> np.ndarray:
    """(512, 512, 3) uint8 sRGB: pupil, iris with fibres, limbus and white, for the layout of :func:`eye_uv`.

    Args:
        size: of the iris relative to the default one. pattern: (S, S, 3) of its fibres.
    """
    place = (np.arange(_SIDE) + 0.5) / _SIDE * 2 - 1
    flat = np.stack(np.meshgrid(place, -place), axis=-1).reshape(-1, 2) * (RADIUS / size)
    return to_srgb8(eye_colors(look, flat, pattern)).reshape(_SIDE, _SIDE, 3)


def eye_uv(iris: np.ndarray) -> np.ndarray:
    """Where in the picture a vertex of an eye lies; what is farther out than the picture reaches lies on its border.

    Args:
        iris: (N, 2) position around the pupil in iris radii, as ``eyeball.iris_coordinates`` gives it.

    Returns:
        (N, 2) float32, 0 to 1 from the bottom left.
    """
    distance = np.linalg.norm(iris, axis=1, keepdims=True)
    return (0.5 + 0.5 * iris / np.maximum(distance, RADIUS)).astype(np.float32)
