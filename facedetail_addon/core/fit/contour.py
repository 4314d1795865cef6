# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks of the face's outline: where their own point is hidden they mean the silhouette, not the skin."""

import numpy as np


def silhouette_choice(projected_paths: np.ndarray, center_px: np.ndarray) -> np.ndarray:
    """For each contour landmark the place on its path that reaches farthest out in the picture.

    Args:
        projected_paths: (C, M, 2) px, paths from the landmark's own point (first) towards the middle of the face.
        center_px: (2,) the projected middle of the face.

    Returns:
        (C,) int, 0 where the own point is on the silhouette or in view.
    """
    outward = projected_paths[:, 0] - center_px
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    reach = np.einsum("cmk,ck->cm", projected_paths - center_px, outward)
    return reach.argmax(1)
