# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole proxy fit with the shipped model, landmarker and calibration, on heads drawn for the test."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import skimage.data

from blender_tests.made_up import fit_one
from facedetail_addon.core.assets.shipped import find_weights
from facedetail_addon.core.errors import AssetError, FaceDetailError
from facedetail_addon.core.face_model.calibration import (
    LandmarkCalibration,
    load_calibration,
    save_calibration,
)
from facedetail_addon.core.face_model.eyeball import FULL_GAZE_DEG
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.face_model.model_file import load_face_model
from facedetail_addon.core.face_model.normalise import similarity
from facedetail_addon.core.fit.dense import DEFAULT_SETTINGS, ROUGH_FIT, notices
from facedetail_addon.core.fit.eyes import IRIS_LANDMARKS, MOST_BLINK
from facedetail_addon.core.fit.lips import lip_contacts
from facedetail_addon.core.model_import.gaze import with_gaze_motion
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from scripts.benchmark.geometry.now import SEVEN_OF_68, crop_scan
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import HeadSample, sample_head

SIZE = 320
VIEWS = (0, 25) * 8


@dataclass(frozen=True)
class Drawn:
    """A synthetic head and what the landmarker saw in it."""

    sample: HeadSample
    landmarks: FaceLandmarks


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_face_model(find_weights("face_model.npz"))


@pytest.fixture(scope="module")
def calibration() -> LandmarkCalibration:
    return load_calibration()


@pytest.fixture(scope="module")
def landmarker() -> MeshLandmarker:
    return MeshLandmarker.load()


@pytest.fixture(scope="module")
def painter(model):
    return make_painter(model)


@pytest.fixture(scope="module")
def drawn(model, painter, landmarker) -> list[Drawn]:
    out = []
    for number, yaw in enumerate(VIEWS):
        rng = np.random.default_rng((4, number))
        sample = with_closed_lips(sample_head(rng, model, size=SIZE, yaw_deg=float(yaw)), model)
        picture, _ = render_head(painter, model.vertices(sample.alpha, sample.beta), sample.camera, rng)
        (face, *_) = landmarker.find(picture)
        out.append(Drawn(sample, face))
    return out


def with_closed_lips(sample: HeadSample, model: FaceModel) -> HeadSample:
    """The nearest head whose lips touch at rest, as people's can; modes of identity alone part them."""
    contacts = lip_contacts(model)
    gaps = contacts.gaps(sample.alpha, np.zeros(len(model.expression_names)))
    rates = (contacts.upper.identity - contacts.lower.identity)[..., 1].T
    alpha = sample.alpha - np.linalg.pinv(rates, rcond=0.01) @ gaps
    return replace(sample, alpha=alpha.astype(np.float32))


def replace_pose(pose, **changes):
    return SimpleNamespace(**{**vars(pose), **changes})


def face_distance(model: FaceModel, first: np.ndarray, second: np.ndarray) -> float:
    """Mean distance in mm of the face's vertices, point to same point, after a similarity over them."""
    seven = model.landmarks68.points(model.mean)[list(SEVEN_OF_68)]
    face = np.flatnonzero(crop_scan(model.skin.of(model.mean), seven))
    face = face[~model.in_region("socket")[face]]
    first, second = first[face].astype(np.float64), second[face].astype(np.float64)
    scale, rotation, translation = similarity(first, second)
    return float(np.linalg.norm(scale * first @ rotation.T + translation - second, axis=1).mean())


def test_fit_is_much_nearer_to_the_truth_than_the_mean_face(model, calibration, drawn):
    fitted, mean = [], []
    for head in drawn:
        truth = model.vertices(head.sample.alpha)
        fit = fit_one(head.landmarks, (SIZE, SIZE), model, calibration)
        fitted.append(face_distance(model, fit.vertices_neutral, truth))
        mean.append(face_distance(model, model.mean, truth))
    assert np.mean(fitted) < 0.9 * np.mean(mean)


def test_posed_head_lies_on_the_face(model, calibration, drawn):
    for head in drawn:
        fit = fit_one(head.landmarks, (SIZE, SIZE), model, calibration)
        posed = model.vertices(head.sample.alpha, head.sample.beta)
        truth = head.sample.camera.project(model.landmarks68.points(posed))
        for camera in (fit.perspective, fit.affine):
            found = camera.project(model.landmarks68.points(fit.vertices))
            face_height = np.ptp(truth[:, 1])
            # Inner landmarks within 4 % of the face's height; the jaw line slides along itself and is left out.
            assert np.linalg.norm(found - truth, axis=1)[17:].mean() < 0.04 * face_height
        assert fit.perspective.image_size == (SIZE, SIZE)
        assert np.linalg.det(fit.perspective.rotation) == pytest.approx(1)


def test_same_landmarks_give_the_same_head(model, calibration, drawn):
    first, second = (fit_one(drawn[0].landmarks, (SIZE, SIZE), model, calibration) for _ in range(2))
    assert np.array_equal(first.vertices, second.vertices)


