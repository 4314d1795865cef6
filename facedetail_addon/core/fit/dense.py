# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit a head to the face mesh's 478 landmarks of one or several photos of a person.

Two kinds of equations pull beside the priors: what the calibration has measured landmarks to say about α and β (with
their full covariance), and the plain distance in the picture, so that the posed head lies on the photo.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...settings import LANDMARKS, PRIOR, PRIOR_AND_LANDMARKS
from ..face_model.calibration import LandmarkCalibration
from ..face_model.model import FaceModel
from ..face_model.normalise import NormalisedLandmarks, normalise_landmarks
from ..notices import Notice
from ..observe.landmarks.types import FaceLandmarks
from ..observe.types import Observation
from .bounded import minimise_in_box
from .correspondence import correspondence_term
from .equations import FitSettings, expression_equations, identity_equations, measurement_equations
from .eyes import aim_eyes
from .fitted_model import smile_of
from .heads import pose_of, require_landmarks, require_priors, started, started_cameras
from .limits import expression_limits, one_way_gaze
from .lips import lips_at_rest, lips_seen
from .outline import OutlineTerm
from .perspective import guesses_a_longer_lens, lies_far_beside
from .points import usable_px
from .prepared import PreparedModel, prepare
from .profile import in_profile, profile_term
from .size import HeadSize, estimate_size, size_equations
from .solve import Solution, Start, Term, Unknowns, solve, total
from .terms import Contour, LandmarkTerm, PriorTerm
from .types import SCALE_SIGMA, HeadFit, PoseFit

DEFAULT_SETTINGS = FitSettings()
# Median landmark distance over face height, well above what clear photos give.
ROUGH_FIT = 0.015
_POINTS = (478, 3)


def fit_dense(
    observations: Sequence[Observation],
    model: FaceModel,
    calibration: LandmarkCalibration,
    *,
    expression: str = LANDMARKS,
    betas: Sequence[np.ndarray] | None = None,
    start: HeadFit | None = None,
    settings: FitSettings = DEFAULT_SETTINGS,
    prepared: PreparedModel | None = None,
    extra: Sequence[Term] = (),
) -> HeadFit:
    """Fit one identity, and an expression and cameras for each photo.

    Args:
        observations: photos of one person, at least one.
        model: the face model ``calibration`` was measured for.
        expression: what β comes from. ``landmarks``; ``prior``: β stays at the observation's prior, as in Chen et al.
            (section 3.2), but for the gaze; ``prior+landmarks``: landmarks refine the prior.
        betas: (E,) known expressions in [0, 1], one for each photo; solved for where None.
        start: an earlier fit of the same model to begin from, its poses those of the first observations.
        settings: weights.
        prepared: both, for many fits; prepared anew where None.
        extra: terms beside those of the photos' landmarks, masks and points.

    Raises:
        ValueError: the source is not known, a photo lacks the expression prior for it, or another model is prepared.
        FaceDetailError: landmarks were not kept, are not finite or fall in one place.
        AssetError: another model's calibration.
    """
    require_landmarks(observations)
    require_priors(observations, expression)
    prepared = prepared or prepare(model, calibration)
    prepared.require(model, calibration)
    names = model.expression_names
    unknowns = Unknowns(len(prepared.scaled.identity_basis), len(names), len(observations))
    mesh_px = [usable_px(observation.landmarks.mesh_px, _POINTS) for observation in observations]
    faces = [normalise_landmarks(points, calibration.mean, calibration.mean_sigma) for points in mesh_px]
    settings = turned_settings(settings, observations, prepared)

    size = estimate_size(model, observations)
    priors = _priors(prepared, observations, faces, size, expression, settings)

    reach = np.full(unknowns.identities, settings.alpha_limit)
    known = [_known_beta(observation, expression, betas, view) for view, observation in enumerate(observations)]
    limits = [expression_limits(model, beta) for beta in known]
    bounds = _bounds(unknowns, reach, limits)
    measured = total([(term.view, term.equations) for term in priors], unknowns)
    guess = minimise_in_box(measured.quadratic, measured.linear, *bounds)
    # Of the guess whatever the start: the gaze of an earlier fit was aimed afterwards and may look the other way.
    limits = [one_way_gaze(names, limit, unknowns.beta(guess, view)) for view, limit in enumerate(limits)]
    bounds = _bounds(unknowns, reach, limits)

    seen = _seen(prepared, observations, faces, mesh_px, settings)
    values = started(start, unknowns, guess, native=False, scaled=True)
    begin = Start(np.clip(values, *bounds), started_cameras(start, unknowns.views))
    cameras = [observation.camera_prior for observation in observations]
    solved = solve([*priors, *seen, *extra], unknowns, bounds, begin, cameras, settings.rounds - 1)
    aim = [betas is None and not in_profile(observation, prepared) for observation in observations]
    return _head(solved, unknowns, prepared, mesh_px, size, aim)


