# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth fields over a triangle mesh."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix, diags, spmatrix
from scipy.sparse.linalg import SuperLU, splu

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


def fill_reducing_order(laplacian: csc_matrix) -> np.ndarray:
    """(V,) int: the order of vertices in which :func:`smoother` is fastest, of any part of the mesh."""
    return np.argsort(_factors(laplacian + diags(np.ones(laplacian.shape[0])), "MMD_AT_PLUS_A").perm_c)


def grown(laplacian: csc_matrix, where: np.ndarray, steps: int) -> np.ndarray:
    """(V,) bool: the vertices at most as many edges away from (V,) bool ``where``."""
    for _ in range(steps):
        where = abs(laplacian) @ where.astype(np.float32) > 0
    return where


@dataclass(frozen=True)
class Smoother:
    """Makes smooth fields of values that are trusted alike; see :func:`smooth_field`.

    Attributes:
        order: (N,) int vertices that are solved for; others stay at the prior. keep, pull: (N,) weights of value and
            prior. factors: of the N equations, in that order. precision: their type of numbers.
    """

    order: np.ndarray
    keep: np.ndarray
    pull: np.ndarray
    factors: SuperLU
    precision: type

    def __call__(self, values: np.ndarray, prior: np.ndarray | float = 0.0) -> np.ndarray:
        """(V, C) values to (V, C) float32; prior: (V, C) or one value."""
        prior = np.broadcast_to(prior, values.shape)
        out = np.array(prior, np.float32)
        right = self.keep[:, None] * values[self.order] + self.pull[:, None] * prior[self.order]
        out[self.order] = self.factors.solve(right.astype(self.precision))
        return out


def smoother(
    laplacian: csc_matrix,
    areas: np.ndarray,
    weights: np.ndarray,
    detail_mm: float,
    reach_mm: np.ndarray | float = FAR_MM,
    order: np.ndarray | None = None,
) -> Smoother:
    """What :func:`smooth_field` solves, for several fields.

    Args:
        order: (N,) the vertices to solve for, of :func:`fill_reducing_order`; others are cut off, and numbers are
            single, which keeps five digits. All, and double, where None.
    """
    keep = areas * weights / detail_mm**2
    pull = areas / np.square(np.broadcast_to(reach_mm, areas.shape))
    if order is None:
        factors = _factors(diags(keep + pull) + laplacian, "MMD_AT_PLUS_A")
        return Smoother(np.arange(len(areas)), keep, pull, factors, np.float64)
    keep, pull, part = keep[order], pull[order], laplacian[order][:, order]
    cut = np.asarray(part.sum(axis=1)).ravel()  # of a whole mesh 0
    factors = _factors((diags(keep + pull - cut) + part).astype(np.float32), "NATURAL")
    return Smoother(order, keep, pull, factors, np.float32)


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
    return smoother(laplacian, areas, weights, detail_mm, reach_mm)(values, prior)


def _factors(matrix: spmatrix, order: str) -> SuperLU:
    """Of a symmetric positive definite matrix."""
    return splu(matrix.tocsc(), permc_spec=order, diag_pivot_thresh=0.0, options={"SymmetricMode": True})
