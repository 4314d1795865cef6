# SPDX-License-Identifier: GPL-3.0-or-later
"""Which share of the relief belongs to the expression that a photo shows, and fades with it.

Wrinkles form across the pull of the muscle under them: the forehead's under the frontalis, upright ones at the root of
the nose under the corrugator, crow's feet and bags of the lower lid under the orbicularis, the fold from nose to mouth
under the zygomatic (Ekman, Friesen and Hager 2002, "Facial Action Coding System": units 1 and 2, 4, 6 and 7, 12, with 9
and 18 beside nose and lips). One photo cannot tell which of its lines would stay at rest. So a region's share grows
with how strongly the photo's expression pulls there, and never gets whole, for lines that were folded for decades stay;
and it is the share of folded skin alone: pores beside the folds are there at rest, too. Where that growth begins and
ends, the most that it reaches, and the regions' borders are chosen, not measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..face_model.model import FaceModel
from ..image import smoothstep
from ..uv.types import Atlas
from .space import from_lines
from .types import EXPRESSION_GROUPS

SIDES = ("Left", "Right")
"""Of the face, as expressions' names end."""
_BEGINS = 0.12  # sum of a group's expressions at which its share begins: fits of calm faces have less
_FOLDED_MM = (0.015, 0.05)  # RMS nearby of medium relief: on plain skin, and where folds are
_FOLDED_NEAR = 1.0  # σ in texels of the maps, 3 mm
_MIDDLE_MM = 12.0  # so far beside the middle of the face one side alone counts
_FOREHEAD_ABOVE_MM, _FOREHEAD_BESIDE_MM = (1.0, 9.0), (4.0, 16.0)  # brows; beyond their ends
_FROWN_MM = (7.0, 16.0)  # from the upright line between the brows
_CROW_MM = (9.0, 19.0)  # from lines from the corner of the eye to the temple and down the cheekbone
_CROW_TO_MM = ((2.0, 0.0, -1.2), (16.0, 0.0, -9.6), (12.0, -32.0, -4.0))  # outside the corner, up, forwards
_LID_MM, _LID_BELOW_MM = (5.0, 11.0), 6.0  # from a line below the lower lid
_FOLD_MM = (10.0, 25.0)  # from a line beside nose and mouth
_FOLD_OUT_MM = 7.0  # of that line, outside of nostrils and corners of the mouth


@dataclass(frozen=True)
class ExpressionGroup:
    """Expressions that fold one region.

    Attributes:
        pulls: how much each counts, by ARKit's names without their side.
        full: their sum from which on the share is the most; fitted brows move less than fitted smiles.
        most: share of the region's relief that comes with them then.
    """

    pulls: Mapping[str, float]
    full: float
    most: float

    def sliders(self, side: str, names: Sequence[str]) -> dict[str, float]:
        """How much each of a model's expressions counts on one side; those without a side do so on both."""
        found = {}
        for stem, weight in self.pulls.items():
            found.update(dict.fromkeys((name for name in (stem + side, stem) if name in names), weight))
        return found


GROUPS = dict(
    zip(
        EXPRESSION_GROUPS,
        (
            ExpressionGroup({"browInnerUp": 1.0, "browOuterUp": 1.0}, 0.35, 0.85),
            ExpressionGroup({"browDown": 1.0}, 0.35, 0.75),
            ExpressionGroup({"eyeSquint": 1.0, "cheekSquint": 1.0, "mouthSmile": 0.5}, 0.6, 0.8),
            ExpressionGroup({"mouthSmile": 1.0, "noseSneer": 1.0, "mouthPucker": 0.5}, 0.5, 0.7),
        ),
        strict=True,
    )
)
"""By the names of ``EXPRESSION_GROUPS``."""


def expression_shares(model: FaceModel, beta: np.ndarray) -> np.ndarray:
    """Shares of the relief that belong to the photo's expression, by the skin's vertices.

    Args:
        model: its mean head's 68 landmarks say where the regions are.
        beta: (E,) weights of the photo's expression.

    Returns:
        (V_skin, G) float32, 0 to 1, in the order of ``EXPRESSION_GROUPS``; their sum is 1 at the most.
    """
    return (_regions(model) * (sides(model) @ expression_strengths(model, beta).T)).astype(np.float32)


def expression_strengths(model: FaceModel, beta: np.ndarray) -> np.ndarray:
    """(G, 2) share of a region's relief that comes with its expression, left and right, by (E,) weights."""
    weights = dict(zip(model.expression_names, beta.tolist(), strict=True))
    return np.array([[_strength(group, side, weights) for side in SIDES] for group in GROUPS.values()])


