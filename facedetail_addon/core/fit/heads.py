# SPDX-License-Identifier: GPL-3.0-or-later
"""Between heads and the solver's unknowns: where a fit begins, and what a solution means."""

from collections.abc import Sequence

import numpy as np

from ...settings import EXPRESSION_SOURCES, LANDMARKS
from ..errors import FaceDetailError
from ..face_model.model import FaceModel
from ..geometry.camera import PerspectiveCamera
from ..observe.types import Observation
from .solve import Solution, Unknowns
from .types import HeadFit, PoseFit


def require_landmarks(observations: Sequence[Observation]) -> None:
    """Raises FaceDetailError where a photo's landmarks were not kept with its result."""
    for observation in observations:
        if observation.landmarks.mesh_px is None:
            raise FaceDetailError(
                f"The result of {observation.photo_name} does not hold the landmarks that a head is fitted to: an "
                "older version made it, or its observation.npz is missing.",
                "Reconstruct the photo again.",
            )


def require_priors(observations: Sequence[Observation], expression: str) -> None:
    """Raises ValueError where the expression cannot come from this source."""
    if expression not in EXPRESSION_SOURCES:
        raise ValueError(f"no expression from {expression!r}")
    if expression != LANDMARKS and any(observation.expression_prior is None for observation in observations):
        raise ValueError(f"no expression from {expression!r}: a photo has no expression prior")


def unknowns_of(model: FaceModel, observations: Sequence[Observation], expressions: int) -> Unknowns:
    """How the unknowns of a fit to these photos are arranged."""
    return Unknowns(len(model.identity_basis), expressions, len(observations))


def started(
    start: HeadFit | None, unknowns: Unknowns, guess: np.ndarray, native: bool, scaled: bool = False
) -> np.ndarray:
    """An earlier fit as unknowns; the guess where there is none of this model, and for photos that it did not have.

    Args:
        guess: all unknowns. native: the unknown expressions are the model's native ones. scaled: the scale is one.
    """
    if start is None or len(start.alpha) + scaled != unknowns.identities:
        return guess
    betas = [pose.native_beta if native else pose.beta for pose in start.poses[: unknowns.views]]
    if any(len(beta) != unknowns.expressions for beta in betas):
        return guess
    others = [unknowns.beta(guess, view) for view in range(len(betas), unknowns.views)]
    return unknowns.join(start.identity if scaled else start.alpha, [*betas, *others])


def started_cameras(start: HeadFit | None, views: int) -> tuple[PerspectiveCamera | None, ...]:
    """The cameras of an earlier fit, None for photos that it did not have."""
    known = [pose.perspective for pose in start.poses[:views]] if start is not None else []
    return (*known, *[None] * (views - len(known)))


def pose_of(
    solved: Solution,
    view: int,
    model: FaceModel,
    beta: np.ndarray,
    vertices: np.ndarray,
    native_beta: np.ndarray | None = None,
) -> PoseFit:
    """The pose of one photo of a solution: (E,) named expressions and the (V, 3) mm that they make of the head."""
    return PoseFit(
        beta=beta,
        affine=solved.affine[view],
        perspective=solved.cameras[view],
        vertices=vertices,
        landmarks68_mm=model.landmarks68.points(vertices),
        residual_px=solved.residual_px[view],
        native_beta=np.zeros(0, np.float32) if native_beta is None else native_beta,
    )
