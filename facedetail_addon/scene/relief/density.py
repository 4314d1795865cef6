# SPDX-License-Identifier: GPL-3.0-or-later
"""How fine a face model's mesh is, and how often it must be subdivided for that."""

import numpy as np

from ...core.face_model.model import FaceModel

_FINE_EDGE_MM = 0.125
"""Edges this long draw a wave of 1 mm with eight of them. With four, pores are fainter than as shading (by a sixth in
renders with raking light); with fewer they turn into other patterns."""
_REGIONS_WITHOUT_DETAIL = ("ears", "neck", "scalp", "socket")
_BUILTIN_FINE_LEVEL = 5


def fine_level(model: FaceModel) -> int:
    """The Subdivision level from which on nearly all of the face has edges that draw waves of a millimetre.

    Every level halves edges, those of triangles too: their quads' other edges are shorter still.
    """
    faces = model.skin.faces
    edges = np.concatenate([faces[:, [corner, (corner + 1) % 3]] for corner in range(2)])
    edges = edges[~model.in_region(*_REGIONS_WITHOUT_DETAIL)[edges].any(axis=1)]
    start, end = model.skin.of(model.mean)[edges.T]
    length_mm = np.percentile(np.linalg.norm(end - start, axis=1), 75)
    return max(0, int(np.ceil(np.log2(length_mm / _FINE_EDGE_MM))))


def default_level(model: FaceModel, builtin_level: int) -> int:
    """The level at which a model's face is about as fine as the built-in one at ``builtin_level``."""
    return max(0, builtin_level + fine_level(model) - _BUILTIN_FINE_LEVEL)