def sides(model: FaceModel) -> np.ndarray:
    """(V_skin, 2) float32: how far each vertex belongs to the left and to the right of the face; together 1."""
    left = smoothstep(model.skin.of(model.mean)[:, 0], -_MIDDLE_MM, _MIDDLE_MM)
    return np.stack([left, 1 - left], axis=1)


def share_maps(shares: np.ndarray, medium_mm: np.ndarray, atlas: Atlas) -> np.ndarray:
    """The shares of folded skin as maps.

    Args:
        shares: (V_skin, G) of :func:`expression_shares`. medium_mm: (S, S) medium relief in canonical UV.
        atlas: with 128 texels a side.

    Returns:
        (R, R, G) uint8, 255 = 1, R of the atlas; continued beyond the island's borders.
    """
    covered = atlas.covered
    square = cv2.resize(medium_mm * medium_mm, covered.shape, interpolation=cv2.INTER_AREA)
    nearby = np.sqrt(cv2.GaussianBlur(square, (0, 0), _FOLDED_NEAR))
    folded = cv2.GaussianBlur(smoothstep(nearby, *_FOLDED_MM), (0, 0), _FOLDED_NEAR)
    out = np.zeros((*covered.shape, shares.shape[1]), np.uint8)
    out[covered] = np.round(255 * (atlas.texels(shares) * folded[covered, None]).clip(0, 1)).astype(np.uint8)
    beyond = cv2.dilate(out, np.ones((5, 5), np.uint8)).reshape(out.shape)
    return np.where(covered[..., None], out, beyond)


def _strength(group: ExpressionGroup, side: str, weights: Mapping[str, float]) -> float:
    pull = sum(weight * weights[name] for name, weight in group.sliders(side, list(weights)).items())
    return group.most * float(smoothstep(np.float32(pull), _BEGINS, group.full))


def _regions(model: FaceModel) -> np.ndarray:
    """(V_skin, G) where each group folds the mean head's skin, 0 to 1; their sum is 1 at the most."""
    marks, rest = model.landmarks68.points(model.mean), model.skin.of(model.mean)
    fields = np.stack([_forehead(marks, rest), _frown(model, marks), _eyes(model, marks), _mouth(model, marks)], axis=1)
    return fields / np.maximum(fields.sum(axis=1, keepdims=True), 1)


def _forehead(marks: np.ndarray, rest: np.ndarray) -> np.ndarray:
    brows = marks[17:27]
    above = rest[:, 1] - np.interp(rest[:, 0], brows[:, 0], brows[:, 1])
    end = np.abs(brows[[0, -1], 0]).mean()
    beside = np.abs(rest[:, 0]) - end
    front = rest[:, 2] > 0  # the back of the head is above the brows, too
    return smoothstep(above, *_FOREHEAD_ABOVE_MM) * (1 - smoothstep(beside, *_FOREHEAD_BESIDE_MM)) * front


def _frown(model: FaceModel, marks: np.ndarray) -> np.ndarray:
    line = np.stack([marks[27], (marks[21] + marks[22]) / 2])
    return 1 - smoothstep(from_lines(model, 11, line), *_FROWN_MM)


def _eyes(model: FaceModel, marks: np.ndarray) -> np.ndarray:
    crows, lids = [], []
    for outer, low, lower, inner in ((36, 41, 40, 39), (45, 46, 47, 42)):
        outwards = np.array([np.sign(marks[outer, 0]), 1.0, 1.0])
        crows.append(marks[outer] + outwards * _CROW_TO_MM)
        lids.append(marks[[outer, low, lower, inner]] - np.array([0.0, _LID_BELOW_MM, 0.0]))
    crow = 1 - smoothstep(from_lines(model, 5, *crows), *_CROW_MM)
    lid = 1 - smoothstep(from_lines(model, 5, *lids), *_LID_MM)
    return np.maximum(crow, lid)


def _mouth(model: FaceModel, marks: np.ndarray) -> np.ndarray:
    """Beside the nose, along the folds, and the cheek beside them."""
    lines = []
    for wing, corner, chin, bridge in ((31, 48, 7, 39), (35, 54, 9, 42)):
        out = np.sign(marks[wing, 0]) * np.array([_FOLD_OUT_MM, 0.0, 0.0])
        beside_nose = (marks[wing] + marks[bridge]) / 2
        lines.append(np.stack([beside_nose, marks[wing] + out, marks[corner] + out, (marks[corner] + marks[chin]) / 2]))
        lines.append(np.stack([beside_nose + 3 * out, marks[corner] + 2 * out]))
    return 1 - smoothstep(from_lines(model, 11, *lines), *_FOLD_MM)
