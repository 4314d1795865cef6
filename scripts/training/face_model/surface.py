# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangle surfaces whose every vertex is a weighted sum of source vertices.

Cutting, subdividing and sampling only multiply sparse weights, so whatever is built from a surface can be carried over
to any shape of the source head by one matrix product.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags, identity, vstack
from scipy.sparse.linalg import spsolve

from facedetail_addon.core.geometry.nearest import ClosestPoints


@dataclass(frozen=True)
class Surface:
    """A piece of the source head.

    Attributes:
        points: (V, 3) float64 mm.
        triangles: (T, 3) int.
        weights: (V, N) sparse, rows sum to 1: points = weights @ source vertices.
    """

    points: np.ndarray
    triangles: np.ndarray
    weights: csr_matrix

    @cached_property
    def nearest(self) -> ClosestPoints:
        """For closest-point queries."""
        return ClosestPoints(self.points, self.triangles)

    def at(self, triangle: np.ndarray, barycentric: np.ndarray) -> csr_matrix:
        """(N, source) weights of points given by triangle and barycentric coordinates."""
        rows = np.repeat(np.arange(len(triangle)), 3)
        pick = csr_matrix(
            (barycentric.ravel(), (rows, self.triangles[triangle].ravel())), shape=(len(triangle), len(self.points))
        )
        return pick @ self.weights

    def keep(self, triangles: np.ndarray) -> "Surface":
        """The sub-surface of some triangles, unused vertices dropped."""
        used, compact = np.unique(triangles, return_inverse=True)
        return Surface(self.points[used], compact.reshape(-1, 3), self.weights[used])

    def clip(self, field: np.ndarray) -> "Surface":
        """The part where a field over the vertices, linear on triangles, is not negative."""
        field = np.where(np.abs(field) < 1e-9, 0.0, field)
        inside = field >= 0
        count = inside[self.triangles].sum(axis=1)
        out = self.triangles[count == 3].tolist()
        cuts: dict[tuple[int, int], int] = {}
        for triangle in self.triangles[(count > 0) & (count < 3)].tolist():
            polygon = []
            for a, b in zip(triangle, triangle[1:] + triangle[:1], strict=True):
                if inside[a]:
                    polygon.append(a)
                if inside[a] != inside[b] and field[a] != 0 and field[b] != 0:
                    polygon.append(cuts.setdefault((min(a, b), max(a, b)), len(field) + len(cuts)))
            out += [[polygon[0], polygon[i], polygon[i + 1]] for i in range(1, len(polygon) - 1)]
        if not cuts:
            return self.keep(np.array(out))
        a, b = np.array(list(cuts)).T
        t = field[a] / (field[a] - field[b])
        rows = np.arange(len(a))
        blend = coo_matrix(
            (np.concatenate([1 - t, t]), (np.concatenate([rows, rows]), np.concatenate([a, b]))), (len(a), len(field))
        ).tocsr()
        grown = Surface(
            np.concatenate([self.points, blend @ self.points]),
            None,
            vstack([self.weights, blend @ self.weights]).tocsr(),
        )
        return grown.keep(np.array(out))


def boundary_loops(faces: np.ndarray) -> list[list[int]]:
    """Border loops of a consistently oriented mesh, in the direction of the faces; longest first."""
    edges = np.concatenate([faces[:, [i, (i + 1) % faces.shape[1]]] for i in range(faces.shape[1])])
    forward = set(map(tuple, edges.tolist()))
    onward = {a: b for a, b in forward if (b, a) not in forward}
    loops = []
    while onward:
        start, ahead = next(iter(onward.items()))
        loop = [start]
        del onward[start]
        while ahead != start:
            loop.append(ahead)
            ahead = onward.pop(ahead)
        loops.append(loop)
    return sorted(loops, key=len, reverse=True)


def neighbours(faces: np.ndarray, count: int) -> csr_matrix:
    """(V, V) 1 where two vertices share an edge."""
    edges = np.concatenate([faces[:, [i, (i + 1) % faces.shape[1]]] for i in range(faces.shape[1])])
    adjacency = csr_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    return ((adjacency + adjacency.T) > 0).astype(float).tocsr()


def taubin_smoothing(faces: np.ndarray, moving: np.ndarray, rounds: int) -> csr_matrix:
    """(V, V) smoothing without shrinking (Taubin 1995) of some vertices, as a matrix to multiply weights with."""
    count = len(moving)
    adjacency = neighbours(faces, count)
    mean = diags(1 / np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)) @ adjacency
    unit = identity(count, format="csr")
    step = diags(moving.astype(float)) @ (mean - unit)
    result = unit
    for _ in range(rounds):
        result = (unit - 0.58 * step) @ ((unit + 0.6 * step) @ result)
    return result.tocsr()


def flatten_disk(surface: Surface, border: list[int], border_plane: np.ndarray) -> np.ndarray:
    """A disk into the plane without flips (Tutte 1963; mean value weights of Floater 2003).

    Args:
        border: its border loop. border_plane: (len(border), 2) convex positions of it.

    Returns:
        (V, 2) positions.
    """
    count = len(surface.points)
    corners = surface.points[surface.triangles]
    rows, columns, values = [], [], []
    for i in range(3):
        p, q, r = corners[:, i], corners[:, (i + 1) % 3], corners[:, (i + 2) % 3]
        to_q, to_r = q - p, r - p
        cross = np.linalg.norm(np.cross(to_q, to_r), axis=1)
        angle = np.arctan2(cross, (to_q * to_r).sum(axis=1))
        half_tangent = np.tan(angle / 2)
        for other, vector in ((1, to_q), (2, to_r)):
            rows.append(surface.triangles[:, i])
            columns.append(surface.triangles[:, (i + other) % 3])
            values.append(half_tangent / np.maximum(np.linalg.norm(vector, axis=1), 1e-9))
    matrix = coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (count, count)
    ).tocsr()
    free = np.setdiff1d(np.arange(count), border)
    laplacian = csr_matrix((np.asarray(matrix.sum(axis=1)).ravel(), (np.arange(count),) * 2)) - matrix
    plane = np.zeros((count, 2))
    plane[border] = border_plane
    right = -laplacian[free][:, border] @ border_plane
    plane[free] = spsolve(laplacian[free][:, free].tocsc(), right)
    return plane
