# SPDX-License-Identifier: GPL-3.0-or-later
"""The fit to 68 landmarks, with named expressions and with a model's own, on heads and cameras that are known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from blender_tests.made_up import fit_one_sparse
from facedetail_addon.core.errors import FaceDetailError
from facedetail_addon.core.face_model.model import FaceModel, NativeExpressions, PointEmbedding
from facedetail_addon.core.face_model.normalise import similarity
from facedetail_addon.core.face_model.outline import JAW, outline_paths
from facedetail_addon.core.fit.dense import notices
from facedetail_addon.core.fit.native_expressions import BlendshapeMapping
from facedetail_addon.core.fit.points import silhouette_choice
from facedetail_addon.core.fit.sparse import DEFAULT_SETTINGS, ROUGH_FIT
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.expression.types import EMOTIONS, Emotion, ExpressionPrior
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.settings import PRIOR, PRIOR_AND_LANDMARKS

SIZE = (512, 512)
FOCAL = 1500.0
MODES = 12
CALM = Emotion(np.full(len(EMOTIONS), 1 / len(EMOTIONS), np.float32))


@dataclass(frozen=True)
class Known:
    """A head whose shape is known, and where its landmarks are seen."""

    alpha: np.ndarray
    neutral: np.ndarray
    posed: np.ndarray
    camera: PerspectiveCamera
    landmarks: FaceLandmarks


@pytest.fixture(scope="module")
def outline(model) -> PointEmbedding:
    return outline_paths(model)


@pytest.fixture(scope="module")
def native_model(model) -> FaceModel:
    """The built-in head with modes of either sign: the principal ones of mixtures of its expressions."""
    rng = np.random.default_rng(3)
    names = np.array(model.expression_names)
    shown = ~np.char.startswith(names, "eyeLook") & ~np.char.startswith(names, "eyeBlink")
    mixtures = rng.random((200, len(names))) ** 4 * shown
    basis = model.expression_basis.reshape(len(names), -1)
    variance, turn = np.linalg.eigh(np.cov(mixtures.T))
    roots = turn[:, -MODES:] * np.sqrt(variance[-MODES:])
    native = NativeExpressions(
        (mixtures.mean(axis=0).astype(np.float32) @ basis).reshape(-1, 3),
        (roots.T.astype(np.float32) @ basis).reshape(MODES, -1, 3),
    )
    native.mean[model.skin.stop :], native.basis[:, model.skin.stop :] = 0, 0
    return replace(model, name="own", native_expressions=native)


def view(yaw_deg: float) -> PerspectiveCamera:
    yaw = np.radians(yaw_deg)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    rotation = np.diag([1.0, -1.0, -1.0]) @ turn
    translation = np.array([0.0, 0.0, 800.0]) - rotation @ [0.0, 0.0, 60.0]
    return PerspectiveCamera(rotation, translation, FOCAL, np.array([256.0, 256.0]), SIZE)


def seen(model: FaceModel, outline: PointEmbedding, posed: np.ndarray, camera, noise_px: float, seed: int):
    """Landmarks as they are marked: the jaw's on the silhouette."""
    marks = camera.project(model.landmarks68.points(posed).astype(np.float64))
    paths = camera.project(outline.points(posed).astype(np.float64)).reshape(JAW, -1, 2)
    marks[:JAW] = paths[np.arange(JAW), silhouette_choice(paths, marks.mean(axis=0))]
    marks += np.random.default_rng(seed).normal(0, noise_px, marks.shape)
    mesh = np.zeros((478, 3), np.float32)
    mesh[:, :2] = marks[np.arange(478) % 68]
    eyes = [model.part(name) for name in ("eye_right", "eye_left")]
    pupils = camera.project(posed[[part.start for part in eyes]].astype(np.float64))
    mesh[468:473, :2], mesh[473:478, :2] = pupils
    return FaceLandmarks(mesh, marks.astype(np.float32), np.float32([0, 0, 512, 512]), 1.0, 0, 0.0)


