# SPDX-License-Identifier: GPL-3.0-or-later
"""What an eye looks like by the distance from the pupil's centre, in iris radii; Blender, export and preview draw it.

Reflectance = pupil · (inner iris, then iris · iris profile · pattern, then sclera · its tint from the limbus on).
"""

import numpy as np

from ..colour import LUMINANCE
from .pattern import openness, sampled_pattern
from .types import Colour, EyeLook

PUPIL = ((0.29, 0.0), (0.35, 1.0))
"""0 in the pupil, 3.8 mm wide."""
IRIS_PROFILE = ((0.32, 0.74), (0.42, 1.10), (0.62, 1.10), (0.75, 0.98), (0.86, 0.78), (0.95, 0.54), (1.05, 0.34))
"""Brightness relative to the median: dark at the pupil's edge, and a limbal ring."""
INNER_SHARE = ((0.44, 1.0), (0.60, 0.0))
"""1 the ring around the pupil, 0 the iris beyond the collarette."""
SCLERA_SHARE = ((0.95, 0.0), (1.10, 1.0))
"""0 iris, 1 sclera: the limbus is soft."""
SCLERA_TINT = (
    (1.05, (0.97, 0.97, 0.98)), (1.25, (1.0, 1.0, 1.0)), (1.60, (0.93, 0.87, 0.85)), (2.05, (0.74, 0.58, 0.54)),
)  # fmt: skip
"""Colour relative to the median: towards the corners the vessels show."""


_WARMTH = np.array([0.17, 0.04, -0.21])  # log factors of the ring around the pupil in usual light irises


def usual_inner(iris: Colour) -> Colour:
    """The ring around the pupil where nobody has looked: warmer in light irises, as bright as the iris."""
    return as_bright(np.array(iris) * np.exp(openness(iris) * _WARMTH), iris)


def as_bright(color: np.ndarray, iris: Colour) -> Colour:
    """(3,) linear with the luminance of an iris."""
    scaled = color * (np.dot(iris, LUMINANCE) / max(float(color @ LUMINANCE), 1e-6))
    return tuple(float(value) for value in scaled.clip(0, 1))


def eye_colors(look: EyeLook, place: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """(N, 3) float64 linear reflectance of an eye.

    Args:
        place: (N, 2) around the pupil in radii of this look's iris. pattern: of :func:`~.pattern.iris_pattern`.
    """
    radius = np.linalg.norm(place, axis=1)
    inner = _at(radius, INNER_SHARE)[:, None]
    color = inner * (look.iris_inner or usual_inner(look.iris)) + (1 - inner) * look.iris
    iris = color * _at(radius, IRIS_PROFILE)[:, None] * sampled_pattern(pattern, place)
    stops, tints = zip(*SCLERA_TINT, strict=True)
    tint = np.stack([np.interp(radius, stops, channel) for channel in zip(*tints, strict=True)], axis=1)
    white = _at(radius, SCLERA_SHARE)[:, None]
    colors = (1 - white) * iris + white * tint * look.sclera
    return _at(radius, PUPIL)[:, None] * colors


def _at(radius: np.ndarray, stops: tuple[tuple[float, float], ...]) -> np.ndarray:
    return np.interp(radius, *zip(*stops, strict=True))
