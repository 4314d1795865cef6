# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way the texture runs over a mesh."""

import numpy as np

from ..face_model.model import MeshPart


def uv_derivatives(vertices: np.ndarray, part: MeshPart) -> tuple[np.ndarray, np.ndarray]:
    """How a surface point moves when u or v grows by 1, constant in each triangle.

    Args:
        vertices: (V_part, 3) mm of the part's own vertices. part: its UV must not fold triangles to nothing.

    Returns:
        Two (T, 3) float64 in mm, in the order of ``part.triangles()``: along u and along v.
    """
    corners = vertices[part.triangles()].astype(np.float64)
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    uv = part.uv[part.uv_triangles()].astype(np.float64)
    (u1, v1), (u2, v2) = (uv[:, 1] - uv[:, 0]).T[..., None], (uv[:, 2] - uv[:, 0]).T[..., None]
    area = u1 * v2 - u2 * v1
    return (edge1 * v2 - edge2 * v1) / area, (edge2 * u1 - edge1 * u2) / area
