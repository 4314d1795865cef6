# SPDX-License-Identifier: GPL-3.0-or-later
"""Expression prior: features, dictionary, reading, and what the fit makes of it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data

from blender_tests.made_up import fit_one
from facedetail_addon.core.assets.shipped import find_weights
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.model import ModelOrigin
from facedetail_addon.core.observe.expression.appearance import CROP, gradient_histograms, landmark_geometry
from facedetail_addon.core.observe.expression.dictionary import (
    FILE_NAME,
    ExpressionDictionary,
    encode_beta,
    load_dictionary,
    save_dictionary,
)
from facedetail_addon.core.observe.expression.reader import UNLIKE, ExpressionReader, notices
from facedetail_addon.core.observe.expression.types import Emotion, ExpressionPrior
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.settings import EXPRESSION_SOURCES, LANDMARKS, PRIOR, PRIOR_AND_LANDMARKS
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import PoseRange, sample_head

SIZE = 320
HEADS = 16
ENTRIES = 90_000
MAX_BYTES = 15_000_000


@pytest.fixture(scope="module")
def calibration():
    return load_calibration()


@pytest.fixture(scope="module")
def reader(model, calibration) -> ExpressionReader:
    return ExpressionReader.load(model, calibration)


@pytest.fixture(scope="module")
def dictionary(reader) -> ExpressionDictionary:
    return reader.dictionary


@pytest.fixture(scope="module")
def landmarker() -> MeshLandmarker:
    return MeshLandmarker.load()


@pytest.fixture(scope="module")
def astronaut(landmarker) -> tuple[np.ndarray, FaceLandmarks]:
    picture = skimage.data.astronaut()
    return picture, landmarker.find(picture)[0]


@pytest.fixture(scope="module")
def drawn(model, landmarker) -> list[tuple[np.ndarray, FaceLandmarks, np.ndarray]]:
    """Pictures, landmarks and true β of heads from another renderer than the dictionary's."""
    painter, pose, out = make_painter(model), PoseRange(20, 10, 8, neutral_share=0.0), []
    for number in range(HEADS):
        rng = np.random.default_rng((41, number))
        sample = sample_head(rng, model, SIZE, pose)
        picture, _ = render_head(painter, model.vertices(sample.alpha, sample.beta), sample.camera, rng)
        out.append((picture, landmarker.find(picture)[0], sample.beta))
    return out


@pytest.fixture(scope="module")
def small(dictionary) -> ExpressionDictionary:
    """The first 300 entries: quick to write."""
    return replace(dictionary, entries=dictionary.entries[:300], beta=dictionary.beta[:300])


def weight(names: tuple[str, ...], beta: np.ndarray, stem: str) -> float:
    return float(np.mean([value for name, value in zip(names, beta, strict=True) if name.startswith(stem)]))


class TestFeatures:
    def test_histograms_ignore_contrast_and_see_edges(self):
        rng = np.random.default_rng(0)
        crop = cv2.GaussianBlur(rng.uniform(60, 190, (CROP, CROP)), (0, 0), 3)
        crop = ((crop - crop.mean()) * 3 + 125).clip(0, 255)
        flat = (crop - 125) * 0.5 + 125
        first, second, other = gradient_histograms(np.array([crop, flat, crop[::-1]]).astype(np.uint8))
        assert np.linalg.norm(first - second) < 0.15 * np.linalg.norm(first)
        assert np.linalg.norm(first - other) > 0.5 * np.linalg.norm(first)

    def test_geometry_is_in_mm_and_mirrors(self, calibration):
        points = calibration.mean[None].astype(np.float64)
        mirrored = points * [-1, 1, 1]
        assert np.allclose(landmark_geometry(points * 1.1), 1.1 * landmark_geometry(points), rtol=1e-5)
        assert np.isclose(landmark_geometry(points)[0, 30], np.linalg.norm(points[0, 61] - points[0, 291]), atol=1e-3)
        assert landmark_geometry(mirrored)[0, -15] == pytest.approx(-landmark_geometry(points)[0, -15], abs=1e-4)


