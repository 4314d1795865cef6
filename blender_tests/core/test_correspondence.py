# SPDX-License-Identifier: GPL-3.0-or-later
"""External heads whose true place on the built-in head is known are matched to it, and become models like it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from facedetail_addon.core.errors import FaceModelError
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.model import split_quads
from facedetail_addon.core.face_model.model_file import load_face_model, save_face_model
from facedetail_addon.core.model_import.adapt import AdaptedModel, adapt, transfer_points
from facedetail_addon.core.model_import.correspondence import Correspondence, correspond
from facedetail_addon.core.model_import.importers.ict import LANDMARK_VERTICES
from facedetail_addon.core.model_import.uv_folds import folded
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.uv.atlas import make_atlas
from scripts.benchmark.correspondence.known_heads import (
    KnownHead,
    errors_mm,
    kit_head,
    mask,
    remeshed,
    reordered,
    without_landmarks,
)

SEED = 1


def no_landmarker(picture: np.ndarray) -> tuple:
    """For heads whose landmarks are known: nothing may be searched."""
    raise AssertionError("landmarks were searched")


@pytest.fixture(scope="module")
def find():
    return MeshLandmarker.load().find


@pytest.fixture(scope="module")
def shuffled(model) -> tuple[KnownHead, Correspondence]:
    head = reordered(model, SEED)
    return head, correspond(head.model, model, no_landmarker)


@pytest.fixture(scope="module")
def face_only(model) -> tuple[KnownHead, AdaptedModel]:
    head = mask(model, SEED)
    return head, adapt(head.model, model, correspond(head.model, model, no_landmarker))


@pytest.fixture(scope="module")
def kit(model, data_dir) -> tuple[KnownHead, AdaptedModel]:
    head = kit_head(model, data_dir, None)
    return head, adapt(head.model, model, correspond(head.model, model, no_landmarker))


def of_face(head: KnownHead, error: np.ndarray) -> np.ndarray:
    found = error[head.face & ~np.isnan(error)]
    assert len(found) > 0.85 * (head.face & head.known).sum()
    return found


def assert_unfolded(found: Correspondence) -> None:
    layout = found.layout
    assert layout.folds == 0 and not folded(layout.uv, split_quads(layout.face_uv)).any()
    assert layout.uv.min() > 0 and layout.uv.max() < 1


def test_another_order_size_and_pose_of_another_person(shuffled, model):
    head, found = shuffled
    assert found.residual_mm < 0.1 and found.layout.distance[found.layout.matched].mean() < 0.5
    face = of_face(head, errors_mm(head, model, found))
    assert np.median(face) < 1.0 and np.percentile(face, 95) < 3.5
    # Larger by 6 %, and the person's own size.
    assert 1.0 < found.scale < 1.15
    # The head stands in the head frame again, as large as it was.
    turn = found.rotation @ found.rotation.T
    np.testing.assert_allclose(turn, np.eye(3), atol=1e-9)
    eyes, chin = (found.neutral[head.model.landmarks68[rows]].mean(axis=0) for rows in (slice(36, 48), [8]))
    assert abs(eyes[0]) < 3 and eyes[1] - chin[1] > 80 and abs(chin[0]) < 3


def test_uv_is_cut_along_the_back_and_has_no_folds(shuffled, model):
    head, found = shuffled
    assert_unfolded(found)
    skin = head.model.skin
    corner = np.concatenate([skin.faces[:, [0, 1, 2]], skin.faces[:, [0, 2, 3]]])
    uv = found.layout.uv[split_quads(found.layout.face_uv)]
    # No triangle spans the layout from one end to the other; the built-in head's largest spans a tenth.
    assert np.ptp(uv, axis=1).max() < 0.2
    doubled = len(found.layout.uv) - skin.stop
    assert 20 < doubled < 200
    vertex_of = np.zeros(len(found.layout.uv), int)
    vertex_of[split_quads(found.layout.face_uv)] = corner
    places = head.place[vertex_of[np.bincount(vertex_of)[vertex_of] > 1]]
    assert np.abs(places[:, 0]).max() < 8 and places[:, 2].max() < 0


def test_another_topology_found_on_a_drawing(model, find):
    head = remeshed(model, SEED)
    assert head.model.landmarks68 is None
    found = correspond(head.model, model, find)
    assert found.landmarks_detected and found.residual_mm < 0.3
    assert_unfolded(found)
    face = of_face(head, errors_mm(head, model, found))
    assert np.median(face) < 1.5 and np.percentile(face, 95) < 3.0


def test_a_mask_with_skin_over_the_eyes(face_only, model):
    head, adapted = face_only
    found = adapted.correspondence
    assert_unfolded(found)
    face = of_face(head, errors_mm(head, model, found))
    assert np.median(face) < 1.0 and np.percentile(face, 95) < 3.5
    # The built-in head's ears and neck found nothing, and are where they belong all the same.
    ears = model.in_region("ears")
    assert found.matched[ears].mean() < 0.2
    assert np.linalg.norm(found.registered[ears] - model.skin.of(model.mean)[ears], axis=1).max() < 25
    assert adapted.model.origin.attached == ("teeth_upper", "teeth_lower", "gums")
    # What lies over the eyes is their region's, and but for the corners of the mouth nothing is inside.
    names = np.array(model.region_names)[adapted.model.region]
    assert (names[~head.known] == "eyes").mean() > 0.95
    assert (names == "socket").mean() < 0.01


def test_expressions_are_transferred_and_native_modes_kept_apart(face_only, model):
    head, adapted = face_only
    external = head.model
    assert adapted.model.origin.transferred_expressions and adapted.model.expression_names == model.expression_names
    assert adapted.model.native_expressions.basis.shape == (1, len(adapted.model.mean), 3)
    np.testing.assert_allclose(
        np.linalg.norm(adapted.model.native_expressions.basis[0, : len(external.mean)], axis=1),
        np.linalg.norm(external.expression_basis[0], axis=1),
        atol=1e-3,
    )
    for name in ("mouthSmileLeft", "jawOpen"):
        index = model.expression_names.index(name)
        seen = head.face & ~np.isnan(errors_mm(head, model, adapted.correspondence))
        _, nearest = cKDTree(model.skin.of(model.mean)).query(head.place[seen])
        there = adapted.model.expression_basis[index, : external.skin.stop][seen]
        here = model.expression_basis[index][nearest]
        strong = np.linalg.norm(here, axis=1) > 2
        ratio = np.linalg.norm(there - here, axis=1)[strong] / np.linalg.norm(here, axis=1)[strong]
        assert np.median(ratio) < 0.25


def test_the_kit_keeps_its_parts_and_expressions(kit, model):
    head, adapted = kit
    assert_unfolded(adapted.correspondence)
    error = errors_mm(head, model, adapted.correspondence)
    assert np.median(of_face(head, error)) < 0.05 and np.nanpercentile(error, 95) < 0.3
    origin = adapted.model.origin
    assert not origin.transferred_expressions and not origin.attached and adapted.model.native_expressions is None
    skin, own = adapted.model.skin, head.model.skin
    np.testing.assert_array_equal(skin.native_uv[skin.native_face_uv], own.uv[own.face_uv])
    assert [part.name for part in adapted.model.parts] == [part.name for part in head.model.parts]
    # The kit's 68 vertices were made by hand; the built-in head's landmarks come to lie on them.
    landmarks = adapted.model.landmarks68.points(adapted.model.mean)
    assert np.linalg.norm(landmarks - adapted.model.mean[LANDMARK_VERTICES], axis=1).max() < 0.5
    sockets = adapted.model.in_region("socket")
    assert sockets[11248:14062].mean() > 0.95 and sockets[:11248].mean() < 0.2


def test_landmarks_from_a_drawing_do_nearly_as_well(model, data_dir, find):
    head = without_landmarks(kit_head(model, data_dir, SEED))
    found = correspond(head.model, model, find)
    assert found.landmarks_detected
    assert_unfolded(found)
    face = of_face(head, errors_mm(head, model, found))
    assert np.median(face) < 0.9 and np.percentile(face, 95) < 2.5


@pytest.mark.parametrize("which", ["face_only", "kit"])
def test_an_adapted_model_is_a_face_model(which, model, request, tmp_path):
    _, adapted = request.getfixturevalue(which)
    few = replace(adapted.model, identity_basis=adapted.model.identity_basis[:1])
    save_face_model(tmp_path / "model.npz", few, step_mm=None)
    again = load_face_model(tmp_path / "model.npz")
    assert again.fingerprint() == few.fingerprint() and again.canonical() == model.fingerprint()
    assert again.origin == few.origin
    for name in ("mean", "identity_basis", "expression_basis"):
        np.testing.assert_array_equal(getattr(again, name), getattr(few, name))
    for ours, theirs in zip(again.parts, few.parts, strict=True):
        for key in ("faces", "uv", "face_uv", "native_uv", "native_face_uv"):
            np.testing.assert_array_equal(getattr(ours, key), getattr(theirs, key))
    for own in ("native_expressions", "native_albedo"):
        ours, theirs = getattr(again, own), getattr(few, own)
        assert (ours is None) == (theirs is None)
        assert ours is None or np.array_equal(ours.basis, theirs.basis)
    atlas = make_atlas(few, 256)
    assert atlas.covered.mean() > 0.2
    embedding = transfer_points(load_calibration().embedding, model, adapted)
    assert embedding.vertices.shape == (478, 3) and embedding.vertices.max() < len(few.mean)
    np.testing.assert_allclose(embedding.weights.sum(axis=1), 1, atol=1e-5)
    away = embedding.points(few.mean) - load_calibration().embedding.points(model.mean)
    assert np.median(np.linalg.norm(away, axis=1)) < 12


def test_pupils_of_own_eyes_look_ahead(kit, model):
    _, adapted = kit
    points = transfer_points(load_calibration().embedding, model, adapted).points(adapted.model.mean)
    ours = load_calibration().embedding.points(model.mean)
    np.testing.assert_allclose(points[[468, 473]], ours[[468, 473]], atol=1.0)


def test_what_is_no_face_is_refused(model, find):
    head = mask(model, SEED).model
    rng = np.random.default_rng(SEED)
    ball = head.mean - head.mean.mean(axis=0)
    ball = (90 * ball / np.linalg.norm(ball, axis=1, keepdims=True)).astype(np.float32)
    for landmarks in (None, rng.integers(0, len(ball), 68).astype(np.int32)):
        with pytest.raises(FaceModelError) as caught:
            correspond(replace(head, mean=ball, landmarks68=landmarks), model, find)
        assert head.name in caught.value.message and caught.value.remedy
