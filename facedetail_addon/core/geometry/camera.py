# SPDX-License-Identifier: GPL-3.0-or-later
"""The two cameras: affine for the proxy fit, perspective for the scene. Pure geometry, no fitting."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AffineCamera:
    """x_px = matrix · (X, 1).

    Attributes:
        matrix: (2, 4) float64, head frame mm to image px (y down).
    """

    matrix: np.ndarray

    def project(self, points_mm: np.ndarray) -> np.ndarray:
        """(N, 3) mm to (N, 2) px."""
        return points_mm @ self.matrix[:, :3].T + self.matrix[:, 3]


@dataclass(frozen=True)
class PerspectiveCamera:
    """Pinhole camera in the convention of OpenCV: X_cam = rotation · X + translation, x right, y down, z forward.

    Attributes:
        rotation: (3, 3) float64, head frame to camera frame, determinant +1.
        translation: (3,) float64 mm.
        focal_px: focal length in pixels (square pixels).
        center_px: (2,) float64 principal point in pixels.
        image_size: (width, height) in pixels of the photo it belongs to.
    """

    rotation: np.ndarray
    translation: np.ndarray
    focal_px: float
    center_px: np.ndarray
    image_size: tuple[int, int]

    def project(self, points_mm: np.ndarray) -> np.ndarray:
        """(N, 3) mm to (N, 2) px."""
        cam = points_mm @ self.rotation.T + self.translation
        return cam[:, :2] / cam[:, 2:3] * self.focal_px + self.center_px

    def position(self) -> np.ndarray:
        """(3,) the camera's centre in the head frame, mm."""
        return -self.rotation.T @ self.translation