def known(model, outline, seed: int, yaw_deg: float = 0.0, noise_px: float = 1.0, beta=None) -> Known:
    rng = np.random.default_rng(seed)
    alpha = rng.normal(0, 1, len(model.identity_basis)).clip(-2, 2).astype(np.float32)
    neutral, posed, camera = model.vertices(alpha), model.vertices(alpha, beta), view(yaw_deg)
    return Known(alpha, neutral, posed, camera, seen(model, outline, posed, camera, noise_px, seed))


def known_native(native_model, outline, seed: int, native_beta: np.ndarray) -> Known:
    head = known(native_model, outline, seed)
    native = native_model.native_expressions
    posed = head.neutral + native.mean + np.tensordot(native_beta.astype(np.float32), native.basis, 1)
    return replace(head, posed=posed, landmarks=seen(native_model, outline, posed, head.camera, 1.0, seed))


def distance(model: FaceModel, first: np.ndarray, second: np.ndarray) -> float:
    """Mean mm over the face, point to same point, after a similarity."""
    face = model.in_region("cheeks", "nose", "mouth", "chin")
    first, second = first[: len(face)][face].astype(float), second[: len(face)][face].astype(float)
    scale, rotation, translation = similarity(first, second)
    return float(np.linalg.norm(scale * first @ rotation.T + translation - second, axis=1).mean())


def weights_of(model, **named: float) -> np.ndarray:
    return np.array([named.get(name, 0.0) for name in model.expression_names], np.float32)


def reading_of(beta: np.ndarray) -> ExpressionPrior:
    return ExpressionPrior(beta, 60.0 * np.eye(len(beta)), 1.0)


@pytest.mark.parametrize("yaw", [0.0, 30.0])
def test_shape_comes_nearer_than_the_mean(model, outline, yaw):
    fitted, mean = [], []
    for seed in range(6):
        head = known(model, outline, seed, yaw)
        fit = fit_one_sparse(head.landmarks, SIZE, model, outline=outline, focal_px=FOCAL)
        fitted.append(distance(model, fit.vertices_neutral, head.neutral))
        mean.append(distance(model, model.mean, head.neutral))
        assert notices(fit, head.landmarks, ROUGH_FIT) == ()
        assert fit.native_beta.size == 0
    assert np.mean(fitted) < 0.75 * np.mean(mean)


def test_the_size_of_the_photo_changes_nothing(model, outline):
    """λ weighs against distances on the face, not against pixels."""
    head = known(model, outline, 3, 15.0)
    larger = replace(head.landmarks, sparse_px=3 * head.landmarks.sparse_px, mesh_px=3 * head.landmarks.mesh_px)
    small = fit_one_sparse(head.landmarks, SIZE, model, outline=outline, focal_px=FOCAL)
    large = fit_one_sparse(larger, (1536, 1536), model, outline=outline, focal_px=3 * FOCAL)
    assert np.allclose(small.alpha, large.alpha, atol=0.01)
    assert np.allclose(small.beta, large.beta, atol=0.01)


def test_a_larger_weight_keeps_nearer_to_the_mean(model, outline):
    head = known(model, outline, 3)
    sizes = [
        np.linalg.norm(fit_one_sparse(head.landmarks, SIZE, model, outline=outline, settings=settings).alpha)
        for settings in (replace(DEFAULT_SETTINGS, identity_weight=weight) for weight in (3.0, 30.0, 300.0))
    ]
    assert sizes[0] > 1.5 * sizes[1] > 3 * sizes[2]


