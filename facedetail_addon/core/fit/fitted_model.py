# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dense fit knows beside the face model's own modes: heads have a scale of their own, and people smile.

The model's own mode of size is the difference of men and women as well: a head whose size is known would be given a
sex. And who smiles does more than the drawn smiles do; fits take the rest for the shape of the head.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..face_model.calibration import LandmarkCalibration
from ..face_model.model import FaceModel
from .types import SCALE_SIGMA

_SMILES = ("mouthSmileLeft", "mouthSmileRight")


def scaled_model(model: FaceModel) -> FaceModel:
    """The model with K + 1 modes of identity, the last one the scale in units of :data:`.types.SCALE_SIGMA`."""
    scale = np.float32(SCALE_SIGMA) * model.mean[None]
    return replace(model, identity_basis=np.concatenate([model.identity_basis, scale]))


def scaled_response(calibration: LandmarkCalibration) -> np.ndarray:
    """(Q, K + 1 + E): how the landmarks' coordinates, which are of no size, answer to these and to β."""
    parts = calibration.alpha_response, calibration.beta_response
    return np.insert(np.concatenate(parts, axis=1), parts[0].shape[1], 0.0, axis=1)


def smile_of(expression_names: tuple[str, ...], betas: Sequence[np.ndarray]) -> float:
    """How much a face smiles, 0 to 1, in the mean of (E,) expressions."""
    which = [expression_names.index(name) for name in _SMILES if name in expression_names]
    return float(np.mean([beta[which].mean() for beta in betas])) if which else 0.0
