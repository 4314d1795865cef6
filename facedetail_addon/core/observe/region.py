# SPDX-License-Identifier: GPL-3.0-or-later
"""Turned squares of a photo: cut them out for a network, and carry the network's points back to the photo."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Region:
    """A square of a photo that a network looks at.

    Attributes:
        center: (2,) float64 photo px. side: px. angle: radians, how far its x axis is turned clockwise (y is down).
    """

    center: np.ndarray
    side: float
    angle: float = 0.0

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) points of the unit square (0..1 across the region) to photo px."""
        return (points - 0.5) * self.side @ self._axes().T + self.center

    def from_photo(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) photo px to the unit square."""
        return (points - self.center) @ self._axes() / self.side + 0.5

    def _axes(self) -> np.ndarray:
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]])

    def crop(self, image: np.ndarray, size: int, border: int, half_pixel: bool = True) -> np.ndarray:
        """Cut the region out of a photo by bilinear sampling; where it is much larger than the crop, shrink it first.

        Args:
            image: (H, W, 3) uint8. size: side of the result. border: ``cv2.BORDER_…`` outside the photo.
            half_pixel: pixel centres lie at half numbers, as everywhere in FaceDetail. MediaPipe takes whole numbers
                in photo and crop alike, which shifts the picture by (side / size − 1) / 2 photo px, and never shrinks.

        Returns:
            (size, size, 3) uint8.
        """
        if not half_pixel:
            return self._crop_whole_numbers(image, size, border)
        matrix = np.eye(3)  # crop px to photo px
        matrix[:2, :2] = self._axes() * (self.side / size)
        matrix[:2, 2] = self.center - 0.5 + matrix[:2, :2] @ [(1 - size) / 2, (1 - size) / 2]
        image, matrix = _nearby(image, matrix, size)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpPerspective(image, matrix, (size, size), flags=flags, borderMode=border)

    def _crop_whole_numbers(self, image: np.ndarray, size: int, border: int) -> np.ndarray:
        """The crop as MediaPipe makes it, to the last bit: single-precision corners and an inverted projection."""
        square = (tuple(map(float, self.center)), (float(self.side),) * 2, float(np.degrees(self.angle)))
        corners = np.array([[0, size], [0, 0], [size, 0], [size, size]], np.float32)
        matrix = cv2.getPerspectiveTransform(cv2.boxPoints(square), corners)
        return cv2.warpPerspective(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)


def _nearby(image: np.ndarray, matrix: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Only the part of a photo that a crop needs, averaged down where the crop would skip pixels.

    Args:
        matrix: (3, 3) crop px to photo px, both counted in whole numbers. size: of the crop.

    Returns:
        The part and the matrix that leads to it. OpenCV's warp takes no source of 32768 px or more; a part is smaller.
    """
    corners = matrix[:2, :2] @ np.array([[0, size, size, 0], [0, 0, size, size]]) + matrix[:2, 2:]
    limit = np.array(image.shape[1::-1])
    low = np.clip(np.floor(corners.min(1)).astype(int) - 2, 0, limit - 1)
    high = np.clip(np.ceil(corners.max(1)).astype(int) + 3, low + 1, limit)
    part = image[low[1] : high[1], low[0] : high[0]]
    step = int(np.hypot(*matrix[:2, 0]))
    moved = matrix.copy()
    moved[:2, 2] -= low
    if step >= 2:  # whole steps, which OpenCV averages fast
        steps = np.minimum(step, high - low)
        small = (high - low) // steps
        part = part[: small[1] * steps[1], : small[0] * steps[0]]
        part = cv2.resize(part, (int(small[0]), int(small[1])), interpolation=cv2.INTER_AREA)
        moved[:2] /= steps[:, None]
        moved[:2, 2] += (1 / steps - 1) / 2
    return part, moved


def shrink(image: np.ndarray, longest: int) -> np.ndarray:
    """The picture with its longer side at most ``longest`` px, averaged over areas; unchanged where it is small."""
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