def test_expressions_and_gaze_are_seen(model, outline):
    looks = {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5}
    shown = weights_of(model, jawOpen=0.7, **looks)
    head = known(model, outline, 1, beta=shown)
    fit = fit_one_sparse(head.landmarks, SIZE, model, outline=outline, focal_px=FOCAL)
    found = dict(zip(model.expression_names, fit.beta.tolist(), strict=True))
    assert found["jawOpen"] > 0.4
    assert (found["eyeLookOutLeft"] + found["eyeLookInRight"]) / 2 == pytest.approx(0.5, abs=0.15)
    assert fit.beta.min() >= 0 and fit.beta.max() <= 1


def test_a_reading_is_kept_or_refined(model, outline):
    shown = weights_of(model, jawOpen=0.6)
    wrong = reading_of(weights_of(model, jawOpen=0.2, mouthPucker=0.3))
    head = known(model, outline, 2, beta=shown)
    fits = {
        source: fit_one_sparse(head.landmarks, SIZE, model, outline=outline, reading=wrong, expression=source)
        for source in (PRIOR, PRIOR_AND_LANDMARKS)
    }
    gaze = np.array([name.startswith("eyeLook") for name in model.expression_names])
    assert np.allclose(fits[PRIOR].beta[~gaze], wrong.beta_prior[~gaze], atol=1e-6)
    jaw = model.expression_names.index("jawOpen")
    assert 0.25 < fits[PRIOR_AND_LANDMARKS].beta[jaw] < 0.75
    with pytest.raises(ValueError):
        fit_one_sparse(head.landmarks, SIZE, model, outline=outline, expression=PRIOR)


def test_own_modes_of_either_sign_are_fitted(native_model, outline):
    shown = np.zeros(MODES)
    shown[-1], shown[-2] = -1.0, 1.5
    head = known_native(native_model, outline, 4, shown)
    fit = fit_one_sparse(head.landmarks, SIZE, native_model, outline=outline, focal_px=FOCAL)
    assert fit.native_beta.shape == (MODES,)
    average = native_model.mean + native_model.native_expressions.mean
    assert distance(native_model, fit.vertices, head.posed) < 0.75 * distance(native_model, average, head.posed)
    moved = fit.vertices - fit.vertices_neutral
    wanted = head.posed - head.neutral
    skin = slice(0, native_model.skin.stop)
    assert np.linalg.norm(moved[skin] - wanted[skin]) < 0.7 * np.linalg.norm(wanted[skin])
    # At rest means without the average expression, too.
    assert np.allclose(fit.vertices_neutral, native_model.vertices(fit.alpha))


def test_named_weights_tell_what_own_modes_show(native_model, outline):
    """Teeth and eyes move with named weights, and these come near to the skin's own motion."""
    shown = np.zeros(MODES)
    shown[-1] = 1.0
    head = known_native(native_model, outline, 5, shown)
    fit = fit_one_sparse(head.landmarks, SIZE, native_model, outline=outline, focal_px=FOCAL)
    assert fit.beta.min() >= 0 and fit.beta.max() <= 1
    by_name = native_model.vertices(fit.alpha, fit.beta)
    gap = np.linalg.norm((by_name - fit.vertices)[: native_model.skin.stop], axis=1)
    size = np.linalg.norm((fit.vertices - fit.vertices_neutral)[: native_model.skin.stop], axis=1)
    moving = size > 1
    assert moving.any()
    assert gap[moving].mean() < 0.6 * size[moving].mean()
    teeth = native_model.part("teeth_lower")
    rows = slice(teeth.start, teeth.stop)
    assert np.allclose(fit.vertices[rows], by_name[rows], atol=1e-4)


