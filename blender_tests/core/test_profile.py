# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in profile, which the face mesh does not know, become heads; other things do not become faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from blender_tests.made_up import assert_same
from facedetail_addon.core.errors import NoFaceError
from facedetail_addon.core.face_model.normalise import head_angles, similarity
from facedetail_addon.core.fit.profile import in_profile
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.correspondence.finder import CENTRE_MM
from facedetail_addon.core.observe.correspondence.profile import find_faces, find_profiles
from facedetail_addon.core.observe.photo import Photo
from facedetail_addon.core.pipeline import fit, observe
from facedetail_addon.settings import DRAFT, NO_DETAIL, Settings
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import head_rotation

SIZE, SHOWN_MM, DISTANCE_MM = 480, 420.0, 1500.0
SETTINGS = Settings(resolution=512, detail=NO_DETAIL, quality=DRAFT)
VIEWS = ((88, 0), (-88, 1), (80, 2), (-80, 3), (95, 4), (-92, 5))


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.load(SETTINGS)


@pytest.fixture(scope="module")
def painter(model):
    return make_painter(model)


def drawn(model, painter, yaw: float, number: int):
    """A painted head at rest turned by ``yaw`` degrees: coefficients, camera and (SIZE, SIZE, 3) uint8 picture."""
    rng = np.random.default_rng((31, number))
    alpha = rng.standard_normal(len(model.identity_basis)).clip(-2, 2).astype(np.float32)
    rotation = np.diag([1.0, -1.0, -1.0]) @ head_rotation(yaw, 0, 0)
    translation = np.array([0, 0, DISTANCE_MM]) - rotation @ CENTRE_MM
    focal = SIZE * DISTANCE_MM / SHOWN_MM
    camera = PerspectiveCamera(rotation, translation, focal, np.full(2, SIZE / 2), (SIZE, SIZE))
    picture, _ = render_head(painter, model.vertices(alpha), camera, rng)
    return alpha, camera, picture


@pytest.fixture(scope="module")
def profiles(model, painter):
    return [drawn(model, painter, *view) for view in VIEWS]


def photo_of(picture: np.ndarray) -> Photo:
    return Photo(picture, Path("drawn.png"), None, ())


@pytest.fixture(scope="module")
def observations(models, profiles):
    return [observe(photo_of(picture), models, SETTINGS) for _, _, picture in profiles]


def test_profiles_are_found_where_they_are(model, profiles, observations):
    for (yaw, _), (alpha, camera, _), seen in zip(VIEWS, profiles, observations, strict=True):
        marks = camera.project(model.landmarks68.points(model.vertices(alpha)).astype(np.float64))
        beside = np.linalg.norm(seen.landmarks.sparse_px - marks, axis=1)
        assert np.median(beside) < 0.12 * np.ptp(marks[:, 1])
        assert np.degrees(head_angles(seen.correspondences.rotation)[0]) == pytest.approx(yaw, abs=15)


def test_artists_are_told_what_was_not_seen(observations):
    unseen = [seen for seen in observations if not seen.landmarks.seen]
    assert len(unseen) >= 4, "the mesh network knows hardly a profile"
    for seen in unseen:
        (notice,) = [notice for notice in seen.notices if notice.code == "profile"]
        side = "left" if seen.landmarks.yaw_deg > 0 else "right"
        assert f"to its {side}" in notice.message and "expression" in notice.message
        assert not {"yaw", "unlike_dictionary"} & {notice.code for notice in seen.notices}
        assert not seen.expression_prior.beta_prior.any()


def test_heads_of_profiles_are_no_worse_than_the_mean_one(model, models, profiles, observations):
    skin = ~model.in_region("socket", "neck")
    apart = []
    for (yaw, _), (alpha, _, _), seen in zip(VIEWS, profiles, observations, strict=True):
        assert in_profile(seen, models.prepared)
        head = fit((seen,), models, SETTINGS)
        assert np.degrees(head_angles(head.pose.perspective.rotation)[0]) == pytest.approx(yaw, abs=15)
        truth = model.vertices(alpha)[: len(skin)][skin]
        apart.append([misfit(truth, other[: len(skin)][skin]) for other in (model.mean, head.vertices_neutral)])
    mean, fitted = np.mean(apart, axis=0)
    assert fitted < mean


def misfit(truth: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of (N, 3) mm from their own after the best similarity."""
    scale, rotation, translation = similarity(other.astype(np.float64), truth.astype(np.float64))
    return float(np.linalg.norm(scale * other @ rotation.T + translation - truth, axis=1).mean())


def test_where_the_landmarker_finds_faces_they_are_taken_as_they_are(models):
    picture = skimage.data.astronaut()
    faces = find_faces(picture, models.landmarker, models.finder)
    assert_same(faces, models.landmarker.find(picture))
    assert faces[0].seen


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket", "moon", "coins", "brick", "grass", "gravel", "clock"])
def test_other_things_are_no_profiles(models, name):
    picture = getattr(skimage.data, name)()
    picture = np.ascontiguousarray(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2))
    for turned in (picture, picture[:, ::-1], picture[::2, ::2]):
        assert find_profiles(turned, models.landmarker.detector, models.finder) == ()


def test_people_without_a_face_are_no_profiles(model, models, painter):
    """A photo whose face is painted over, and heads from behind."""
    picture = skimage.data.astronaut()
    (face,) = models.landmarker.find(picture)
    hull = cv2.convexHull(face.mesh_px[:, :2].astype(np.int32))
    covered = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(covered, hull, 255)
    covered = cv2.dilate(covered, np.ones((25, 25)))
    faceless = cv2.inpaint(picture, covered, 5, cv2.INPAINT_TELEA)
    assert find_profiles(faceless, models.landmarker.detector, models.finder) == ()
    for yaw, number in ((180, 6), (150, 7), (-150, 8)):
        _, _, behind = drawn(model, painter, yaw, number)
        assert find_profiles(behind, models.landmarker.detector, models.finder) == ()


def test_a_photo_without_faces_still_says_so(models):
    with pytest.raises(NoFaceError):
        observe(photo_of(skimage.data.coffee()), models, SETTINGS)
