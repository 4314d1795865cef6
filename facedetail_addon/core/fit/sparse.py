# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit a face model to the 68 landmarks of iBUG alone, as Chen et al. (ICCV 2019, section 3.1 and 3.2) do.

For landmarks that nothing was measured of: points of the model are taken for the landmarks themselves. Cameras and
coefficients take turns; the jaw's landmarks mean the silhouette of the current pose. Unlike in the paper, coefficients
are solved for under the perspective camera that the affine one leads to: an affine camera takes for its own what is the
face's proportions, and misses how near lenses swell it; drawn heads with well-placed landmarks come out a tenth
farther from the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...settings import LANDMARKS, PRIOR, PRIOR_AND_LANDMARKS
from ..face_model.model import FaceModel, PointEmbedding
from ..face_model.outline import JAW
from ..observe.expression.types import ExpressionPrior
from ..observe.landmarks.types import FaceLandmarks
from ..observe.types import Observation
from .equations import FitSettings, NormalEquations, expression_equations, identity_equations
from .eyes import aim_eyes
from .heads import pose_of, require_landmarks, require_priors, started, started_cameras, unknowns_of
from .limits import expression_limits
from .native_expressions import BlendshapeMapping, native_vertices
from .points import LandmarkPoints, restricted, usable_px
from .size import HeadSize, estimate_size, size_equations, size_rate
from .solve import Solution, Start, Term, Unknowns, solve
from .terms import Contour, LandmarkTerm, PriorTerm
from .types import HeadFit

_POINTS = 68
_LEAST_SCORE = 0.05
_EXPRESSION_PRIOR = FitSettings(identity_weight=0.0)


@dataclass(frozen=True)
class SparseSettings:
    """How strongly each thing pulls on the sum of squared distances between landmarks and their points.

    Distances count in pixels of a photo that shows ``px_per_mm`` of the face, whatever the photo's own size.

    Attributes:
        identity_weight: λ_s of the paper, ridge of α in σ units.
        expression_weight: the same of a model's own expressions.
        expression_prior_weight: of ``expression_prior``, for named expressions.
        px_per_mm: the unit of distances. With λ = 30, landmarks are trusted to √30 / px_per_mm mm.
        rounds: how often camera and coefficients take turns. rounds_with_prior: where there is a reading.
        jaw_weight: of landmarks of the jaw among the others: along the silhouette their place is vague.
        alpha_limit: bound of |α|. native_limit: of |β| of own expressions.
        expression_prior: what is usual of named expressions; its ridge of α does not count here.
    """

    identity_weight: float = 30.0
    expression_weight: float = 30.0
    expression_prior_weight: float = 10.0
    px_per_mm: float = 2.0
    rounds: int = 5
    rounds_with_prior: int = 10
    jaw_weight: float = 0.2
    alpha_limit: float = 3.5
    native_limit: float = 5.0
    expression_prior: FitSettings = field(default=_EXPRESSION_PRIOR)


DEFAULT_SETTINGS = SparseSettings()
# For :func:`.fit.notices`: the median distance over face height that is unusual here; clear photos give up to 0.015.
ROUGH_FIT = 0.025


@dataclass(frozen=True)
class _Coefficients:
    """What α and the photos' β are: a model's native expressions where it has some, else the named ones.

    Attributes:
        points, paths: the 68 landmarks, and the 17·M places of the jaw's.
        mapping: between native and named expressions; None where β is ARKit's.
    """

    points: LandmarkPoints
    paths: LandmarkPoints
    mapping: BlendshapeMapping | None


def fit_sparse(
    observations: Sequence[Observation],
    model: FaceModel,
    *,
    outline: PointEmbedding,
    offset: np.ndarray | None = None,
    expression: str = LANDMARKS,
    start: HeadFit | None = None,
    settings: SparseSettings = DEFAULT_SETTINGS,
) -> HeadFit:
    """Fit one identity, and an expression and cameras for each photo, to its 68 landmarks.

    Args:
        observations: photos of one person, at least one; ``sparse_px`` and ``sparse_scores`` of their landmarks are
            used, and the gaze follows the irises of ``mesh_px``.
        model: where it has ``native_expressions`` these are fitted, in σ units about their mean; else the named ones.
        outline: of :func:`~..face_model.outline.outline_paths` for this model.
        offset: (68, 3) mm, of :func:`~..face_model.outline.mesh_offset` where the landmarks are the face mesh's, whose
            bias is known; None where they mean the model's own.
        expression: what β comes from, as in :func:`.dense.fit_dense`.
        start: an earlier fit of the same model to begin from, its poses those of the first observations.
        settings: weights.

    Raises:
        ValueError: the source is not known, or a photo has no expression prior that it needs.
        FaceDetailError: landmarks were not kept, are not finite or fall in one place.
    """
    require_landmarks(observations)
    require_priors(observations, expression)
    points_px = [usable_px(observation.landmarks.sparse_px, (_POINTS, 2)) for observation in observations]
    coefficients = _coefficients(model, outline, offset)
    unknowns = unknowns_of(model, observations, len(coefficients.points.expression))

    terms: list[Term] = []
    lower, upper = ([np.full(unknowns.identities, sign * settings.alpha_limit)] for sign in (-1, 1))
    for view, observation in enumerate(observations):
        prior, limits = _expression_prior(coefficients, model, observation.expression_prior, expression, settings)
        terms.append(PriorTerm(prior, view))
        lower.append(limits[0])
        upper.append(limits[1])
    terms.append(PriorTerm(identity_equations(unknowns.identities, settings.identity_weight)))
    size = estimate_size(model, observations)
    terms.append(PriorTerm(size_equations(size_rate(model), size)))
    for view, observation in enumerate(observations):
        contour = Contour(np.arange(JAW), coefficients.paths)
        weights = _weights(observation.landmarks, settings)
        strength = settings.px_per_mm**2
        terms.append(LandmarkTerm(view, coefficients.points, points_px[view], weights, strength, contour))

    bounds = unknowns.join(lower[0], lower[1:]), unknowns.join(upper[0], upper[1:])
    values = started(start, unknowns, np.zeros(unknowns.count), native=coefficients.mapping is not None)
    begin = Start(np.clip(values, *bounds), started_cameras(start, unknowns.views))
    cameras = [observation.camera_prior for observation in observations]
    rounds = settings.rounds if expression == LANDMARKS else settings.rounds_with_prior
    solved = solve(terms, unknowns, bounds, begin, cameras, rounds)
    return _head(solved, unknowns, model, coefficients.mapping, observations, size)


