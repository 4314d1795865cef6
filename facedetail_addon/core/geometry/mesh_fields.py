# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth fields over a triangle mesh."""

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix, diags
from scipy.sparse.linalg import splu

FAR_MM = 1e3
"""Reach of fields without a prior of their own."""


def mesh_laplacian(vertices: np.ndarray, triangles: np.ndarray) -> csc_matrix:
    """(V, V) cotangent Laplacian, positive semi-definite, its weights limited so that slivers do no harm."""
    count = len(vertices)
    corners = vertices[triangles].astype(np.float64)
    rows, columns, values = [], [], []
    for k in range(3):
        a, b = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
        area = np.linalg.norm(np.cross(a, b), axis=1)
        cotangent = ((a * b).sum(axis=1) / np.maximum(area, 1e-9)).clip(0.05, 10) / 2
        rows.append(triangles[:, (k + 1) % 3])
        columns.append(triangles[:, (k + 2) % 3])
        values.append(cotangent)
    rows, columns, values = np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
    edges = coo_matrix((values, (rows, columns)), shape=(count, count)).tocsr()
    edges = edges + edges.T
    return (diags(np.asarray(edges.sum(axis=1)).ravel()) - edges).tocsc()


def vertex_areas(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V,) float64 mm², a third of the triangles around each vertex."""
    corners = vertices[triangles].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 6
    return np.bincount(triangles.ravel(), np.repeat(area, 3), len(vertices)) + 1e-6


def smooth_field(
    laplacian: csc_matrix,
    areas: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    detail_mm: float,
    prior: np.ndarray | float = 0.0,
    reach_mm: np.ndarray | float = FAR_MM,
) -> np.ndarray:
    """The smoothest field that keeps to the values where they are trusted and returns to the prior far from them.

    Minimises ∫ w (x − value)² / detail² + (x − prior)² / reach² + |∇x|² over the surface.

    Args:
        laplacian: (V, V), of :func:`mesh_laplacian`. areas: (V,) mm². values: (V, C). weights: (V,) ≥ 0.
        detail_mm: changes over less than this are smoothed away. prior: (V, C) or one value.
        reach_mm: (V,) or one length.

    Returns:
        (V, C) float32.
    """
    keep = areas * weights / detail_mm**2
    pull = areas / np.square(np.broadcast_to(reach_mm, areas.shape))
    factor = splu(
        (diags(keep + pull) + laplacian).tocsc(),
        permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True},
    )  # fmt: skip
    right = keep[:, None] * values + pull[:, None] * prior
    return factor.solve(right.astype(np.float64)).astype(np.float32)
