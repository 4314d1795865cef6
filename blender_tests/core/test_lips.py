# SPDX-License-Identifier: GPL-3.0-or-later
"""Lips touch at rest and in photos that show them closed; open mouths stay open."""

from pathlib import Path

import numpy as np
import pytest

from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.face_model.normalise import normalise_landmarks
from facedetail_addon.core.fit import dense
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.equations import NormalEquations
from facedetail_addon.core.fit.lips import lip_contacts, lip_distances
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.observe.types import CameraPrior, Observation
from facedetail_addon.core.rendering.primary_rays import trace_image

PX_PER_MM, SIDE_MM, AWAY_MM = 8, 56, 600.0
TEETH_MM2 = 1.5  # a sliver: less than a pixel of a photo in any place
CLOSED = (
    "london/neutral/001.jpg", "london/neutral/061.jpg", "london/smiling/082.jpg", "synthetic_portraits/female-1.jpg",
    "synthetic_portraits/male-46.jpg", "synthetic_portraits/female-28.jpg",
)  # fmt: skip
OPEN = (
    "london/neutral/113.jpg", "london/smiling/022.jpg", "london/smiling/113.jpg", "synthetic_portraits/female-82.jpg",
    "wild/0138.jpg", "wild/0238.jpg",
)  # fmt: skip


@pytest.fixture(scope="module")
def calibration():
    return load_calibration()


@pytest.fixture(scope="module")
def observed(data_dir):
    landmarker = MeshLandmarker.load()

    def observe(name: str) -> Observation:
        photo = read_photo(Path(data_dir) / name)
        (face, *_) = landmarker.find(photo.pixels)
        height, width = photo.pixels.shape[:2]
        return Observation(face, CameraPrior.centred((width, height), photo.focal_px))

    return observe


def teeth_mm2(model: FaceModel, vertices: np.ndarray) -> float:
    """How much of teeth and gums a picture from the front shows."""
    middle = model.landmarks68.points(vertices)[60:68].mean(0).astype(np.float64)
    rotation, side = np.diag([1.0, -1.0, -1.0]), SIDE_MM * PX_PER_MM
    camera = PerspectiveCamera(
        rotation, [0, 0, AWAY_MM] - rotation @ middle, AWAY_MM * PX_PER_MM, np.full(2, side / 2), (side, side)
    )
    hits = trace_image(vertices, model.solid_triangles(), camera).triangle
    part = np.repeat([part.name for part in model.solid_parts], [len(part.triangles()) for part in model.solid_parts])
    inside = np.isin(part[hits[hits >= 0]], ("teeth_upper", "teeth_lower", "gums"))
    return inside.sum() / PX_PER_MM**2


def opening(model: FaceModel, vertices: np.ndarray) -> float:
    """mm between the middles of the inner lips."""
    marks = model.landmarks68.points(vertices)
    return float((marks[[61, 62, 63]] - marks[[67, 66, 65]])[:, 1].mean())


def test_contacts_are_the_edges_of_the_mean_heads_gap(model):
    contacts = lip_contacts(model)
    gaps = contacts.gaps(np.zeros(len(model.identity_basis)), np.zeros(len(model.expression_basis)))
    corners = model.landmarks68.points(model.mean)[[60, 64], 0]
    assert len(contacts.place) == 9
    assert ((gaps > 0) & (gaps < 1.2)).all()
    for lip in (contacts.upper, contacts.lower):
        assert np.allclose(lip.base[:, 0], corners[0] + contacts.place * np.ptp(corners), atol=0.1)


def test_landmarks_tell_closed_lips_from_open_ones(observed, calibration):
    middle = np.array([0.5])
    for names, closed in ((CLOSED, True), (OPEN, False)):
        for name in names:
            mesh = observed(name).landmarks.mesh_px
            face = normalise_landmarks(mesh, calibration.mean, calibration.mean_sigma)
            distance = lip_distances(face, calibration, middle)[0]
            assert (distance < 0.1) if closed else (distance > 1.5), (name, distance)


@pytest.mark.parametrize("name", CLOSED)
def test_no_teeth_show_between_closed_lips(name, model, calibration, observed):
    assert teeth_mm2(model, model.mean) > 10  # the mean head's lips are parted: this measures what it should
    head = fit_dense([observed(name)], model, calibration)
    assert teeth_mm2(model, head.vertices_neutral) < TEETH_MM2
    assert teeth_mm2(model, head.pose.vertices) < TEETH_MM2


@pytest.mark.parametrize("name", OPEN)
def test_open_mouths_stay_as_open_and_close_at_rest(name, model, calibration, observed, monkeypatch):
    photo = observed(name)
    head = fit_dense([photo], model, calibration)
    assert teeth_mm2(model, head.vertices_neutral) < TEETH_MM2
    identities, expressions = len(head.identity), len(model.expression_basis)
    monkeypatch.setattr(dense, "lips_at_rest", lambda *_: nothing(identities))
    monkeypatch.setattr(dense, "lips_seen", lambda *_: nothing(identities + expressions))
    without = fit_dense([photo], model, calibration)
    assert teeth_mm2(model, without.vertices_neutral) > teeth_mm2(model, head.vertices_neutral)
    before, after = (opening(model, fit.pose.vertices) for fit in (without, head))
    face = normalise_landmarks(photo.landmarks.mesh_px, calibration.mean, calibration.mean_sigma)
    # Wider than before only where the landmarks say so.
    assert 0.7 * before < after < max(1.15 * before, lip_distances(face, calibration, np.array([0.5]))[0])


def nothing(count: int) -> NormalEquations:
    return NormalEquations(np.zeros((count, count)), np.zeros(count))


def test_two_photos_of_a_person_each_have_their_own_mouth(model, calibration, observed):
    photos = [observed("london/neutral/022.jpg"), observed("london/smiling/022.jpg")]
    head = fit_dense(photos, model, calibration)
    closed, smiling = head.poses
    assert teeth_mm2(model, head.vertices_neutral) < TEETH_MM2
    assert teeth_mm2(model, closed.vertices) < TEETH_MM2
    assert opening(model, smiling.vertices) > 5
