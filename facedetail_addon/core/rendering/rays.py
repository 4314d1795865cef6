# SPDX-License-Identifier: GPL-3.0-or-later
"""Rays against triangle meshes: the one place that talks to Embree."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Hits:
    """Closest hits.

    Attributes:
        triangle: (N,) int32 triangle index, −1 where nothing was hit.
        barycentric: (N, 3) float32 weights of the triangle's corners (zeros on a miss).
        distance: (N,) float32 along the ray in units of the direction's length, inf on a miss.
    """

    triangle: np.ndarray
    barycentric: np.ndarray
    distance: np.ndarray


class RayScene:
    """A static triangle mesh to shoot rays at.

    Args:
        vertices: (V, 3) mm. triangles: (T, 3) int.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray):
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh

        self._scene = rtcore_scene.EmbreeScene()
        corners = np.ascontiguousarray(vertices[triangles], np.float32)
        self._mesh = TriangleMesh(self._scene, corners)

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """Closest hit of each ray; (N, 3) origins and directions (any length)."""
        origins = np.ascontiguousarray(origins, np.float32)
        directions = np.ascontiguousarray(directions, np.float32)
        result = self._scene.run(origins, directions, query="INTERSECT", output=True)
        triangle = result["primID"].astype(np.int32)
        hit = triangle >= 0
        u, v = result["u"], result["v"]
        barycentric = np.where(hit[:, None], np.stack([1 - u - v, u, v], axis=1), 0).astype(np.float32)
        return Hits(triangle, barycentric, np.where(hit, result["tfar"], np.inf).astype(np.float32))

    def occluded(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(N,) bool: something lies along the ray."""
        result = self._scene.run(
            np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(directions, np.float32), query="OCCLUDED"
        )
        return result != -1
