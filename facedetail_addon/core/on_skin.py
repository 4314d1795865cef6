# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a photo's pixels before the fit, at the places of the skin that the fitted head shows there."""

import numpy as np

from .face_model.brows import brows_on_skin
from .fit.types import PoseFit
from .models import Models
from .observe.landmarks.mesh_points import BROWS
from .observe.masks.types import MASKS
from .observe.types import Observation
from .skin.doubt import shown
from .skin.texture import bare_skin
from .uv.frames import frames_on_skin
from .uv.types import Atlas


def masks_of(observation: Observation, pose: PoseFit, models: Models) -> np.ndarray:
    """(V_skin, 3) float32 of :data:`MASKS`, NaN where nobody has looked."""
    places = _places(pose, models)
    if observation.masks is None:
        return np.full((len(places), len(MASKS)), np.nan, np.float32)
    return observation.masks.sample(places)


def bare_of(observation: Observation, pose: PoseFit, models: Models, atlas: Atlas) -> np.ndarray:
    """(V_skin,) in [0, 1], how much of each place is skin with nothing over it; ``atlas``: of the model."""
    masks = masks_of(observation, pose, models)
    return shown(masks, models.model, atlas) * bare_skin(masks, models.basis, models.model)


def haired(observation: Observation) -> float:
    """Whether the photo shows a head of hair, in [0, 1]; 0 where nobody has looked."""
    masks = observation.masks
    return 0.0 if masks is None else masks.head_of_hair(observation.landmarks.mesh_px)


def frames_of(observation: Observation, pose: PoseFit, models: Models) -> np.ndarray | None:
    """(R, R) how far glasses hide each texel; None where there are none, or nobody has looked."""
    glasses = observation.glasses
    if glasses is None or not glasses.frames.any():
        return None
    return frames_on_skin(glasses.frames, glasses.on_photo(_places(pose, models)), models.atlas)


def brows_of(observation: Observation, pose: PoseFit, models: Models) -> np.ndarray:
    """(V_skin,) mm of :func:`.face_model.brows.brows_on_skin`."""
    borders = {side: observation.landmarks.mesh_px[list(points), :2] for side, points in BROWS.items()}
    px_per_mm = float(np.linalg.norm(pose.affine.matrix[:, :3], axis=1).mean())
    return brows_on_skin(borders, _places(pose, models), px_per_mm, models.model)


def _places(pose: PoseFit, models: Models) -> np.ndarray:
    """(V_skin, 2) px."""
    return pose.perspective.project(models.model.skin.of(pose.vertices))
