# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit a face model to the 68 landmarks of iBUG alone, as Chen et al. (ICCV 2019, section 3.1 and 3.2) do.

For landmarks that nothing was measured of: points of the model are taken for the landmarks themselves. Cameras and
coefficients take turns; the jaw's landmarks mean the silhouette of the current pose. Unlike in the paper, coefficients
are solved for under the perspective camera that the affine one leads to: an affine camera takes for its own what is the
face's proportions, and misses how near lenses swell it; drawn heads with well-placed landmarks come out a tenth
farther from the truth.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from ..face_model.model import FaceModel, PointEmbedding
from ..face_model.outline import JAW
from ..geometry.camera import AffineCamera, PerspectiveCamera
from ..observe.expression.types import EXPRESSION_SOURCES, LANDMARKS, PRIOR, PRIOR_AND_LANDMARKS, ExpressionPrior
from ..observe.landmarks.types import FaceLandmarks
from .affine import closest_scaled_orthography, gold_standard_affine
from .bounded import minimise_in_box
from .equations import FitSettings, NormalEquations, picture_equations, prior_equations
from .eyes import aim_eyes
from .limits import limits_of
from .native_expressions import BlendshapeMapping, native_vertices
from .perspective import default_focal_px, perspective_like, refine_perspective
from .points import LandmarkPoints, restricted, usable_px, with_silhouette
from .types import ProxyFit

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
class _Problem:
    """What is solved for: expressions are a model's own where it has some.

    Attributes:
        points, paths: the 68 landmarks, and the 17·M places of the jaw's. mapping: None where β is ARKit's.
        prior: equations of all unknowns. lower, upper: their bounds.
    """

    points: LandmarkPoints
    paths: LandmarkPoints
    mapping: BlendshapeMapping | None
    prior: NormalEquations
    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class _Solution:
    """Unknowns (K + E,), cameras, and the median distance of landmarks in px."""

    unknowns: np.ndarray
    affine: AffineCamera
    camera: PerspectiveCamera
    residual_px: float


def fit_sparse(
    landmarks: FaceLandmarks,
    image_size: tuple[int, int],
    model: FaceModel,
    *,
    outline: PointEmbedding,
    offset: np.ndarray | None = None,
    reading: ExpressionPrior | None = None,
    expression: str = LANDMARKS,
    focal_px: float | None = None,
    settings: SparseSettings = DEFAULT_SETTINGS,
) -> ProxyFit:
    """Fit identity, expression and cameras to the 68 landmarks of one face.

    Args:
        landmarks: ``sparse_px`` and ``sparse_scores`` are used; the gaze follows the irises of ``mesh_px``.
        image_size: (width, height) of the photo in px.
        model: where it has ``native_expressions`` these are fitted, in σ units about their mean; else the named ones.
        outline: of :func:`~..face_model.outline.outline_paths` for this model.
        offset: (68, 3) mm, of :func:`~..face_model.outline.mesh_offset` where the landmarks are the face mesh's, whose
            habits are known; None where they mean the model's own.
        reading: the expression read from the whole face, for the sources that need one.
        expression: what β comes from, as in :func:`.fit.fit_proxy`.
        focal_px: focal length in px of the photo's pixels (from EXIF); a usual one where None.
        settings: weights.

    Raises:
        ValueError: the source is not known, or needs a reading and there is none.
        FaceDetailError: landmarks are not finite or fall in one place.
    """
    if expression not in EXPRESSION_SOURCES or (expression != LANDMARKS and reading is None):
        raise ValueError(f"no expression from {expression!r}")
    points_px = usable_px(landmarks.sparse_px, (_POINTS, 2))
    problem = _problem(model, outline, offset, reading, expression, settings)
    rounds = settings.rounds if expression == LANDMARKS else settings.rounds_with_prior
    solved = _solve(problem, points_px, _weights(landmarks, settings), image_size, focal_px, rounds, settings)
    identities = len(model.identity_basis)
    alpha, beta = (part.astype(np.float32) for part in np.split(solved.unknowns, [identities]))
    return _in_words(solved, alpha, beta, model, problem.mapping, np.asarray(landmarks.mesh_px, np.float64))


def _solve(
    problem: _Problem,
    points_px: np.ndarray,
    weights: np.ndarray,
    image_size: tuple[int, int],
    focal_px: float | None,
    rounds: int,
    settings: SparseSettings,
) -> _Solution:
    identities, jaw = len(problem.points.identity), np.arange(JAW)
    unknowns = np.clip(np.zeros(len(problem.lower)), problem.lower, problem.upper)
    camera: PerspectiveCamera | None = None
    seen = problem.points
    for turn in range(rounds + 1):
        coefficients = unknowns[:identities], unknowns[identities:]
        if camera is not None:
            seen = with_silhouette(problem.points, problem.paths, jaw, *coefficients, camera.rotation)
        posed = seen.posed(*coefficients)
        affine = gold_standard_affine(posed, points_px, weights)
        px_per_mm = closest_scaled_orthography(affine)[0]
        focal_px = focal_px or default_focal_px(image_size, px_per_mm)
        camera = camera or perspective_like(affine, posed, image_size, focal_px)
        camera = refine_perspective(camera, posed, points_px, weights)
        if turn < rounds:
            picture_weights = settings.px_per_mm**2 * weights
            picture = picture_equations(seen, posed, camera, points_px, px_per_mm, unknowns, picture_weights)
            both = picture + problem.prior
            unknowns = minimise_in_box(both.quadratic, both.linear, problem.lower, problem.upper)
    distance = np.linalg.norm(camera.project(posed) - points_px, axis=1)
    return _Solution(unknowns, affine, camera, float(np.median(distance)))


