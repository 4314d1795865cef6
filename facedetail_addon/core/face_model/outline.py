# SPDX-License-Identifier: GPL-3.0-or-later
"""Where landmarkers put the 68 landmarks: those of the jaw on the silhouette, those of the face mesh with a bias."""

import numpy as np

from ..rendering.rays import RayScene
from .calibration import LandmarkCalibration
from .ibug import IBUG_FROM_MESH
from .model import FACE_REGIONS, FaceModel, PointEmbedding

JAW = 17
"""The outline's landmarks are the first of iBUG's 68."""
PATH_POINTS = 14
"""Points of a path, the landmark's own first."""
# How far paths go around the head: degrees forwards and, a little, backwards of the landmark.
_FORWARDS_DEG, _BACKWARDS_DEG, _BACKWARD_POINTS = 60.0, 12.0, 3
_FAR_MM = 500.0


def outline_paths(model: FaceModel) -> PointEmbedding:
    """For each landmark of the jaw the points of the mean head that the silhouette may pass through instead.

    A path runs over the skin in the plane of the landmark, the middle of the face and the view from in front: first the
    landmark's own point, then from behind it to far in front of it, in equal steps of angle around the middle of the
    head. Rays from outside find the skin, whatever its triangles; where they find none, or none of the face, the path
    has the landmark's own point again.

    Returns:
        17 · :data:`PATH_POINTS` points, path after path.
    """
    own = model.landmarks68.points(model.mean).astype(np.float64)
    middle = own.mean(axis=0)
    start, toward = _rays(own[:JAW], middle)  # (17, M − 1, 3)
    triangles = model.skin.triangles()
    hits = RayScene(model.mean, triangles).cast(start.reshape(-1, 3), toward.reshape(-1, 3))
    corners = triangles[hits.triangle]
    face = model.in_region(*FACE_REGIONS)  # the silhouettes of ears, neck and hair are others
    usable = (hits.triangle >= 0) & face[corners].all(axis=1)
    shape = (JAW, PATH_POINTS - 1, 3)
    vertices = np.where(usable[:, None], corners, 0).reshape(shape)
    weights = np.where(usable[:, None], hits.barycentric, 0).reshape(shape)
    own_vertices, own_weights = (
        np.repeat(array[:JAW, None], PATH_POINTS - 1, axis=1)
        for array in (model.landmarks68.vertices, model.landmarks68.weights)
    )
    missing = ~usable.reshape(shape[:2])[:, :, None]
    vertices, weights = np.where(missing, own_vertices, vertices), np.where(missing, own_weights, weights)
    return PointEmbedding(
        np.concatenate([own_vertices[:, :1], vertices], axis=1).reshape(-1, 3).astype(np.int32),
        np.concatenate([own_weights[:, :1], weights], axis=1).reshape(-1, 3).astype(np.float32),
    )


def _rays(jaw: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(17, M − 1, 3) where rays start, outside the head, and where they go: to the axis as deep as each landmark."""
    centre = np.column_stack([np.broadcast_to(middle[:2], (len(jaw), 2)), jaw[:, 2]])
    outward = jaw - centre
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    ahead = PATH_POINTS - 1 - _BACKWARD_POINTS
    angle = np.radians(
        np.concatenate(
            [
                -np.linspace(0, _BACKWARDS_DEG, _BACKWARD_POINTS + 1)[1:],
                np.linspace(0, _FORWARDS_DEG, ahead + 1)[1:],
            ]
        )
    )
    away = np.cos(angle)[None, :, None] * outward[:, None] + np.sin(angle)[None, :, None] * np.array([0.0, 0.0, 1.0])
    return centre[:, None] + _FAR_MM * away, -away


def mesh_offset(model: FaceModel, calibration: LandmarkCalibration) -> np.ndarray:
    """(68, 3) float64 mm: from the model's landmarks to where the face mesh puts them, on the mean head.

    Args:
        calibration: of ``model``.
    """
    marked = calibration.embedding.points(model.mean) + calibration.offset
    return marked[list(IBUG_FROM_MESH)].astype(np.float64) - model.landmarks68.points(model.mean)