def _head(
    solved: Solution,
    unknowns: Unknowns,
    model: FaceModel,
    mapping: BlendshapeMapping | None,
    observations: Sequence[Observation],
    size: HeadSize | None,
) -> HeadFit:
    """The head of a solution with named expressions and the gaze."""
    alpha, native = solved.values[: unknowns.identities].astype(np.float32), model.native_expressions
    poses = []
    for view, observation in enumerate(observations):
        mesh_px = np.asarray(observation.landmarks.mesh_px, np.float64)
        beta, camera = unknowns.beta(solved.values, view).astype(np.float32), solved.cameras[view]
        if mapping is None or native is None:
            named = aim_eyes(model, alpha, beta, camera, mesh_px)
            poses.append(pose_of(solved, view, model, named, model.vertices(alpha, named)))
        else:
            named = aim_eyes(model, alpha, mapping.weights(beta), camera, mesh_px)
            vertices = native_vertices(model, native, alpha, beta, named)
            poses.append(pose_of(solved, view, model, named, vertices, beta))
    return HeadFit(alpha, model.vertices(alpha), tuple(poses), size)


def _weights(landmarks: FaceLandmarks, settings: SparseSettings) -> np.ndarray:
    """(68,) in (0, 1]."""
    scores = np.ones(_POINTS) if landmarks.sparse_scores is None else np.asarray(landmarks.sparse_scores, np.float64)
    weights = np.clip(np.nan_to_num(scores), _LEAST_SCORE, 1)
    weights[:JAW] *= settings.jaw_weight
    return weights


def _coefficients(model: FaceModel, outline: PointEmbedding, offset: np.ndarray | None) -> _Coefficients:
    points, paths = restricted(model, model.landmarks68, offset), restricted(model, outline)
    native = model.native_expressions
    if native is None:
        return _Coefficients(points, paths, None)
    points, paths = _with_native(points, model.landmarks68, model), _with_native(paths, outline, model)
    return _Coefficients(points, paths, BlendshapeMapping.of(model, native))


def _expression_prior(
    coefficients: _Coefficients,
    model: FaceModel,
    reading: ExpressionPrior | None,
    expression: str,
    settings: SparseSettings,
) -> tuple[NormalEquations, tuple[np.ndarray, np.ndarray]]:
    """Equations of α and one photo's β, and the limits of β."""
    identities = len(model.identity_basis)
    if coefficients.mapping is not None:
        return _native_prior(coefficients.mapping, identities, reading, expression, settings)
    known = reading.beta_prior if expression == PRIOR and reading is not None else None
    used = reading if expression == PRIOR_AND_LANDMARKS else None
    prior = expression_equations(model.expression_names, identities, settings.expression_prior, used)
    return prior.times(settings.expression_prior_weight), expression_limits(model, known)


def _with_native(points: LandmarkPoints, place: PointEmbedding, model: FaceModel) -> LandmarkPoints:
    """The points with the model's own expressions for the named ones."""
    native = model.native_expressions
    average = place.points(native.mean).astype(np.float64)
    return replace(points, base=points.base + average, expression=place.points(native.basis).astype(np.float64))


def _native_prior(
    mapping: BlendshapeMapping,
    identities: int,
    reading: ExpressionPrior | None,
    expression: str,
    settings: SparseSettings,
) -> tuple[NormalEquations, tuple[np.ndarray, np.ndarray]]:
    modes = len(mapping.native)
    count = identities + modes
    limits = np.full(modes, -settings.native_limit), np.full(modes, settings.native_limit)
    quadratic, linear = np.zeros((count, count)), np.zeros(count)
    if expression == LANDMARKS or reading is None:
        quadratic[identities:, identities:] = np.eye(modes)
        return NormalEquations(quadratic, linear).times(settings.expression_weight), limits
    read = mapping.prior(reading)
    if expression == PRIOR:
        known = read.mean.clip(-settings.native_limit, settings.native_limit)
        limits = known, known
    else:
        precision = settings.expression_prior.reading_weight * read.precision
        quadratic[identities:, identities:] = precision
        linear[identities:] = precision @ read.mean
    return NormalEquations(quadratic, linear).times(settings.expression_weight), limits
