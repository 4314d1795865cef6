# SPDX-License-Identifier: GPL-3.0-or-later
"""What β can be."""

import numpy as np

from ..errors import FaceDetailError
from ..face_model.model import FaceModel


def expression_limits(model: FaceModel, beta: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest (E,) β: from 0 to 1 or, where it is known, as it is.

    Raises:
        FaceDetailError: β has another number of weights than the model, or not finite ones.
    """
    expressions = len(model.expression_basis)
    if beta is None:
        return np.zeros(expressions), np.ones(expressions)
    known = np.asarray(beta, np.float64)
    if known.shape != (expressions,) or not np.isfinite(known).all():
        raise FaceDetailError(
            f"The expression has {known.size} weights, the face model “{model.name}” has {expressions}.",
            "Give one finite weight per expression of the face model.",
        )
    known = known.clip(0, 1)
    return known, known


def one_way_gaze(
    expression_names: tuple[str, ...], limits: tuple[np.ndarray, np.ndarray], beta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of β with the weaker of two opposite directions of gaze held down: an eye cannot look both ways."""
    lower, upper = limits[0], limits[1].copy()
    for side in ("Left", "Right"):
        for pair in (("In", "Out"), ("Up", "Down")):
            gaze = [f"eyeLook{way}{side}" for way in pair]
            places = [expression_names.index(name) for name in gaze if name in expression_names]
            if len(places) == 2:
                weaker = min(places, key=lambda place: beta[place])
                upper[weaker] = lower[weaker]
    return lower, upper