def test_a_reading_is_translated_into_own_modes(native_model, outline):
    mapping = BlendshapeMapping.of(native_model, native_model.native_expressions)
    beta = weights_of(native_model, mouthSmileLeft=0.6, mouthSmileRight=0.6, jawOpen=0.4)
    prior = mapping.prior(reading_of(beta))
    said = mapping.average + prior.mean @ mapping.native
    wanted = beta @ mapping.named
    assert np.linalg.norm(said - wanted) < 0.9 * np.linalg.norm(wanted)
    # Sent back it is much the same expression, and its precision is that of a covariance.
    assert mapping.weights(prior.mean) @ mapping.named == pytest.approx(said, abs=0.05)
    assert np.linalg.eigvalsh(prior.precision).min() > 0
    head = known_native(native_model, outline, 6, prior.mean)
    args = {"outline": outline, "reading": reading_of(beta)}
    kept = fit_one_sparse(head.landmarks, SIZE, native_model, expression=PRIOR, **args)
    assert np.allclose(kept.native_beta, prior.mean, atol=1e-5)
    refined = fit_one_sparse(head.landmarks, SIZE, native_model, expression=PRIOR_AND_LANDMARKS, **args)
    assert np.linalg.norm(refined.native_beta - prior.mean) < 0.5 * np.linalg.norm(prior.mean)


def test_unsure_landmarks_count_less(model, outline):
    head = known(model, outline, 7)
    spoiled = head.landmarks.sparse_px.copy()
    spoiled[[20, 50, 57]] += [[40, 0], [0, 40], [-40, 20]]
    torn = replace(head.landmarks, sparse_px=spoiled)
    scores = np.ones(68, np.float32)
    scores[[20, 50, 57]] = 0.0
    sure, unsure = (
        fit_one_sparse(replace(torn, sparse_scores=value), SIZE, model, outline=outline, focal_px=FOCAL)
        for value in (None, scores)
    )
    clean = fit_one_sparse(head.landmarks, SIZE, model, outline=outline, focal_px=FOCAL)
    changes = [distance(model, fit.vertices_neutral, clean.vertices_neutral) for fit in (sure, unsure)]
    assert changes[1] < 0.5 * changes[0]


def test_an_offset_of_the_landmarks_is_taken_off(model, outline):
    offset = np.random.default_rng(8).normal(0, 5, (68, 3))
    offset[:JAW] = 0
    errors = {"unknown": [], "known": []}
    for seed in range(4):
        head = known(model, outline, seed)
        marks = head.camera.project((model.landmarks68.points(head.posed) + offset).astype(np.float64))
        marks[:JAW] = head.landmarks.sparse_px[:JAW]
        moved = replace(head.landmarks, sparse_px=marks.astype(np.float32))
        for name, given in (("unknown", None), ("known", offset)):
            fit = fit_one_sparse(moved, SIZE, model, outline=outline, offset=given, focal_px=FOCAL)
            errors[name].append(distance(model, fit.vertices_neutral, head.neutral))
    assert np.mean(errors["known"]) < 0.75 * np.mean(errors["unknown"])


def test_same_landmarks_give_the_same_head(model, outline):
    head = known(model, outline, 9)
    first, second = (fit_one_sparse(head.landmarks, SIZE, model, outline=outline) for _ in range(2))
    assert np.array_equal(first.vertices, second.vertices)


def test_nonsense_stays_within_bounds_and_is_told(model, outline):
    head = known(model, outline, 10)
    noise = np.random.default_rng(0).uniform(0, 512, (68, 2)).astype(np.float32)
    fit = fit_one_sparse(replace(head.landmarks, sparse_px=noise), SIZE, model, outline=outline)
    assert np.isfinite(fit.vertices).all()
    assert np.abs(fit.alpha).max() <= DEFAULT_SETTINGS.alpha_limit
    assert [notice.code for notice in notices(fit, head.landmarks, ROUGH_FIT)] == ["rough_fit"]


@pytest.mark.parametrize("spoiled", [np.full((68, 2), np.nan), np.full((68, 2), 7.0), np.zeros((67, 2))])
def test_unusable_landmarks_are_refused(model, outline, spoiled):
    head = known(model, outline, 11)
    with pytest.raises(FaceDetailError) as caught:
        fit_one_sparse(replace(head.landmarks, sparse_px=spoiled.astype(np.float32)), SIZE, model, outline=outline)
    assert caught.value.remedy
