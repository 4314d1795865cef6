# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' look as a picture, for programs that do not know Blender's nodes."""

import numpy as np

from ..core.colour import to_srgb8
from .eye_material import FIBRE_CONTRAST, FIBRE_REACH, RINGS

RADIUS = 2.0
"""Of the iris, from the picture's centre to its border: what is farther away is white."""
_SIDE = 512
_FIBRES = 48
_SEED = 11


def eye_picture() -> np.ndarray:
    """(512, 512, 3) uint8 sRGB: pupil, iris with fibres, limbus and white, for the layout of :func:`eye_uv`."""
    place = (np.arange(_SIDE) + 0.5) / _SIDE * 2 - 1
    x, y = np.meshgrid(place, -place)
    radius = RADIUS * np.hypot(x, y)
    stops, colors = [stop for stop, _ in RINGS], np.array([color[:3] for _, color in RINGS])
    rings = np.stack([np.interp(radius, stops, channel) for channel in colors.T], axis=-1)
    reach = np.interp(radius, *zip(*FIBRE_REACH, strict=True))
    low, high = FIBRE_CONTRAST
    contrast = low + (high - low) * _fibres(np.arctan2(y, x), radius)
    return to_srgb8(rings * (1 + reach * (contrast - 1))[..., None])


def eye_uv(iris: np.ndarray) -> np.ndarray:
    """Where in the picture a vertex of an eye lies; what is farther out than the picture reaches lies on its border.

    Args:
        iris: (N, 2) position around the pupil in iris radii, as ``eyes.iris_coordinates`` gives it.

    Returns:
        (N, 2) float32, 0 to 1 from the bottom left.
    """
    distance = np.linalg.norm(iris, axis=1, keepdims=True)
    return (0.5 + 0.5 * iris / np.maximum(distance, RADIUS)).astype(np.float32)


def _fibres(angle: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """0 to 1: changes quickly around the pupil and slowly along the radius."""
    rng = np.random.default_rng(_SEED)
    waves = rng.integers(5, _FIBRES, _FIBRES)
    phase, twist = rng.uniform(0, 2 * np.pi, _FIBRES), rng.normal(0, 1.5, _FIBRES)
    total = sum(np.cos(n * angle + p + t * radius) for n, p, t in zip(waves, phase, twist, strict=True))
    return np.clip(0.5 + total / np.sqrt(8 * _FIBRES), 0, 1)