def terms_of(observations: Sequence[Observation], prepared: PreparedModel, expression: str = LANDMARKS) -> list[Term]:
    """All that :func:`fit_dense` weighs, for heads that are fitted already.

    Raises:
        ValueError, FaceDetailError: as of :func:`fit_dense`.
    """
    require_landmarks(observations)
    require_priors(observations, expression)
    calibration = prepared.calibration
    mesh_px = [usable_px(observation.landmarks.mesh_px, _POINTS) for observation in observations]
    faces = [normalise_landmarks(points, calibration.mean, calibration.mean_sigma) for points in mesh_px]
    settings = turned_settings(DEFAULT_SETTINGS, observations, prepared)
    size = estimate_size(prepared.model, observations)
    priors = _priors(prepared, observations, faces, size, expression, settings)
    return [*priors, *_seen(prepared, observations, faces, mesh_px, settings)]


def turned_settings(settings: FitSettings, observations: Sequence[Observation], prepared: PreparedModel) -> FitSettings:
    """The settings for photos that are turned as these are.

    What landmarks are trusted too much from the front is part of their variance at other yaws, and points of profiles
    have no such errors: there the prior of α counts once, and outline and points beside it as much less.
    """
    calibration, least = prepared.calibration, min(settings.identity_weight, 1.0)
    weights = []
    for observation in observations:
        face = normalise_landmarks(observation.landmarks.mesh_px, calibration.mean, calibration.mean_sigma)
        variance = np.inf if in_profile(observation, prepared) else max(1.0, calibration.noise_at(face.yaw)[0])
        weights.append(max(least, settings.identity_weight / variance))
    weight = float(np.mean(weights))
    share = weight / settings.identity_weight if settings.identity_weight else 1.0
    return replace(
        settings,
        identity_weight=weight,
        outline_weight=settings.outline_weight * share,
        correspondence_weight=settings.correspondence_weight * share,
    )


def notices(
    pose: PoseFit, landmarks: FaceLandmarks, rough: float = ROUGH_FIT, focal_px: float | None = None
) -> tuple[Notice, ...]:
    """A notice with code ``rough_fit`` where the head lies unusually far from the landmarks.

    Args:
        rough: what is unusual, median distance over face height. focal_px: of the photo, None where it is not known.
    """
    height = float(np.ptp(landmarks.mesh_px[:, 1]))
    if pose.residual_px <= rough * height:
        return ()
    text = f"The head lies only roughly on this face: {_why_rough(pose, landmarks, focal_px)}. Look at the preview, and"
    return (Notice("rough_fit", f"{text} try another photo of the person."),)


def _why_rough(pose: PoseFit, landmarks: FaceLandmarks, focal_px: float | None) -> str:
    usual = "something covers it, or its expression is unusual"
    if focal_px is not None:
        return usual
    unknown = "its file does not tell the lens (EXIF), and the face"
    if guesses_a_longer_lens(pose.perspective):
        return f"{unknown} may be nearer to the camera than was taken for granted; or {usual}"
    if lies_far_beside(pose.perspective, landmarks.mesh_px[:, :2]):
        return f"{unknown} lies far from the middle, where that counts most; or {usual}"
    return usual


def _priors(
    prepared: PreparedModel,
    observations: Sequence[Observation],
    faces: Sequence[NormalisedLandmarks],
    size: HeadSize | None,
    expression: str,
    settings: FitSettings,
) -> list[PriorTerm]:
    """What does not change with the cameras."""
    calibration, contacts = prepared.calibration, prepared.contacts
    identities, modes = len(prepared.scaled.identity_basis), len(prepared.model.identity_basis)
    terms = []
    told = [not in_profile(observation, prepared) for observation in observations]  # by landmarks
    for view, (observation, face) in enumerate(zip(observations, faces, strict=True)):
        reading = observation.expression_prior if expression == PRIOR_AND_LANDMARKS and told[view] else None
        if told[view]:
            terms.append(PriorTerm(measurement_equations(calibration, prepared.response, face), view))
        equations = expression_equations(prepared.model.expression_names, identities, settings, reading)
        terms.append(PriorTerm(equations, view))
    terms.append(
        PriorTerm(
            identity_equations(modes, settings.identity_weight, _usual_alpha(prepared, observations), scaled=True)
        )
    )
    terms.append(PriorTerm(size_equations(prepared.size_rate, size)))
    if contacts is not None:
        terms.append(PriorTerm(lips_at_rest(contacts)))
        seen = [view for view, landmarks_tell in enumerate(told) if landmarks_tell]
        terms += [PriorTerm(lips_seen(contacts, faces[view], calibration), view) for view in seen]
    return terms


