# SPDX-License-Identifier: GPL-3.0-or-later
"""True size by the irises, landmarks of turned heads, and the outline of bare skin."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.normalise import similarity
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.outline import OutlineTerm, outline_skin
from facedetail_addon.core.fit.size import IRIS_MM, estimate_size, iris_width_mm
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.masks.types import MASK_SIDE, PhotoMasks
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.observe.types import CameraPrior, Observation
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import head_rotation, sample_head

SIZE = 512


@pytest.fixture(scope="module")
def model():
    return load_named_model(BUILTIN)


@pytest.fixture(scope="module")
def drawn(model):
    """By yaw: heads and what is found of them."""
    painter, landmarker = make_painter(model), MeshLandmarker.load()
    heads = {}
    for yaw in (0, 45, 60):
        heads[yaw] = []
        for number in range(4):
            rng = np.random.default_rng((11, yaw, number))
            sample = sample_head(rng, model, size=SIZE, yaw_deg=float(yaw))
            picture, _ = render_head(painter, model.vertices(sample.alpha, sample.beta), sample.camera, rng)
            faces = landmarker.find(np.pad(picture, ((64, 64), (64, 64), (0, 0)), mode="edge"))
            if faces:
                heads[yaw].append((sample, Observation(faces[0], CameraPrior.centred((SIZE + 128, SIZE + 128)))))
    return heads


def face_error(model, found: np.ndarray, true: np.ndarray) -> float:
    """Mean distance of the face after a similarity, mm."""
    face = np.flatnonzero(model.in_region("forehead", "cheeks", "nose", "mouth", "chin", "eyes"))
    scale, rotation, translation = similarity(found[face].astype(np.float64), true[face].astype(np.float64))
    return float(np.linalg.norm(scale * found[face] @ rotation.T + translation - true[face], axis=1).mean())


def test_turned_heads_are_no_worse_than_the_mean_face(model, drawn):
    calibration = load_calibration()
    for yaw, heads in drawn.items():
        assert len(heads) >= 2
        fitted, mean = [], []
        for sample, observation in heads:
            true = model.vertices(sample.alpha)
            head = fit_dense((observation,), model, calibration)
            fitted.append(face_error(model, head.vertices_neutral, true))
            mean.append(face_error(model, model.mean, true))
        assert np.mean(fitted) < (0.9 if yaw == 0 else 1.0) * np.mean(mean), yaw


def test_noise_grows_with_yaw_and_is_told_between_knots():
    calibration = load_calibration()
    noise = [calibration.noise_at(np.radians(yaw))[0] for yaw in (0, 25, 45, 60)]
    assert noise[0] == pytest.approx(1, abs=0.01) and noise == sorted(noise) and noise[-1] > 8
    assert calibration.noise_at(9.0)[0] == pytest.approx(float(calibration.yaw_noise[-1]))
    assert calibration.noise_at(0.1)[1].shape == calibration.deviation.shape


def test_an_older_calibration_knows_no_difference_by_yaw(tmp_path):
    calibration = load_calibration()
    from facedetail_addon.core.face_model.calibration import save_calibration

    save_calibration(tmp_path / "now.npz", calibration)
    with np.load(tmp_path / "now.npz") as data:
        older = {name: data[name] for name in data.files if not name.startswith("yaw_")}
    np.savez(tmp_path / "older.npz", **older | {"format_version": np.int32(1)})
    assert load_calibration(tmp_path / "older.npz").noise_at(1.0)[0] == 1


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_irises_tell_the_size(model, drawn, factor):
    """The same landmarks with irises of another share of the face."""
    _, observation = drawn[0][0]
    seen = iris_width_mm(model, observation.landmarks)
    mesh = observation.landmarks.mesh_px.copy()
    for start in (468, 473):
        rim = mesh[start : start + 5]
        rim[:, :2] = rim[0, :2] + (rim[:, :2] - rim[0, :2]) * IRIS_MM / seen / factor
    changed = replace(observation, landmarks=replace(observation.landmarks, mesh_px=mesh))
    assert iris_width_mm(model, changed.landmarks) == pytest.approx(IRIS_MM / factor, rel=0.01)
    size = estimate_size(model, (changed,))
    usual = estimate_size(model, (replace(changed, landmarks=_eyes_shut(changed.landmarks)),))
    assert usual.irises == 0 and size.irises == 1 and size.sigma < usual.sigma
    assert np.log(size.factor) == pytest.approx((np.log(usual.factor) + np.log(factor)) / 2, abs=0.02)
    head = fit_dense((changed,), model, load_calibration())
    marks = [model.landmarks68.points(vertices) for vertices in (head.vertices_neutral, model.mean)]
    spread = [np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()) for points in marks]
    assert spread[0] / spread[1] == pytest.approx(size.factor, rel=0.02) and head.size == size


def test_the_size_does_not_change_the_shape(model, drawn):
    """A small head is no woman's by that: the same face with irises of another share of it."""
    _, observation = drawn[0][0]
    seen, heads = iris_width_mm(model, observation.landmarks), []
    for factor in (0.9, 1.1):
        mesh = observation.landmarks.mesh_px.copy()
        for start in (468, 473):
            rim = mesh[start : start + 5]
            rim[:, :2] = rim[0, :2] + (rim[:, :2] - rim[0, :2]) * IRIS_MM / seen / factor
        changed = replace(observation, landmarks=replace(observation.landmarks, mesh_px=mesh))
        heads.append(fit_dense((changed,), model, load_calibration()))
    small, large = heads
    assert large.scale - small.scale > 0.07
    assert face_error(model, small.vertices_neutral, large.vertices_neutral) < 0.25
    for head in heads:
        np.testing.assert_array_equal(head.vertices_neutral, model.vertices(head.alpha, scale=head.scale))


