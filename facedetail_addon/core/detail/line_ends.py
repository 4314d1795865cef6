# SPDX-License-Identifier: GPL-3.0-or-later
"""How far along a line its end is: grooves run out, they do not stop."""

import cv2
import numpy as np

from ..image import blurred, smoothstep
from .line_view import STEP_MM
from .lines import LineField

_TAPER_MM, _STEPS = 3.0, 4  # over which a line ends, and places that are looked at
_BESIDE_MM = 0.6  # a line's own bends, which do not end it
_WHOLE = 0.7  # share of these places on the line from which on it goes on


def tapered(likelihood: np.ndarray, lines: LineField) -> np.ndarray:
    """(h, w) float32 in [0, 1]: 1 along lines, 0 at their ends, and where they meet skin that is not looked at.

    Args:
        likelihood: (h, w) float32 of a view's texels, 0 where no line is. lines: of the view, for their directions.
    """
    angle = np.arctan2(lines.across_sin, lines.across_cos) / 2 + np.float32(np.pi / 2)
    along = np.cos(angle), np.sin(angle)
    reach = 2 * round(_BESIDE_MM / STEP_MM) + 1
    near = cv2.dilate(likelihood, np.ones((reach, reach), np.uint8))
    y, x = np.mgrid[0 : likelihood.shape[0], 0 : likelihood.shape[1]].astype(np.float32)
    unit = 1 / np.maximum(likelihood, 1e-3)
    least = np.full_like(likelihood, 1)
    for sign in (-1, 1):
        total = np.zeros_like(likelihood)
        for step in range(1, _STEPS + 1):
            away = np.float32(sign * step * _TAPER_MM / _STEPS / STEP_MM)
            total += np.minimum(cv2.remap(near, x + away * along[0], y + away * along[1], cv2.INTER_LINEAR) * unit, 1)
        least = np.minimum(least, total / _STEPS)
    return blurred(smoothstep(least, 0, _WHOLE), 0.5 / STEP_MM)
