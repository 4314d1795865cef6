# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical UV of another topology, from a built-in skin registered to it.

Where both skins are one, UV is that of the closest point. Vertices that the built-in skin does not have are filled in:
inside openings (bags behind lips and lids, eyes that are part of the skin) by a membrane in the UV between what is
around them, below the neck by a rim around the island. The layout is cut where the built-in one is, along the back of
the head, on edges of the other topology.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..face_model.model import FaceModel, split_quads
from ..geometry.nearest import ClosestPoints
from ..rendering.normals import vertex_normals
from .surface import Surface, border_vertices, rests_on
from .uv_folds import folded, links, membrane, unfold

REACH_MM = 1.5
"""Two skins farther apart than this are not the same place."""
_LEAST_FACING = 0.3
_BESIDE_MM = 5.0
_SAME_MM = 0.05  # this near a border the built-in skin still counts as there
_RIM = 0.05  # of the UV's side, at most, for what lies below the neck
_RIM_MM = 60.0  # so far below, two thirds of the rim are used
_CENTRE = 0.5  # of the square
_ROOM = 0.9  # of the way to the edge of the square
_MIDDLE_MM = 1e-3  # so near to x = 0 a vertex of the built-in head is on the plane between its sides


@dataclass(frozen=True)
class CanonicalLayout:
    """UV of the external skin and what is known of each of its V vertices.

    Attributes:
        uv: (U, 2) float32. face_uv: (F, 4) int32, −1 where faces have it.
        matched: (V,) bool, the built-in skin has this place. filled: (V,) bool, inside an opening.
        distance: (V,) float64 mm to the closest point of the built-in skin.
        folds: triangles whose UV is turned over or has no area.
    """

    uv: np.ndarray
    face_uv: np.ndarray
    matched: np.ndarray
    filled: np.ndarray
    distance: np.ndarray
    folds: int


@dataclass(frozen=True)
class _Skin:
    """The built-in skin, registered to the external one, without what is inside of openings.

    Attributes:
        points: (V, 3) mm. triangles: (T, 3). corner_uv: (T, 3, 2).
        side: (T,) +1 on the head's left, −1 on its right.
        rim: (V,) bool, where the neck ends. openings: (V,) bool, edges of lids, lips and nostrils.
        middle: (M,) vertices on the plane between left and right. cut: (M,) bool, where UV is cut.
    """

    points: np.ndarray
    triangles: np.ndarray
    corner_uv: np.ndarray
    side: np.ndarray
    rim: np.ndarray
    openings: np.ndarray
    middle: np.ndarray
    cut: np.ndarray


@dataclass(frozen=True)
class _Corners:
    """The external mesh cut as its UV is.

    Attributes:
        faces: (F, 4) indices of U corners, −1 pads triangles.
        vertex: (U,) int. side: (U,) ±1 near the cut, 0 where both sides will do.
    """

    faces: np.ndarray
    vertex: np.ndarray
    side: np.ndarray


@dataclass(frozen=True)
class _Matches:
    """(U, 2) UV of closest points; (U,) bool, same place; (U,) bool, below the neck; (U,) mm."""

    uv: np.ndarray
    same: np.ndarray
    below: np.ndarray
    distance: np.ndarray


