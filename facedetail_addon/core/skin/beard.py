# SPDX-License-Identifier: GPL-3.0-or-later
"""Beards and stubble below the jaw, where photos from the front do not look.

Hair on the jaw is finer and stronger in contrast than skin with lines is: beside the same face's cheeks that tells it
from shade and from age. Where it reaches the border of what is seen it goes on, thinner and thinner down the neck.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..colour import LUMINANCE
from ..face_model.model import FACE_REGIONS, FaceModel
from ..geometry.nearest import distance_within
from ..image import TEXTURE_MM, smoothstep
from ..robust import weighted_median
from .basis import at_vertices

_SIDE = 1024  # texels that are enough
_FINE_MM, _AROUND_MM = 0.6, 1.2  # contrast is that of what is finer; measured over so much
_BEARD = (1.3, 2.0)  # contrast on the jaw over that on the cheeks, at which it may be a beard, and is
_LIPS, _NOSE_BASE = slice(48, 60), 33  # of iBUG
_BELOW_LIPS_MM = 6.0  # begins what grows towards the jaw
_DOWN_MM = (10.0, 32.0)  # below the jaw it is as dense as on it, and is gone
_DARK_JAW, _DARK_LIP = (0.05, 0.14), (0.2, 0.4)  # logs: of half of the jaw, and of a fifth of the upper lip
_SEEN = 0.5  # confidence
_LEAST_VERTICES = 50
_FULL_CONTRAST = 0.25  # logarithm, of a beard that is as rough as short hair is painted
_FLOOR = 0.004  # linear, so that logarithms stay finite


@dataclass(frozen=True)
class Beard:
    """A beard that goes on below the jaw.

    Attributes:
        jaw: (V_skin,) float32 in [0, 1], where it is seen. under: (V_skin,) in [0, 1], how much of it grows where
            nothing is seen.
        contrast: in [0, 1], of it, over short hair's.
    """

    jaw: np.ndarray
    under: np.ndarray
    contrast: float


def find_beard(albedo: np.ndarray, confidence: np.ndarray, model: FaceModel) -> Beard | None:
    """The beard of a photo; None where there is none, or too little of jaw and cheeks is seen.

    Args:
        albedo: (R, R, 3) float32 linear, without light. confidence: (R, R) in [0, 1], where it is seen.
    """
    rest = model.skin.of(model.mean)
    marks = model.landmarks68.points(model.mean)
    if len(albedo) > _SIDE:
        albedo, confidence = (
            cv2.resize(one, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for one in (albedo, confidence)
        )
    at = at_vertices(np.dstack([_contrast(albedo, confidence), confidence]), model)
    contrast, seen = at.T
    low = rest[:, 1] < marks[_LIPS, 1].min() - _BELOW_LIPS_MM
    jaw = model.in_region(*FACE_REGIONS) & low
    cheeks = model.in_region("cheeks") & (rest[:, 1] > marks[_NOSE_BASE, 1])
    sure = seen > _SEEN
    if min((jaw & sure).sum(), (cheeks & sure).sum()) < _LEAST_VERTICES:
        return None
    on_jaw, on_cheeks = (
        float(weighted_median(contrast[:, None], where * seen, np.zeros(1))[0]) for where in (jaw, cheeks)
    )
    amount = float(smoothstep(on_jaw / max(on_cheeks, 1e-3), *_BEARD))
    if amount == 0:
        return None
    down = distance_within(rest, rest[jaw & sure], _DOWN_MM[1])
    under = amount * (low & ~model.in_region("scalp", "ears", "socket")) * (1 - smoothstep(down, *_DOWN_MM))
    return Beard((jaw * seen).astype(np.float32), under.astype(np.float32), min(on_jaw / _FULL_CONTRAST, 1.0))


def dark_below_nose(darker: np.ndarray, sure: np.ndarray, model: FaceModel) -> float:
    """In [0, 1], whether upper lip and jaw are both dark, as beards are whose contrast does not tell them.

    Args:
        darker: (V,) log of the person's luminance over that which is seen. sure: (V,) bool, well seen.
    """
    rest, marks = model.skin.of(model.mean), model.landmarks68.points(model.mean)
    face = model.in_region(*FACE_REGIONS) & ~model.in_region("mouth", "nose", "socket")
    jaw = face & (rest[:, 1] < marks[_LIPS, 1].min() - _BELOW_LIPS_MM)
    lip = face & (rest[:, 1] < marks[_NOSE_BASE, 1]) & (rest[:, 1] > marks[_LIPS, 1].max())
    lip &= np.abs(rest[:, 0]) < np.abs(marks[_LIPS, 0]).max()
    out = 1.0
    for part, share, limits in ((jaw, 0.5, _DARK_JAW), (lip, 0.8, _DARK_LIP)):
        some = darker[part & sure]
        out *= float(smoothstep(np.quantile(some, share), *limits)) if len(some) else 0.0
    return out


def _contrast(albedo: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """(R, R) float32 standard deviation of what is fine, of logarithms."""
    scale = len(albedo) / TEXTURE_MM
    log = np.log(albedo @ LUMINANCE + _FLOOR).astype(np.float32)
    fine = log - _mean(log, confidence, _FINE_MM * scale)
    return np.sqrt(_mean(fine**2, confidence, _AROUND_MM * scale))


def _mean(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """(R, R) around each texel, over what is seen."""
    total = cv2.GaussianBlur(weight, (0, 0), sigma)
    return cv2.GaussianBlur(values * weight, (0, 0), sigma) / np.maximum(total, 1e-3)
