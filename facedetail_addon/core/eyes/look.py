# SPDX-License-Identifier: GPL-3.0-or-later
"""What an eye looks like by the distance from the pupil's centre, in iris radii; Blender, export and preview draw it.

Reflectance = pupil · (iris · iris profile · fibres, then sclera · its tint from the limbus on).
"""

import numpy as np

from .types import EyeLook

PUPIL = ((0.29, 0.0), (0.35, 1.0))
"""0 in the pupil, 3.8 mm wide."""
IRIS_PROFILE = ((0.32, 0.72), (0.42, 1.06), (0.60, 1.06), (0.82, 0.95), (0.95, 0.60), (1.05, 0.36))
"""Brightness relative to the median: dark at the pupil's edge, and a limbal ring."""
FIBRE_REACH = ((0.34, 0.0), (0.44, 1.0), (0.80, 1.0), (0.96, 0.0))
"""How much there is of the fibres."""
FIBRE_CONTRAST = (0.72, 1.28)
"""Fibres multiply the colour by something between these two."""
SCLERA_SHARE = ((0.95, 0.0), (1.10, 1.0))
"""0 iris, 1 sclera: the limbus is soft."""
SCLERA_TINT = (
    (1.05, (0.97, 0.97, 0.98)), (1.30, (1.0, 1.0, 1.0)), (1.65, (0.95, 0.88, 0.86)), (2.10, (0.78, 0.60, 0.56)),
)  # fmt: skip
"""Colour relative to the median: towards the corners the vessels show."""
_FIBRES = 48  # waves around the pupil
_SEED = 11  # of their frequencies and phases: every eye has the same


def eye_colors(look: EyeLook, place: np.ndarray) -> np.ndarray:
    """(N, 3) float64 linear reflectance of an eye.

    Args:
        place: (N, 2) around the pupil in radii of this look's iris.
    """
    radius = np.linalg.norm(place, axis=1)
    low, high = FIBRE_CONTRAST
    fibres = low + (high - low) * _fibres(np.arctan2(place[:, 1], place[:, 0]), radius)
    iris = _at(radius, IRIS_PROFILE) * (1 + _at(radius, FIBRE_REACH) * (fibres - 1))
    stops, tints = zip(*SCLERA_TINT, strict=True)
    tint = np.stack([np.interp(radius, stops, channel) for channel in zip(*tints, strict=True)], axis=1)
    white = _at(radius, SCLERA_SHARE)[:, None]
    colors = (1 - white) * iris[:, None] * look.iris + white * tint * look.sclera
    return _at(radius, PUPIL)[:, None] * colors


def _at(radius: np.ndarray, stops: tuple[tuple[float, float], ...]) -> np.ndarray:
    return np.interp(radius, *zip(*stops, strict=True))


def _fibres(angle: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """0 to 1: changes quickly around the pupil and slowly along the radius."""
    rng = np.random.default_rng(_SEED)
    waves = rng.integers(5, _FIBRES, _FIBRES)
    phase, twist = rng.uniform(0, 2 * np.pi, _FIBRES), rng.normal(0, 1.5, _FIBRES)
    total = sum(np.cos(n * angle + p + t * radius) for n, p, t in zip(waves, phase, twist, strict=True))
    return np.clip(0.5 + total / np.sqrt(8 * _FIBRES), 0, 1)
