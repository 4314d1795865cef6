# SPDX-License-Identifier: GPL-3.0-or-later
"""The closest point of a triangle, and of a triangle mesh."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

_CHUNK = 1 << 15  # pairs of point and triangle looked at together
_TURNED_MM = 1e4  # what a triangle that faces another way is put behind


@dataclass(frozen=True)
class Closest:
    """The closest point of a mesh for each of N points.

    Attributes:
        triangle: (N,) int32. weights: (N, 3) float64 of its corners, 0 to 1, rows sum to 1.
        position: (N, 3) float64 mm. distance: (N,) float64 mm.
    """

    triangle: np.ndarray
    weights: np.ndarray
    position: np.ndarray
    distance: np.ndarray


def distance_within(points: np.ndarray, to: np.ndarray, most_mm: float) -> np.ndarray:
    """(N,) mm from (N, 3) points to the nearest of (M, 3) others; infinity where that is farther than ``most_mm``."""
    return cKDTree(to).query(points, distance_upper_bound=most_mm)[0]


class ClosestPoints:
    """Closest-point queries on a static triangle mesh, over the triangles with the nearest centroids.

    Args:
        vertices: (V, 3) mm. triangles: (T, 3) int, indices into them; T > 0.
        longest_edge_mm: triangles with longer edges are found by the centroids of smaller pieces of them; None where
            triangles are so even that their own centroids will do.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray, longest_edge_mm: float | None = None):
        self.vertices = vertices.astype(np.float64)
        self.triangles = triangles
        corners = self.vertices[triangles]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self._normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        self._triangle_of = np.arange(len(triangles))
        if longest_edge_mm is not None:
            corners, self._triangle_of = _split_long(corners, longest_edge_mm)
        self._tree = cKDTree(corners.mean(axis=1))

    def query(
        self, points: np.ndarray, normals: np.ndarray | None = None, candidates: int = 16, least_facing: float = 0.1
    ) -> Closest:
        """The closest point to each of (N, 3) points, mm.

        Args:
            normals: (N, 3) unit; triangles the cosine of whose normal to them is less than ``least_facing`` are taken
                only where no other is among the candidates.
            candidates: triangles tried for each point, nearest centroids first.
        """
        points = points.astype(np.float64)
        count = min(candidates, len(self._triangle_of))
        near = self._triangle_of[self._tree.query(points, k=count)[1].reshape(len(points), count)]
        triangle, weights = np.zeros(len(points), np.int32), np.zeros((len(points), 3))
        for start in range(0, len(points), max(1, _CHUNK // count)):
            rows = slice(start, start + max(1, _CHUNK // count))
            part = None if normals is None else normals[rows]
            triangle[rows], weights[rows] = self._best(points[rows], part, near[rows], least_facing)
        position = np.einsum("nkc,nk->nc", self.vertices[self.triangles[triangle]], weights)
        return Closest(triangle, weights, position, np.linalg.norm(position - points, axis=1))

    def _best(
        self, points: np.ndarray, normals: np.ndarray | None, near: np.ndarray, least_facing: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N,) triangles and (N, 3) weights, the best of (N, C) candidates."""
        count = near.shape[1]
        repeated = np.repeat(points, count, axis=0)
        corners = self.vertices[self.triangles[near.ravel()]]
        weights = closest_weights(repeated, corners)
        found = np.einsum("nkc,nk->nc", corners, weights)
        distance = np.linalg.norm(found - repeated, axis=1).reshape(-1, count)
        if normals is not None:
            facing = (self._normals[near] * normals[:, None]).sum(axis=2)
            distance = distance + np.where(facing < least_facing, _TURNED_MM, 0.0)
        best = distance.argmin(axis=1)
        rows = np.arange(len(points))
        weights = weights.reshape(-1, count, 3)[rows, best].clip(0, 1)
        return near[rows, best].astype(np.int32), weights / weights.sum(axis=1, keepdims=True)


def closest_weights(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N, 3) points and (N, 3, 3) triangles: (N, 3) weights of the point of each triangle closest to its point."""
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    to_point = points - corners[:, 0]
    d11, d12, d22 = _dot(edge1, edge1), _dot(edge1, edge2), _dot(edge2, edge2)
    p1, p2 = _dot(to_point, edge1), _dot(to_point, edge2)
    area = np.maximum(d11 * d22 - d12 * d12, 1e-20)
    second, third = (d22 * p1 - d12 * p2) / area, (d11 * p2 - d12 * p1) / area
    inside = np.stack([1 - second - third, second, third], axis=1)
    best = np.where(inside.min(axis=1) >= 0, 0.0, np.inf)
    out = inside
    for start, end in ((0, 1), (1, 2), (2, 0)):
        edge = corners[:, end] - corners[:, start]
        along = _dot(points - corners[:, start], edge) / np.maximum(_dot(edge, edge), 1e-20)
        along = along.clip(0, 1)
        off = corners[:, start] + along[:, None] * edge - points
        distance = _dot(off, off)
        closer = distance < best
        on_edge = np.zeros_like(inside)
        on_edge[:, start], on_edge[:, end] = 1 - along, along
        best = np.where(closer, distance, best)
        out = np.where(closer[:, None], on_edge, out)
    return out


def _split_long(corners: np.ndarray, longest_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """(T, 3, 3) triangles split in four until no edge is longer: (P, 3, 3) pieces, and (P,) of which triangle."""
    triangle_of = np.arange(len(corners))
    while True:
        long = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(axis=1) > longest_mm
        if not long.any():
            return corners, triangle_of
        a, b, c = corners[long].transpose(1, 0, 2)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        pieces = [np.stack(piece, axis=1) for piece in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        corners = np.concatenate([corners[~long], *pieces])
        triangle_of = np.concatenate([triangle_of[~long], *4 * [triangle_of[long]]])


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N,) products of (N, 3) vectors; a sum over three is slow in numpy when it is along the rows."""
    x, y, z = (one * other).T
    return x + y + z
