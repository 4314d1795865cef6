# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of fitted expressions on synthetic heads, in mm by region."""

import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.calibration import LandmarkCalibration, load_calibration
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.model import FaceModel, PointEmbedding
from facedetail_addon.core.face_model.normalise import normalise_landmarks, similarity
from facedetail_addon.core.fit.dense import DEFAULT_SETTINGS, fit_dense
from facedetail_addon.core.fit.equations import FitSettings
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.model_import.gaze import with_gaze_motion
from facedetail_addon.core.observe.expression.reader import ExpressionReader
from facedetail_addon.core.observe.expression.types import ExpressionPrior
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.types import CameraPrior, Observation
from facedetail_addon.settings import LANDMARKS, PRIOR_AND_LANDMARKS
from scripts.benchmark.expression.sets import (
    AMBIGUOUS,
    HEAD_SEED,
    PAIR_SEED,
    ambiguous_pair,
    face_regions,
    held_out_head,
    places_on,
)
from scripts.benchmark.reference_heads import load_reference_heads
from scripts.training.heads.painter import Painter, make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import HeadSample

# Controls. A reading also lets the fit ask a lower price of expressions: what does that alone bring? And what does the
# reading of the other face of an ambiguous pair bring?
SAME_PRICE, PARTNER = "landmarks, same price", "prior+landmarks, partner's reading"
NEUTRAL = "neutral face"
CHEEKS_AND_FOLDS, AMBIGUOUS_TOGETHER, WHOLE_FACE = "cheeks and folds", "bags, cheeks, folds", "whole face"


@dataclass(frozen=True)
class Tools:
    """Everything loaded once.

    Attributes:
        sources: the expression sources to compare.
        reader: None where no source needs it.
    """

    sources: tuple[str, ...]
    model: FaceModel
    calibration: LandmarkCalibration
    landmarker: MeshLandmarker
    reader: ExpressionReader | None


@dataclass(frozen=True)
class Truth:
    """The reference heads, and how they are measured on the built-in head's skin.

    Attributes:
        places: where the built-in head's skin vertices lie on the reference.
        regions: masks over those vertices. areas: the same with sums of regions.
    """

    reference: FaceModel
    painter: Painter
    places: PointEmbedding
    regions: dict[str, np.ndarray]
    areas: dict[str, np.ndarray]


@dataclass(frozen=True)
class Look:
    """What reading the expression of one picture told besides β.

    Attributes:
        seconds, look_up_seconds: of the whole reading and of the look-up alone.
        distance: to the nearest entry, in usual distances.
    """

    seconds: float
    look_up_seconds: float
    distance: float


@dataclass(frozen=True)
class Seen:
    """One picture (H, W, 3) uint8 with a face; reading and look are None without a reader."""

    picture: np.ndarray
    landmarks: FaceLandmarks
    reading: ExpressionPrior | None
    look: Look | None


@dataclass(frozen=True)
class Errors:
    """One picture's mean errors in mm, (settings, areas).

    Attributes:
        expression: of the motion from the neutral to the posed head, in the head frame.
        posed: of the posed heads, after a similarity over the face.
        look: None without a reader.
    """

    expression: np.ndarray
    posed: np.ndarray
    look: Look | None


@dataclass(frozen=True)
class PairErrors:
    """One ambiguous pair.

    Attributes:
        members: both pictures' errors.
        difference: (settings, areas) mm, error of the motion from the first head to the second.
        landmark_rms_mm, difference_mm: see ``AmbiguousPair``.
        found_landmark_mm: root mean square distance of both pictures' found landmarks, all 478, in the head frame.
    """

    members: tuple[Errors, Errors]
    difference: np.ndarray
    landmark_rms_mm: float
    difference_mm: float
    found_landmark_mm: float


def settings_of(sources: tuple[str, ...], pairs: bool = False) -> tuple[str, ...]:
    """What is compared: sources, controls, and last the neutral face with the identity of the landmarks' fit."""
    controls = (SAME_PRICE, *([PARTNER] if pairs else [])) if PRIOR_AND_LANDMARKS in sources else ()
    return (*sources, *controls, NEUTRAL)