def test_given_expression_is_kept(model, calibration, drawn):
    beta = drawn[1].sample.beta
    fit = fit_one(drawn[1].landmarks, (SIZE, SIZE), model, calibration, beta=beta)
    assert np.allclose(fit.beta, beta, atol=1e-6)
    with pytest.raises(FaceDetailError):
        fit_one(drawn[1].landmarks, (SIZE, SIZE), model, calibration, beta=beta[:-1])


def test_given_focal_length_is_kept(model, calibration, drawn):
    focal = drawn[0].sample.camera.focal_px
    fit = fit_one(drawn[0].landmarks, (SIZE, SIZE), model, calibration, focal_px=focal)
    assert fit.perspective.focal_px == focal


def test_wide_open_mouth_is_seen(model, calibration, painter, landmarker, drawn):
    opened = model.expression_names.index("jawOpen")
    weights = []
    for value in (0.0, 0.8):
        beta = np.zeros(len(model.expression_names), np.float32)
        beta[opened] = value
        camera = drawn[0].sample.camera
        picture, _ = render_head(painter, model.vertices(None, beta), camera, np.random.default_rng(1))
        weights.append(fit_one(landmarker.find(picture)[0], (SIZE, SIZE), model, calibration).beta[opened])
    assert weights[0] < 0.15
    assert weights[1] > 0.4


def test_eyes_look_where_the_irises_are(model, calibration, painter, landmarker, drawn):
    names = model.expression_names
    for towards, (first, second) in {"left": ("OutLeft", "InRight"), "right": ("InLeft", "OutRight")}.items():
        beta = np.zeros(len(names), np.float32)
        look = [names.index(f"eyeLook{end}") for end in (first, second)]
        beta[look] = 0.6
        picture, _ = render_head(painter, model.vertices(None, beta), drawn[0].sample.camera, np.random.default_rng(2))
        found = fit_one(landmarker.find(picture)[0], (SIZE, SIZE), model, calibration).beta
        opposite = [names.index(f"eyeLook{end}") for end in ("OutLeft", "InRight", "InLeft", "OutRight")]
        opposite = [index for index in opposite if index not in look]
        assert found[look].mean() > 0.25, towards
        assert found[opposite].max() < 0.1, towards


def test_misplaced_landmarks_change_little(model, calibration, drawn):
    rng = np.random.default_rng(8)
    head = drawn[0]
    clean = fit_one(head.landmarks, (SIZE, SIZE), model, calibration)
    spoiled = head.landmarks.mesh_px.copy()
    wrong = rng.choice(478, 48, replace=False)
    spoiled[wrong] += rng.normal(size=(48, 3)) * 60
    fit = fit_one(replace(head.landmarks, mesh_px=spoiled), (SIZE, SIZE), model, calibration)
    assert np.abs(fit.alpha).max() <= DEFAULT_SETTINGS.alpha_limit
    change = face_distance(model, fit.vertices_neutral, clean.vertices_neutral)
    assert change < 0.5 * face_distance(model, clean.vertices_neutral, model.mean)


def test_nonsense_landmarks_stay_within_bounds(model, calibration, drawn):
    noise = np.random.default_rng(0).uniform(0, SIZE, (478, 3)).astype(np.float32)
    fit = fit_one(replace(drawn[0].landmarks, mesh_px=noise), (SIZE, SIZE), model, calibration)
    assert np.isfinite(fit.vertices).all()
    assert np.abs(fit.alpha).max() <= DEFAULT_SETTINGS.alpha_limit
    assert fit.beta.min() >= 0 and fit.beta.max() <= 1


@pytest.mark.parametrize("spoil", ["nan", "point"])
def test_unusable_landmarks_are_refused(model, calibration, drawn, spoil):
    points = drawn[0].landmarks.mesh_px.copy()
    points[3 if spoil == "nan" else slice(None)] = np.nan if spoil == "nan" else 5.0
    with pytest.raises(FaceDetailError) as caught:
        fit_one(replace(drawn[0].landmarks, mesh_px=points), (SIZE, SIZE), model, calibration)
    assert caught.value.remedy


def test_real_portrait(model, calibration, landmarker):
    photo = skimage.data.astronaut()
    (face, *_) = landmarker.find(photo)
    fit = fit_one(face, (photo.shape[1], photo.shape[0]), model, calibration)
    assert np.abs(fit.alpha).max() < 3
    smile = [fit.beta[model.expression_names.index(f"mouthSmile{side}")] for side in ("Left", "Right")]
    assert min(smile) > 0.3
    found = fit.perspective.project(model.landmarks68.points(fit.vertices))
    distance = np.linalg.norm(found - face.sparse_px, axis=1)
    eye_distance = np.linalg.norm(face.sparse_px[36] - face.sparse_px[45])
    assert np.median(distance) < 0.06 * eye_distance


def test_calibration_file_comes_back(tmp_path, calibration):
    path = tmp_path / "copy.npz"
    save_calibration(path, calibration)
    again = load_calibration(path)
    assert np.array_equal(again.alpha_response, calibration.alpha_response)
    assert np.array_equal(again.embedding.vertices, calibration.embedding.vertices)
    assert np.abs(again.directions - calibration.directions).max() < 1e-3
    assert again.model_name == calibration.model_name


