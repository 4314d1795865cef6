# SPDX-License-Identifier: GPL-3.0-or-later
"""Which points of the canonical head the network looks for."""

import numpy as np

from facedetail_addon.core.face_model.calibration import LandmarkCalibration
from facedetail_addon.core.face_model.model import FaceModel, PointEmbedding

FACE_POINTS, HEAD_POINTS = 180, 110
IRISES = slice(468, 478)
_NECK_END_MM = 12.0


def canonical_points(model: FaceModel, calibration: LandmarkCalibration) -> PointEmbedding:
    """The 68 of iBUG, the ten of the irises, and points spread over face, and over ears, skull and upper neck.

    Spread by the farthest next point on the mean head; deterministic.
    """
    marks, irises = model.landmarks68, calibration.embedding
    rest = model.skin.of(model.mean)
    hidden = model.in_region("socket")
    low = rest[:, 1] < rest[model.in_region("neck")][:, 1].min() + _NECK_END_MM
    face = model.in_region("forehead", "cheeks", "nose", "mouth", "chin", "eyes") & ~hidden
    taken = marks.points(model.mean)
    chosen = []
    for region, count in ((face, FACE_POINTS), (~face & ~hidden & ~low, HEAD_POINTS)):
        rows = np.flatnonzero(region)
        gap = np.linalg.norm(rest[rows][:, None] - taken[None], axis=2).min(1)
        for _ in range(count):
            best = int(gap.argmax())
            chosen.append(rows[best])
            gap = np.minimum(gap, np.linalg.norm(rest[rows] - rest[rows[best]], axis=1))
        taken = np.concatenate([taken, rest[chosen[-count:]]])
    own = np.repeat(np.array(chosen, np.int32)[:, None], 3, axis=1)
    weights = np.tile(np.float32([1, 0, 0]), (len(own), 1))
    return PointEmbedding(
        np.concatenate([marks.vertices, irises.vertices[IRISES], own]).astype(np.int32),
        np.concatenate([marks.weights, irises.weights[IRISES], weights]).astype(np.float32),
    )