def test_a_model_that_is_not_of_a_persons_size_has_none(model, drawn):
    doubled = replace(model, mean=2 * model.mean, identity_basis=2 * model.identity_basis)
    assert estimate_size(doubled, (drawn[0][0][1],)) is None


def _eyes_shut(landmarks):
    mesh = landmarks.mesh_px.copy()
    for upper, lower in (((160, 158), (144, 153)), ((385, 387), (380, 373))):
        mesh[list(upper)] = mesh[list(lower)]
    return replace(landmarks, mesh_px=mesh)


def _masks(model, posed: np.ndarray, camera: PerspectiveCamera, hair: bool) -> PhotoMasks:
    """Of a bald head, or of one whose skin is all under hair."""
    region = Region(np.array([SIZE, SIZE]) / 2, float(SIZE))
    at = camera.project(posed[: model.skin.stop]) / SIZE * 4 * MASK_SIDE
    person = np.zeros((4 * MASK_SIDE, 4 * MASK_SIDE), np.float32)
    for triangle in at[model.skin.triangles()].astype(np.int32):
        cv2.fillConvexPoly(person, triangle, 1.0)
    person = cv2.resize(person, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA)
    none = np.zeros_like(person)
    return PhotoMasks(region, (SIZE, SIZE), person, person if hair else none, none if hair else person)


@pytest.fixture(scope="module")
def wide_head(model):
    """A posed head that is wider than the mean one, its camera, and the camera's scale."""
    alpha = np.zeros(len(model.identity_basis), np.float32)
    alpha[1:6] = (3.0, -2.5, 2.0, -2.0, 2.0)
    rotation = np.diag([1.0, -1.0, -1.0]) @ head_rotation(8, 2, 1)
    translation = np.array([0, 0, 1200.0]) - rotation @ np.array([0, 20.0, 20])
    camera = PerspectiveCamera(rotation, translation, 1500.0, np.full(2, SIZE / 2), (SIZE, SIZE))
    return model.vertices(alpha).astype(np.float64), camera, 1500.0 / 1200


def outline_distance(term, model, vertices, camera) -> tuple[float, int]:
    rows = np.flatnonzero(~model.in_region("socket"))[::2]
    posed = vertices[rows].astype(np.float64)
    pulls = term.pulls(posed, camera)
    across = ((pulls.target_px - camera.project(posed[pulls.rows])) * pulls.normals).sum(1)
    return float(np.abs(across).mean() / term.px_per_mm) if len(across) else 0.0, len(across)


def test_bare_skin_pulls_and_hair_does_not(model, wide_head):
    posed, camera, scale = wide_head
    bald = OutlineTerm(0, outline_skin(model), _masks(model, posed, camera, hair=False), scale, 1.0)
    own, places = outline_distance(bald, model, posed, camera)
    other, _ = outline_distance(bald, model, model.mean, camera)
    assert places > 150 and own < 0.6 and 3 * own < other
    haired = OutlineTerm(0, outline_skin(model), _masks(model, posed, camera, hair=True), scale, 1.0)
    assert outline_distance(haired, model, model.mean, camera)[1] == 0


def test_the_fit_follows_the_outline(model, drawn):
    calibration = load_calibration()
    sample, observation = drawn[0][1]
    posed = model.vertices(sample.alpha, sample.beta).astype(np.float64)
    shifted = replace(sample.camera, center_px=sample.camera.center_px + 64, image_size=(SIZE + 128, SIZE + 128))
    region = Region(np.full(2, SIZE / 2 + 64), float(SIZE))
    masks = replace(_masks(model, posed, sample.camera, hair=False), region=region, image_size=(SIZE + 128, SIZE + 128))
    without = fit_dense((observation,), model, calibration)
    followed = fit_dense((replace(observation, masks=masks),), model, calibration)
    scale = sample.camera.focal_px / (posed @ shifted.rotation.T + shifted.translation)[:, 2].mean()
    term = OutlineTerm(0, outline_skin(model), masks, scale, 1.0)
    far, near = (
        outline_distance(term, model, head.pose.vertices, head.pose.perspective)[0] for head in (without, followed)
    )
    assert near < 0.7 * far and np.isfinite(followed.vertices_neutral).all()
