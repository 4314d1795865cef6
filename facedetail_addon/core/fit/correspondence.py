# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of the whole head as the correspondence network saw them, hidden ones too (Wood et al., ECCV 2022, 3.2).

The camera follows the landmarks alone: on the face they are the more exact, and a network that errs bends no camera.
"""

from dataclasses import dataclass

import numpy as np

from ..face_model.normalise import NormalisedLandmarks, normalise_landmarks
from ..geometry.camera import PerspectiveCamera
from ..notices import Notice
from ..observe.correspondence.types import Correspondences
from ..observe.types import Observation
from ..robust import geman_mcclure
from .points import LandmarkPoints
from .prepared import PreparedModel
from .types import HeadFit

FULL_TO_DEG, NONE_FROM_DEG = 35.0, 55.0
"""Yaw of the head to which the points count in full, and from which on not at all."""
FLOOR_MM = 1.5
"""However sure the network is: between drawn heads, which it has learned from, and people."""
_FAR = 3.0  # in σ: a point so far off has a quarter of its weight (Geman and McClure)
_LOST = 3.0  # in σ, median of all points: the network looks at something else than the landmarks (1.2 is usual)


@dataclass(frozen=True)
class CorrespondenceTerm:
    """Points of one photo: distances in the picture, in mm at the face's scale.

    Attributes:
        view: the photo. points: P of the model. points_px: (P, 2) float64, where the network saw them.
        sigma_mm: (P,) of each coordinate. px_per_mm: scale of the face in the photo. strength: factor beside the
            other terms.
    """

    view: int
    points: LandmarkPoints
    points_px: np.ndarray
    sigma_mm: np.ndarray
    px_per_mm: float
    strength: float

    def weights(self, posed: np.ndarray, camera: PerspectiveCamera) -> np.ndarray:
        """(P,) of squared mm for (P, 3) mm points as they stand; all 0 where the network's lie elsewhere."""
        apart = np.linalg.norm(camera.project(posed) - self.points_px, axis=1) / self.px_per_mm / self.sigma_mm
        if not np.median(apart) < _LOST:
            return np.zeros(len(apart))
        return self.strength / self.sigma_mm**2 * geman_mcclure(apart / _FAR)


def correspondence_term(
    view: int, points: LandmarkPoints | None, seen: Correspondences | None, face: NormalisedLandmarks, weight: float
) -> CorrespondenceTerm | None:
    """The term of a photo; None where nobody has looked, or the network has no say.

    Args:
        points: the canonical ones on the model; None where they are not known on it. face: the photo's landmarks.
        weight: of the fit's settings.
    """
    strength = weight * share_at(face.yaw)
    if points is None or seen is None or strength == 0:
        return None
    sigma_mm = np.hypot(seen.sigma_px.astype(np.float64) / face.scale, FLOOR_MM)
    return CorrespondenceTerm(view, points, seen.points_px.astype(np.float64), sigma_mm, face.scale, strength)


def share_at(yaw: float) -> float:
    """How much of their weight the points have for a head turned by ``yaw`` (radians), 0 to 1."""
    return float(np.interp(abs(np.degrees(yaw)), [FULL_TO_DEG, NONE_FROM_DEG], [1.0, 0.0]))


def notices(head: HeadFit, observation: Observation, prepared: PreparedModel) -> tuple[Notice, ...]:
    """A notice with code ``points_disagree`` where the fit to the first photo left its points out.

    Args:
        head: fitted to the observation and perhaps others.
    """
    calibration = prepared.calibration
    face = normalise_landmarks(observation.landmarks.mesh_px, calibration.mean, calibration.mean_sigma)
    term = correspondence_term(0, prepared.canonical, observation.correspondences, face, weight=1.0)
    if term is None or term.weights(term.points.posed(head.identity, head.pose.beta), head.pose.perspective).any():
        return ()
    text = "The landmarks of this face and the points of the whole head do not agree, and the landmarks were followed."
    return (Notice("points_disagree", f"{text} Look at the preview: something may cover the face or head."),)
