# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo as coarse as the mesh, and how its colours change beside a place."""

from dataclasses import dataclass

import cv2
import numpy as np

from ...colour import to_linear
from ...image import sample

_MARGIN_MM = 10.0
_SIGMA_PX = 2.0  # of the blur in the shrunken picture


@dataclass(frozen=True)
class BlurredPhoto:
    """The part of a photo around a face.

    Attributes:
        values: (h, w, 9) float32: linear RGB, its slope along x, its slope along y, per px of the photo.
        origin: (2,) of its corner in the photo, px. scale: (2,) its px per px of the photo.
    """

    values: np.ndarray
    origin: np.ndarray
    scale: np.ndarray

    def at(self, points_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 2) photo px to (N, 3) linear colours and (N, 3, 2) slopes per px."""
        at = ((points_px - self.origin) * self.scale - 0.5).astype(np.float32)
        found = np.concatenate([self._channels(at, slice(first, first + 3)) for first in (0, 3, 6)], axis=1)
        return found[:, :3], np.stack([found[:, 3:6], found[:, 6:]], axis=2)

    def _channels(self, at: np.ndarray, channels: slice) -> np.ndarray:
        return sample(np.ascontiguousarray(self.values[..., channels]), at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


def blurred_photo(pixels: np.ndarray, points_px: np.ndarray, px_per_mm: float, sigma_mm: float) -> BlurredPhoto:
    """Blur the surroundings of a face by a Gaussian.

    Args:
        pixels: (H, W, 3) uint8 sRGB. points_px: (N, 2) of the face. px_per_mm: its scale. sigma_mm: of the blur.
    """
    height, width = pixels.shape[:2]
    margin = _MARGIN_MM * px_per_mm
    low = np.floor(points_px.min(0) - margin).astype(int).clip(0, [width - 1, height - 1])
    high = np.ceil(points_px.max(0) + margin).astype(int).clip(low + 1, [width, height])
    part = to_linear(pixels[low[1] : high[1], low[0] : high[0]]).astype(np.float32)
    shrink = max(1.0, sigma_mm * px_per_mm / _SIGMA_PX)
    size = np.maximum(np.round((high - low) / shrink), 1).astype(int)
    scale = size / (high - low)
    small = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(sigma_mm * px_per_mm * float(scale.min()), 0.5))
    slopes = [cv2.Sobel(soft, cv2.CV_32F, *axis, scale=1 / 8) * scale[k] for k, axis in enumerate(((1, 0), (0, 1)))]
    return BlurredPhoto(np.dstack([soft, *slopes]), low.astype(np.float64), scale)