@cache
def load_tools(sources: tuple[str, ...]) -> Tools:
    """The built-in head's tools; ``sources`` always begin with the landmarks."""
    model, calibration = load_named_model(BUILTIN), load_calibration()
    reader = ExpressionReader.load(model, calibration) if sources != (LANDMARKS,) else None
    return Tools(sources, model, calibration, MeshLandmarker.load(), reader)


@cache
def load_truth(data: Path) -> Truth:
    """The reference heads of the folder FACEDETAIL_DATA names, measured on the built-in head."""
    model, reference = load_named_model(BUILTIN), with_gaze_motion(load_reference_heads(data))
    regions = face_regions(model)
    sums = {
        CHEEKS_AND_FOLDS: regions["cheeks"] | regions["nasolabial folds"],
        AMBIGUOUS_TOGETHER: np.any([regions[name] for name in AMBIGUOUS], axis=0),
        WHOLE_FACE: np.any(list(regions.values()), axis=0),
    }
    return Truth(reference, make_painter(reference), places_on(reference, model), regions, {**regions, **sums})


def measure_head(number: int, sources: tuple[str, ...], data: Path) -> Errors | None:
    """Errors on one held-out head; None where no face is found in its picture. See the loaders for the rest."""
    tools, truth = load_tools(sources), load_truth(data)
    sample = held_out_head(number, truth.reference)
    seen = _photograph(tools, truth, sample, sample.beta, (HEAD_SEED, number))
    return None if seen is None else _compare(fit_sources(tools, seen), truth, sample, sample.beta, seen).errors


def measure_pair(number: int, sources: tuple[str, ...], data: Path) -> PairErrors | None:
    """Errors on one ambiguous pair; None where a face is not found."""
    tools, truth = load_tools(sources), load_truth(data)
    pair = ambiguous_pair(number, truth.reference, truth.places, truth.regions)
    betas = (pair.sample.beta, pair.other_beta)
    # The same random numbers twice: the same skin, light and background.
    both = [_photograph(tools, truth, pair.sample, beta, (PAIR_SEED, number)) for beta in betas]
    if None in both:
        return None
    first, second = (
        _compare(fit_sources(tools, seen, partner), truth, pair.sample, beta, seen)
        for seen, partner, beta in zip(both, both[::-1], betas, strict=True)
    )
    calibration = tools.calibration
    views = [normalise_landmarks(seen.landmarks.mesh_px, calibration.mean, calibration.mean_sigma) for seen in both]
    apart = np.linalg.norm(views[1].points - views[0].points, axis=1)
    difference = (second.motions - first.motions) - (second.true_motion - first.true_motion)
    return PairErrors(
        members=(first.errors, second.errors),
        difference=area_means(np.linalg.norm(difference, axis=-1), truth.areas),
        landmark_rms_mm=pair.landmark_rms_mm,
        difference_mm=pair.difference_mm,
        found_landmark_mm=float(np.sqrt((apart**2).mean())),
    )


def see(tools: Tools, picture: np.ndarray, landmarks: FaceLandmarks) -> Seen:
    """Read an (H, W, 3) uint8 picture, where there is a reader."""
    if tools.reader is None:
        return Seen(picture, landmarks, None, None)
    began = time.perf_counter()
    _, reading = tools.reader.read(picture, landmarks)
    return Seen(picture, landmarks, reading, _look(tools.reader, picture, landmarks, time.perf_counter() - began))


def fit_sources(
    tools: Tools, seen: Seen, partner: Seen | None = None, focal_px: float | None = None
) -> dict[str, HeadFit]:
    """The fits of one picture by setting, in the order of :func:`settings_of` without the neutral face.

    Args:
        partner: the other of an ambiguous pair. focal_px: of the picture, where known.
    """

    height, width = seen.picture.shape[:2]
    camera = CameraPrior.centred((width, height), focal_px)

    def fit(source: str, reading: ExpressionPrior | None, settings: FitSettings = DEFAULT_SETTINGS) -> HeadFit:
        observation = Observation(seen.landmarks, camera, expression_prior=reading)
        return fit_dense((observation,), tools.model, tools.calibration, expression=source, settings=settings)

    fits = {source: fit(source, seen.reading) for source in tools.sources}
    if PRIOR_AND_LANDMARKS in tools.sources:
        same_price = replace(DEFAULT_SETTINGS, expression_sparsity=DEFAULT_SETTINGS.reading_sparsity)
        fits[SAME_PRICE] = fit(LANDMARKS, None, same_price)
        if partner is not None:
            fits[PARTNER] = fit(PRIOR_AND_LANDMARKS, partner.reading)
    return fits


