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
