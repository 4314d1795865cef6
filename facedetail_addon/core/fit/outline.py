# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the head's outline lies beside the photo's: only where bare skin ends before the background.

Hair hides the head and never pulls; neither do clothes, nor where person and background cannot be told apart.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ..face_model.model import FaceModel
from ..geometry.camera import PerspectiveCamera
from ..observe.masks.types import MASK_SIDE, PhotoMasks
from ..robust import geman_mcclure
from .points import LandmarkPoints

_STRIDE = 2
_GAPS_PX = 9  # between projected vertices, closed in the drawn head
_SMOOTH_PX = 3.0  # of the drawn head, for the outline's normals
_NEAR_PX = 2.5  # from the outline to the vertex it shows
_REACH_PX, _STEP_PX = 14.0, 0.5  # of the search along the normal
_INSIDE, _OUTSIDE = (1.5, 5.0), (2.0, 5.0)  # px inside and outside of the edge that are looked at
_SKIN, _HAIR, _PERSON, _BACKGROUND = 0.5, 0.1, 0.5, 0.3
_SIGMA_MM, _FAR_MM = 2.0, 6.0
# The vertex next to the outline lies a little within the head's own (0.6 mm on drawn heads), and the mask's edge a
# little outside of where colours change (0.2 mm on photos of 82 people before plain backgrounds).
_WITHIN_MM = 0.8
_STILL = ("neck",)


@dataclass(frozen=True)
class Pulls:
    """M places where the photo's outline is seen.

    Attributes:
        rows: (M,) of the term's points. target_px: (M, 2). normals: (M, 2) unit, outwards in the photo.
        weights: (M,) of squared mm.
    """

    rows: np.ndarray
    target_px: np.ndarray
    normals: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class OutlineSkin:
    """What of a model an outline shows.

    Attributes:
        rows: (N,) vertices of the skin. points: the same with how they move. may_pull: (N,) bool; the others only hide.
    """

    rows: np.ndarray
    points: LandmarkPoints
    may_pull: np.ndarray


@dataclass(frozen=True)
class OutlineTerm:
    """The outline of one photo: distances across it, in mm at the face's scale.

    Attributes:
        view: the photo. skin: of the model. masks: of the photo. px_per_mm: scale of the face in it.
        strength: factor beside the other terms.
    """

    view: int
    skin: OutlineSkin
    masks: PhotoMasks
    px_per_mm: float
    strength: float

    def pulls(self, posed: np.ndarray, camera: PerspectiveCamera) -> Pulls:
        """Where the outline of (N, 3) mm points should move to."""
        at = self.masks.region.from_photo(camera.project(posed)) * MASK_SIDE
        drawn = _drawn(at)
        places, rows = _outline(drawn, at)
        keep = self.skin.may_pull[rows]
        places, rows = places[keep], rows[keep]
        normals = _normals(drawn, places)
        step, seen = _edges(self.masks, places, normals)
        mask_px_per_mm = self.px_per_mm * MASK_SIDE / self.masks.region.side
        rows, normals, step = rows[seen], normals[seen], step[seen] - _WITHIN_MM * mask_px_per_mm
        target = self.masks.region.to_photo((at[rows] + normals * step[:, None]) / MASK_SIDE)
        outwards = self.masks.region.to_photo((at[rows] + normals) / MASK_SIDE) - self.masks.region.to_photo(
            at[rows] / MASK_SIDE
        )
        outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-9)
        distance_mm = np.abs(step) / mask_px_per_mm
        weights = geman_mcclure(distance_mm / _FAR_MM) / _SIGMA_MM**2
        return Pulls(rows, target, outwards, weights)


def outline_skin(model: FaceModel) -> OutlineSkin:
    """Every second vertex of a model's skin."""
    rows = np.flatnonzero(~model.in_region("socket"))[::_STRIDE]
    # In single precision and without a copy for each weight: the loop asks for all of them in every round.
    points = LandmarkPoints(
        model.mean[rows], model.identity_basis[:, rows], model.expression_basis[:, rows], np.zeros((1, 3), np.float32)
    )
    return OutlineSkin(rows, points, ~model.in_region(*_STILL)[rows])


def _drawn(at: np.ndarray) -> np.ndarray:
    """(S, S) uint8: the head as the mask's pixels see it, from (N, 2) mask px."""
    inside = ((at >= 0) & (at < MASK_SIDE)).all(1)
    column, row = at[inside].astype(int).T
    picture = np.zeros((MASK_SIDE, MASK_SIDE), np.uint8)
    picture[row, column] = 255
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_GAPS_PX, _GAPS_PX))
    return cv2.morphologyEx(picture, cv2.MORPH_CLOSE, kernel)


def _outline(drawn: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M, 2) mask px along the outline of :func:`_drawn` and the (M,) points it shows, each point once."""
    contours, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.zeros((0, 2)), np.zeros(0, int)
    pixels = max(contours, key=len)[:, 0].astype(np.float64) + 0.5
    gap, rows = cKDTree(at).query(pixels)
    _, first = np.unique(rows, return_index=True)
    first = first[gap[first] < _NEAR_PX]
    return at[rows[first]], rows[first]


def _normals(drawn: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(M, 2) unit, outwards."""
    soft = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), _SMOOTH_PX)
    column, row = places.astype(int).clip(0, MASK_SIDE - 1).T
    slope = np.stack([cv2.Sobel(soft, cv2.CV_32F, *axes)[row, column] for axes in ((1, 0), (0, 1))], axis=1)
    return -slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)


def _edges(masks: PhotoMasks, places: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M,) steps in mask px along the normals to where skin ends, and (M,) bool whether such a place was found."""
    margin = max(*_INSIDE, *_OUTSIDE)
    steps = np.arange(-_REACH_PX - margin, _REACH_PX + margin + _STEP_PX, _STEP_PX)
    along = places[:, None] + steps[:, None] * normals[:, None]
    values = masks.sample(masks.region.to_photo(along.reshape(-1, 2) / MASK_SIDE)).reshape(*along.shape[:2], 3)
    known = np.isfinite(values).all(2)
    person, hair, skin = np.moveaxis(np.nan_to_num(values), 2, 0)
    leaves = (person[:, :-1] >= _PERSON) & (person[:, 1:] < _PERSON)
    leaves &= np.abs(steps[:-1]) <= _REACH_PX
    far = np.where(leaves, np.abs(steps[:-1]), np.inf)
    nearest = far.argmin(1)
    found = np.isfinite(far.min(1)) if len(far) else np.zeros(0, bool)
    rows = np.arange(len(places))
    before, after = person[rows, nearest], person[rows, nearest + 1]
    step = steps[nearest] + _STEP_PX * (before - _PERSON) / np.maximum(before - after, 1e-6)
    relative = steps[None] - step[:, None]
    inside = (relative <= -_INSIDE[0]) & (relative >= -_INSIDE[1])
    outside = (relative >= _OUTSIDE[0]) & (relative <= _OUTSIDE[1])
    near = (relative >= -_INSIDE[1]) & (relative <= _OUTSIDE[0])
    bare = (skin * inside).sum(1) / np.maximum(inside.sum(1), 1) > _SKIN
    bald = (hair * near).max(1, initial=0) < _HAIR
    empty = (person * outside).max(1, initial=0) < _BACKGROUND
    whole = (known | ~(inside | outside)).all(1)
    return step, found & bare & bald & empty & whole
