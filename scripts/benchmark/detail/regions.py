# SPDX-License-Identifier: GPL-3.0-or-later
"""Where faces are lined, in texels of BOX, from the 68 landmarks: forehead, eye bags, crow's feet, smile folds."""

import cv2
import numpy as np

from facedetail_addon.core.detail.space import TEXEL_MM
from scripts.training.skin.space import SIDES

FOREHEAD, EYE_BAGS, CROWS_FEET, SMILE_FOLDS = "forehead", "eye bags", "crow's feet", "smile folds"
REGIONS = (FOREHEAD, EYE_BAGS, CROWS_FEET, SMILE_FOLDS)
_PER_MM = 1 / TEXEL_MM
_BROW_MM, _FOREHEAD_MM = 8.0, 48.0  # above the brows' landmarks
_BAG_MM = (2.5, 21.0)  # below the lower lid
_BAG_BEYOND_MM = 9.0  # the outer corner of the eye, at its lower end
_FEET_MM = (3.5, 25.0)  # beyond the outer corner of the eye
_FEET_HEIGHT_MM = (9.0, 17.0)  # above and below that corner, at these
_BESIDE_WING_MM = ((8.0, -20.0), (23.0, 12.0))  # outwards and down from the landmark: where smiling faces fold
_BESIDE_CORNER_MM = ((12.0, 0.0), (10.0, 18.0))
_FOLD_MM = 7.5  # to each side of the line
_LIPS_MM, _EYES_MM, _NOSE_MM = 3.0, 1.5, 1.0  # around their landmarks nothing counts


def lined_regions(marks: np.ndarray, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """(H, W) bool by name, each of both halves of the face; they share no texel with each other, lips, eyes or nose.

    Args:
        marks: (68, 2) texels (x, y) over BOX, of :func:`scripts.training.skin.space.landmark_texels`. shape: of BOX.
    """
    kept = ~features(marks, shape)
    out = {}
    for name, drawn in ((FOREHEAD, _forehead), (EYE_BAGS, _bags), (CROWS_FEET, _feet), (SMILE_FOLDS, _folds)):
        canvas = np.zeros(shape, np.uint8)
        drawn(canvas, marks)
        out[name] = (canvas > 0) & kept
        kept &= ~out[name]
    return out


def features(marks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: lips, eyes and nose with what is right beside them."""
    out = np.zeros(shape, bool)
    parts = ((slice(48, 60), _LIPS_MM), (slice(36, 42), _EYES_MM), (slice(42, 48), _EYES_MM))
    for points, beside_mm in (*((marks[part], mm) for part, mm in parts), (marks[[27, *range(31, 36)]], _NOSE_MM)):
        canvas = np.zeros(shape, np.uint8)
        _fill(canvas, cv2.convexHull(points.astype(np.float32))[:, 0])
        reach = 2 * round(beside_mm * _PER_MM) + 1
        out |= cv2.dilate(canvas, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))) > 0
    return out


def _forehead(canvas: np.ndarray, marks: np.ndarray) -> None:
    brows = marks[17:27] - [0, _BROW_MM * _PER_MM]
    top = (marks[19, 1] + marks[24, 1]) / 2 - _FOREHEAD_MM * _PER_MM
    _fill(canvas, np.array([*brows, (brows[-1, 0], top), (brows[0, 0], top)]))


def _bags(canvas: np.ndarray, marks: np.ndarray) -> None:
    for side in SIDES:
        near, far = (marks[list(side.lid)] + [0, mm * _PER_MM] for mm in _BAG_MM)
        far[0, 0] += side.sign * _BAG_BEYOND_MM * _PER_MM
        _fill(canvas, np.concatenate([near, far[::-1]]))


def _feet(canvas: np.ndarray, marks: np.ndarray) -> None:
    for side in SIDES:
        eye = marks[side.lid[0]]
        near, far = (eye[0] + side.sign * mm * _PER_MM for mm in _FEET_MM)
        high, wide = (mm * _PER_MM for mm in _FEET_HEIGHT_MM)
        at = [(near, eye[1] - high), (far, eye[1] - wide), (far, eye[1] + wide), (near, eye[1] + high)]
        _fill(canvas, np.array(at))


def _folds(canvas: np.ndarray, marks: np.ndarray) -> None:
    for side in SIDES:
        out = np.array([side.sign, 1]) * _PER_MM
        line = [marks[side.wing] + out * place for place in _BESIDE_WING_MM]
        line += [marks[side.corner] + out * place for place in _BESIDE_CORNER_MM]
        cv2.polylines(canvas, [np.round(np.array(line)).astype(np.int32)], False, 1, round(2 * _FOLD_MM * _PER_MM))


def _fill(canvas: np.ndarray, corners: np.ndarray) -> None:
    cv2.fillPoly(canvas, [np.round(corners).astype(np.int32)], 1)
