# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the sphere each pixel of a picture of the light covers."""

import numpy as np


def image_solid_angles(height: int) -> np.ndarray:
    """(height, 2·height) float64 steradians of the pixels; they add up to 4π."""
    edges = np.cos(np.pi * np.arange(height + 1) / height)
    return np.repeat((edges[:-1] - edges[1:])[:, None] * np.pi / height, 2 * height, axis=1)
