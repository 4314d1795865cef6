# SPDX-License-Identifier: GPL-3.0-or-later
"""What the correspondence network says of one photo."""

from dataclasses import dataclass

import numpy as np

POINTS = 368
"""P of the canonical head: where they lie on it tells :mod:`...face_model.canonical_points`."""


@dataclass(frozen=True)
class Correspondences:
    """Points of the canonical head in a photo, hidden ones too, and what their picture says of the head.

    Attributes:
        points_px: (P, 2) float32 photo px, in the order of the network's points.
        sigma_px: (P,) float32 standard deviation of each coordinate, photo px.
        rotation: (3, 3) float32 head frame to camera axes. rotation_sigma: of its entries.
        alpha, alpha_sigma: (K,) float32. beta, beta_sigma: (E,) float32: of the built-in head, in its units.
    """

    points_px: np.ndarray
    sigma_px: np.ndarray
    rotation: np.ndarray
    rotation_sigma: float
    alpha: np.ndarray
    alpha_sigma: np.ndarray
    beta: np.ndarray
    beta_sigma: np.ndarray

    def placed(self, points_mm: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """The scaled orthography of the network's rotation that brings a head's points to those in the photo.

        Args:
            points_mm: (P, 3), of a head in its frame.

        Returns:
            Scale in px per mm, (2,) the points' weighted middle in the picture plane in mm, and (2,) the same in px.
        """
        flat = points_mm @ self.rotation[:2].T
        weights = 1 / self.sigma_px.astype(np.float64) ** 2
        weights /= weights.sum()
        mean, middle = weights @ flat, weights @ self.points_px
        moments = ((flat - mean) * (self.points_px - middle)).sum(1), ((flat - mean) ** 2).sum(1)
        return (weights @ moments[0]) / (weights @ moments[1]), mean, middle
