# SPDX-License-Identifier: GPL-3.0-or-later
"""Affine camera from point pairs: the Gold Standard algorithm (Hartley & Zisserman, 2nd ed., algorithm 7.2)."""

import numpy as np

from ..errors import FaceDetailError
from ..geometry.camera import AffineCamera


def gold_standard_affine(
    points_mm: np.ndarray, points_px: np.ndarray, weights: np.ndarray | None = None
) -> AffineCamera:
    """The affine camera of least squared image distance; closed form, since the error is linear in the camera.

    Args:
        points_mm: (N, 3) head frame. points_px: (N, 2). weights: (N,) non-negative, 1 by default.

    Raises:
        FaceDetailError: fewer than four points of weight, or points in one plane.
    """
    weights = np.ones(len(points_mm)) if weights is None else np.asarray(weights, np.float64)
    to_unit_3d, unit_3d = _normalise(points_mm, weights)
    to_unit_2d, unit_2d = _normalise(points_px, weights)
    root = np.sqrt(weights)[:, None]
    design = np.concatenate([unit_3d, np.ones((len(unit_3d), 1))], axis=1) * root
    if (weights > 0).sum() < 4 or np.linalg.matrix_rank(design, tol=1e-9 * len(design)) < 4:
        raise FaceDetailError(
            "The landmarks do not determine a camera: they are too few or lie in one plane.",
            "Use another photo, or the other landmarker.",
        )
    unit_camera = np.linalg.lstsq(design, unit_2d * root, rcond=None)[0].T  # (2, 4)
    full = np.linalg.inv(to_unit_2d) @ np.vstack([unit_camera, [0, 0, 0, 1]]) @ to_unit_3d
    return AffineCamera(full[:2])


def closest_scaled_orthography(camera: AffineCamera) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale (px per mm), rotation (3, 3) and translation (2,) of the square-pixel camera nearest to an affine one.

    The 2×3 block's two singular values become their mean; the third row completes a right-handed rotation.
    """
    left, singular, right = np.linalg.svd(camera.matrix[:, :3], full_matrices=False)
    rows = left @ right
    return float(singular.mean()), np.vstack([rows, np.cross(rows[0], rows[1])]), camera.matrix[:, 3]


def _normalise(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The transform to zero mean and mean square distance D, homogeneous (D+1, D+1), and the moved points."""
    points = np.asarray(points, np.float64)
    total = max(weights.sum(), 1e-12)
    mean = weights @ points / total
    rms = np.sqrt(weights @ ((points - mean) ** 2).sum(1) / total / points.shape[1])
    size = 1 / max(rms, 1e-12)
    transform = np.diag(np.append(np.full(points.shape[1], size), 1.0))
    transform[:-1, -1] = -size * mean
    return transform, (points - mean) * size
