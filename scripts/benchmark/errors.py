# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that several benchmarks compare by."""

import cv2
import numpy as np

TONES = (("brown and dark skin", -90, 10), ("tan and medium skin", 10, 41), ("light skin", 41, 90))
"""Name, and degrees of the typology angle from and to."""
_NOTHING = 1e-18


def best_factor(found: np.ndarray, truth: np.ndarray) -> float:
    """The number that brings ``found`` nearest to ``truth`` (least squares); 0 where nothing was found."""
    power = float((found.astype(np.float64) ** 2).sum())
    return float((found.astype(np.float64) * truth).sum()) / power if power > _NOTHING else 0.0


def rms(values: np.ndarray) -> float:
    """Root mean square; 0 of nothing."""
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2))) if values.size else 0.0


def typology_angle(colour: np.ndarray) -> float:
    """Degrees of the individual typology angle, atan((L* − 50) / b*) (Chardon et al. 1991); dark skin has the lower.

    Args:
        colour: (3,) sRGB 0..1 of the skin.
    """
    lightness, _, yellow = cv2.cvtColor(np.float32(colour)[None, None], cv2.COLOR_RGB2LAB)[0, 0]
    return float(np.degrees(np.arctan2(lightness - 50, yellow)))


def rounded(value: float, digits: int = 3) -> float:
    """For tables and JSON."""
    return round(float(value), digits)
