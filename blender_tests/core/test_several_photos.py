# SPDX-License-Identifier: GPL-3.0-or-later
"""One head fitted to several photos of a person, cropped pictures, and fits that begin from an earlier one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from blender_tests.conftest import make_reconstruction
from blender_tests.core.test_proxy_fit import face_distance
from blender_tests.made_up import assert_same
from blender_tests.quick.test_sparse_fit import SIZE as SPARSE_SIZE
from blender_tests.quick.test_sparse_fit import native_model, outline, seen, view  # noqa: F401 - fixtures
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.fit import dense, sparse
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.sparse import fit_sparse
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.types import CameraPrior, Observation
from facedetail_addon.core.result.files import read_result, write_result
from facedetail_addon.core.result.record import Reconstruction
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import sample_head

PEOPLE = 8
SIZE = 320
LOOKS = ((10.0, {"jawOpen": 0.6}), (-30.0, {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7}))
"""Of each person's photos: the head's yaw and its expression."""
FITS = ("dense", "sparse")


@dataclass(frozen=True)
class Person:
    """A head that is known, and photos of it.

    Attributes:
        neutral: (V, 3). posed: for each photo. cameras: what they were taken with. photos: what is known of them.
    """

    neutral: np.ndarray
    posed: tuple[np.ndarray, ...]
    cameras: tuple[PerspectiveCamera, ...]
    photos: tuple[Observation, ...]


@pytest.fixture(scope="module")
def calibration():
    return load_calibration()


@pytest.fixture(scope="module")
def fits(model, calibration, outline) -> dict[str, Callable[..., HeadFit]]:  # noqa: F811
    return {
        "dense": lambda photos, **how: fit_dense(photos, model, calibration, **how),
        "sparse": lambda photos, **how: fit_sparse(photos, model, outline=outline, **how),
    }


def beta_of(model, look: dict[str, float]) -> np.ndarray:
    return np.float32([look.get(name, 0.0) for name in model.expression_names])


@pytest.fixture(scope="module")
def drawn(model) -> list[Person]:
    """Faces that the landmarker has found in drawings; near, far and otherwise between lenses."""
    painter, landmarker = make_painter(model), MeshLandmarker.load()
    people = []
    for number in range(PEOPLE):
        samples = [
            sample_head(np.random.default_rng((7, number, view)), model, size=SIZE, yaw_deg=yaw)
            for view, (yaw, _) in enumerate(LOOKS)
        ]
        posed = tuple(model.vertices(samples[0].alpha, beta_of(model, look)) for _, look in LOOKS)
        photos = []
        for sample, vertices in zip(samples, posed, strict=True):
            picture, _ = render_head(painter, vertices, sample.camera, np.random.default_rng(number))
            (face, *_) = landmarker.find(picture)
            photos.append(Observation(face, CameraPrior.centred((SIZE, SIZE), sample.camera.focal_px)))
        cameras = tuple(sample.camera for sample in samples)
        people.append(Person(model.vertices(samples[0].alpha), posed, cameras, tuple(photos)))
    return people


@pytest.fixture(scope="module")
def marked(model, outline) -> list[Person]:  # noqa: F811
    """Heads whose 68 landmarks are marked to about a pixel."""
    people = []
    for number in range(PEOPLE):
        rng = np.random.default_rng((9, number))
        alpha = rng.normal(0, 1, len(model.identity_basis)).clip(-2, 2).astype(np.float32)
        posed = tuple(model.vertices(alpha, beta_of(model, look)) for _, look in LOOKS)
        cameras = []
        for (yaw, _), nearer in zip(LOOKS, (1.0, 0.6), strict=True):
            camera = view(yaw)
            depth = np.array([0, 0, (nearer - 1) * 800])
            cameras.append(replace(camera, focal_px=nearer * camera.focal_px, translation=camera.translation + depth))
        photos = tuple(
            Observation(
                seen(model, outline, vertices, camera, 1.0, (number, index)),
                CameraPrior.centred(SPARSE_SIZE, camera.focal_px),
            )
            for index, (vertices, camera) in enumerate(zip(posed, cameras, strict=True))
        )
        people.append(Person(model.vertices(alpha), posed, tuple(cameras), photos))
    return people


@pytest.fixture(scope="module")
def people(drawn, marked) -> dict[str, list[Person]]:
    return {"dense": drawn, "sparse": marked}


@pytest.fixture(scope="module")
def heads(fits, people) -> dict[str, list[HeadFit]]:
    """Fitted to both photos of each person."""
    return {kind: [fit(person.photos) for person in people[kind]] for kind, fit in fits.items()}


@pytest.fixture(scope="module")
def alone(fits, people) -> dict[str, list[tuple[HeadFit, ...]]]:
    """Fitted to each photo of each person by itself."""
    return {
        kind: [tuple(fit([photo]) for photo in person.photos) for person in people[kind]] for kind, fit in fits.items()
    }


def distance_in_photo(model, pose, person: Person, photo: int) -> float:
    """Mean distance of the inner landmarks from their true places in a photo, over the face's height in it."""
    truth = person.cameras[photo].project(model.landmarks68.points(person.posed[photo]).astype(np.float64))
    found = pose.perspective.project(pose.landmarks68_mm)
    return float(np.linalg.norm(found - truth, axis=1)[17:].mean() / np.ptp(truth[:, 1]))


