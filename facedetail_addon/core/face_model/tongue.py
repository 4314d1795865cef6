# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in head's tongue, part of its gums, and how it comes out of the mouth."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..image import smoothstep
from .model import FaceModel, MeshPart

_PART = "gums"
_JAW = "jawOpen"
_SEED_MM = (0.0, -31.0, 72.0)
"""On the back of the tongue of the mean head."""
_FLOOR_MM, _BACK_MM, _BESIDE_MM = -48.2, 46.0, 21.0
"""Below, behind and beside is what the tongue hangs on."""
_WITH_JAW_MM = 3.0
"""What jawOpen moves less belongs to the upper jaw."""
_ROOT_MM, _TIP_MM = 54.0, 97.5  # along the head's depth
_MIDDLE_MM = -39.5  # of its height
_OUT_MM = 38.0
_OVER_TEETH_MM = 8.0  # it rises so far to pass over the lower teeth
_TEETH_FROM_MM, _TEETH_TO_MM = 82.0, 103.0
_LIPS_MM, _HANG = 114.0, 0.022  # beyond the lips it hangs, with the square of the way
_FLAT, _NARROW = 0.3, 0.15  # it gets thinner and narrower as it gets longer


def tongue_out(model: FaceModel) -> np.ndarray | None:
    """(V, 3) mm by which the tongue comes out of the built-in head's mouth; None for other models."""
    part = tongue_part(model)
    if part is None:
        return None
    points = part.of(model.mean).astype(np.float64)
    x, y, z = points.T
    out = tongue_vertices(model, part) * smoothstep(z, _ROOT_MM, _TIP_MM)
    forward = z + _OUT_MM * out
    path = _OVER_TEETH_MM * smoothstep(forward, _TEETH_FROM_MM, _TEETH_TO_MM)
    path -= _HANG * np.maximum(forward - _LIPS_MM, 0) ** 2
    moved = [-_NARROW * x * out, out * (path - _FLAT * (y - _MIDDLE_MM)), forward - z]
    offset = np.zeros_like(model.mean)
    part.of(offset)[:] = np.stack(moved, axis=1)
    return offset


def tongue_part(model: FaceModel) -> MeshPart | None:
    """The part that the built-in head's tongue belongs to; None for other models, and without the jaw that tells it."""
    if model.origin is not None or _JAW not in model.expression_names:
        return None
    return next((part for part in model.parts if part.name == _PART), None)


def tongue_vertices(model: FaceModel, gums: MeshPart) -> np.ndarray:
    """(N,) bool: of the built-in head's gums, the tongue: what hangs together above the floor of the mouth."""
    points = gums.of(model.mean)
    jaw = gums.of(model.expression_basis[model.expression_names.index(_JAW)])
    free = np.linalg.norm(jaw, axis=1) > _WITH_JAW_MM
    free &= (points[:, 1] > _FLOOR_MM) & (points[:, 2] > _BACK_MM) & (np.abs(points[:, 0]) < _BESIDE_MM)
    corners = gums.triangles()
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges = edges[free[edges].all(axis=1)]
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(points),) * 2)
    _, label = connected_components(graph, directed=False)
    return label == label[np.linalg.norm(points - _SEED_MM, axis=1).argmin()]