def _in_words(
    solved: _Solution,
    alpha: np.ndarray,
    beta: np.ndarray,
    model: FaceModel,
    mapping: BlendshapeMapping | None,
    mesh_px: np.ndarray,
) -> ProxyFit:
    """The fit with named expressions and the gaze; ``beta`` is of the model's own where there is a translator."""
    native = model.native_expressions
    if mapping is None or native is None:
        named, native_beta = aim_eyes(model, alpha, beta, solved.camera, mesh_px), np.zeros(0, np.float32)
        vertices = model.vertices(alpha, named)
    else:
        named, native_beta = aim_eyes(model, alpha, mapping.weights(beta), solved.camera, mesh_px), beta
        vertices = native_vertices(model, native, alpha, native_beta, named)
    return ProxyFit(
        alpha=alpha,
        beta=named,
        affine=solved.affine,
        perspective=solved.camera,
        vertices=vertices,
        vertices_neutral=model.vertices(alpha),
        residual_px=solved.residual_px,
        native_beta=native_beta,
    )


def _weights(landmarks: FaceLandmarks, settings: SparseSettings) -> np.ndarray:
    """(68,) in (0, 1]."""
    scores = np.ones(_POINTS) if landmarks.sparse_scores is None else np.asarray(landmarks.sparse_scores, np.float64)
    weights = np.clip(np.nan_to_num(scores), _LEAST_SCORE, 1)
    weights[:JAW] *= settings.jaw_weight
    return weights


def _problem(
    model: FaceModel,
    outline: PointEmbedding,
    offset: np.ndarray | None,
    reading: ExpressionPrior | None,
    expression: str,
    settings: SparseSettings,
) -> _Problem:
    points, paths = restricted(model, model.landmarks68, offset), restricted(model, outline)
    identities = len(model.identity_basis)
    used = reading if expression == PRIOR_AND_LANDMARKS else None
    native = model.native_expressions
    if native is None:
        known = reading.beta_prior if expression == PRIOR and reading is not None else None
        limits = limits_of(model, known, settings.alpha_limit)
        prior = prior_equations(model.expression_names, identities, settings.expression_prior, used)
        prior = prior.times(settings.expression_prior_weight)
        mapping = None
    else:
        points, paths = _with_native(points, model.landmarks68, model), _with_native(paths, outline, model)
        mapping = BlendshapeMapping.of(model, native)
        limits, prior = _native_limits_and_prior(mapping, identities, reading, expression, settings)
    ridge = np.append(np.full(identities, settings.identity_weight), np.zeros(len(prior.linear) - identities))
    prior = prior + NormalEquations(np.diag(ridge), np.zeros(len(ridge)))
    return _Problem(points, paths, mapping, prior, *limits)


def _with_native(points: LandmarkPoints, place: PointEmbedding, model: FaceModel) -> LandmarkPoints:
    """The points with the model's own expressions for the named ones."""
    native = model.native_expressions
    average = place.points(native.mean).astype(np.float64)
    return replace(points, base=points.base + average, expression=place.points(native.basis).astype(np.float64))


def _native_limits_and_prior(
    mapping: BlendshapeMapping, identities: int, reading: ExpressionPrior | None, expression: str,
    settings: SparseSettings,
) -> tuple[tuple[np.ndarray, np.ndarray], NormalEquations]:  # fmt: skip
    modes = len(mapping.native)
    count = identities + modes
    reach = np.append(np.full(identities, settings.alpha_limit), np.full(modes, settings.native_limit))
    lower, upper = -reach, reach
    quadratic, linear = np.zeros((count, count)), np.zeros(count)
    if expression == LANDMARKS or reading is None:
        quadratic[identities:, identities:] = np.eye(modes)
        return (lower, upper), NormalEquations(quadratic, linear).times(settings.expression_weight)
    read = mapping.prior(reading)
    if expression == PRIOR:
        known = read.mean.clip(-settings.native_limit, settings.native_limit)
        lower, upper = np.append(lower[:identities], known), np.append(upper[:identities], known)
    else:
        precision = settings.expression_prior.reading_weight * read.precision
        quadratic[identities:, identities:] = precision
        linear[identities:] = precision @ read.mean
    return (lower, upper), NormalEquations(quadratic, linear).times(settings.expression_weight)
