# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast drawing of faces against rays, and the landmarks simulated for it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facedetail_addon.core.face_model.calibration import LandmarkCalibration, load_calibration
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.face_model.normalise import normalise_landmarks
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.expression.face_crop import face_region
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.primary_rays import interpolate, trace_image
from scripts.training.fast_heads.renderer import FaceRenderer, landmarks_px, make_renderer, render_faces
from scripts.training.fast_heads.scenes import (
    Scenes,
    plain_scenes,
    sample_scenes,
    sh_basis,
    simulate_landmarks,
)
from scripts.training.heads.samples import head_rotation

SIZE = 96
TEETH, REST = 0.9, 0.2


@pytest.fixture(scope="module")
def calibration() -> LandmarkCalibration:
    return load_calibration()


@pytest.fixture(scope="module")
def renderer(model: FaceModel, calibration: LandmarkCalibration) -> FaceRenderer:
    """Looks: 0 even grey, 1 bright teeth, 2 the subject's left half bright, 3 dark teeth."""
    looks = np.full((4, len(model.mean)), REST, np.float32)
    for part in model.parts:
        if part.name.startswith("teeth"):
            looks[1, part.rows] = TEETH
            looks[3, part.rows] = 0.02
    looks[2, model.mean[:, 0] > 0] = TEETH
    return make_renderer(model, calibration, looks)


