# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a photo shows brows on the skin: hair is no wrinkle, no shade under the brow ridge, and no shine.

Fitted heads have their brow ridge some millimetres from the photo's brows, so it is the photo's own landmarks that say.
"""

import cv2
import numpy as np

from .model import FaceModel

FAR_MM = 20.0
"""Beyond this nothing is a brow."""
_LANDMARKS = (slice(17, 22), slice(22, 27))  # of iBUG, right and left, from the viewer's left to the right
_BELOW_MM = np.array([9.0, 7.2, 5.8, 4.4, 3.0])  # so far below them is the middle, from the inner end to the outer
_HALF_MM = 2.6  # of a brow's height
_STEPS = 8  # between two landmarks


def brows_on_skin(
    borders_px: dict[str, np.ndarray], places_px: np.ndarray, px_per_mm: float, model: FaceModel
) -> np.ndarray:
    """How far inside of the photo's brows each place of the skin lies.

    Args:
        borders_px: (N, 2) around the subject's "right" and "left" brow, in the photo. places_px: (V_skin, 2) of the
            skin's vertices there. px_per_mm: the head's size there.

    Returns:
        (V_skin,) float32 mm, positive inside, −20 far from all.
    """
    usual, x = usual_brows(model), model.skin.of(model.mean)[:, 0]
    out = np.full(len(places_px), -FAR_MM)
    for name, side in (("right", -1), ("left", 1)):
        border = borders_px[name].astype(np.float32)[:, None]
        some = np.flatnonzero((usual > -FAR_MM) & (side * x > 0))
        inside = [cv2.pointPolygonTest(border, (float(x), float(y)), True) for x, y in places_px[some]]
        out[some] = np.array(inside) / px_per_mm
    return out.clip(-FAR_MM).astype(np.float32)


def usual_brows(model: FaceModel) -> np.ndarray:
    """The same of people in the mean, where no photo says: (V_skin,) float32 mm, on the mean head."""
    marks, away = model.landmarks68.points(model.mean), []
    share = np.linspace(0, 1, _STEPS + 1)[:, None, None]
    rest = model.skin.of(model.mean)
    for part, below in zip(_LANDMARKS, (_BELOW_MM[::-1], _BELOW_MM), strict=True):
        line = marks[part] - np.column_stack([np.zeros_like(below), below, np.zeros_like(below)])
        points = (line[:-1] * (1 - share) + line[1:] * share).reshape(-1, 3)
        away.append(np.linalg.norm(rest[:, None, :2] - points[:, :2], axis=2).min(axis=1))
    front = rest[:, 2] > marks[17:27, 2].min() - FAR_MM
    return np.where(front, (_HALF_MM - np.min(away, axis=0)).clip(-FAR_MM), -FAR_MM).astype(np.float32)