def head_errors(
    fits: dict[str, HeadFit], true_neutral: np.ndarray, true_posed: np.ndarray, areas: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Errors of ``Errors.expression`` and ``Errors.posed``, (settings, areas) mm, the neutral face last.

    Args:
        fits: by setting; the neutral face has the identity of the landmarks' fit.
        true_neutral, true_posed: (V_skin, 3) mm, the true heads at the built-in head's skin vertices.
        areas: (V_skin,) bool masks; ``WHOLE_FACE`` is where heads are aligned.
    """
    skin, face = len(true_posed), areas[WHOLE_FACE]
    posed = [fit.pose.vertices[:skin] for fit in fits.values()] + [fits[LANDMARKS].vertices_neutral[:skin]]
    apart = [_aligned(found.astype(np.float64), true_posed, face) - true_posed for found in posed]
    motion_apart = _motions(fits, skin) - (true_posed - true_neutral)
    return tuple(area_means(np.linalg.norm(field, axis=-1), areas) for field in (motion_apart, np.array(apart)))


def area_means(values: np.ndarray, areas: dict[str, np.ndarray]) -> np.ndarray:
    """(..., V) to (..., areas)."""
    return np.stack([values[..., mask].mean(-1) for mask in areas.values()], axis=-1)


@dataclass(frozen=True)
class _Compared:
    """One picture's errors, and (settings, V_skin, 3) motions with the true one (V_skin, 3)."""

    errors: Errors
    motions: np.ndarray
    true_motion: np.ndarray


def _photograph(tools: Tools, truth: Truth, sample: HeadSample, beta: np.ndarray, seed: tuple) -> Seen | None:
    vertices = truth.reference.vertices(sample.alpha, beta)
    picture, _ = render_head(truth.painter, vertices, sample.camera, np.random.default_rng((*seed, 1)))
    faces = tools.landmarker.find(picture)
    return see(tools, picture, faces[0]) if faces else None


def _compare(fits: dict[str, HeadFit], truth: Truth, sample: HeadSample, beta: np.ndarray, seen: Seen) -> _Compared:
    reference, skin = truth.reference, truth.reference.skin.stop
    heads = reference.vertices(sample.alpha), reference.vertices(sample.alpha, beta)
    neutral, posed = (truth.places.points(vertices[:skin]).astype(np.float64) for vertices in heads)
    expression, aligned = head_errors(fits, neutral, posed, truth.areas)
    return _Compared(Errors(expression, aligned, seen.look), _motions(fits, len(posed)), posed - neutral)


def _motions(fits: dict[str, HeadFit], skin: int) -> np.ndarray:
    """(settings, skin, 3) mm from neutral to posed; none for the neutral face."""
    moving = [(fit.pose.vertices - fit.vertices_neutral)[:skin].astype(np.float64) for fit in fits.values()]
    return np.array([*moving, np.zeros_like(moving[0])])


def _aligned(found: np.ndarray, true: np.ndarray, face: np.ndarray) -> np.ndarray:
    scale, rotation, translation = similarity(found[face], true[face])
    return scale * found @ rotation.T + translation


def _look(reader: ExpressionReader, picture: np.ndarray, landmarks: FaceLandmarks, seconds: float) -> Look:
    dictionary = reader.dictionary
    coordinates = dictionary.metric.coordinates(reader.describe(picture, landmarks).rows)[0]
    began = time.perf_counter()
    _, near = dictionary.look_up(coordinates)
    return Look(seconds, time.perf_counter() - began, near / dictionary.reference_distance)