def _usual_alpha(prepared: PreparedModel, observations: Sequence[Observation]) -> np.ndarray | None:
    """(K,) mean of α's prior by all photos that tell it; they tell it of the built-in head."""
    if prepared.canonical is None:
        return None
    told = [observation.alpha_prior for observation in observations if observation.alpha_prior is not None]
    return np.mean(told, axis=0) if told else None


def _seen(
    prepared: PreparedModel,
    observations: Sequence[Observation],
    faces: Sequence[NormalisedLandmarks],
    mesh_px: Sequence[np.ndarray],
    settings: FitSettings,
) -> list[Term]:
    """What the photos show: landmarks, the outline of bare skin, points of the whole head."""
    profiles = [in_profile(observation, prepared) for observation in observations]
    terms: list[Term] = [
        profile_term(view, prepared, observation, face, settings.profile_weight)
        if profile
        else _landmark_term(view, prepared, face, points, settings)
        for view, (observation, face, points, profile) in enumerate(
            zip(observations, faces, mesh_px, profiles, strict=True)
        )
    ]
    for view, (observation, face) in enumerate(zip(observations, faces, strict=True)):
        scale = terms[view].px_per_mm
        if observation.masks is not None:
            skin = prepared.outline
            weight = settings.profile_outline_weight if profiles[view] else settings.outline_weight
            terms.append(OutlineTerm(view, skin, observation.masks, scale, weight))
        if profiles[view]:
            continue
        seen, weight = observation.correspondences, settings.correspondence_weight
        points = correspondence_term(view, prepared.canonical, seen, face, weight)
        if points is not None:
            terms.append(points)
    return terms


def _known_beta(
    observation: Observation, expression: str, betas: Sequence[np.ndarray] | None, view: int
) -> np.ndarray | None:
    if betas is not None:
        return betas[view]
    return observation.expression_prior.beta_prior if expression == PRIOR else None


def _bounds(unknowns: Unknowns, reach: np.ndarray, limits: list) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest of all unknowns."""
    lower, upper = zip(*limits, strict=True)
    return unknowns.join(-reach, lower), unknowns.join(reach, upper)


def _landmark_term(
    view: int, prepared: PreparedModel, face: NormalisedLandmarks, mesh_px: np.ndarray, settings: FitSettings
) -> LandmarkTerm:
    calibration = prepared.calibration
    return LandmarkTerm(
        view=view,
        points=prepared.landmarks,
        points_px=mesh_px[:, :2],
        weights=face.weights / calibration.sigma.astype(np.float64) ** 2,
        strength=settings.picture_weight / calibration.noise_at(face.yaw)[0],
        contour=Contour(calibration.contour, prepared.paths, face.rotation),
        px_per_mm=face.scale,
    )


def _head(
    solved: Solution,
    unknowns: Unknowns,
    prepared: PreparedModel,
    mesh_px: Sequence[np.ndarray],
    size: HeadSize | None,
    aim: Sequence[bool],
) -> HeadFit:
    """The head of a solution with named expressions; in photos to be aimed at the gaze follows the irises."""
    identity, scaled = solved.values[: unknowns.identities].astype(np.float32), prepared.scaled
    poses = []
    for view, points in enumerate(mesh_px):
        beta = unknowns.beta(solved.values, view).astype(np.float32)
        beta = aim_eyes(scaled, identity, beta, solved.cameras[view], points) if aim[view] else beta
        poses.append(pose_of(solved, view, scaled, beta, scaled.vertices(identity, beta)))
    shown, scale = identity[:-1], 1 + SCALE_SIGMA * float(identity[-1])
    alpha = shown - np.float32(smile_of(scaled.expression_names, [pose.beta for pose in poses])) * prepared.smile
    return HeadFit(alpha, prepared.model.vertices(alpha, scale=scale), tuple(poses), size, scale, shown)
