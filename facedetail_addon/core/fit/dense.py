# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the face model to one face's landmarks: who it is, what it does, and where the camera stands.

After Chen et al. (ICCV 2019, section 3.1) and the iterative linear method of eos: from α = 0, an affine camera by the
Gold Standard algorithm and regularised linear least squares for the coefficients take turns. Two kinds of equations go
into the latter: what the calibration has measured landmarks to say about α and β (with their full covariance), and the
plain distance in the picture, so that the posed head lies on the photo.
"""

import numpy as np

from ..face_model.calibration import LandmarkCalibration
from ..face_model.model import FaceModel
from ..face_model.normalise import normalise_landmarks
from ..geometry.camera import PerspectiveCamera
from ..notices import Notice
from ..observe.expression.types import EXPRESSION_SOURCES, LANDMARKS, PRIOR, PRIOR_AND_LANDMARKS, ExpressionPrior
from ..observe.landmarks.types import FaceLandmarks
from .affine import gold_standard_affine
from .bounded import minimise_in_box
from .equations import FitSettings, measurement_equations, picture_equations, prior_equations
from .eyes import aim_eyes
from .limits import limits_of, one_way_gaze
from .perspective import default_focal_px, perspective_like, refine_perspective
from .points import embedded_paths, embedded_points, usable_px, with_silhouette
from .types import ProxyFit

DEFAULT_SETTINGS = FitSettings()
# Median landmark distance over face height, well above what clear photos give.
ROUGH_FIT = 0.015


def fit_proxy(
    landmarks: FaceLandmarks,
    image_size: tuple[int, int],
    model: FaceModel,
    calibration: LandmarkCalibration,
    *,
    beta: np.ndarray | None = None,
    reading: ExpressionPrior | None = None,
    expression: str = LANDMARKS,
    focal_px: float | None = None,
    settings: FitSettings = DEFAULT_SETTINGS,
) -> ProxyFit:
    """Fit identity, expression and cameras to one face.

    Args:
        landmarks: of the face. image_size: (width, height) of the photo in px.
        model: the face model ``calibration`` was measured for.
        beta: (E,) known expression in [0, 1]; solved for where None.
        reading: the expression read from the whole face, for the sources that need one.
        expression: what β comes from. ``landmarks``; ``prior``: β stays at the reading's, as in Chen et al. (section
            3.2), but for the gaze; ``prior+landmarks``: the reading is the prior of β, and landmarks refine it.
        focal_px: focal length in px of the photo's pixels (from EXIF); a usual one where None.
        settings: weights.

    Raises:
        ValueError: the source is not known, or needs a reading and there is none.
        FaceDetailError: landmarks are not finite or fall in one place. AssetError: another model's calibration.
    """
    if expression not in EXPRESSION_SOURCES or (expression != LANDMARKS and reading is None):
        raise ValueError(f"no expression from {expression!r}")
    calibration.require_model(model)
    fixed = reading.beta_prior if expression == PRIOR and beta is None else beta
    prior = reading if expression == PRIOR_AND_LANDMARKS else None
    mesh_px = usable_px(landmarks.mesh_px, (478, 3))
    view = normalise_landmarks(mesh_px, calibration.mean, calibration.mean_sigma)
    measured = measurement_equations(calibration, view)
    measured += prior_equations(model.expression_names, len(model.identity_basis), settings, prior)
    limits = limits_of(model, fixed, settings.alpha_limit)
    points = embedded_points(model, calibration)
    paths = embedded_paths(model, calibration)
    weights = view.weights / calibration.sigma.astype(np.float64) ** 2
    focal_px = focal_px or default_focal_px(image_size, view.scale)

    identities = len(model.identity_basis)
    unknowns = minimise_in_box(measured.quadratic, measured.linear, *limits)
    limits = one_way_gaze(model, limits, unknowns)
    unknowns = np.clip(unknowns, *limits)
    camera: PerspectiveCamera | None = None
    for turn in range(settings.rounds):
        alpha, current_beta = unknowns[:identities], unknowns[identities:]
        seen = with_silhouette(points, paths, calibration.contour, alpha, current_beta, view.rotation)
        posed = seen.posed(alpha, current_beta)
        affine = gold_standard_affine(posed, mesh_px[:, :2], weights)
        camera = camera or perspective_like(affine, posed, image_size, focal_px)
        camera = refine_perspective(camera, posed, mesh_px[:, :2], weights)
        if turn + 1 < settings.rounds:
            picture = picture_equations(
                seen, posed, camera, mesh_px[:, :2], view.scale, unknowns, settings.picture_weight * weights
            )
            both = measured + picture
            unknowns = minimise_in_box(both.quadratic, both.linear, *limits)
    alpha, solved_beta = (part.astype(np.float32) for part in (unknowns[:identities], unknowns[identities:]))
    if beta is None:
        solved_beta = aim_eyes(model, alpha, solved_beta, camera, mesh_px)
    distance = np.linalg.norm(camera.project(posed) - mesh_px[:, :2], axis=1)
    return ProxyFit(
        alpha=alpha,
        beta=solved_beta,
        affine=affine,
        perspective=camera,
        vertices=model.vertices(alpha, solved_beta),
        vertices_neutral=model.vertices(alpha),
        residual_px=float(np.median(distance)),
    )


def notices(fit: ProxyFit, landmarks: FaceLandmarks, rough: float = ROUGH_FIT) -> tuple[Notice, ...]:
    """A notice with code ``rough_fit`` where the head lies unusually far from the landmarks.

    Args:
        rough: what is unusual, median distance over face height.
    """
    height = float(np.ptp(landmarks.mesh_px[:, 1]))
    if fit.residual_px <= rough * height:
        return ()
    return (
        Notice(
            "rough_fit",
            "The head lies only roughly on this face: something covers it, or its expression is unusual. Look at the "
            "preview, and try another photo of the person.",
        ),
    )