class TestDictionary:
    def test_shipped_one_is_what_was_asked_for(self, dictionary, model):
        assert len(dictionary.beta) >= ENTRIES
        assert find_weights(FILE_NAME).stat().st_size <= MAX_BYTES
        assert dictionary.for_model(model) is dictionary
        active = (dictionary.beta > 25).mean(0)
        named = dict(zip(model.expression_names, active, strict=True))
        assert all(share > 0.005 for share in named.values()), min(named.items(), key=lambda item: item[1])

    def test_left_and_right_go_together(self, dictionary, model):
        columns = {name: dictionary.beta[:, i].astype(float) for i, name in enumerate(model.expression_names)}
        for stem in ("mouthSmile", "browDown", "cheekSquint", "eyeBlink"):
            assert np.corrcoef(columns[f"{stem}Left"], columns[f"{stem}Right"])[0, 1] > 0.7

    def test_nearest_are_the_nearest(self, dictionary):
        at = dictionary.entries[1234].astype(np.float32) * dictionary.step + 0.05
        few, distances = dictionary.nearest(at)
        squares = ((dictionary.entries * dictionary.step - at) ** 2).sum(1)
        assert few.tolist() == np.argsort(squares, kind="stable")[: dictionary.neighbours].tolist()
        assert np.allclose(distances**2, np.sort(squares)[: dictionary.neighbours], rtol=1e-3, atol=1e-5)

    def test_one_neighbour_gives_its_expression(self, dictionary):
        one = replace(dictionary, neighbours=1)
        beta, distance = one.look_up(one.entries[77] * one.step)
        assert distance == 0
        assert np.abs(beta - dictionary.beta[77] / 255).max() < 1e-6

    def test_round_trip(self, small, tmp_path):
        save_dictionary(tmp_path / "d.npz", small)
        back = load_dictionary(tmp_path / "d.npz")
        at = small.entries[5] * small.step + 0.3
        assert np.array_equal(back.look_up(at)[0], small.look_up(at)[0])
        rows = np.random.default_rng(0).normal(size=(2, len(small.metric.hog_mean) + 200)).astype(np.float32)
        assert small.metric.fits() and back.metric.fits()
        rows = rows[:, : len(small.metric.hog_mean) + len(small.metric.mean) - small.metric.hog_basis.shape[1]]
        assert np.allclose(back.metric.coordinates(rows), small.metric.coordinates(rows), atol=1e-3)

    def test_beta_range(self):
        span = np.array([-3, 3], np.float32)
        assert encode_beta(np.array([[-3.0, 0.0, 3.0, 9.0]]), span).tolist() == [[0, 128, 255, 255]]

    def test_it_serves_a_matched_model_by_the_names_of_its_expressions(self, small, model):
        names = ("tongueOut", *model.expression_names[40:5:-1])
        basis = np.zeros((len(names), *model.mean.shape), np.float32)
        origin = ModelOrigin("0" * 64, model.fingerprint(), False, (), 0.1, 0)
        other = replace(model, name="kit", expression_names=names, expression_basis=basis, origin=origin)
        taken = small.for_model(other)
        assert np.array_equal(taken.beta[:, 1:], small.beta[:, 40:5:-1]) and not taken.beta[:, 0].any()
        assert not taken.precision[0].any() and not taken.precision[:, 0].any()
        covariance = np.linalg.inv(small.precision.astype(np.float64))[40:5:-1, 40:5:-1]
        assert np.allclose(np.linalg.inv(taken.precision[1:, 1:].astype(np.float64)), covariance, rtol=1e-3, atol=1e-6)
        at = small.entries[5] * small.step
        assert np.allclose(taken.look_up(at)[0][1:], small.look_up(at)[0][40:5:-1])
        with pytest.raises(AssetError, match="another face model"):
            small.for_model(replace(other, origin=replace(origin, canonical="1" * 64)))

    def test_another_models_is_refused(self, small, model):
        with pytest.raises(AssetError, match="another face model") as caught:
            replace(small, model_fingerprint="0" * 64).for_model(model)
        assert "scripts.training.expression_dictionary" in caught.value.remedy

    @pytest.mark.parametrize(
        "change",
        [
            lambda d: {"entries": d.entries[:, :-1]},
            lambda d: {"entries": d.entries.astype(np.int16)},
            lambda d: {"beta": d.beta[:-1]},
            lambda d: {"precision": np.full_like(d.precision, np.nan)},
            lambda d: {"step": np.zeros_like(d.step)},
            lambda d: {"neighbours": 0},
            lambda d: {"neighbours": 301},
            lambda d: {"reference_distance": float("nan")},
            lambda d: {"metric": replace(d.metric, bias2=d.metric.bias2[:-1])},
            lambda d: {"metric": replace(d.metric, weights1=np.full_like(d.metric.weights1, np.inf))},
            lambda d: {"metric": replace(d.metric, deviation=np.zeros_like(d.metric.deviation))},
        ],
    )
    def test_damaged_is_refused(self, small, tmp_path, change):
        path = tmp_path / "d.npz"
        save_dictionary(path, replace(small, **change(small)))
        with pytest.raises(AssetError, match="expression dictionary"):
            load_dictionary(path)

    def test_other_files_are_refused(self, tmp_path):
        path = tmp_path / "d.npz"
        path.write_bytes(b"no npz")
        with pytest.raises(AssetError, match="cannot be read"):
            load_dictionary(path)
        np.savez(path, format_version=np.int32(99))
        with pytest.raises(AssetError, match="format 99"):
            load_dictionary(path)
        with pytest.raises(AssetError, match="no such file"):
            load_dictionary(tmp_path / "absent.npz")


