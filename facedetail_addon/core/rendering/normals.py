# SPDX-License-Identifier: GPL-3.0-or-later
"""Normals and tangents of triangle meshes."""

import numpy as np


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit normals, triangles weighted by area; zero for vertices without a triangle.

    Args:
        vertices: (V, 3). triangles: (T, 3) int.
    """
    corners = vertices[triangles].astype(np.float64)
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(vertices), 3))
    for corner in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(triangles[:, corner], face[:, axis], len(vertices))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(length, 1e-12)).astype(np.float32)


def uv_derivatives(corners: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """∂p/∂u and ∂p/∂v: how a surface point moves when u or v grows by 1, constant in each triangle.

    Args:
        corners: (T, 3, 3) mm, the triangles' corners. uv: (T, 3, 2) of the same; no triangle is folded to nothing.

    Returns:
        Two (T, 3) float64 in mm: along u and along v.
    """
    corners, uv = corners.astype(np.float64), uv.astype(np.float64)
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    (u1, v1), (u2, v2) = (uv[:, 1] - uv[:, 0]).T[..., None], (uv[:, 2] - uv[:, 0]).T[..., None]
    area = u1 * v2 - u2 * v1
    return (edge1 * v2 - edge2 * v1) / area, (edge2 * u1 - edge1 * u2) / area


def perturbed_normals(normals: np.ndarray, along_u: np.ndarray, mapped: np.ndarray) -> np.ndarray:
    """Smooth normals perturbed by a normal map in tangent space.

    The tangent is the direction of u in the plane that touches the surface, the bitangent is at a right angle to it.

    Args:
        normals: (N, 3) float32 unit. along_u: (N, 3) ∂p/∂u there. mapped: (N, 3) of the map, in [−1, 1].

    Returns:
        (N, 3) unit normals.
    """
    x, y, z = mapped.T[..., None]
    tangent = along_u.astype(np.float32)
    tangent -= (tangent * normals).sum(axis=1, keepdims=True) * normals
    tangent = unit(tangent)
    return unit(x * tangent + y * np.cross(normals, tangent) + z * normals)


def unit(vectors: np.ndarray) -> np.ndarray:
    """(…, 3) vectors of length 1; zero ones stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
