# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradients of fields on triangle meshes."""

import numpy as np
from scipy.sparse import csr_matrix


def surface_gradient(vertices: np.ndarray, triangles: np.ndarray) -> tuple[csr_matrix, csr_matrix, csr_matrix]:
    """The gradient of a piecewise linear field at the vertices, triangles weighted by area.

    Args:
        vertices: (V, 3) mm. triangles: (T, 3) int.

    Returns:
        Three (V, V) float32 matrices: times (V, C) values they give the gradient's x, y and z, per mm, in the surface.
    """
    count = len(vertices)
    corners = vertices[triangles].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    twice_area = np.maximum(np.linalg.norm(across, axis=1), 1e-9)
    around = np.maximum(np.bincount(triangles.ravel(), np.repeat(twice_area, 3), count), 1e-9)
    rows, columns, values = [], [], []
    for k in range(3):
        opposite = corners[:, (k + 2) % 3] - corners[:, (k + 1) % 3]
        # A triangle's share is its double area times the gradient of the corner's hat function.
        share = np.cross(across, opposite) / twice_area[:, None]
        for j in range(3):
            rows.append(triangles[:, j])
            columns.append(triangles[:, k])
            values.append(share / around[triangles[:, j], None])
    at = (np.concatenate(rows), np.concatenate(columns))
    values = np.concatenate(values).astype(np.float32)
    return tuple(csr_matrix((values[:, axis], at), shape=(count, count)) for axis in range(3))