def transfer_uv(model: FaceModel, points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> CanonicalLayout:
    """Canonical UV per corner.

    Args:
        model: the built-in head. points: (V_model_skin, 3) mm, its skin registered to the external one.
        vertices: (V, 3) mm of the external skin. faces: (F, 4), −1 pads triangles.
    """
    skin = _registered_skin(model, points)
    corners = _cut_corners(skin, vertices, faces)
    triangles = split_quads(corners.faces)
    linked = links(vertices[corners.vertex], triangles)
    normals = vertex_normals(vertices, split_quads(faces))[corners.vertex]
    found = _match(skin, vertices[corners.vertex], normals, corners.side)
    same = found.same & _in_main_pieces(found.same, linked)
    filled = ~same & ~found.below
    # Where the external skin ends beside the built-in one, nothing holds a membrane: it stays at its closest points.
    filled &= ~(border_vertices(triangles, len(corners.vertex)) & (found.distance < _BESIDE_MM))
    uv = np.where(found.below[:, None], _on_rim(skin, corners, found, linked), found.uv)
    uv = unfold(membrane(uv, filled, linked), filled, triangles, linked)
    by_vertex = np.zeros((len(vertices), 3))
    by_vertex[corners.vertex] = np.stack([same, filled, found.distance], axis=1)
    return CanonicalLayout(
        uv=uv.astype(np.float32),
        face_uv=corners.faces.astype(np.int32),
        matched=by_vertex[:, 0] > 0,
        filled=by_vertex[:, 1] > 0,
        distance=by_vertex[:, 2],
        folds=int(folded(uv.astype(np.float32), triangles).sum()),
    )


def outside_of_openings(model: FaceModel) -> np.ndarray:
    """(V_skin,) bool: not in the mouth bag, the eye sockets or the nostrils."""
    return ~model.in_region("socket")


def _registered_skin(model: FaceModel, points: np.ndarray) -> _Skin:
    triangles, uv_triangles, count = model.skin.triangles(), model.skin.uv_triangles(), len(points)
    outside = outside_of_openings(model)[triangles].all(axis=1)
    rim = border_vertices(triangles, count)
    vertex_of = np.zeros(len(model.skin.uv), int)
    vertex_of[uv_triangles] = triangles
    middle = np.flatnonzero(np.abs(model.mean[:count, 0]) < _MIDDLE_MM)
    return _Skin(
        points=points,
        triangles=triangles[outside],
        corner_uv=model.skin.uv[uv_triangles[outside]].astype(np.float64),
        side=np.where(model.mean[triangles[outside], 0].mean(axis=1) > 0, 1, -1),
        rim=rim,
        openings=border_vertices(triangles[outside], count) & ~rim,
        middle=middle,
        cut=np.bincount(vertex_of, minlength=count)[middle] > 1,
    )


def _cut_corners(skin: _Skin, vertices: np.ndarray, faces: np.ndarray) -> _Corners:
    """Vertices that are nearer to the built-in cut than to the front of the head are held to the sides of their faces;
    those with faces on both sides are doubled.
    """
    present = faces >= 0
    centres = (vertices[faces] * present[..., None]).sum(axis=1) / present.sum(axis=1, keepdims=True)
    side = skin.side[ClosestPoints(skin.points, skin.triangles).query(centres).triangle]
    behind = skin.cut[cKDTree(skin.points[skin.middle]).query(vertices)[1]]
    held = np.where(behind[faces], side[:, None], 0)
    # Three keys for each vertex: right, either, left.
    used, corner = np.unique((3 * faces + held + 1)[present], return_inverse=True)
    out = np.full(faces.shape, -1)
    out[present] = corner
    return _Corners(out, used // 3, used % 3 - 1)


def _match(skin: _Skin, points: np.ndarray, normals: np.ndarray, sides: np.ndarray) -> _Matches:
    uv, distance = np.zeros((len(points), 2)), np.zeros(len(points))
    same, below = np.zeros((2, len(points)), bool)
    for side in (-1, 0, 1):
        rows = np.flatnonzero(sides == side)
        if len(rows) == 0:
            continue
        use = np.flatnonzero((skin.side == side) | (side == 0))
        closest = Surface(skin.points, skin.triangles[use]).match(points[rows], normals[rows])
        corners, weights = skin.triangles[use[closest.triangle]], closest.weights
        at_rim = rests_on(weights, skin.rim[corners])
        at_end = (at_rim | rests_on(weights, skin.openings[corners])) & (closest.distance > _SAME_MM)
        here = ~at_end & (closest.distance < REACH_MM) & (closest.facing > _LEAST_FACING)
        lower = at_rim & ~here & (closest.facing > 0)
        uv[rows] = np.einsum("nkc,nk->nc", skin.corner_uv[use[closest.triangle]], weights)
        same[rows], below[rows], distance[rows] = here, lower, closest.distance
    return _Matches(uv, same, below, distance)


def _on_rim(skin: _Skin, corners: _Corners, found: _Matches, linked: csr_matrix) -> np.ndarray:
    """(U, 2) UV of what lies below the neck: from its end towards the edge of the square, never over it.

    Seen from the middle of the square the neck's end is an arc. Directions spread smoothly from there down to
    shoulders, held at both ends along the cut; the farther below, the farther out.
    """
    rim_uv = skin.corner_uv[skin.rim[skin.triangles]] - _CENTRE
    angles = np.arctan2(rim_uv[:, 1], rim_uv[:, 0])
    order = np.argsort(angles)
    angle = np.arctan2(*(found.uv - _CENTRE).T[::-1])
    doubled = (np.bincount(corners.vertex)[corners.vertex] > 1) & found.below
    angle[doubled] = np.where(corners.side[doubled] > 0, angles.max(), angles.min())
    angle = membrane(angle[:, None], found.below & ~doubled, linked, evened=False)[:, 0]
    length = np.interp(angle, angles[order], np.linalg.norm(rim_uv, axis=1)[order])
    outwards = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    room = 0.5 / np.maximum(np.abs(outwards).max(axis=1), 1e-9) - length
    push = np.minimum(_RIM, _ROOM * room) * (1 - np.exp(-found.distance / _RIM_MM))
    return _CENTRE + outwards * (length + push)[:, None]


def _in_main_pieces(same: np.ndarray, linked: csr_matrix) -> np.ndarray:
    """(U,) bool: in the largest piece of matched corners that its piece of the mesh has; others are chance."""
    _, whole = connected_components(linked, directed=False)
    rows = np.flatnonzero(same)
    count, piece = connected_components(linked[rows][:, rows], directed=False)
    size = np.bincount(piece, minlength=count)
    largest = np.zeros(whole.max() + 1, int)
    np.maximum.at(largest, whole[rows], size[piece])
    out = np.zeros(len(same), bool)
    out[rows] = size[piece] == largest[whole[rows]]
    return out
