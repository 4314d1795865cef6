# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical UV and the built-in head's regions on another mesh of the same mean head."""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from facedetail_addon.core.face_model.model import FaceModel

_FAR = 0.05  # corners of one triangle farther apart in UV than this lie on both sides of a seam


def with_regions(model: FaceModel, builtin: FaceModel) -> FaceModel:
    """The model with the regions of the nearest built-in skin vertices."""
    nearest = _nearest(model, builtin)
    return replace(model, region_names=builtin.region_names, region=builtin.region[nearest])


def canonical_corners(model: FaceModel, builtin: FaceModel) -> np.ndarray:
    """(T, 3, 2) places in canonical UV of the corners of the model's skin triangles."""
    if model is builtin:
        return model.skin.uv[model.skin.uv_triangles()]
    uv = builtin.skin.vertex_uv()[_nearest(model, builtin)]
    corners = uv[model.skin.triangles()]
    apart = np.ptp(corners, axis=1).max(1) > _FAR
    corners[apart] = corners[apart][:, :1]
    return corners


def _nearest(model: FaceModel, builtin: FaceModel) -> np.ndarray:
    tree = cKDTree(builtin.skin.of(builtin.mean))
    return tree.query(model.skin.of(model.mean))[1]
