# SPDX-License-Identifier: GPL-3.0-or-later
"""What relief makes of the light: shading of tipped normals, and the dark of grooves that shut light out."""

from dataclasses import dataclass

import numpy as np

OCCLUSION = 0.3
"""Logarithm that a place loses for each unit of slope by which its surroundings rise above it."""
OCCLUSION_MM = (0.8, 1.6)
"""How far away these surroundings are looked at."""
_LEAST_RATIO = 0.1  # of the light with relief to that without; narrower shadows are not the photo's


@dataclass(frozen=True)
class ReliefLight:
    """How the light on some places of the skin answers to slopes, (…) float32 each; slopes are mm per mm of texels.

    Attributes:
        by_x, by_y: change of the logarithm of shading with a small slope to the right, and down.
        direct: share of the shading that comes from the light itself, not from other skin.
        metric_xx, metric_xy, metric_yy: the squared tangent of the tilt is xx·x² + 2·xy·x·y + yy·y².
    """

    by_x: np.ndarray
    by_y: np.ndarray
    direct: np.ndarray
    metric_xx: np.ndarray
    metric_xy: np.ndarray
    metric_yy: np.ndarray

    def log_shading(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Change of the logarithm of shading by slopes, and its derivatives by both.

        The normal n − ∇h is made a unit vector again, so that steep walls are dark in frontal light too.
        """
        towards_x, towards_y = self.metric_xx * x + self.metric_xy * y, self.metric_xy * x + self.metric_yy * y
        length = 1 / np.sqrt(1 + x * towards_x + y * towards_y)
        lit = self.direct + self.by_x * x + self.by_y * y
        ratio = np.maximum(lit * length + 1 - self.direct, _LEAST_RATIO)
        turned = lit * length**3
        return (
            np.log(ratio),
            (self.by_x * length - turned * towards_x) / ratio,
            (self.by_y * length - turned * towards_y) / ratio,
        )


def log_occlusion(height: np.ndarray, texel_mm: float) -> np.ndarray:
    """(H, W) ≤ 0, what the logarithm of light loses in the grooves of (H, W) mm."""
    out = np.zeros_like(height)
    for away_mm in OCCLUSION_MM:
        away = max(1, round(away_mm / texel_mm))
        around = np.pad(height, away, mode="edge")
        inner, first, last = slice(away, -away), slice(0, -2 * away), slice(2 * away, None)
        mean = (around[first, inner] + around[last, inner] + around[inner, first] + around[inner, last]) / 4
        out -= np.float32(OCCLUSION / (away * texel_mm)) * np.maximum(mean - height, 0)
    return out


def slopes(height: np.ndarray, texel_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Rise to the right and down of (H, W) mm, by differences over two texels."""
    padded = np.pad(height, 1, mode="edge")
    scale = np.float32(0.5 / texel_mm)
    return (padded[1:-1, 2:] - padded[1:-1, :-2]) * scale, (padded[2:, 1:-1] - padded[:-2, 1:-1]) * scale