class TestReading:
    def test_astronaut_smiles(self, reader, astronaut, model):
        emotion, reading = reader.read(*astronaut)
        assert emotion.name == "happy"
        assert weight(model.expression_names, reading.beta_prior, "mouthSmile") > 0.2
        assert weight(model.expression_names, reading.beta_prior, "mouthFrown") < 0.15

    def test_same_photo_same_reading(self, reader, astronaut):
        (_, first), (_, second) = reader.read(*astronaut), reader.read(*astronaut)
        assert np.array_equal(first.beta_prior, second.beta_prior)

    def test_finds_drawn_expressions(self, reader, drawn, model):
        """Over drawn heads, the prior is nearer to the true motion than no expression, and follows single muscles."""
        found = np.array([reader.read(picture, face)[1].beta_prior for picture, face, _ in drawn])
        true = np.array([beta for *_, beta in drawn])
        moved = [np.abs(np.tensordot(beta, model.expression_basis, 1)).mean() for beta in true]
        missed = [np.abs(np.tensordot(beta, model.expression_basis, 1)).mean() for beta in found - true]
        assert np.mean(missed) < 0.7 * np.mean(moved)
        opened = model.expression_names.index("jawOpen")
        assert np.corrcoef(found[:, opened], true[:, opened])[0, 1] > 0.8

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda p: np.zeros_like(p),
            lambda p: np.full_like(p, 255),
            lambda p: cv2.GaussianBlur(p, (0, 0), 15),
            lambda p: np.random.default_rng(0).integers(0, 256, p.shape, dtype=np.uint8),
            lambda p: np.repeat(p.mean(-1, keepdims=True), 3, -1).astype(np.uint8),
            lambda p: np.where(np.arange(p.shape[0])[:, None, None] < 130, 0, p).astype(np.uint8),
        ],
        ids=["black", "white", "blurred", "noise", "grey", "covered"],
    )
    def test_bad_pictures_stay_bounded(self, reader, astronaut, model, calibration, spoil):
        picture, face = spoil(astronaut[0]), astronaut[1]
        emotion, reading = reader.read(picture, face)
        assert_bounded(emotion, reading)
        for source in EXPRESSION_SOURCES:
            fit = fit_one(face, picture.shape[1::-1], model, calibration, reading=reading, expression=source)
            assert np.isfinite(fit.vertices).all() and fit.beta.min() >= 0 and fit.beta.max() <= 1

    @pytest.mark.parametrize("side", [1, 9, 40])
    def test_tiny_faces_stay_bounded(self, reader, astronaut, side):
        picture, face = astronaut
        factor = side / np.ptp(face.mesh_px[:, 0])
        small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        assert_bounded(*reader.read(small, replace(face, mesh_px=(face.mesh_px * factor).astype(np.float32))))

    def test_strange_faces_count_less(self, reader, astronaut):
        picture, face = astronaut
        noise = np.random.default_rng(0).integers(0, 256, picture.shape, dtype=np.uint8)
        (_, clear), (_, strange) = reader.read(picture, face), reader.read(noise, face)
        assert strange.distance > clear.distance
        if strange.distance > 1:
            assert np.trace(strange.precision) < np.trace(reader.dictionary.precision)

    def test_notice(self, reader, astronaut):
        _, reading = reader.read(*astronaut)
        assert notices(reading, PRIOR) == ()
        strange = replace(reading, distance=UNLIKE + 0.1)
        assert [notice.code for notice in notices(strange, PRIOR_AND_LANDMARKS)] == ["unlike_dictionary"]
        assert notices(strange, LANDMARKS) == ()


