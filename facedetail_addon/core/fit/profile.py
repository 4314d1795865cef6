# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads in profile: camera and head follow the points of the whole head, not the face mesh's landmarks.

The mesh shows large turns too small: its cameras are 15° off at 60° of yaw and 25° at 75°, those of the points 5°. What
the calibration says of such landmarks makes heads worse than the mean one.
"""

import numpy as np

from ..face_model.normalise import NormalisedLandmarks, head_angles
from ..notices import Notice
from ..observe.types import Observation
from .correspondence import FLOOR_MM
from .prepared import PreparedModel
from .terms import LandmarkTerm

FROM_DEG = 55.0
"""Yaw, as the points have it, from which on landmarks are not followed."""
ROUGH_FIT = 0.03
"""Median distance of the points over face height, above what profiles give (0.004 to 0.02)."""
_SURE_TURN = 0.075  # σ of the rotation's entries: turned heads 0.05 to 0.07


def in_profile(observation: Observation, prepared: PreparedModel) -> bool:
    """Whether a photo's landmarks were not seen, or surer points of the whole head show a profile."""
    if not observation.landmarks.seen:
        return True
    seen = observation.correspondences
    if seen is None or prepared.canonical is None or seen.rotation_sigma > _SURE_TURN:
        return False
    return abs(head_angles(seen.rotation)[0]) >= np.radians(FROM_DEG)


def profile_term(
    view: int, prepared: PreparedModel, observation: Observation, face: NormalisedLandmarks, weight: float
) -> LandmarkTerm:
    """What stands for the landmarks of a photo of a head in profile.

    Where the points of the whole head are not known on the model, the mean head's landmarks in the observed pose give
    the camera, and nothing else.

    Args:
        weight: of the points, beside the other terms.
    """
    seen = observation.correspondences
    if prepared.canonical is None or seen is None:
        points_px = observation.landmarks.mesh_px[:, :2].astype(np.float64)
        return LandmarkTerm(view, prepared.landmarks, points_px, np.ones(len(points_px)), 0.0, px_per_mm=face.scale)
    scale, _, _ = seen.placed(prepared.canonical.base)
    sigma_mm = np.hypot(seen.sigma_px.astype(np.float64) / scale, FLOOR_MM)
    return LandmarkTerm(
        view, prepared.canonical, seen.points_px.astype(np.float64), 1 / sigma_mm**2, weight, px_per_mm=float(scale)
    )


def notices(observation: Observation) -> tuple[Notice, ...]:
    """A notice with code ``profile`` for a photo whose landmarks were seen and yet not followed; else it has one."""
    if not observation.landmarks.seen:
        return ()
    yaw = np.degrees(head_angles(observation.correspondences.rotation)[0])
    side = "left" if yaw > 0 else "right"
    text = f"The head is turned about {abs(yaw):.0f}° to its {side}, too far for the face's landmarks. It follows"
    rest = "points of the whole head; the far side, the expression and the gaze are those of a usual face at rest."
    return (Notice("profile", f"{text} {rest} A photo from the front gives a better head."),)
