# SPDX-License-Identifier: GPL-3.0-or-later
"""Concentric quads around eyes, lips and nostrils, from the remeshed border inwards to the end of the socket.

Outside the margin (lid edge, lip edge, nostril rim) a ring patch is flattened and its columns are straight lines in the
plane; inside, the columns follow the source's own loops; what is left at the end is filled by a grid.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags, vstack
from scipy.spatial import cKDTree

from facedetail_addon.core.geometry.nearest import ClosestPoints
from facedetail_addon.core.rendering.rays import RayScene

from .surface import Surface, boundary_loops, flatten_disk, taubin_smoothing

SAMPLES = 200
INSIDE = 0.999  # plane points this far inside the flattened border are safe to locate
LOBE_ROUNDS = 6


@dataclass(frozen=True)
class RingPatch:
    """Rows of points; row 0 is the remeshed border itself and is not repeated among the vertices.

    Attributes:
        weights: (V, source) sparse weights of the patch's new vertices: rows 1.. in order, then the grid's interior.
        faces: (F, 4): 0..columns−1 are the border's vertices, the new vertices follow.
        margin_row: which row is the margin, beyond which the socket begins; None for a patch without socket.
    """

    weights: csr_matrix
    faces: np.ndarray
    margin_row: int | None


def inward_chains(faces: np.ndarray, margin: list[int], inside: np.ndarray) -> list[list[int]]:
    """The source's loops from the margin into the socket, each in the margin's order.

    Args:
        faces: (F, 4) source quads. margin: closed loop of vertices. inside: (N,) bool, vertices of the socket.

    Returns:
        Loops of equal length, the margin first, as deep as the regular part goes.
    """
    around = defaultdict(set)
    for face in faces.tolist():
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            around[a].add(b)
            around[b].add(a)
    levels, seen = [list(margin)], set(margin)
    while True:
        ahead = [[n for n in around[v] if n not in seen and inside[n]] for v in levels[-1]]
        if any(len(step) != 1 for step in ahead):
            return levels
        loop = [step[0] for step in ahead]
        if len(set(loop)) != len(loop) or any(
            b not in around[a] for a, b in zip(loop, loop[1:] + loop[:1], strict=True)
        ):
            return levels
        seen.update(loop)
        levels.append(loop)


def loop_parameters(points: np.ndarray, loop_points: np.ndarray) -> np.ndarray:
    """Position along a closed polyline, in vertices, of the points closest to it."""
    start = loop_points
    edge = np.roll(loop_points, -1, axis=0) - start
    t = np.einsum("qec,ec->qe", points[:, None] - start[None], edge) / (edge**2).sum(axis=1)
    t = np.clip(t, 0, 1)
    distance = np.linalg.norm(start[None] + t[..., None] * edge[None] - points[:, None], axis=2)
    nearest = distance.argmin(axis=1)
    return nearest + t[np.arange(len(points)), nearest]


def on_loop(surface: Surface, loop: list[int], parameters: np.ndarray) -> csr_matrix:
    """(N, source) weights of points at fractional positions of a closed loop of surface vertices."""
    index = np.floor(parameters).astype(int)
    fraction = diags(parameters - index)
    ids = np.array(loop)
    here, ahead = surface.weights[ids[index % len(ids)]], surface.weights[ids[(index + 1) % len(ids)]]
    return here - fraction @ here + fraction @ ahead


def margin_targets(outer: np.ndarray, margin: np.ndarray, margin_points: np.ndarray, angle_share: float) -> np.ndarray:
    """Where each column ends on the margin: partly straight towards the middle, partly at even spacing.

    Args:
        outer: (M, 2) plane positions of the border. margin: (L, 2) plane positions of the margin loop, same direction.
        margin_points: (L, 3) its positions, mm. angle_share: 1 = by angle alone, 0 = evenly by arc length.

    Returns:
        (M,) fractional positions on the margin loop, increasing around it.
    """
    count = len(margin)
    centre = margin.mean(axis=0)
    margin_angle = np.unwrap(np.arctan2(*(margin - centre).T[::-1]))
    outer_angle = np.unwrap(np.arctan2(*(outer - centre).T[::-1]))
    turn = 2 * np.pi * np.sign(margin_angle[-1] - margin_angle[0])
    angles = np.concatenate([margin_angle - turn, margin_angle, margin_angle + turn, margin_angle + 2 * turn])
    steps = np.linalg.norm(np.roll(margin_points, -1, axis=0) - margin_points, axis=1)
    length = steps.sum()
    arcs = np.concatenate([[0], np.cumsum(steps)[:-1]]) / length
    arcs = np.concatenate([arcs - 1, arcs, arcs + 1, arcs + 2])
    sign = np.sign(turn)
    order = np.maximum.accumulate(sign * angles)
    shift = np.round((outer_angle[0] - margin_angle[0]) / turn - 0.5) * turn
    by_angle = np.interp(sign * (outer_angle - shift), order, arcs)
    even = np.arange(len(outer)) / len(outer)
    even = even + (by_angle - even).mean()
    arc = angle_share * by_angle + (1 - angle_share) * even
    indices = np.arange(-count, 3 * count, dtype=float)
    return np.mod(np.interp(arc, arcs, indices), count)


@dataclass(frozen=True)
class Opening:
    """Where a ring patch lies.

    Attributes:
        ground: the whole smooth surface, weights refer to the kit.
        patch: the disk inside the border curve, sockets included, weights refer to the ground's vertices; None where
            the border is the margin itself.
        chains: the ground's loops from the margin inwards (:func:`inward_chains`).
        cap: the disk of the ground that the last used chain bounds.
        levels: which chains become rows.
        angle: (N, 3) points to angle around the opening, for flattening the patch.
    """

    ground: Surface
    patch: Surface | None
    chains: list[list[int]]
    cap: Surface
    levels: list[int]
    angle: Callable[[np.ndarray], np.ndarray] | None


def build_patch(
    opening: Opening, border: csr_matrix, kit: np.ndarray, *, grid_width: int,
    spacing: tuple[float, float] = (1.9, 0.8), angle_share: float = 0.5,
) -> RingPatch:  # fmt: skip
    """All rows of one opening.

    Args:
        border: (M, kit) weights of the border's vertices. kit: (kit, 3) neutral vertices, mm.
        spacing: distance of rings at border and margin, mm.
        angle_share: see :func:`margin_targets`.
        grid_width: columns along the first side of the closing grid, even for a symmetric opening.
    """
    columns = border.shape[0]
    border_points = border @ kit
    ground, margin = opening.ground, opening.chains[0]
    if opening.patch is None:
        parameters, rows, margin_row = loop_parameters(border_points, ground.points[margin]), [], 0
    else:
        parameters, rows = _outer_rows(opening, border_points, spacing, angle_share)
        rows.append(on_loop(ground, margin, parameters))
        margin_row = len(rows)
    rows += [on_loop(ground, opening.chains[level], parameters) for level in opening.levels]
    last = opening.chains[opening.levels[-1]]
    interior, cap_faces = _grid_fill(ground, opening.cap, last, parameters, len(rows) * columns, grid_width)
    return RingPatch(
        vstack([*rows, interior]).tocsr(), np.concatenate([_ring_faces(len(rows), columns), cap_faces]), margin_row
    )


def _outer_rows(
    opening: Opening, border_points: np.ndarray, spacing: tuple[float, float], angle_share: float
) -> tuple[np.ndarray, list[csr_matrix]]:
    """Where each column meets the margin, and the rows between border and margin."""
    patch = opening.patch
    loop = boundary_loops(patch.triangles)[0]
    plane = flatten_disk(patch, loop, _circle(opening.angle(patch.points[loop])))
    outer = INSIDE * _circle(opening.angle(border_points))
    ids = _local_ids(patch, opening.chains[0])
    parameters = margin_targets(outer, plane[ids], patch.points[ids], angle_share)
    index = np.floor(parameters).astype(int)
    fraction = (parameters - index)[:, None]
    inner = plane[ids[index % len(ids)]] * (1 - fraction) + plane[ids[(index + 1) % len(ids)]] * fraction
    along = _lengths(patch, plane, outer, inner, border_points)
    count = max(4, int(round(along[:, -1].mean() / np.sqrt(spacing[0] * spacing[1]))))
    ratio = (spacing[1] / spacing[0]) ** (1 / (count - 1))
    fractions = (1 - ratio ** np.arange(1, count)) / (1 - ratio**count)
    sample = np.stack([np.interp(fractions * a[-1], a, np.linspace(0, 1, SAMPLES)) for a in along])
    rows = []
    for at in sample.T[..., None]:
        rows.append(patch.at(*_locate(plane, patch.triangles, outer * (1 - at) + inner * at)) @ opening.ground.weights)
    return parameters, rows


def build_lobe(
    patch: Surface, border: csr_matrix, kit: np.ndarray, angle: Callable[[np.ndarray], np.ndarray], spacing: float,
    inner_share: float, ground: csr_matrix,
) -> RingPatch:  # fmt: skip
    """A disk without a hole (the ear): rings from the border inwards, closed by a grid.

    Args:
        patch: the disk, weights refer to the ground's vertices. border: (M, kit) weights of the border's vertices.
        angle: as in :class:`Opening`. spacing: distance of rings, mm.
        inner_share: radius of the closing grid in the flattened disk, border = 1.
        ground: (ground, kit) weights of the ground's vertices.
    """
    columns = border.shape[0]
    loop = boundary_loops(patch.triangles)[0]
    plane = flatten_disk(patch, loop, _circle(angle(patch.points[loop])))
    outer = INSIDE * _circle(angle(border @ kit))
    inner = outer * inner_share
    along = _lengths(patch, plane, outer, inner)
    count = int(round(along[:, -1].mean() / spacing))
    fractions = np.arange(1, count + 1) / count
    at = np.stack([np.interp(fractions * a[-1], a, np.linspace(0, 1, SAMPLES)) for a in along]).T[..., None]
    rings = outer[None] * (1 - at) + inner[None] * at
    index, grid = _grid(rings[-1], columns // 4)
    inside = grid[1:-1, 1:-1].reshape(-1, 2)
    faces = np.concatenate([_ring_faces(count, columns), _grid_faces(index, count * columns, columns)])
    triangle, barycentric = _locate(plane, patch.triangles, np.concatenate([rings.reshape(-1, 2), inside]))
    weights = vstack([border, patch.at(triangle, barycentric) @ ground]).tocsr()
    moving = np.arange(weights.shape[0]) >= columns
    # Rings cross the ear's rim at an angle and would leave it ragged.
    return RingPatch((taubin_smoothing(faces, moving, LOBE_ROUNDS) @ weights)[columns:], faces, None)


def _circle(angle: np.ndarray) -> np.ndarray:
    return 100 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _lengths(
    patch: Surface, plane: np.ndarray, outer: np.ndarray, inner: np.ndarray, start: np.ndarray | None = None
) -> np.ndarray:
    """(M, SAMPLES) mm along the surface from each outer to its inner plane point, in even steps in the plane.

    ``start``, (M, 3), are the outer points themselves where the flattened ones are not exact enough.
    """
    s = np.linspace(0, 1, SAMPLES)[None, :, None]
    path = outer[:, None] * (1 - s) + inner[:, None] * s
    triangle, barycentric = _locate(plane, patch.triangles, path.reshape(-1, 2))
    points = np.einsum("nk,nkc->nc", barycentric, patch.points[patch.triangles[triangle]]).reshape(*path.shape[:2], 3)
    if start is not None:
        points[:, 0] = start
    steps = np.linalg.norm(np.diff(points, axis=1), axis=2)
    return np.concatenate([np.zeros((len(points), 1)), np.cumsum(steps, axis=1)], axis=1)


def _ring_faces(rows: int, columns: int) -> np.ndarray:
    """(rows · columns, 4) quads between ``rows`` + 1 closed rows of vertices."""
    here = np.arange(rows * columns)
    ahead = (here // columns) * columns + (here + 1) % columns
    return np.stack([here, ahead, ahead + columns, here + columns], axis=1)


def _grid_faces(index: np.ndarray, last_row: int, count: int) -> np.ndarray:
    """Quads of the closing grid: border from the last row of ``count`` vertices, inner vertices behind it."""
    ids = last_row + index
    inner = np.array(index.shape) - 2
    ids[1:-1, 1:-1] = last_row + count + np.arange(inner.prod()).reshape(inner)
    return np.stack([ids[:-1, :-1], ids[1:, :-1], ids[1:, 1:], ids[:-1, 1:]], axis=-1).reshape(-1, 4)


def _local_ids(piece: Surface, ground_ids: list[int]) -> np.ndarray:
    """Indices in a piece (whose weights refer to the ground) of vertices of the ground."""
    single = np.flatnonzero(np.diff(piece.weights.indptr) == 1)
    local = dict(zip(piece.weights.indices[piece.weights.indptr[single]].tolist(), single.tolist(), strict=True))
    return np.array([local[v] for v in ground_ids])


def _locate(plane: np.ndarray, triangles: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangle and barycentric coordinates of plane points; the nearest triangle for points just outside."""
    lift = np.concatenate([plane, np.zeros((len(plane), 1))], axis=1)
    origins = np.concatenate([queries, np.ones((len(queries), 1))], axis=1)
    hits = RayScene(lift, triangles).cast(origins, np.broadcast_to([0.0, 0.0, -1.0], origins.shape))
    triangle, barycentric = hits.triangle.copy(), hits.barycentric.astype(float)
    missed = triangle < 0
    if missed.any():
        found = ClosestPoints(lift, triangles).query(origins[missed] * [1, 1, 0], candidates=64)
        triangle[missed], barycentric[missed] = found.triangle, found.weights
    return triangle, barycentric / barycentric.sum(axis=1, keepdims=True)


