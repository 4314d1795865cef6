# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the 478 landmarks lie on a face model: rays through them on synthetic heads, then the motion nearby."""

from typing import Protocol

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from facedetail_addon.core.face_model.eyeball import eye_centre
from facedetail_addon.core.face_model.model import FaceModel, PointEmbedding
from facedetail_addon.core.face_model.normalise import head_angles
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.geometry.nearest import ClosestPoints
from facedetail_addon.core.rendering.primary_rays import interpolate
from facedetail_addon.core.rendering.rays import RayScene
from scripts.training.heads.painter import make_painter

IRIS_START, IRIS_POINTS = 468, 5
RAY_HEADS, MOTION_HEADS = 300, 250
SEARCH_MM = 7.0
PATH_POINTS, PATH_REACH = 10, 0.5
HULL_MARGIN_MM = 1.5


class MeasuredHeads(Protocol):
    """What this module reads of the measurements."""

    alpha: np.ndarray
    beta: np.ndarray
    landmarks: np.ndarray
    cameras: tuple[PerspectiveCamera, ...]


def embed_landmarks(model: FaceModel, measured: MeasuredHeads) -> PointEmbedding:
    """The 478 points on the model: skin for the mesh, eyeballs for the irises."""
    rest = _ray_positions(model, measured)
    skin = visible_skin(model)
    embedding = closest_embedding(rest[:IRIS_START], model.mean, skin)
    embedding = _follow_motion(model, measured, embedding, np.unique(skin))
    places = [embedding]
    for start in (IRIS_START, IRIS_START + IRIS_POINTS):
        points = rest[start : start + IRIS_POINTS]
        eye = min((p for p in model.parts if p.name.startswith("eye_")), key=lambda part: _gap(model, part, points))
        places.append(closest_embedding(points, model.mean, eye.triangles() + eye.start))
    return PointEmbedding(np.concatenate([p.vertices for p in places]), np.concatenate([p.weights for p in places]))


def contour_paths(model: FaceModel, embedding: PointEmbedding) -> tuple[np.ndarray, PointEmbedding]:
    """The landmarks on the outline of the frontal face, (C,) int32, and for each a path towards the middle.

    The first point of a path is the landmark's own embedding; the others are where frontal rays meet the mean head.
    """
    points = embedding.points(model.mean).astype(np.float64)
    hull = ConvexHull(points[:IRIS_START, :2])
    depth_inside = -(hull.equations[:, :2] @ points[:IRIS_START, :2].T + hull.equations[:, 2:]).max(0)
    contour = np.flatnonzero(depth_inside < HULL_MARGIN_MM).astype(np.int32)
    middle = points[:IRIS_START].mean(0)
    skin = visible_skin(model)
    scene = RayScene(model.mean, skin)
    vertices, weights = [], []
    for landmark in contour:
        share = np.linspace(0, PATH_REACH, PATH_POINTS)[1:, None]
        start = points[landmark] * (1 - share) + middle * share
        start[:, 2] = model.mean[:, 2].max() + 100
        hits = scene.cast(start, np.broadcast_to([0.0, 0.0, -1.0], start.shape))
        vertices.append(np.concatenate([embedding.vertices[landmark][None], skin[hits.triangle]]))
        weights.append(np.concatenate([embedding.weights[landmark][None], hits.barycentric]))
    vertices, weights = np.concatenate(vertices).astype(np.int32), np.concatenate(weights).astype(np.float32)
    return contour, PointEmbedding(vertices, weights)


def visible_skin(model: FaceModel) -> np.ndarray:
    """(T, 3) skin triangles that are not in the mouth bag or the eye sockets."""
    triangles = model.skin.triangles()
    socket = model.in_region("socket")
    return triangles[~socket[triangles].any(1)]


def closest_embedding(points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> PointEmbedding:
    """(N, 3) points to the closest places on triangles."""
    found = ClosestPoints(vertices, triangles).query(points, candidates=24)
    return PointEmbedding(triangles[found.triangle].astype(np.int32), found.weights.astype(np.float32))


def _gap(model: FaceModel, part, points: np.ndarray) -> float:
    return float(np.linalg.norm(eye_centre(part.of(model.mean)) - points.mean(0)))


def _ray_positions(model: FaceModel, measured: MeasuredHeads) -> np.ndarray:
    """(478, 3) mm on the mean head: medians of what rays through the landmarks of near-frontal heads meet."""
    painter = make_painter(model)
    wanted = np.zeros(478, np.uint8)
    wanted[IRIS_START:] = 1
    yaw = np.array([head_angles(camera.rotation)[0] for camera in measured.cameras])
    found = []
    for index in np.argsort(np.abs(yaw), kind="stable")[:RAY_HEADS]:
        camera = measured.cameras[index]
        scene = RayScene(model.vertices(measured.alpha[index], measured.beta[index]), painter.triangles)
        plane = (measured.landmarks[index, :, :2] - camera.center_px) / camera.focal_px
        directions = np.concatenate([plane, np.ones((478, 1))], axis=1) @ camera.rotation
        hits = scene.cast(np.broadcast_to(camera.position(), directions.shape), directions)
        rest = interpolate(hits, painter.triangles, model.mean)
        rest[(hits.triangle < 0) | (painter.part[hits.triangle] != wanted)] = np.nan
        found.append(rest)
    return np.nanmedian(np.array(found), axis=0)


def _follow_motion(
    model: FaceModel, measured: MeasuredHeads, embedding: PointEmbedding, skin_vertices: np.ndarray
) -> PointEmbedding:
    """Replace a point by a skin vertex nearby whose motion with identity and expression explains the landmark better.

    Upper and lower lip touch on the mean head; only motion tells which one a landmark belongs to.
    """
    step = max(1, len(measured.alpha) // MOTION_HEADS)
    start = embedding.points(model.mean)
    tree = cKDTree(model.mean[skin_vertices])
    lists = [skin_vertices[around] for around in tree.query_ball_point(start, SEARCH_MM)]
    used = np.unique(np.concatenate(lists))
    marks, own, near = [], [], []
    for index in range(0, len(measured.alpha), step):
        camera = measured.cameras[index]
        posed = model.vertices(measured.alpha[index], measured.beta[index]).astype(np.float64)
        to_mm = _without_roll(camera).T * camera.translation[2] / camera.focal_px
        marks.append(measured.landmarks[index, :IRIS_START, :2] @ to_mm)
        own.append(camera.project(embedding.points(posed)) @ to_mm)
        near.append(camera.project(posed[used]) @ to_mm)
    marks, own, near = (np.array(points) for points in (marks, own, near))  # (heads, points, 2)
    vertices, weights = embedding.vertices.copy(), embedding.weights.copy()
    for landmark, candidates in enumerate(lists):
        best = _score(marks[:, landmark] - own[:, landmark])
        for candidate in candidates:
            score = _score(marks[:, landmark] - near[:, np.searchsorted(used, candidate)])
            if score < 0.9 * best:
                best, vertices[landmark], weights[landmark] = score, candidate, (1, 0, 0)
    return PointEmbedding(vertices, weights)


def _without_roll(camera: PerspectiveCamera) -> np.ndarray:
    roll = head_angles(camera.rotation)[2]
    return np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])


def _score(error: np.ndarray) -> float:
    """Variance of an error (S, 2) mm, plus a little of its mean: an offset is measured later, but should stay small."""
    return float(error.var(0).sum() + 0.2 * (error.mean(0) ** 2).sum())
