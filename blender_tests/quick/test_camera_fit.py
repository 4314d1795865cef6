# SPDX-License-Identifier: GPL-3.0-or-later
"""The small solvers of the proxy fit against cameras and minima that are known."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation

from facedetail_addon.core.errors import FaceDetailError
from facedetail_addon.core.face_model.normalise import head_angles, normalise_landmarks, similarity
from facedetail_addon.core.fit.affine import closest_scaled_orthography, gold_standard_affine
from facedetail_addon.core.fit.bounded import minimise_in_box
from facedetail_addon.core.fit.perspective import (
    BESIDE_DEG,
    NEAREST_MM,
    default_focal_px,
    guesses_a_longer_lens,
    initial_perspective,
    point_jacobian,
    refine_perspective,
)
from facedetail_addon.core.fit.points import silhouette_choice
from facedetail_addon.core.geometry.camera import AffineCamera, PerspectiveCamera
from facedetail_addon.core.observe.types import CameraPrior

FACING = np.diag([1.0, -1.0, -1.0])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def points(rng) -> np.ndarray:
    """A head-sized cloud, mm."""
    return rng.normal(size=(60, 3)) * [60, 80, 40] + [3, 10, 70]


def turned(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Head-to-camera rotation of a pose in degrees."""
    return FACING @ Rotation.from_euler("ZXY", [roll, pitch, yaw], degrees=True).as_matrix()


def test_gold_standard_finds_an_affine_camera_exactly(rng, points):
    camera = AffineCamera(rng.normal(size=(2, 4)) * [2, 2, 2, 500])
    found = gold_standard_affine(points, camera.project(points))
    assert np.abs(found.matrix - camera.matrix).max() < 1e-8


def test_gold_standard_works_from_four_points(rng, points):
    camera = AffineCamera(rng.normal(size=(2, 4)) * [2, 2, 2, 500])
    found = gold_standard_affine(points[:4], camera.project(points[:4]))
    assert np.abs(found.project(points) - camera.project(points)).max() < 1e-5


def test_gold_standard_ignores_points_without_weight(rng, points):
    camera = AffineCamera(rng.normal(size=(2, 4)) * [2, 2, 2, 500])
    pixels = camera.project(points)
    pixels[:10] += 300
    weights = np.append(np.zeros(10), np.ones(50))
    assert np.abs(gold_standard_affine(points, pixels, weights).matrix - camera.matrix).max() < 1e-8


@pytest.mark.parametrize("spoil", ["flat", "three"])
def test_gold_standard_refuses_what_determines_no_camera(points, spoil):
    points = points * [1, 1, 0] if spoil == "flat" else points[:3]
    with pytest.raises(FaceDetailError) as caught:
        gold_standard_affine(points, points[:, :2])
    assert caught.value.remedy


def test_scaled_orthography_of_a_square_pixel_camera_is_the_camera():
    rotation = turned(30, 10, -20)
    matrix = np.hstack([2.5 * rotation[:2], [[100], [200]]])
    scale, found, translation = closest_scaled_orthography(AffineCamera(matrix))
    assert scale == pytest.approx(2.5)
    assert np.abs(found - rotation).max() < 1e-9
    assert translation.tolist() == [100, 200]


def test_perspective_pose_is_recovered_from_a_wrong_start(points):
    truth = PerspectiveCamera(
        turned(25, -8, 5), np.array([20.0, -15.0, 900.0]), 1400.0, np.array([320.0, 240.0]), (640, 480)
    )
    prior = CameraPrior(truth.image_size, truth.center_px)
    start = initial_perspective(1.6, turned(10, 0, 0), np.array([300.0, 260.0]), points.mean(0), prior, truth.focal_px)
    found = refine_perspective(start, points, truth.project(points), np.ones(len(points)))
    assert np.abs(found.project(points) - truth.project(points)).max() < 1e-3
    assert np.linalg.norm(found.translation - truth.translation) < 0.1


def test_initial_perspective_agrees_with_the_orthography_at_its_anchor():
    anchor, translation = np.array([3.0, -20.0, 100.0]), np.array([310.0, 220.0])
    rotation = turned(20)
    prior = CameraPrior((640, 480), np.array([250.0, 300.0]))  # of a cropped picture
    camera = initial_perspective(1.7, rotation, translation, anchor, prior, 1500.0)
    assert np.abs(camera.project(anchor[None])[0] - (1.7 * rotation[:2] @ anchor + translation)).max() < 1e-9
    assert camera.focal_px / (rotation @ anchor + camera.translation)[2] == pytest.approx(1.7)
    assert camera.center_px.tolist() == [250, 300] and camera.image_size == (640, 480)


