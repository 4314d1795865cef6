# SPDX-License-Identifier: GPL-3.0-or-later
"""What unwrapping a photo returns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class UnwrappedTexture:
    """The photo in canonical UV.

    Attributes:
        color: (R, R, 3) uint8 sRGB; row 0 is the top (v = 1); complete, no holes, padded beyond the island.
        confidence: (R, R) float32, 1 = seen straight on, 0 = filled in or outside the island.
    """

    color: np.ndarray
    confidence: np.ndarray
