# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh of quads with fewer of them: strips of quads are closed one after the other, so that loops stay loops.

A chord is all edges that lie opposite one another in a row of quads. Closing it takes the row out of the mesh and
leaves quads. A vertex that takes the place of several lies in their middle. Both sides of a symmetric mesh lose the
same.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

_LARGEST_GROUP = 4
_LEAST_TURN = 0.0
_MEAN_POWER = 4
_BORDER = 4.0
"""How much a border's place counts, by the square of its edges."""


@dataclass(frozen=True)
class Rules:
    """What may be given up where no chord can be closed otherwise.

    Attributes:
        doublets: a vertex that only two quads share goes, and they become one.
        folds: so many more quads, by all there are, may fold in the poses together.
        turns: so many more corners, by all faces, may turn over in the layout.
    """

    doublets: bool = False
    folds: float = 0.0
    turns: float = 0.0


RULES = (Rules(), Rules(doublets=True), Rules(doublets=True, folds=0.03))
"""The strictest first."""
HIDDEN_RULES = (*RULES, Rules(doublets=True, folds=1.0, turns=1.0))
"""Of what is seen between the lips, from afar."""


@dataclass(frozen=True)
class Surface:
    """What the mesh is to stay near to.

    Attributes:
        poses: (P, V, 3) mm, the vertices in several expressions, the neutral first.
        weight: (V,) how much a deviation counts.
        mirror: (V,) the vertex on the other side. uv: (U, 2). uv_vertex: (U,) the vertex that each belongs to.
        kind: (V,) int, a bit for each line of the mesh that a vertex lies on: border, seam, middle, edge of a lid. What
            lies on fewer lines gives way.
        moves: whether vertices go to the middle of what they take the place of; else they stay where one of them was.
    """

    poses: np.ndarray
    weight: np.ndarray
    mirror: np.ndarray
    uv: np.ndarray
    uv_vertex: np.ndarray
    kind: np.ndarray
    moves: bool


@dataclass(frozen=True)
class Reduced:
    """A mesh with fewer faces.

    Attributes:
        faces: (F, 4) of vertices, −1 in the fourth of triangles. face_uv: (F, 4) of places in the layout.
        points: (P, V, 3) mm, where its vertices are. uv: (U, 2) where its places are.
        quadrics, areas: (P, V, 4, 4) and (P, V), of :func:`_quadrics`. taken: (V,) how many vertices each stands for.
        flaws: of :func:`_flaws`.
    """

    faces: np.ndarray
    face_uv: np.ndarray
    points: np.ndarray
    uv: np.ndarray
    quadrics: np.ndarray
    areas: np.ndarray
    taken: np.ndarray
    flaws: tuple[int, int]


def reductions(
    faces: np.ndarray, face_uv: np.ndarray, surface: Surface, slack: float, allowed: tuple[Rules, ...] = RULES
) -> Iterator[Reduced]:
    """The mesh with ever fewer faces, until no chord can be closed.

    Args:
        slack: how much a millimetre of an edge that is closed counts, in millimetres of distance from the surface.
        allowed: one after the other, where no chord can be closed any more.
    """
    flaws = _flaws(faces, face_uv, surface.poses, surface.uv)
    taken = np.ones(surface.poses.shape[1])
    now = Reduced(faces, face_uv, surface.poses, surface.uv, *_quadrics(faces, surface.poses), taken, flaws)
    yield now
    for rules in allowed:
        while (closed := _cheapest(now, surface, slack, rules)) is not None:
            now = closed
            yield now