def test_point_jacobian_is_the_difference_quotient(points):
    camera = PerspectiveCamera(
        turned(25, -8, 5), np.array([20.0, -15.0, 900.0]), 1400.0, np.array([320.0, 240.0]), (640, 480)
    )
    jacobian = point_jacobian(camera, points)
    for axis, step in enumerate(np.eye(3) * 1e-4):
        quotient = (camera.project(points + step) - camera.project(points - step)) / 2e-4
        assert np.abs(quotient - jacobian[:, :, axis]).max() < 1e-5


def test_usual_focal_length_keeps_portraits_at_a_usual_distance():
    lens = 512 / np.tan(np.radians(25))
    assert default_focal_px((1024, 800), lens / 2000) == pytest.approx(lens)
    assert default_focal_px((1024, 800), lens / 200) == pytest.approx(NEAREST_MM * lens / 200)
    assert default_focal_px((1024, 800), lens / 9000) == pytest.approx(lens), "a small face is far away"


def test_unknown_lens_puts_no_face_far_beside_its_axis():
    """However far beside the middle a small face lies; and where that is not far, the usual lens stays."""
    lens = 2000 / np.tan(np.radians(25))
    assert default_focal_px((4000, 3000), 0.6, 0.9 * lens * np.tan(np.radians(BESIDE_DEG))) == pytest.approx(lens)
    focal = default_focal_px((4000, 3000), 0.6, 2390.0)
    assert np.degrees(np.arctan(2390 / focal)) == pytest.approx(BESIDE_DEG)


@pytest.mark.parametrize(("distance", "expected"), [(NEAREST_MM, True), (9000.0, False)])
def test_a_longer_lens_is_guessed_for_near_faces_alone(distance, expected):
    """A longer lens than usual for a small face beside the middle says nothing of a near one."""
    lens = 512 / np.tan(np.radians(25))
    camera = PerspectiveCamera(np.eye(3), np.array([0, 0, distance]), 2.5 * lens, np.array([512.0, 400]), (1024, 800))
    assert guesses_a_longer_lens(camera) is expected
    usual = PerspectiveCamera(np.eye(3), np.array([0, 0, distance]), lens, np.array([512.0, 400]), (1024, 800))
    assert guesses_a_longer_lens(usual) is False


def test_head_angles_read_back_a_pose():
    assert np.degrees(head_angles(turned(30, 12, -7))) == pytest.approx([30, 12, -7])


def test_similarity_is_recovered_and_never_mirrors(rng, points):
    rotation = Rotation.random(random_state=3).as_matrix()
    target = 1.7 * points @ rotation.T + [5, -6, 7]
    scale, found, translation = similarity(points, target)
    assert scale == pytest.approx(1.7)
    assert np.abs(found - rotation).max() < 1e-9
    assert translation == pytest.approx([5, -6, 7])
    mirrored = similarity(points, target * [1, 1, -1])[1]
    assert np.linalg.det(mirrored) == pytest.approx(1)


def test_normalised_landmarks_drop_the_pose_and_mark_outliers(points):
    rotation = turned(20, 5, 10)
    pixels = 3 * points @ rotation.T + [200, 300, 0]
    pixels[7] += [150, 0, 0]
    view = normalise_landmarks(pixels, points, np.full(len(points), 2.0))
    others = np.arange(len(points)) != 7
    assert np.abs(view.points - points)[others].max() < 0.1
    assert view.weights[7] < 0.05 < 0.999 < view.weights[others].min()
    assert np.degrees([view.yaw, view.pitch, view.roll]) == pytest.approx([20, 5, 10], abs=0.1)


def test_silhouette_moves_only_where_the_outline_hides_the_point():
    # Paths over a cylinder of radius 70: from the side (90°) towards the front, seen straight and turned by 40°.
    angles = np.radians(np.linspace(90, 20, 15))
    sides = np.stack([[sign * 70 * np.sin(angles), 70 * np.cos(angles)] for sign in (1, -1)]).transpose(0, 2, 1)
    for turn, expected in ((0, (0, 0)), (40, (8, 0))):
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        across = sides[..., 0] * c + sides[..., 1] * s
        picture = np.stack([across, np.zeros_like(across)], axis=-1)
        # The turned-away side's silhouette lies at 90° − 40° = 50°, the ninth of the path's steps of 5°.
        assert silhouette_choice(picture, np.array([70 * s * 0.6, 0.0])).tolist() == list(expected)


@pytest.mark.parametrize("seed", range(8))
def test_box_minimum_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(60, 40)), rng.normal(size=60)
    lower, upper = np.full(40, -0.1), rng.uniform(0.0, 0.1, 40)
    upper[:5] = lower[:5] = 0.02
    found = minimise_in_box(matrix.T @ matrix, matrix.T @ target, lower, upper)
    open_upper = np.maximum(upper, lower + 1e-12)
    expected = lsq_linear(matrix, target, (lower, open_upper), tol=1e-12).x
    assert (found >= lower).all() and (found <= upper).all()
    assert np.abs(found - expected).max() < 1e-6