@pytest.mark.parametrize("kind", FITS)
def test_one_head_lies_on_each_photo_with_its_own_expression_and_camera(model, people, heads, kind):
    names = model.expression_names
    for person, head in zip(people[kind], heads[kind], strict=True):
        assert np.array_equal(head.vertices_neutral, model.vertices(head.alpha, scale=head.scale))
        assert len(head.poses) == 2
        for photo, pose in enumerate(head.poses):
            assert np.abs(pose.vertices - model.vertices(head.alpha, pose.beta, head.scale)).max() < 1e-3
            assert pose.perspective.focal_px == person.cameras[photo].focal_px
            assert distance_in_photo(model, pose, person, photo) < 0.03
            assert distance_in_photo(model, pose, person, 1 - photo) > 0.08
        opened, smiling = (dict(zip(names, pose.beta.tolist(), strict=True)) for pose in head.poses)
        assert opened["jawOpen"] > 0.25 > 0.15 > smiling["jawOpen"]
        assert smiling["mouthSmileLeft"] > 0.3 > 0.15 > opened["mouthSmileLeft"]


@pytest.mark.parametrize("kind", FITS)
def test_two_photos_tell_more_than_each_alone_and_than_both_averaged(model, people, heads, alone, kind):
    both, each, averaged = [], [], []
    for person, head, singles in zip(people[kind], heads[kind], alone[kind], strict=True):
        shapes = [single.vertices_neutral for single in singles]
        both.append(face_distance(model, head.vertices_neutral, person.neutral))
        each += [face_distance(model, shape, person.neutral) for shape in shapes]
        averaged.append(face_distance(model, np.mean(shapes, axis=0), person.neutral))
    assert np.mean(both) < 0.95 * np.mean(each)
    assert np.mean(both) < 0.98 * np.mean(averaged)


@pytest.mark.parametrize("kind", FITS)
def test_the_order_of_photos_changes_nothing(fits, people, heads, kind):
    swapped = fits[kind](people[kind][0].photos[::-1])
    assert np.allclose(swapped.alpha, heads[kind][0].alpha, atol=1e-4)
    for pose, other in zip(swapped.poses[::-1], heads[kind][0].poses, strict=True):
        assert np.allclose(pose.vertices, other.vertices, atol=1e-3)
        assert np.allclose(pose.perspective.translation, other.perspective.translation, atol=0.1)


@pytest.mark.parametrize("kind", FITS)
def test_one_photo_is_the_same_alone_and_in_any_list(fits, people, alone, kind):
    """Exactly, however often and in whatever company it was fitted before; twice the same photo has one pose."""
    photo = people[kind][1].photos[0]
    for again in (fits[kind]((photo,)), fits[kind]([photo])):
        assert_same(again, alone[kind][1][0])
    twice = fits[kind]([photo, photo])
    assert np.allclose(twice.poses[0].beta, twice.poses[1].beta, atol=1e-5)
    assert twice.poses[0].residual_px == pytest.approx(twice.poses[1].residual_px, rel=1e-3)


def test_known_expressions_stay_with_their_photos(model, fits, drawn):
    betas = [beta_of(model, look) for _, look in LOOKS]
    head = fits["dense"](drawn[2].photos, betas=betas)
    for pose, beta in zip(head.poses, betas, strict=True):
        assert np.array_equal(pose.beta, beta)


def cropped(photo: Observation, left: float, top: float) -> FaceLandmarks:
    shift = np.float32([left, top])
    mesh = photo.landmarks.mesh_px - np.append(shift, np.float32(0))
    return replace(photo.landmarks, mesh_px=mesh, sparse_px=photo.landmarks.sparse_px - shift)


@pytest.mark.parametrize("kind", FITS)
def test_a_cropped_picture_keeps_its_principal_point(fits, people, alone, kind):
    """Cut at the left and at the top, the same lens sees the same head; taken for a whole picture it does not."""
    photo, whole = people[kind][3].photos[1], alone[kind][3][1]
    left, top = 70.0, 40.0
    prior = photo.camera_prior
    size = (prior.image_size[0] - int(left), prior.image_size[1] - int(top))
    known = CameraPrior(size, prior.center_px - [left, top], prior.focal_px)
    marks = cropped(photo, left, top)
    cut, middle = (fits[kind]([replace(photo, landmarks=marks, camera_prior=camera)]) for camera in (
        known, CameraPrior.centred(size, prior.focal_px),
    ))  # fmt: skip
    assert np.allclose(cut.alpha, whole.alpha, atol=2e-3)
    assert np.allclose(cut.pose.perspective.rotation, whole.pose.perspective.rotation, atol=1e-4)
    assert cut.pose.perspective.center_px.tolist() == known.center_px.tolist()
    assert cut.pose.perspective.image_size == size
    assert not np.allclose(middle.pose.perspective.rotation, whole.pose.perspective.rotation, atol=0.01)
    assert np.abs(middle.alpha - whole.alpha).max() > 10 * np.abs(cut.alpha - whole.alpha).max()