def assert_bounded(emotion: Emotion, reading: ExpressionPrior) -> None:
    assert np.isfinite(reading.beta_prior).all() and np.isfinite(reading.precision).all()
    assert 0 <= reading.beta_prior.min() and reading.beta_prior.max() <= 1
    assert np.isclose(emotion.probabilities.sum(), 1, atol=1e-4)
    assert np.isfinite(reading.distance) and np.linalg.eigvalsh(reading.precision).min() > 0


class TestFit:
    def test_prior_keeps_the_reading_but_for_the_gaze(self, reader, astronaut, model, calibration):
        picture, face = astronaut
        _, reading = reader.read(picture, face)
        fit = fit_one(face, picture.shape[1::-1], model, calibration, reading=reading, expression=PRIOR)
        still = np.array([not name.startswith("eyeLook") for name in model.expression_names])
        assert np.abs(fit.beta - reading.beta_prior)[still].max() < 1e-6

    def test_landmarks_alone_ignore_the_reading(self, reader, astronaut, model, calibration):
        picture, face = astronaut
        _, reading = reader.read(picture, face)
        size = picture.shape[1::-1]
        with_reading = fit_one(face, size, model, calibration, reading=reading, expression=LANDMARKS)
        assert np.array_equal(with_reading.beta, fit_one(face, size, model, calibration).beta)

    @pytest.mark.parametrize("source", [PRIOR, PRIOR_AND_LANDMARKS, "guess"])
    def test_sources_need_what_they_name(self, astronaut, model, calibration, source):
        with pytest.raises(ValueError, match="no expression"):
            fit_one(astronaut[1], (512, 512), model, calibration, expression=source)

    def test_both_together_beat_landmarks_alone(self, reader, drawn, model, calibration):
        """Mean error of the motion over the skin of drawn heads."""
        errors = {source: [] for source in EXPRESSION_SOURCES}
        skin = model.skin.of(model.expression_basis)
        for picture, face, true in drawn:
            _, reading = reader.read(picture, face)
            for source, row in errors.items():
                fit = fit_one(face, (SIZE, SIZE), model, calibration, reading=reading, expression=source)
                row.append(np.linalg.norm(np.tensordot(fit.beta - true, skin, 1), axis=1).mean())
        means = {source: np.mean(row) for source, row in errors.items()}
        assert means[PRIOR_AND_LANDMARKS] < 0.95 * means[LANDMARKS], means
