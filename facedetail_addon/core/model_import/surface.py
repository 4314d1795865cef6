# SPDX-License-Identifier: GPL-3.0-or-later
"""Matches on a triangle surface: closest points, and what tells good ones; borders and edges of meshes."""

from dataclasses import dataclass

import numpy as np

from ..geometry.nearest import Closest, ClosestPoints
from ..rendering.normals import vertex_normals

_CORNER_WEIGHT = 1e-5  # a corner that weighs less does not count: the point lies on the opposite edge


@dataclass(frozen=True)
class Match(Closest):
    """Closest points of a surface, and what tells whether they are the same place.

    Attributes:
        facing: (N,) float64 cosine between the normals here and there; 1 where none were given.
        on_border: (N,) bool, it lies on the surface's border: the true match may be missing.
    """

    facing: np.ndarray
    on_border: np.ndarray


class Surface:
    """A static triangle mesh to match points with.

    Args:
        vertices: (V, 3) mm. triangles: (T, 3) int, indices into them.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray):
        self._index = ClosestPoints(vertices, triangles)
        self.vertices, self.triangles = self._index.vertices, triangles
        self._normals = vertex_normals(self.vertices, triangles).astype(np.float64)
        self._border = border_vertices(triangles, len(vertices))

    def match(self, points: np.ndarray, normals: np.ndarray | None = None) -> Match:
        """The closest point to each of (N, 3) points, mm.

        Args:
            normals: (N, 3) unit; triangles turned away from them are taken only where no other is near.
        """
        closest = self._index.query(points, normals)
        corners = self.triangles[closest.triangle]
        there = np.einsum("nkc,nk->nc", self._normals[corners], closest.weights)
        there /= np.maximum(np.linalg.norm(there, axis=1, keepdims=True), 1e-12)
        return Match(
            **vars(closest),
            facing=np.ones(len(points)) if normals is None else (there * normals).sum(axis=1),
            on_border=rests_on(closest.weights, self._border[corners]),
        )


def rests_on(weights: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """(N,) bool: only marked corners weigh anything; (N, 3) weights and (N, 3) bool of a triangle's corners."""
    return ((weights < _CORNER_WEIGHT) | marked).all(axis=1)


def border_vertices(triangles: np.ndarray, count: int) -> np.ndarray:
    """(count,) bool: vertices of edges that only one triangle has."""
    edges, used = _sorted_edges(triangles)
    border = np.zeros(count, bool)
    border[edges[used == 1]] = True
    return border


def mesh_edges(triangles: np.ndarray) -> np.ndarray:
    """(E, 2) int, each pair of neighbours once, the smaller index first."""
    return _sorted_edges(triangles)[0]


def _sorted_edges(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(E, 2) as :func:`mesh_edges`, and (E,) in how many triangles."""
    one, other = np.sort(np.concatenate([triangles[:, [1, 2]], triangles[:, [2, 0]], triangles[:, [0, 1]]]), axis=1).T
    base = int(triangles.max(initial=0)) + 1  # a number for each pair: numpy sorts numbers far sooner than rows
    edges, used = np.unique(one.astype(np.int64) * base + other, return_counts=True)
    return np.stack(np.divmod(edges, base), axis=1).astype(triangles.dtype), used