def _quadrics(faces: np.ndarray, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P, V, 4, 4) sums of squared distances from the planes around each vertex, by area; (P, V) those areas."""
    quads = faces[faces[:, 3] >= 0]
    triangles = np.concatenate([faces[:, :3], quads[:, [0, 2, 3]]])
    quadrics = np.zeros((*poses.shape[:2], 4, 4))
    areas = np.zeros(poses.shape[:2])
    for pose, points in enumerate(poses):
        corners = points[triangles]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(normal, axis=1)
        normal /= np.maximum(area, 1e-12)[:, None]
        plane = np.concatenate([normal, -(normal * corners[:, 0]).sum(axis=1, keepdims=True)], axis=1)
        outer = plane[:, :, None] * plane[:, None] * area[:, None, None]
        for corner in range(3):
            np.add.at(quadrics[pose], triangles[:, corner], outer)
            np.add.at(areas[pose], triangles[:, corner], area)
        _hold_border(quadrics[pose], faces, points)
    return quadrics, areas


def _hold_border(quadrics: np.ndarray, faces: np.ndarray, points: np.ndarray) -> None:
    """Add the planes that stand upright on the border."""
    edges, face_edges = mesh_edges(faces)
    number = np.bincount(face_edges[face_edges >= 0], minlength=len(edges))
    for face, own in zip(faces, face_edges, strict=True):
        for edge in own[(own >= 0) & (number[own] == 1)]:
            first, second = edges[edge]
            along = points[second] - points[first]
            normal = np.cross(points[face[1]] - points[face[0]], points[face[2]] - points[face[0]])
            upright = np.cross(along, normal)
            upright /= max(np.linalg.norm(upright), 1e-12)
            plane = np.append(upright, -upright @ points[first])
            quadrics[[first, second]] += _BORDER * (along @ along) * np.outer(plane, plane)


def mesh_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(E, 2) edges, the smaller vertex first, and (F, 4) which edge follows each corner; −1 where there is none."""
    following = np.roll(faces, -1, axis=1)
    triangle = faces[:, 3] < 0
    following[triangle, 2] = faces[triangle, 0]
    present = faces >= 0
    both = np.sort(np.stack([faces[present], following[present]], axis=1), axis=1)
    edges, index = np.unique(both, axis=0, return_inverse=True)
    out = np.full(faces.shape, -1)
    out[present] = index.ravel()
    return edges, out


def _chords(edges: np.ndarray, face_edges: np.ndarray) -> np.ndarray:
    """(E,) the number of the chord that each edge belongs to."""
    quads = face_edges[face_edges[:, 3] >= 0]
    pairs = np.concatenate([quads[:, [0, 2]], quads[:, [1, 3]]])
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(edges),) * 2)
    return connected_components(graph, directed=False)[1]


def _cheapest(now: Reduced, surface: Surface, slack: float, rules: Rules) -> Reduced | None:
    """The mesh without its least needed chord and the mirrored one; None where nothing may go."""
    edges, face_edges = mesh_edges(now.faces)
    chord = _chords(edges, face_edges)
    cost = _edge_costs(edges, now, surface, slack)
    number = chord.max() + 1
    mean = (np.bincount(chord, cost**_MEAN_POWER, number) / np.bincount(chord, minlength=number)) ** (1 / _MEAN_POWER)
    worst = np.zeros(number)
    np.maximum.at(worst, chord, cost)
    mirrored = _mirrored_edges(edges, surface.mirror)
    for one in np.argsort(mean + 0.3 * worst, kind="stable"):
        if not np.isfinite(mean[one]):
            return None
        members = np.flatnonzero(chord == one)
        others = mirrored[members]
        if (others < 0).any():
            continue
        closed = _closed(now, surface, edges, face_edges, np.union1d(members, others), rules)
        if closed is not None:
            return closed
    return None


def _edge_costs(edges: np.ndarray, now: Reduced, surface: Surface, slack: float) -> np.ndarray:
    """(E,) mm: how far the surface would be left where an edge is closed, and a bit for its length."""
    first, second = edges.T
    quadric = now.quadrics[:, first] + now.quadrics[:, second]
    area = now.areas[:, first] + now.areas[:, second]
    both = surface.kind[first] | surface.kind[second]
    shares = [now.taken[end] * (surface.kind[end] == both) for end in (first, second)]
    if not surface.moves:
        shares = [(shares[0] >= shares[1]) & (shares[0] > 0), shares[1] > shares[0]]
    total = shares[0] + shares[1]
    place = sum(share[:, None] * now.points[:, end] for share, end in zip(shares, (first, second), strict=True))
    place = np.concatenate([place / np.maximum(total, 1)[:, None], np.ones((*area.shape, 1))], axis=2)
    square = np.einsum("pei,peij,pej->pe", place, quadric, place) / area
    distance = np.where(total > 0, np.sqrt(np.maximum(square, 0)).max(axis=0), np.inf)
    length = np.linalg.norm(now.points[0, first] - now.points[0, second], axis=1)
    weight = np.maximum(surface.weight[first], surface.weight[second])
    return weight * (distance + slack * length)


