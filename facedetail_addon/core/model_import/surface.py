# SPDX-License-Identifier: GPL-3.0-or-later
"""Closest points on a triangle surface, and what they are worth as matches."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..geometry.nearest import closest_weights
from ..rendering.normals import vertex_normals

_CHUNK = 1 << 15
_CORNER_WEIGHT = 1e-5  # a corner that weighs less does not count: the point lies on the opposite edge
_AWAY_MM = 1e4  # what a triangle that faces another way is put behind


@dataclass(frozen=True)
class Closest:
    """The closest point of a surface for each of N points.

    Attributes:
        triangle: (N,) int32. weights: (N, 3) float64 of its corners. position: (N, 3) float64 mm.
        distance: (N,) float64 mm.
        facing: (N,) float64 cosine between the normals here and there; 1 where none were given.
        on_border: (N,) bool, it lies on the surface's border: the true match may be missing.
    """

    triangle: np.ndarray
    weights: np.ndarray
    position: np.ndarray
    distance: np.ndarray
    facing: np.ndarray
    on_border: np.ndarray


class Surface:
    """A static triangle mesh to look up closest points on.

    Args:
        vertices: (V, 3) mm. triangles: (T, 3) int, indices into them.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray):
        self.vertices = vertices.astype(np.float64)
        self.triangles = triangles
        self.normals = vertex_normals(self.vertices, triangles).astype(np.float64)
        corners = self.vertices[triangles]
        self._tree = cKDTree(corners.mean(axis=1))
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self._flat_normals = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        self._border = border_vertices(triangles, len(vertices))

    def closest(
        self, points: np.ndarray, normals: np.ndarray | None = None, candidates: int = 16, turned: float = 0.1
    ) -> Closest:
        """The closest point to each of (N, 3) points.

        Args:
            normals: (N, 3) unit; triangles whose normal's cosine to them is less than ``turned`` are taken only where
                no other is near.
            candidates: triangles tried for each, nearest centres first.
        """
        points = points.astype(np.float64)
        count = min(candidates, len(self.triangles))
        near = self._tree.query(points, k=count)[1].reshape(len(points), count)
        triangle, weights = np.zeros(len(points), np.int32), np.zeros((len(points), 3))
        for start in range(0, len(points), max(1, _CHUNK // count)):
            rows = slice(start, start + max(1, _CHUNK // count))
            part = None if normals is None else normals[rows]
            triangle[rows], weights[rows] = self._best(points[rows], part, near[rows], turned)
        position = np.einsum("nkc,nk->nc", self.vertices[self.triangles[triangle]], weights)
        there = np.einsum("nkc,nk->nc", self.normals[self.triangles[triangle]], weights)
        there /= np.maximum(np.linalg.norm(there, axis=1, keepdims=True), 1e-12)
        return Closest(
            triangle=triangle,
            weights=weights,
            position=position,
            distance=np.linalg.norm(position - points, axis=1),
            facing=np.ones(len(points)) if normals is None else (there * normals).sum(axis=1),
            on_border=rests_on(weights, self._border[self.triangles[triangle]]),
        )

    def _best(
        self, points: np.ndarray, normals: np.ndarray | None, near: np.ndarray, turned: float
    ) -> tuple[np.ndarray, np.ndarray]:
        count = near.shape[1]
        repeated = np.repeat(points, count, axis=0)
        weights = closest_weights(repeated, self.vertices[self.triangles[near.ravel()]])
        found = np.einsum("nkc,nk->nc", self.vertices[self.triangles[near.ravel()]], weights)
        distance = np.linalg.norm(found - repeated, axis=1).reshape(-1, count)
        if normals is not None:
            facing = (self._flat_normals[near] * normals[:, None]).sum(axis=2)
            distance = distance + np.where(facing < turned, _AWAY_MM, 0.0)
        best = distance.argmin(axis=1)
        rows = np.arange(len(points))
        weights = weights.reshape(-1, count, 3)[rows, best].clip(0, 1)
        return near[rows, best].astype(np.int32), weights / weights.sum(axis=1, keepdims=True)


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
