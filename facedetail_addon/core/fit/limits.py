# SPDX-License-Identifier: GPL-3.0-or-later
"""What α and β can be."""

import numpy as np

from ..errors import FaceDetailError
from ..face_model.model import FaceModel


def limits_of(model: FaceModel, beta: np.ndarray | None, alpha_limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest (K + E,) unknowns: |α| within a limit, β from 0 to 1 or, where it is known, as it is.

    Raises:
        FaceDetailError: β has another number of weights than the model, or not finite ones.
    """
    identities, expressions = len(model.identity_basis), len(model.expression_basis)
    reach = np.full(identities, alpha_limit)
    if beta is None:
        return np.append(-reach, np.zeros(expressions)), np.append(reach, np.ones(expressions))
    known = np.asarray(beta, np.float64)
    if known.shape != (expressions,) or not np.isfinite(known).all():
        raise FaceDetailError(
            f"The expression has {known.size} weights, the face model “{model.name}” has {expressions}.",
            "Give one finite weight per expression of the face model.",
        )
    known = known.clip(0, 1)
    return np.append(-reach, known), np.append(reach, known)


def one_way_gaze(
    model: FaceModel, limits: tuple[np.ndarray, np.ndarray], unknowns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Limits with the weaker of two opposite directions of gaze held down: an eye cannot look both ways."""
    lower, upper = limits[0], limits[1].copy()
    names, start = model.expression_names, len(model.identity_basis)
    for side in ("Left", "Right"):
        for pair in (("In", "Out"), ("Up", "Down")):
            places = [start + names.index(f"eyeLook{way}{side}") for way in pair if f"eyeLook{way}{side}" in names]
            if len(places) == 2:
                weaker = min(places, key=lambda place: unknowns[place])
                upper[weaker] = lower[weaker]
    return lower, upper