def coefficients(model: FaceModel, count: int = 1, **weights: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean identity, and expressions by the stems of their names."""
    beta = [weights.get(name.removesuffix("Left").removesuffix("Right"), 0.0) for name in model.expression_names]
    return np.zeros((count, len(model.identity_basis))), np.tile(beta, (count, 1))


def draw(renderer: FaceRenderer, calibration: LandmarkCalibration, alpha, beta, scenes: Scenes) -> np.ndarray:
    points = simulate_landmarks(calibration, alpha, beta, scenes.yaw_deg, scenes.pitch_deg, None)
    return render_faces(renderer, alpha, beta, scenes, points, SIZE)


@pytest.mark.parametrize(("yaw", "expression"), [(0.0, {}), (20.0, {"jawOpen": 0.6}), (-20.0, {"cheekPuff": 1.0})])
def test_a_face_looks_as_rays_see_it(model, calibration, renderer, yaw, expression):
    alpha, beta = coefficients(model, **expression)
    scenes = replace(plain_scenes(1), yaw_deg=np.array([yaw]), background=np.ones((1, 3, 3)))
    points = simulate_landmarks(calibration, alpha, beta, scenes.yaw_deg, scenes.pitch_deg, None)
    crop = render_faces(renderer, alpha, beta, scenes, points, SIZE)[0].astype(float)
    vertices = model.vertices(alpha[0], beta[0])
    triangles = model.triangles()
    hits = trace_image(vertices, triangles, crop_camera(renderer, alpha, beta, scenes, points))
    normals = vertex_normals(vertices, triangles) @ head_rotation(yaw, 0, 0).T
    seen = hits.triangle >= 0
    traced = sum(
        strength * harmonic
        for strength, harmonic in zip(scenes.light[0], sh_basis(*interpolate(hits, triangles, normals).T), strict=True)
    )
    drawn = crop.ravel() < 250
    overlap = (drawn & seen).sum() / (drawn | seen).sum()
    likeness = np.corrcoef(traced[seen & drawn], crop.ravel()[seen & drawn])[0, 1]
    assert overlap > 0.965
    assert likeness > 0.65


def crop_camera(renderer, alpha, beta, scenes, points) -> PerspectiveCamera:
    """The camera whose whole picture is the crop; the crop is upright, so no turn is needed."""
    region = face_region(landmarks_px(renderer, alpha, beta, scenes, points)[0])
    rotation = np.diag([1.0, -1.0, -1.0]) @ head_rotation(scenes.yaw_deg[0], scenes.pitch_deg[0], scenes.roll_deg[0])
    scale = SIZE / region.side
    translation = np.array([0, 0, scenes.distance_mm[0]])
    return PerspectiveCamera(rotation, translation, 1000 * scale, SIZE / 2 - region.center * scale, (SIZE, SIZE))


def test_an_open_mouth_shows_teeth_and_a_closed_one_does_not(model, calibration, renderer):
    scenes = replace(plain_scenes(2), look=np.array([0, 1]))
    change = []
    for weights in ({}, {"mouthUpperUp": 1.0, "mouthLowerDown": 1.0}):
        even, bright = draw(renderer, calibration, *coefficients(model, 2, **weights), scenes).astype(int)
        change.append(int((bright - even)[60:84, 30:66].max()))
    assert change[0] < 12 < 60 < change[1]


def test_an_open_jaw_shows_the_dark_of_the_mouth(model, calibration, renderer):
    scenes = plain_scenes(1)
    closed = draw(renderer, calibration, *coefficients(model), scenes)[0]
    opened = draw(renderer, calibration, *coefficients(model, jawOpen=1.0), scenes)[0]
    assert (opened[60:, 30:66] < 60).sum() > 100 + (closed[60:, 30:66] < 60).sum()


def test_turning_left_shows_more_of_the_right_half(model, calibration, renderer):
    scenes = replace(plain_scenes(3), yaw_deg=np.array([-25.0, 0.0, 25.0]), look=np.full(3, 2))
    crops = draw(renderer, calibration, *coefficients(model, 3), scenes)
    left_share = [(crop[30:70, 20:76] > crop[30:70, 20:76].mean()).mean() for crop in crops]
    assert left_share[0] > left_share[1] + 0.05 > left_share[2] + 0.1


def test_faces_have_no_holes(model, calibration, renderer):
    rng = np.random.default_rng(2)
    count = 24
    scenes = plain_scenes(count)
    views = sample_scenes(rng, count, 1)
    poses = {name: getattr(views, name) for name in ("yaw_deg", "pitch_deg", "roll_deg", "distance_mm")}
    dark, white = np.full(count, 0.1), np.ones((count, 3, 3))
    white = replace(scenes, look=np.full(count, 3), tone=dark, background=white, **poses)
    alpha = rng.standard_normal((count, len(model.identity_basis))).clip(-2.5, 2.5)
    _, beta = coefficients(model, count, jawOpen=0.5, mouthSmile=0.5)
    crops = draw(renderer, calibration, alpha, beta, white)
    assert crops[:, 40, 48].max() < 150 and crops.max() == 255
    assert [hidden_background(crop) for crop in crops] == [0] * count


def hidden_background(crop: np.ndarray) -> int:
    """How many white pixels are not joined to the picture's border."""
    bright = np.pad(crop > 180, 1, constant_values=True)
    _, area = cv2.connectedComponents(bright.astype(np.uint8), connectivity=4)
    return int((bright & (area != area[0, 0])).sum())


def test_the_same_scene_gives_the_same_bytes_alone_and_among_others(model, calibration, renderer):
    scenes = sample_scenes(np.random.default_rng(4), 20, 3)
    alpha, beta = coefficients(model, 20, mouthSmile=0.4)
    together = draw(renderer, calibration, alpha, beta, scenes)
    np.testing.assert_array_equal(together, draw(renderer, calibration, alpha, beta, scenes))
    one = Scenes(**{name: values[17:18] for name, values in vars(scenes).items()})
    alone = draw(renderer, calibration, alpha[:1], beta[:1], one)
    assert np.abs(alone[0].astype(int) - together[17]).mean() < 0.5
    assert len({crop.tobytes() for crop in together}) == 20


def test_landmarks_without_errors_are_the_mean_face_and_come_back_from_the_picture(model, calibration, renderer):
    alpha, beta = coefficients(model)
    points = simulate_landmarks(calibration, alpha, beta, np.zeros(1), np.zeros(1), None)
    distance = np.linalg.norm(points[0] - calibration.mean, axis=1)
    assert 0 < distance.mean() < 2.0
    scenes = replace(plain_scenes(1), yaw_deg=np.array([15.0]), distance_mm=np.array([5000.0]))
    view = normalise_landmarks(landmarks_px(renderer, alpha, beta, scenes, points)[0], calibration.mean)
    assert np.degrees(view.yaw) == pytest.approx(15, abs=2.0)


def test_simulated_errors_are_those_of_the_calibration(calibration):
    count = 400
    zeros = (
        np.zeros((count, calibration.alpha_response.shape[1])),
        np.zeros((count, calibration.beta_response.shape[1])),
    )
    pose = np.zeros(count)
    clean = simulate_landmarks(calibration, *zeros, pose, pose, None)
    noisy = simulate_landmarks(calibration, *zeros, pose, pose, np.random.default_rng(1))
    errors = (noisy - clean).reshape(count, -1) @ calibration.directions @ calibration.whitener.T
    np.testing.assert_allclose(errors.std(0).mean(), 1, atol=0.05)
