# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths on which the jaw's landmarks follow the silhouette, on the built-in head and on a mask."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.ibug import IBUG_FROM_MESH
from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel
from facedetail_addon.core.face_model.outline import JAW, PATH_POINTS, mesh_offset, outline_paths
from facedetail_addon.core.fit.points import silhouette_choice


def mask_of(model: FaceModel) -> FaceModel:
    """The head as a mask of triangles: no faces beside and behind the face."""
    triangles = model.skin.triangles()
    face = model.in_region(*FACE_REGIONS)
    kept = triangles[face[triangles].all(axis=1)]
    faces = np.column_stack([kept, np.full(len(kept), -1, np.int32)])
    return replace(model, parts=(replace(model.skin, faces=faces, face_uv=faces),))


def paths_of(model: FaceModel) -> np.ndarray:
    return outline_paths(model).points(model.mean).reshape(JAW, PATH_POINTS, 3)


def test_paths_begin_at_the_landmarks_and_lead_forwards_over_the_face(model):
    paths = paths_of(model)
    assert np.allclose(paths[:, 0], model.landmarks68.points(model.mean)[:JAW])
    foremost = paths[:, :, 2].argmax(axis=1)
    gain = paths[np.arange(JAW), foremost, 2] - paths[:, 0, 2]
    assert gain.min() > 10
    # Each step is short enough for the silhouette in between to be missed by little.
    last = PATH_POINTS - 1
    steps = np.linalg.norm(np.diff(paths[2:15, last - 9 :], axis=1), axis=2)
    assert np.median(steps) < 12
    embedding = outline_paths(model)
    assert np.allclose(embedding.weights.sum(axis=1), 1, atol=1e-5)
    assert embedding.vertices.max() < model.skin.stop


def test_no_path_leaves_the_face(model):
    names = np.array(model.region_names)
    embedding = outline_paths(model)
    found = embedding.vertices.reshape(JAW, PATH_POINTS, 3)[:, 1:]
    own = embedding.vertices.reshape(JAW, PATH_POINTS, 3)[:, :1]
    elsewhere = (found != own).any(axis=2)
    assert elsewhere.mean() > 0.8
    assert set(names[model.region[found[elsewhere]]].ravel()) <= set(FACE_REGIONS)


def test_both_sides_are_alike(model):
    paths = paths_of(model)
    mirrored = paths[::-1] * [-1, 1, 1]
    assert np.median(np.linalg.norm(paths - mirrored, axis=2)) < 0.5


def test_a_mask_has_the_same_paths(model):
    """But where ears hide skin from the side, which a mask has not."""
    gap = np.linalg.norm(paths_of(mask_of(model)) - paths_of(model), axis=2)
    assert np.mean(gap < 0.01) > 0.95


@pytest.mark.parametrize("yaw", [-35, 35])
def test_the_silhouette_of_the_far_cheek_is_found(model, yaw):
    """Where the cheek turns away, the landmark's own point is hidden and the chosen one is on the face's edge."""
    angle = np.radians(yaw)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    flat = (np.diag([1.0, -1.0, -1.0]) @ turn)[:2].T
    paths = paths_of(model).astype(np.float64) @ flat
    center = model.landmarks68.points(model.mean).mean(axis=0) @ flat
    chosen = paths[np.arange(JAW), silhouette_choice(paths, center)]
    face = model.in_region(*FACE_REGIONS)
    hull = ConvexHull(model.skin.of(model.mean)[face] @ flat)
    inside = [
        -(points @ hull.equations[:, :2].T + hull.equations[:, 2]).max(axis=1) for points in (chosen, paths[:, 0])
    ]
    far = slice(2, 4) if np.abs(paths[3, 0, 0] - center[0]) < np.abs(paths[13, 0, 0] - center[0]) else slice(13, 15)
    assert inside[0][far].max() < 2.0
    assert inside[1][far].min() > 5.0


def test_offset_leads_from_the_model_s_landmarks_to_the_mesh_s(model):
    calibration = load_calibration()
    marks = model.landmarks68.points(model.mean) + mesh_offset(model, calibration)
    there = calibration.embedding.points(model.mean) + calibration.offset
    assert np.allclose(marks, there[list(IBUG_FROM_MESH)], atol=1e-3)
    # Corners of eyes and lips mean the same to both.
    assert np.linalg.norm(mesh_offset(model, calibration)[[36, 45, 48, 54]], axis=1).max() < 6
