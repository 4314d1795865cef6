# SPDX-License-Identifier: GPL-3.0-or-later
"""What an eye looks like by the distance from the pupil's centre, in iris radii; Blender, export and preview draw it.

Reflectance = pupil · (iris · iris profile · pattern, then sclera · its tint from the limbus on).
"""

import numpy as np

from .pattern import sampled_pattern
from .types import EyeLook

PUPIL = ((0.29, 0.0), (0.35, 1.0))
"""0 in the pupil, 3.8 mm wide."""
IRIS_PROFILE = ((0.32, 0.72), (0.42, 1.06), (0.60, 1.06), (0.82, 0.95), (0.95, 0.60), (1.05, 0.36))
"""Brightness relative to the median: dark at the pupil's edge, and a limbal ring."""
SCLERA_SHARE = ((0.95, 0.0), (1.10, 1.0))
"""0 iris, 1 sclera: the limbus is soft."""
SCLERA_TINT = (
    (1.05, (0.97, 0.97, 0.98)), (1.25, (1.0, 1.0, 1.0)), (1.60, (0.93, 0.87, 0.85)), (2.05, (0.74, 0.58, 0.54)),
)  # fmt: skip
"""Colour relative to the median: towards the corners the vessels show."""


def eye_colors(look: EyeLook, place: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """(N, 3) float64 linear reflectance of an eye.

    Args:
        place: (N, 2) around the pupil in radii of this look's iris. pattern: of :func:`~.pattern.iris_pattern`.
    """
    radius = np.linalg.norm(place, axis=1)
    iris = _at(radius, IRIS_PROFILE)[:, None] * sampled_pattern(pattern, place)
    stops, tints = zip(*SCLERA_TINT, strict=True)
    tint = np.stack([np.interp(radius, stops, channel) for channel in zip(*tints, strict=True)], axis=1)
    white = _at(radius, SCLERA_SHARE)[:, None]
    colors = (1 - white) * iris * look.iris + white * tint * look.sclera
    return _at(radius, PUPIL)[:, None] * colors


def _at(radius: np.ndarray, stops: tuple[tuple[float, float], ...]) -> np.ndarray:
    return np.interp(radius, *zip(*stops, strict=True))