def test_damaged_or_foreign_calibrations_are_refused(tmp_path, calibration, model):
    path = tmp_path / "copy.npz"
    save_calibration(path, calibration)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(AssetError, match="cannot be read"):
        load_calibration(path)
    save_calibration(path, replace(calibration, offset=calibration.offset[:-1]))
    with pytest.raises(AssetError, match="wrong shapes"):
        load_calibration(path)
    with pytest.raises(AssetError, match="another face model"):
        calibration.require_model(replace(model, identity_basis=model.identity_basis[:-1]))


def test_gaze_motion_turns_the_eyeball_and_nothing_twice(model):
    part = model.part("eye_left")
    beta = np.zeros(len(model.expression_names), np.float32)
    beta[model.expression_names.index("eyeLookOutLeft")] = 1
    eye, turned = part.of(model.mean), part.of(model.vertices(None, beta))
    _, rotation, _ = similarity(eye.astype(np.float64), turned.astype(np.float64))
    gaze = rotation @ [0, 0, 1]
    assert np.degrees(np.arctan2(gaze[0], gaze[2])) == pytest.approx(FULL_GAZE_DEG, abs=1)
    assert np.array_equal(with_gaze_motion(model).expression_basis, model.expression_basis)


def test_pupils_lie_on_the_irises(model, calibration, drawn):
    """The gaze puts each pupil where the iris landmark is, within 1.5 mm (both eyes share a height)."""
    for head in drawn:
        fit = fit_one(head.landmarks, (SIZE, SIZE), model, calibration)
        beta = dict(zip(model.expression_names, fit.beta.tolist(), strict=True))
        if max(beta["eyeBlinkLeft"], beta["eyeBlinkRight"]) > MOST_BLINK:
            continue
        scale = np.linalg.norm(fit.affine.matrix[0, :3])
        for side, landmark in IRIS_LANDMARKS.items():
            pupil = fit.vertices[model.part(f"eye_{side.lower()}").start]
            seen = fit.perspective.project(pupil[None].astype(np.float64))[0]
            assert np.linalg.norm(seen - head.landmarks.mesh_px[landmark, :2]) / scale < 1.5


def test_a_rough_fit_is_told(model, calibration, drawn):
    rng = np.random.default_rng(0)
    for head in drawn[:4]:
        good = fit_one(head.landmarks, (SIZE, SIZE), model, calibration)
        assert notices(good, head.landmarks) == ()
        height = np.ptp(head.landmarks.mesh_px[:, 1])
        noise = rng.normal(0, 0.04 * height, head.landmarks.mesh_px.shape)
        torn = replace(head.landmarks, mesh_px=(head.landmarks.mesh_px + noise).astype(np.float32))
        told = notices(fit_one(torn, (SIZE, SIZE), model, calibration), torn)
        assert [notice.code for notice in told] == ["rough_fit"]


@pytest.mark.parametrize("corner", [(0, 0), (3488, 0), (0, 1300)])
def test_a_small_face_in_a_corner_is_the_same_head(model, calibration, landmarker, corner):
    """The astronaut's face, 92 pixels wide, in a photo of twelve million pixels that does not tell its lens."""
    (face, *_) = landmarker.find(skimage.data.astronaut())
    moved = face.mesh_px.copy()
    moved[:, :2] += corner
    away = replace(face, mesh_px=moved, sparse_px=face.sparse_px + np.float32(corner))
    alone = fit_one(face, (512, 512), model, calibration)
    beside = fit_one(away, (4000, 3000), model, calibration)
    assert face_distance(model, beside.vertices_neutral, alone.vertices_neutral) < 0.9
    distance = np.linalg.norm(beside.vertices_neutral - alone.vertices_neutral, axis=1)
    assert distance.mean() < 1.0 and distance.max() < 3
    assert 2 * np.arctan(2000 / beside.perspective.focal_px) < np.radians(51)
    assert notices(beside, away) == ()


def test_a_rough_fit_tells_what_may_be_the_reason(model, calibration, drawn):
    head = drawn[0]
    fit = fit_one(head.landmarks, (SIZE, SIZE), model, calibration)
    camera = fit.perspective
    usual = "something covers it"

    def said(rough=ROUGH_FIT, focal_px=None, **changes) -> dict[str, str]:
        pose = replace_pose(fit, perspective=replace(camera, **changes))
        return {one.code: one.message for one in notices(pose, head.landmarks, rough, focal_px)}

    lens = SIZE / 2 / np.tan(np.radians(25))
    assert said(focal_px=lens, rough=0)["rough_fit"].startswith(f"The head lies only roughly on this face: {usual}")
    assert "EXIF" not in said(focal_px=lens, rough=0)["rough_fit"], "a lens that is known is no guess"
    assert camera.focal_px > 2 * lens, "the drawn face fills its picture"
    near = said(rough=0)["rough_fit"]
    assert "may be nearer" in near and "EXIF" in near and usual in near
    beside = said(rough=0, image_size=(4000, 3000), center_px=np.float64([2000, 1500]))["rough_fit"]
    assert "far from the middle" in beside and usual in beside