def _mirrored_edges(edges: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """(E,) the edge on the other side, −1 where there is none."""
    count = len(mirror)
    keys = edges[:, 0].astype(np.int64) * count + edges[:, 1]
    other = np.sort(mirror[edges], axis=1)
    wanted = other[:, 0].astype(np.int64) * count + other[:, 1]
    order = np.argsort(keys)
    place = np.searchsorted(keys[order], wanted).clip(0, len(keys) - 1)
    return np.where(keys[order][place] == wanted, order[place], -1)


def _closed(
    now: Reduced, surface: Surface, edges: np.ndarray, face_edges: np.ndarray, members: np.ndarray, rules: Rules
) -> Reduced | None:
    """The mesh with some edges closed; None where that is no good mesh any more."""
    count = len(surface.mirror)
    group = _groups(edges[members], count)
    sizes = np.bincount(group)
    if sizes.max() > _LARGEST_GROUP:
        return None
    top = _highest(surface.kind, group, len(sizes))
    if top is None:
        return None
    kept = _kept(now, surface, group, sizes, top)
    target = kept[group]
    inside = np.isin(face_edges, members)
    places = np.roll(now.face_uv, -1, axis=1)
    triangle = now.faces[:, 3] < 0
    places[triangle, 2] = now.face_uv[triangle, 0]
    pairs = np.stack([now.face_uv[inside], places[inside]], axis=1)
    uv_target = _uv_target(pairs, surface, target)
    if uv_target is None:
        return None
    faces, face_uv = _cleaned(target[now.faces], uv_target[now.face_uv], now.faces < 0)
    if rules.doublets:
        faces, face_uv = _without_doublets(faces, face_uv, count)
    if (surface.uv_vertex[face_uv] != faces)[faces >= 0].any():  # the other side of a seam would be torn off
        return None
    if not _is_manifold(faces, now.faces, count):
        return None
    points, uv = now.points, now.uv
    if surface.moves:
        share = np.where(top, now.taken, 0)
        points = np.stack([_means(one, share, group) for one in now.points])
        owner_share = share[surface.uv_vertex]
        uv = _means(now.uv, owner_share, _groups(pairs, len(now.uv)))
    turned, folded = _flaws(faces, face_uv, points, uv)
    if turned > now.flaws[0] + rules.turns * len(faces) or folded > now.flaws[1] + rules.folds * len(faces):
        return None
    gone = np.flatnonzero(target != np.arange(count))
    quadrics, areas, taken = now.quadrics.copy(), now.areas.copy(), now.taken.copy()
    for vertex in gone:
        quadrics[:, target[vertex]] += now.quadrics[:, vertex]
        areas[:, target[vertex]] += now.areas[:, vertex]
        taken[target[vertex]] += now.taken[vertex]
    return Reduced(faces, face_uv, points, uv, quadrics, areas, taken, now.flaws)


def _highest(kind: np.ndarray, group: np.ndarray, count: int) -> np.ndarray | None:
    """(V,) bool: vertices that lie on all lines that any of their group lies on; None where a group has none."""
    every = np.zeros(count, kind.dtype)
    np.bitwise_or.at(every, group, kind)
    top = kind == every[group]
    return top if (np.bincount(group, top, count) > 0).all() else None


def _means(values: np.ndarray, share: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(N, C) values, those of each group that has a share its mean."""
    total = np.bincount(group, share)
    mean = np.stack([np.bincount(group, share * column) for column in values.T], axis=1)
    found = (mean / np.maximum(total, 1e-9)[:, None])[group]
    joined = (np.bincount(group) > 1)[group] & (total > 0)[group]
    return np.where(joined[:, None], found, values)


def _groups(pairs: np.ndarray, count: int) -> np.ndarray:
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(count,) * 2)
    return connected_components(graph, directed=False)[1]


def _kept(now: Reduced, surface: Surface, group: np.ndarray, sizes: np.ndarray, top: np.ndarray) -> np.ndarray:
    """(G,) the vertex that stays of each group: of those that may, the one that lies best."""
    joined = np.flatnonzero(sizes[group] > 1)
    quadric = np.zeros((now.quadrics.shape[0], len(sizes), 4, 4))
    np.add.at(quadric, (slice(None), group[joined]), now.quadrics[:, joined])
    points = np.concatenate([now.points[:, joined], np.ones((len(now.points), len(joined), 1))], axis=2)
    score = np.zeros(len(group))
    score[joined] = np.einsum("pei,peij,pej->e", points, quadric[:, group[joined]], points)
    score = np.abs(score) + np.abs(score[surface.mirror])
    order = np.lexsort((score, ~top, group))
    return order[np.searchsorted(group[order], np.arange(len(sizes)))]


def _uv_target(pairs: np.ndarray, surface: Surface, target: np.ndarray) -> np.ndarray | None:
    """(U,) the place in the layout that each becomes; None where that would tear it."""
    count = len(surface.uv)
    group = _groups(pairs, count)
    stays = target[surface.uv_vertex] == surface.uv_vertex
    holders = np.bincount(group, stays)
    joined = np.bincount(group) > 1
    if (holders[joined] != 1).any():
        return None
    found = np.full(len(holders), -1)
    found[group[stays]] = np.flatnonzero(stays)
    out = np.where(joined[group], found[group], np.arange(count))
    return out


def _cleaned(faces: np.ndarray, face_uv: np.ndarray, absent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces without corners that have become one, and without those that have nothing left."""
    faces, face_uv = np.where(absent, -1, faces), np.where(absent, -1, face_uv)
    following = np.roll(faces, -1, axis=1)
    triangle = faces[:, 3] < 0
    following[triangle, 2] = faces[triangle, 0]
    whole = ((faces != following) | (faces < 0)).all(axis=1)
    rows, uv_rows = [], []
    for face, places, same in zip(faces[~whole], face_uv[~whole], (faces == following)[~whole], strict=True):
        corners = [k for k in range(4) if face[k] >= 0 and not same[k]]
        if len(corners) == 3:
            rows.append([*face[corners], -1])
            uv_rows.append([*places[corners], -1])
    extra, uv_extra = np.array(rows, int).reshape(-1, 4), np.array(uv_rows, int).reshape(-1, 4)
    return np.concatenate([faces[whole], extra]), np.concatenate([face_uv[whole], uv_extra])


def _without_doublets(faces: np.ndarray, face_uv: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A vertex that two quads alone share goes, and both become one."""
    while True:
        present = faces >= 0
        ends = np.bincount(mesh_edges(faces)[0].ravel(), minlength=count)
        around = np.bincount(faces[present], minlength=count)
        rows = None
        for vertex in np.flatnonzero((ends == 2) & (around == 2)):
            rows = np.flatnonzero((faces == vertex).any(axis=1))
            if len(rows) == 2 and (faces[rows] >= 0).all():
                break
            rows = None
        if rows is None:
            return faces, face_uv
        first, second = (np.roll(np.arange(4), -int(np.flatnonzero(faces[row] == vertex)[0])) for row in rows)
        # (v, a, p, b) and (v, b, q, a) become (a, p, b, q).
        joined = [np.concatenate([of[rows[0]][first[1:]], of[rows[1]][second[2:3]]])[None] for of in (faces, face_uv)]
        kept = np.ones(len(faces), bool)
        kept[rows] = False
        faces, face_uv = np.concatenate([faces[kept], joined[0]]), np.concatenate([face_uv[kept], joined[1]])


def _is_manifold(faces: np.ndarray, before: np.ndarray, count: int) -> bool:
    """No edge twice in one direction, no corner twice in a face, no vertex of two faces inside; holes as before."""
    quads = faces[:, 3] >= 0
    if (faces[:, 0] == faces[:, 2]).any() or (faces[quads, 1] == faces[quads, 3]).any():
        return False
    following = np.roll(faces, -1, axis=1)
    following[~quads, 2] = faces[~quads, 0]
    present = faces >= 0
    directed = faces[present].astype(np.int64) * count + following[present]
    if len(np.unique(directed)) != len(directed):
        return False
    edges, _ = mesh_edges(faces)
    ends = np.bincount(edges.ravel(), minlength=count)
    if ((ends == 2) & (np.bincount(faces[present], minlength=count) > 1)).any():
        return False
    return _euler(faces) == _euler(before)


def _euler(faces: np.ndarray) -> int:
    return len(np.unique(faces[faces >= 0])) - len(mesh_edges(faces)[0]) + len(faces)


def _flaws(faces: np.ndarray, face_uv: np.ndarray, poses: np.ndarray, uv: np.ndarray) -> tuple[int, int]:
    """How many corners of faces turn over in the layout, and how many quads fold in any of the poses."""
    quads = faces[:, 3] >= 0
    turned = 0
    for corners in ((0, 1, 2), (0, 2, 3), (1, 2, 3), (0, 1, 3)):
        rows = slice(None) if corners == (0, 1, 2) else quads
        places = uv[face_uv[rows][:, corners]]
        first, second = places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]
        turned += int((first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] <= 0).sum())
    points = poses[:, faces[quads]]
    normals = [
        np.cross(points[:, :, b] - points[:, :, a], points[:, :, c] - points[:, :, a])
        for a, b, c in ((0, 1, 2), (0, 2, 3))
    ]
    lengths = np.linalg.norm(normals[0], axis=2) * np.linalg.norm(normals[1], axis=2)
    turn = (normals[0] * normals[1]).sum(axis=2) / np.maximum(lengths, 1e-9)
    return turned, int((turn < _LEAST_TURN).sum())
