# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes that turn with the eyeLook expressions: scans move only the lids, so the eyeballs' motion is added here."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..face_model.eyeball import FULL_GAZE_DEG, eye_centre
from ..face_model.model import FaceModel

_STILL_MM = 0.01


def _gaze_axes(side: str) -> dict[str, np.ndarray]:
    """The axes (head frame) about which an eye of that side, ``Left`` or ``Right``, turns, by eyeLook expression."""
    outwards = 1.0 if side == "Left" else -1.0
    return {
        f"eyeLookOut{side}": np.array([0.0, outwards, 0.0]),
        f"eyeLookIn{side}": np.array([0.0, -outwards, 0.0]),
        f"eyeLookUp{side}": np.array([-1.0, 0.0, 0.0]),
        f"eyeLookDown{side}": np.array([1.0, 0.0, 0.0]),
    }


def with_gaze_motion(model: FaceModel) -> FaceModel:
    """The model with eyeballs that turn by :data:`~.eyeball.FULL_GAZE_DEG` at weight 1 of each eyeLook expression.

    Modes that already move their eyeball stay as they are, so a second call changes nothing. The motion is linear in
    the weight, as all modes are: half way the eyeball is smaller by a few per cent.
    """
    basis = model.expression_basis.copy()
    for side, part in model.eyes.items():
        eye = part.of(model.mean).astype(np.float64)
        center = eye_centre(eye)
        for name, axis in _gaze_axes(side.capitalize()).items():
            if name not in model.expression_names:
                continue
            mode = part.of(basis[model.expression_names.index(name)])
            if np.abs(mode).max() < _STILL_MM:
                turn = Rotation.from_rotvec(np.radians(FULL_GAZE_DEG) * axis).as_matrix()
                mode[:] = (eye - center) @ (turn - np.eye(3)).T
    return replace(model, expression_basis=basis)
