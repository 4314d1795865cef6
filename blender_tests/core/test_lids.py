# SPDX-License-Identifier: GPL-3.0-or-later
"""Fitted eyes lie where the photo's are: lids on their landmarks, eyeballs with them, the face else as it was."""

from pathlib import Path

import numpy as np
import pytest

from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.eyeball import eye_centre, pupil_vertex
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.eyes import IRIS_LANDMARKS
from facedetail_addon.core.fit.lids import LIDS, with_lids_in_place
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.types import CameraPrior, Observation

PHOTOS = ("london/neutral/001.jpg", "london/smiling/082.jpg", "synthetic_portraits/male-46.jpg")
BOTH = [index for lids in LIDS.values() for index in lids]


@pytest.fixture(scope="module")
def calibration():
    return load_calibration()


@pytest.fixture(scope="module", params=PHOTOS)
def fitted(request, data_dir, model, calibration):
    """A photo, its fit, and the same with the lids in place."""
    photo = read_photo(Path(data_dir) / request.param)
    (face, *_) = MeshLandmarker.load().find(photo.pixels)
    height, width = photo.pixels.shape[:2]
    seen = Observation(face, CameraPrior.centred((width, height), photo.focal_px))
    head = fit_dense([seen], model, calibration)
    return seen, head, with_lids_in_place(head, [seen], model, calibration)


def too_high_mm(seen, pose, calibration) -> np.ndarray:
    """(32,) how far the photo shows each landmark of the lids above its place on the head."""
    px_per_mm = abs(np.linalg.det(pose.affine.matrix[:, :3] @ pose.affine.matrix[:, :3].T)) ** 0.25
    places = pose.perspective.project(calibration.embedding.points(pose.vertices)[BOTH])
    return (places - seen.landmarks.mesh_px[BOTH, :2])[:, 1] / px_per_mm


def test_lids_lie_on_the_landmarks_of_the_photo(fitted, calibration):
    seen, head, placed = fitted
    before, after = (too_high_mm(seen, one.pose, calibration) for one in (head, placed))
    assert before.mean() > 0.3  # this measures what it should: fitted eyes lie too low
    assert abs(after.mean()) < before.mean() / 3 and np.abs(after).max() < 1


def test_only_the_skin_around_the_eyes_moves(fitted, model):
    _, head, placed = fitted
    moved = np.linalg.norm(model.skin.of(placed.vertices_neutral - head.vertices_neutral), axis=1)
    assert moved.max() < 4
    assert not moved[model.in_region("mouth", "chin", "ears", "neck")].any()
    assert not (placed.vertices_neutral != head.vertices_neutral)[model.part("teeth_upper").rows].any()
    np.testing.assert_array_equal(placed.alpha, head.alpha)
    others = [not name.startswith(("eyeLook", "eyeBlink")) for name in model.expression_names]
    np.testing.assert_array_equal(placed.pose.beta[others], head.pose.beta[others])


def test_eyeballs_go_with_the_lids_and_look_where_they_looked(fitted, model):
    seen, head, placed = fitted
    for side, part in model.eyes.items():
        moved = part.of(placed.vertices_neutral - head.vertices_neutral)
        assert np.ptp(moved, axis=0).max() < 1e-4 and 0.2 < moved[0, 1] < 3
        eye = part.of(placed.pose.vertices)
        assert np.abs(eye_centre(eye) - eye_centre(part.of(placed.vertices_neutral))).max() < 0.5
        pupil = placed.pose.perspective.project(eye[pupil_vertex(part, eye)][None])[0]
        width = np.ptp(seen.landmarks.mesh_px[BOTH, 0]) / 3
        assert np.linalg.norm(pupil - seen.landmarks.mesh_px[IRIS_LANDMARKS[side.capitalize()], :2]) < 0.05 * width