def test_a_fit_that_begins_with_its_own_result_ends_there(fits, model, drawn, alone):
    """Within 0.05 mm over the face; the head's size goes on to creep, for a photo hardly tells it from the distance."""
    for person, (head, _) in zip(drawn, alone["dense"], strict=True):
        again = fits["dense"](person.photos[:1], start=head)
        assert face_distance(model, again.vertices_neutral, head.vertices_neutral) < 0.05
        assert np.linalg.norm(again.vertices_neutral - head.vertices_neutral, axis=1).max() < 0.5
        assert np.abs(again.pose.beta - head.pose.beta).max() < 0.02
        assert again.pose.perspective.focal_px == head.pose.perspective.focal_px


def test_a_saved_result_is_begun_with_as_if_it_had_never_been_written(model, fits, drawn, alone, tmp_path):
    photo, (head, _) = drawn[3].photos[0], alone["dense"][3]
    made = make_reconstruction(model, (SIZE, SIZE))
    observation = replace(made.record.observation, landmarks=photo.landmarks, camera_prior=photo.camera_prior)
    result = Reconstruction(replace(made.record, observations=(observation,), fit=head), made.maps)
    record = read_result(write_result(result, tmp_path, model)).record
    again = fits["dense"](record.observations, start=record.fit)
    assert_same(again, fits["dense"]([photo], start=head))


def test_two_photos_begin_with_the_fit_of_the_first(model, fits, drawn, alone, heads):
    """Without a single round it is that head itself, and afterwards nearly the one that nobody has begun."""
    gaze = np.array([name.startswith("eyeLook") for name in model.expression_names])
    for person, (first, _), head in zip(drawn, alone["dense"], heads["dense"], strict=True):
        none = replace(dense.DEFAULT_SETTINGS, rounds=1)
        begun, unbegun = (fits["dense"](person.photos, start=given, settings=none) for given in (first, None))
        assert np.array_equal(begun.alpha, first.alpha) and not np.array_equal(unbegun.alpha, first.alpha)
        assert np.array_equal(begun.poses[0].beta[~gaze], first.pose.beta[~gaze])
        assert np.array_equal(begun.poses[1].beta[~gaze], unbegun.poses[1].beta[~gaze])
        ended = fits["dense"](person.photos, start=first)
        assert face_distance(model, first.vertices_neutral, head.vertices_neutral) > 0.15
        assert face_distance(model, ended.vertices_neutral, head.vertices_neutral) < 0.15
        assert len(ended.poses) == 2 and ended.poses[1].perspective.focal_px == person.cameras[1].focal_px


def test_68_landmarks_begin_with_an_earlier_fit_too(model, fits, marked, alone):
    none = replace(sparse.DEFAULT_SETTINGS, rounds=0)
    photos, (first, _) = marked[0].photos, alone["sparse"][0]
    gaze = np.array([name.startswith("eyeLook") for name in model.expression_names])
    begun = fits["sparse"](photos, start=first, settings=none)
    assert np.array_equal(begun.alpha, first.alpha) and not begun.poses[1].beta[~gaze].any()
    assert np.array_equal(begun.poses[0].beta[~gaze], first.pose.beta[~gaze])


def test_native_expressions_begin_with_an_earlier_fit_too(native_model, outline, marked):  # noqa: F811
    """And what is of another model is not taken."""
    first = fit_sparse(marked[0].photos[:1], native_model, outline=outline)
    none = replace(sparse.DEFAULT_SETTINGS, rounds=0)
    begun = fit_sparse(marked[0].photos, native_model, outline=outline, start=first, settings=none)
    assert first.pose.native_beta.any() and np.array_equal(begun.poses[0].native_beta, first.pose.native_beta)
    assert np.array_equal(begun.alpha, first.alpha) and not begun.poses[1].native_beta.any()
    for other in (
        replace(first, alpha=first.alpha[:-1]),
        replace(first, poses=(replace(first.pose, native_beta=first.pose.native_beta[:-1]),)),
    ):
        unbegun = fit_sparse(marked[0].photos, native_model, outline=outline, start=other, settings=none)
        assert not unbegun.alpha.any() and not unbegun.poses[0].native_beta.any()
