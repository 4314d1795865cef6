# SPDX-License-Identifier: GPL-3.0-or-later
"""UV layouts without folds: membranes between points that stay, and triangles turned over found and flattened."""

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from .surface import border_vertices, mesh_edges

_MOST_RINGS = 10  # of vertices around a fold that are moved to repair it
_SWEEPS, _FEW = 20, 200  # of single vertices, where so many folds are left
_BORDER_RINGS = 3  # with so many the border may move too
_EDGE = 1e-3  # of the square, kept free
_FLAT = 1e-5  # of the median: triangles with less UV area count as folded
_EVENING = 6  # how often long links of a membrane are made stiffer


def folded(uv: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T,) bool: UV triangles that are turned over or have almost no area; most are taken to lie the right way."""
    area = _doubled_areas(uv, triangles)
    median = np.median(area)
    return area * np.sign(median) < _FLAT * abs(median)


def _doubled_areas(uv: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T,) signed."""
    corners = uv[triangles].astype(np.float64)
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]


def links(points: np.ndarray, triangles: np.ndarray) -> csr_matrix:
    """(U, U) symmetric, of neighbours: the nearer, the larger.

    Args:
        points: (U, 3) mm. triangles: (T, 3).
    """
    edges = mesh_edges(triangles)
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    weights = 1 / np.maximum(length, 1e-3 * np.median(length))
    one_way = csr_matrix((weights, edges.T), shape=(len(points), len(points)))
    return (one_way + one_way.T).tocsr()


def membrane(values: np.ndarray, free: np.ndarray, linked: csr_matrix, evened: bool = True) -> np.ndarray:
    """(U, C) values where free vertices are weighted means of their neighbours (Tutte 1963).

    Args:
        evened: links that come out long are made stiffer, a few times over, so that the bottom of a bag does not shrink
            to a point.
        free: (U,) bool; free pieces without a neighbour that is not free keep their values.
        linked: of :func:`links`.
    """
    out = values.astype(np.float64)
    rows = np.flatnonzero(free & _reached(free, linked))
    if len(rows) == 0:
        return out
    springs = linked[rows].tocoo()
    weights = springs.data.copy()
    inner = np.full(len(free), -1)
    inner[rows] = np.arange(len(rows))
    inside = inner[springs.col] >= 0
    for _ in range(_EVENING if evened else 1):
        total = np.bincount(springs.row, weights, len(rows))
        pairs = (springs.row[inside], inner[springs.col[inside]])
        system = diags(total) - csr_matrix((weights[inside], pairs), shape=(len(rows),) * 2)
        right = csr_matrix((weights[~inside], (springs.row[~inside], springs.col[~inside])), springs.shape) @ out
        factor = splu(
            system.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )
        out[rows] = factor.solve(right)
        length = np.linalg.norm(out[rows[springs.row]] - out[springs.col], axis=1)
        weights = springs.data * np.maximum(length / max(length.mean(), 1e-12), 1e-6)
    return out


def unfold(uv: np.ndarray, free: np.ndarray, triangles: np.ndarray, linked: csr_matrix) -> np.ndarray:
    """(U, 2) UV with membranes where triangles were folded, each as small as will do.

    A membrane within a border that is not convex may fold again at its edge, less than before: so patches are solved
    again and again, larger and larger. The layout's border moves only where nothing else helps.

    Args:
        free: (U,) bool, vertices that lie on membranes already and move along with a patch that touches them.
    """
    border = border_vertices(triangles, len(uv))
    ring = (linked > 0).astype(np.int8)
    out = uv.astype(np.float64)
    for rings in (*range(_MOST_RINGS), *range(_MOST_RINGS)):
        for evened in (False, True):
            bad = folded(out, triangles)
            if not bad.any():
                return out
            patch = np.zeros(len(out), bool)
            patch[triangles[bad]] = True
            for _ in range(rings):
                patch |= ring @ patch > 0
            patch |= free & _joined(patch | free, patch, ring)
            tried = membrane(out, patch & ~(border & (rings < _BORDER_RINGS)), linked, evened)
            better = _fewer(bad, folded(tried, triangles), patch, triangles, ring)
            out = np.where(better[:, None], tried, out)
    return _nudged(out, triangles)


def _nudged(uv: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The last few folds: their vertices one by one, each to where the thinnest triangle around it is thickest."""
    out = uv.copy()
    side = np.sign(np.median(_doubled_areas(out, triangles)))
    for _ in range(_SWEEPS):
        bad = folded(out, triangles)
        if not 0 < bad.sum() <= _FEW:
            break
        for vertex in np.unique(triangles[bad]):
            around = triangles[(triangles == vertex).any(axis=1)]
            turn = (around == vertex).argmax(axis=1)[:, None]
            others = out[np.take_along_axis(around, (turn + [1, 2]) % 3, axis=1)]
            out[vertex] = _thickest(out[vertex], others, side)
    return out


def _thickest(place: np.ndarray, edges: np.ndarray, side: float) -> np.ndarray:
    """(2,) the point that is farthest inside of all (N, 2, 2) edges (a linear program); ``place`` if there is none."""
    along = edges[:, 1] - edges[:, 0]
    length = np.linalg.norm(along, axis=1)
    sound = length > 0
    inwards = side * np.stack([-along[:, 1], along[:, 0]], axis=1)[sound] / length[sound, None]
    # Largest t with inwards · (x − corner) ≥ t, in units of the longest edge around the present place.
    unit = length.max()
    limits = np.einsum("nc,nc->n", inwards, place - edges[sound, 0]) / unit
    rows = np.column_stack([-inwards, np.ones(len(inwards))])
    # Near its place, and on the square.
    reach = [(max(-1, (_EDGE - x) / unit), min(1, (1 - _EDGE - x) / unit)) for x in place.tolist()]
    found = linprog([0, 0, -1], A_ub=rows, b_ub=limits, bounds=[*reach, (None, None)])
    return place + unit * found.x[:2] if found.success else place


def _joined(region: np.ndarray, seeds: np.ndarray, ring: csr_matrix) -> np.ndarray:
    """(U,) bool: in a piece of the region that holds a seed."""
    rows = np.flatnonzero(region)
    count, piece = connected_components(ring[rows][:, rows], directed=False)
    out = np.zeros(len(region), bool)
    out[rows] = np.bincount(piece, seeds[rows], count)[piece] > 0
    return out


def _fewer(
    before: np.ndarray, after: np.ndarray, patch: np.ndarray, triangles: np.ndarray, ring: csr_matrix
) -> np.ndarray:
    """(U,) bool: vertices of those pieces of a patch that have fewer folds, (T,) bool, after than before."""
    rows = np.flatnonzero(patch)
    count, piece = connected_components(ring[rows][:, rows], directed=False)
    # A triangle counts where its corners are in the patch; triangles without one do not change.
    of = np.full(len(patch), count)
    of[rows] = piece
    folds = [np.bincount(of[triangles[bad]].min(axis=1), minlength=count + 1)[:count] for bad in (before, after)]
    out = np.zeros(len(patch), bool)
    out[rows] = (folds[1] < folds[0])[piece]
    return out


def _reached(free: np.ndarray, linked: csr_matrix) -> np.ndarray:
    """(U,) bool: vertices of pieces that have a vertex which is not free."""
    _, piece = connected_components(linked, directed=False)
    return np.bincount(piece, ~free)[piece] > 0
