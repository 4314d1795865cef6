# SPDX-License-Identifier: GPL-3.0-or-later
"""The fit hears the correspondence network where it agrees with the landmarks, and only there."""

from dataclasses import replace

import numpy as np
import pytest
import skimage.data

from blender_tests.made_up import assert_same, observed
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.normalise import normalise_landmarks
from facedetail_addon.core.fit.correspondence import (
    FULL_TO_DEG,
    NONE_FROM_DEG,
    correspondence_term,
    notices,
    share_at,
)
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.prepared import PreparedModel, prepare
from facedetail_addon.core.observe.correspondence.finder import CorrespondenceFinder
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.types import CameraPrior, Observation
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import sample_head

SIZE = 320


@pytest.fixture(scope="module")
def prepared(model) -> PreparedModel:
    return prepare(model, load_calibration())


@pytest.fixture(scope="module")
def photo() -> Observation:
    picture = skimage.data.astronaut()
    (face, *_) = MeshLandmarker.load().find(picture)
    seen = CorrespondenceFinder.load().find(picture, face)
    return Observation(face, CameraPrior.centred(picture.shape[1::-1]), correspondences=seen)


def fitted(photos, prepared: PreparedModel):
    return fit_dense(photos, prepared.model, prepared.calibration, prepared=prepared)


@pytest.fixture(scope="module")
def without(photo, prepared):
    return fitted([replace(photo, correspondences=None)], prepared)


def test_points_change_the_head_but_not_its_size(photo, prepared, without):
    head = fitted([photo], prepared)
    assert np.isfinite(head.pose.vertices).all()
    change = np.linalg.norm(head.vertices_neutral - without.vertices_neutral, axis=1).mean()
    assert 0.05 < change < 3
    sizes = [prepared.size_rate @ fit.identity for fit in (head, without)]
    assert sizes[0] == pytest.approx(sizes[1], abs=1e-3)
    assert head.size == without.size
    assert not notices(head, photo, prepared)


def test_prepared_or_not_the_head_is_the_same(photo, prepared):
    assert_same(fit_dense([photo], prepared.model, prepared.calibration), fitted([photo], prepared))


def test_points_somewhere_else_are_not_followed(photo, prepared, without):
    seen = photo.correspondences
    aside = np.float32([0.4 * np.ptp(photo.landmarks.mesh_px[:, 1]), 0])
    elsewhere = replace(photo, correspondences=replace(seen, points_px=seen.points_px + aside))
    head = fitted([elsewhere], prepared)
    assert_same(head, without)
    (notice,) = notices(head, elsewhere, prepared)
    assert notice.code == "points_disagree" and "preview" in notice.message


def test_some_points_out_of_place_change_little(photo, prepared):
    rng, seen = np.random.default_rng(5), photo.correspondences
    clean = fitted([photo], prepared)
    points = seen.points_px.copy()
    points[rng.choice(len(points), len(points) // 6, replace=False)] += rng.normal(size=2) * 80
    spoiled = fitted([replace(photo, correspondences=replace(seen, points_px=points))], prepared)
    assert np.linalg.norm(spoiled.vertices_neutral - clean.vertices_neutral, axis=1).mean() < 0.5


def test_points_that_are_sure_of_nothing_say_nothing(photo, prepared, without):
    seen = photo.correspondences
    unsure = replace(photo, correspondences=replace(seen, sigma_px=seen.sigma_px * np.float32(1e4)))
    head = fitted([unsure], prepared)
    assert np.linalg.norm(head.vertices_neutral - without.vertices_neutral, axis=1).max() < 0.01


def test_true_points_bring_the_head_nearer_to_the_truth(model, prepared):
    painter, landmarker, canonical = make_painter(model), MeshLandmarker.load(), prepared.canonical
    apart = []
    for number in range(4):
        rng = np.random.default_rng((9, number))
        sample = sample_head(rng, model, size=SIZE, yaw_deg=0.0)
        posed = model.vertices(sample.alpha, sample.beta)
        picture, _ = render_head(painter, posed, sample.camera, rng)
        (face, *_) = landmarker.find(picture)
        points = sample.camera.project(canonical.posed(np.append(sample.alpha, 0), sample.beta)).astype(np.float32)
        seen = CorrespondenceFinder.load().find(picture, face)
        seen = replace(seen, points_px=points, sigma_px=np.full(len(points), 0.1, np.float32))
        bare = observed(face, (SIZE, SIZE))
        heads = [fitted([one], prepared) for one in (bare, replace(bare, correspondences=seen))]
        apart.append([flat_distance(sample.camera, posed, head) for head in heads])
    before, after = np.mean(apart, axis=0)
    assert after < 0.95 * before


def flat_distance(camera, posed: np.ndarray, head) -> float:
    """Mean px between skin vertices of the true and of the fitted posed head in the picture."""
    pair = camera.project(posed), head.pose.perspective.project(head.pose.vertices)
    return float(np.linalg.norm(pair[0] - pair[1], axis=1).mean())


def test_turned_heads_hear_less():
    degrees = [0, -FULL_TO_DEG, (FULL_TO_DEG + NONE_FROM_DEG) / 2, NONE_FROM_DEG, -80]
    assert [share_at(np.radians(value)) for value in degrees] == pytest.approx([1, 1, 0.5, 0, 0])


def test_heads_seen_from_the_side_have_no_such_term(photo, prepared):
    calibration = prepared.calibration
    face = normalise_landmarks(photo.landmarks.mesh_px, calibration.mean, calibration.mean_sigma)
    assert correspondence_term(0, prepared.canonical, photo.correspondences, face, 0.04) is not None
    assert correspondence_term(0, prepared.canonical, photo.correspondences, face, 0.0) is None
    turned = replace(face, yaw=np.radians(NONE_FROM_DEG + 1))
    assert correspondence_term(0, prepared.canonical, photo.correspondences, turned, 0.04) is None


def test_other_heads_do_without(photo, model):
    other, calibration = replace(model, name="other"), load_calibration()
    own = replace(calibration, model_name=other.name, model_fingerprint=other.fingerprint())
    prepared = prepare(other, own)
    assert prepared.canonical is None
    assert_same(fitted([photo], prepared), fitted([replace(photo, correspondences=None)], prepared))


def test_two_photos_each_have_their_points(photo, prepared):
    head = fitted([photo, photo], prepared)
    alone = fitted([photo, replace(photo, correspondences=None)], prepared)
    assert np.isfinite(head.vertices_neutral).all()
    assert not np.array_equal(head.poses[1].vertices, alone.poses[1].vertices)


def test_what_was_prepared_for_another_model_is_refused(photo, prepared, model):
    with pytest.raises(ValueError, match="another face model"):
        fit_dense([photo], model, load_calibration(), prepared=prepared)
