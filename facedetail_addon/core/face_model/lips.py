# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lips of a face model touch when its mouth closes."""

import numpy as np

from ..rendering.rays import RayScene
from .model import FaceModel, PointEmbedding

_INNER_UPPER, _INNER_LOWER = (60, 61, 62, 63, 64), (60, 67, 66, 65, 64)  # of iBUG, from corner to corner
_COLUMNS = 9  # between the corners, where lips are joined
_REACH_MM, _STEP_MM = 4.0, 0.05  # up and down from the middle of the gap
_DEEP_MM = 2.0  # so far behind the lips' edges is no lip
_AHEAD_MM = 10.0  # of the head, where rays start


def lip_edges(model: FaceModel) -> tuple[np.ndarray, PointEmbedding, PointEmbedding]:
    """The edges of the gap between the mean head's lips, seen from the front, in columns between its corners.

    Where the mean's lips touch or are joined, both edges lie side by side. Columns without lips are left out.

    Returns:
        (C,) places of the columns from the right corner, 0, to the left, 1; C points of the upper lip, its last ones,
        and C of the lower lip, its first.
    """
    marks = model.landmarks68.points(model.mean).astype(np.float64)
    line = (marks[list(_INNER_UPPER)] + marks[list(_INNER_LOWER)]) / 2
    place = np.linspace(0, 1, _COLUMNS + 2)[1:-1]
    x = line[0, 0] + place * (line[-1, 0] - line[0, 0])
    y, z = (np.interp(x, line[:, 0], line[:, axis]) for axis in (1, 2))
    heights = np.arange(_REACH_MM, -_REACH_MM - _STEP_MM / 2, -_STEP_MM)
    far = float(model.mean[:, 2].max()) + _AHEAD_MM
    origins = np.stack(np.broadcast_arrays(x[:, None], y[:, None] + heights, far), axis=-1)
    triangles = model.solid_triangles()
    before = np.flatnonzero(_may_be_hit(model.mean[triangles][..., :2], origins[..., :2]))
    hits = RayScene(model.mean, triangles[before]).cast(
        origins.reshape(-1, 3), np.broadcast_to(np.float32([0, 0, -1]), (origins.size // 3, 3))
    )
    found = hits.triangle.reshape(origins.shape[:2])
    triangle = np.where(found >= 0, before[found], -1)
    lip = (triangle >= 0) & (triangle < len(model.skin.triangles()))
    lip &= far - hits.distance.reshape(lip.shape) > z[:, None] - _DEEP_MM
    middle = len(heights) // 2
    column = np.arange(_COLUMNS)
    # The first rays beside the middle that meet a lip.
    above = middle - lip[:, middle::-1].argmax(1)
    below = middle + 1 + lip[:, middle + 1 :].argmax(1)
    seen = lip[column, above] & lip[column, below]
    barycentric = hits.barycentric.reshape(*lip.shape, 3)
    upper, lower = (
        PointEmbedding(triangles[triangle[column, row]][seen], barycentric[column, row][seen]) for row in (above, below)
    )
    return place[seen], upper, lower


def _may_be_hit(corners: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """(T,) bool of triangles (T, 3, 2) that rays along the depth from (..., 2) might meet; most of a head's are not."""
    low, high = origins.min(axis=(0, 1)), origins.max(axis=(0, 1))
    return ((corners.max(axis=1) >= low) & (corners.min(axis=1) <= high)).all(axis=1)
