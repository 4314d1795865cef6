# SPDX-License-Identifier: GPL-3.0-or-later
"""What one mesh holds, given to another with the same layout of its texture."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..face_model.model import Layout
from ..geometry.nearest import closest_weights

_CANDIDATES = 24
"""Triangles whose centres are nearest, among which the one is that holds a place."""
_CHUNK = 4096
_BESIDE = 0.004
"""A place so far from a layout is none of the mesh's."""
_WHOLE = 0.9999
_PULL = 0.05
"""How much a vertex's own place counts beside a place of the surface around it."""


@dataclass(frozen=True)
class Carrier:
    """Carries values of one mesh's V vertices to the W vertices of another.

    Attributes:
        lookup: (W, V) what the first mesh has at the vertices' own places.
        covered: (W,) bool; the first mesh has nothing where the others lie.
    """

    lookup: csr_matrix
    covered: np.ndarray
    _spread: csr_matrix
    _places: csr_matrix

    def look_up(self, values: np.ndarray) -> np.ndarray:
        """(V, C) to (W, C): as they are at each vertex's place."""
        return self.lookup @ values

    def fit(self, values: np.ndarray) -> np.ndarray:
        """(V, C) to (W, C) such that the other mesh's faces come nearest to the first one's vertices: for shapes."""
        if self._is_one_to_one:
            return self.look_up(values)
        normal = (self._spread.T @ self._spread + _PULL * diags(np.ones(len(self.covered)))).tocsc()
        right = self._spread.T @ (self._places @ values) + _PULL * self.look_up(values)
        return splu(normal).solve(np.ascontiguousarray(right, np.float64))

    @property
    def _is_one_to_one(self) -> bool:
        """Every vertex of the other mesh lies on one of the first, and all of these are taken."""
        count, total = self.lookup.shape
        return count == total and bool((self.lookup.max(axis=1).toarray() > _WHOLE).all())


def make_carrier(source: Layout, target: Layout) -> Carrier:
    """From one mesh to another by their common layout, whatever their faces are like."""
    count = int(target.faces.max()) + 1
    to_target, _ = _located(source.uv, target)
    found, distance = _located(target.uv, source)
    owner = target.uv_vertex
    share = csr_matrix((np.ones(len(owner)), (owner, np.arange(len(owner)))), shape=(count, len(owner)))
    share = diags(1 / np.maximum(np.asarray(share.sum(axis=1)).ravel(), 1)) @ share
    far = np.bincount(owner, distance > _BESIDE, count) > 0
    vertices = int(source.faces.max()) + 1
    places = csr_matrix(
        (np.ones(len(source.uv)), (np.arange(len(source.uv)), source.uv_vertex)), shape=(len(source.uv), vertices)
    )
    return Carrier((share @ found).tocsr(), ~far, to_target, places)


def _located(places: np.ndarray, layout: Layout) -> tuple[csr_matrix, np.ndarray]:
    """(N, V) weights of a mesh's vertices at (N, 2) places of its layout, and (N,) how far each lies beside it.

    The mean of both ways to split quads, so that both sides of a face are alike.
    """
    first, distance = _located_in_triangles(places, layout)
    second, _ = _located_in_triangles(places, layout.other_diagonals())
    return ((first + second) / 2).tocsr(), distance


def _located_in_triangles(places: np.ndarray, layout: Layout) -> tuple[csr_matrix, np.ndarray]:
    triangles, owners = layout.uv_triangles(), layout.triangles()
    corners = np.zeros((len(triangles), 3, 3))
    corners[:, :, :2] = layout.uv[triangles]
    tree = cKDTree(corners[:, :, :2].mean(axis=1))
    candidates = min(_CANDIDATES, len(triangles))
    rows, columns, weights, distances = [], [], [], np.empty(len(places))
    for start in range(0, len(places), _CHUNK):
        part = places[start : start + _CHUNK].astype(np.float64)
        points = np.repeat(np.concatenate([part, np.zeros((len(part), 1))], axis=1), candidates, axis=0)
        _, near = tree.query(part, k=candidates)
        near = near.reshape(-1)
        tried = closest_weights(points, corners[near])
        gap = np.linalg.norm(np.einsum("nkc,nk->nc", corners[near], tried) - points, axis=1).reshape(len(part), -1)
        best = gap.argmin(axis=1)
        chosen = np.arange(len(part)) * candidates + best
        distances[start : start + len(part)] = gap[np.arange(len(part)), best]
        rows.append(np.repeat(np.arange(start, start + len(part)), 3))
        columns.append(owners[near[chosen]].ravel())
        weights.append(tried[chosen].ravel())
    shape = (len(places), int(layout.faces.max()) + 1)
    matrix = csr_matrix((np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=shape)
    return matrix, distances