def _grid_fill(
    ground: Surface, cap: Surface, loop: list[int], parameters: np.ndarray, last_row: int, width: int
) -> tuple[csr_matrix, np.ndarray]:
    """Fill the last row with a width × height grid whose inner points lie on the cap.

    The row's vertex 0 sits in the middle of the first side, so a symmetric row gets a symmetric grid.
    """
    count = len(parameters)
    tree = cKDTree(cap.points)
    border = tree.query(ground.points[loop])[1].tolist()
    angle = 2 * np.pi * np.arange(len(loop)) / len(loop)
    plane = flatten_disk(cap, border, _circle(angle))
    around = 2 * np.pi * parameters / len(loop)
    index, grid = _grid(_circle(around), width)
    inner = grid[1:-1, 1:-1].reshape(-1, 2)
    weights = cap.at(*_locate(plane, cap.triangles, inner))
    return weights, _grid_faces(index, last_row, count)


def _grid(ring: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A grid that fills a closed ring of plane points (transfinite interpolation, Gordon and Hall 1973).

    Args:
        ring: (M, 2), M even; its vertex 0 becomes the middle of the first side. width: columns along that side.

    Returns:
        (width + 1, height + 1) which ring vertex lies at the grid's border, and (width + 1, height + 1, 2) positions.
    """
    count = len(ring)
    height = count // 2 - width
    first = -(width // 2)
    index = np.zeros((width + 1, height + 1), int)
    index[:, 0] = first + np.arange(width + 1)
    index[width, :] = first + width + np.arange(height + 1)
    index[:, height] = first + 2 * width + height - np.arange(width + 1)
    index[0, :] = first - np.arange(height + 1)
    index %= count
    u = np.linspace(0, 1, width + 1)[:, None, None]
    v = np.linspace(0, 1, height + 1)[None, :, None]
    low, high, left, right = ring[index[:, :1]], ring[index[:, -1:]], ring[index[:1]], ring[index[-1:]]
    corners = (1 - u) * ((1 - v) * left[:, :1] + v * left[:, -1:]) + u * ((1 - v) * right[:, :1] + v * right[:, -1:])
    grid = (1 - v) * low + v * high + (1 - u) * left + u * right - corners
    return index, grid
