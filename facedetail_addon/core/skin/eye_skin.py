# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin around the eyes that neither side shows: how people differ there from the albedo basis in the mean, and lids'
creases, lash lines and crow's feet of somebody whose seen skin is as lined.

A mean of people has none of these lines, for nobody has them where others do.
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ..assets.shipped import find_weights
from ..colour import LUMINANCE
from ..errors import AssetError
from ..face_model.model import FaceModel
from ..image import TEXTURE_MM, blurred
from ..io.archive import read_arrays, require_format
from .creases import GROOVE_TINT
from .types import EyeSkin

FORMAT_VERSION = 1
"""Of the file."""
EYE_SKIN = "eye_skin.npz"
SIDE, COARSE = 512, 4
"""Texels of the whole texture that has the lines, and of these to one of the mean's."""
FINE_MM = 3.0
"""Standard deviation; what is finer are lines."""
LINED_PARTS = ("cheeks", "forehead")
"""Of the face, where its skin tells how lined it is."""
_TEXEL_MM = TEXTURE_MM / SIDE
_LINED_MM = 1.6  # what is finer tells how lined skin is
_LEAST = 150  # texels of it
_KEPT = 0.5  # of the mean's own fine pattern: lash lines lie at lids' rims, so the mean has them
_STRENGTH = (0.7, 1.8)  # to which lines are brought to be as strong as seen ones, at most
_SMOOTH, _LINED, _OF_SMOOTH = (
    -3.6,
    -2.2,
    0.5,
)  # skin whose lines lie elsewhere than one expects, and that has many; share
_LIGHTEST = 0.38  # log; lines are dark, and what is lighter between them is less so
_REMEDY = "Install the FaceDetail extension again; its zip carries this file."
_FLOOR = 0.004  # linear, so that logarithms stay finite


def load_eye_skin(model: FaceModel, path: Path | None = None) -> EyeSkin:
    """What ships, or another file of its format.

    Raises:
        AssetError: missing, damaged, of another format, or learned for another face model.
    """
    path = path or find_weights(EYE_SKIN)
    try:
        arrays = read_arrays(path)
        require_format(arrays, FORMAT_VERSION)
        fingerprint = str(arrays["fingerprint"])
        eyes = _decode(arrays)
    except (ValueError, KeyError, IndexError) as error:
        raise AssetError(f"The skin around the eyes {path} cannot be read: {error}.", _REMEDY) from error
    if fingerprint != model.canonical():
        raise AssetError(f"The skin around the eyes {path} was learned for another head than {model.name}.", _REMEDY)
    return eyes


def how_lined(luminance: np.ndarray, parts: tuple[np.ndarray, ...]) -> float | None:
    """Logarithm of the fine contrast of the smoothest part, or None where too little is seen of each.

    Args:
        luminance: (S, S) float32 albedo, without folds that are relief; S ≥ 512. parts: (S, S) bool of plain seen skin
            each; where one is bearded, another is not.
    """
    found = []
    for part in parts:
        known = cv2.resize(part.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        total = cv2.resize(luminance * part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        log = np.log(total / np.maximum(known, np.float32(1e-3)) + np.float32(_FLOOR))
        whole = known > 1 - 1e-3
        if whole.sum() < _LEAST:
            continue
        around = blurred(whole.astype(np.float32), _LINED_MM / _TEXEL_MM)
        fine = log - blurred(log * whole, _LINED_MM / _TEXEL_MM) / np.maximum(around, np.float32(1e-3))
        found.append(float(np.log(max(float(fine[whole].std()), 1e-3))))
    return min(found, default=None)


def as_people_are(picture: np.ndarray, eyes: EyeSkin, grey: bool) -> np.ndarray:
    """Statistical albedo as people's is around the eyes in the mean.

    Args:
        picture: (S, S, 3) float32 linear in canonical UV. grey: whether the photo has no colours.
    """
    size, side = SIDE // COARSE, len(picture)
    apart = np.zeros((size, size, 3), np.float32)
    row, column = eyes.row // COARSE, eyes.column // COARSE
    apart[row : row + eyes.apart.shape[0], column : column + eyes.apart.shape[1]] = eyes.apart
    if grey:
        apart = np.repeat((apart @ LUMINANCE)[..., None], 3, axis=2)
    return picture * np.exp(cv2.resize(apart, (side, side), interpolation=cv2.INTER_LINEAR))


def with_eye_lines(picture: np.ndarray, eyes: EyeSkin, lined: float | None, grey: bool) -> np.ndarray:
    """The same with lines of skin that is as lined; of usual skin where nobody knows.

    Args:
        picture: (S, S, 3) float32 linear in canonical UV, S ≥ 512. lined: of :func:`how_lined`.
    """
    usual = float(np.median(eyes.lined))
    lined = usual if lined is None else lined
    chosen = int(np.abs(eyes.lined - lined).argmin())
    lines = eyes.lines[chosen] * np.exp(lined - eyes.lined[chosen]).clip(*_STRENGTH)
    lines = lines * np.interp(lined, (_SMOOTH, _LINED), (_OF_SMOOTH, 1))
    lines = np.where(lines > 0, _LIGHTEST * np.tanh(lines / _LIGHTEST), lines).astype(np.float32)
    times = len(picture) / SIDE
    high, wide = (round(length * times) for length in lines.shape)
    part = np.s_[round(eyes.row * times) :, round(eyes.column * times) :]
    part = (slice(part[0].start, part[0].start + high), slice(part[1].start, part[1].start + wide))
    lines, share = (cv2.resize(one, (wide, high), interpolation=cv2.INTER_CUBIC) for one in (lines, eyes.share))
    tint = np.float32([1, 1, 1]) if grey else GROOVE_TINT
    out, log = picture.copy(), np.log(np.maximum(picture[part], np.float32(_FLOOR)))
    fine = log - blurred(log, FINE_MM / _TEXEL_MM * times)
    out[part] = np.exp(log + share[..., None] * (lines[..., None] * tint - (1 - _KEPT) * fine))
    return out


def of_another_basis(eyes: EyeSkin) -> EyeSkin:
    """The same for a basis of other people, from which nobody knows how far the mean differs."""
    return replace(eyes, apart=np.zeros_like(eyes.apart))


def _decode(arrays: dict[str, np.ndarray]) -> EyeSkin:
    lines, apart, share, lined = (arrays[name] for name in ("lines", "apart", "share", "lined"))
    count, high, wide = lines.shape
    row, column = (int(value) for value in arrays["corner"])
    shapes = share.shape == (high, wide) and apart.shape == (high // COARSE, wide // COARSE, 3)
    if not count or not shapes or lined.shape != (count,) or lines.dtype != np.int8 or share.dtype != np.uint8:
        raise ValueError("its arrays do not belong together")
    if not (0 <= row <= SIDE - high and 0 <= column <= SIDE - wide):
        raise ValueError("it lies outside of the texture")
    floats = lines.astype(np.float32) * float(arrays["step"]), apart.astype(np.float32), lined.astype(np.float32)
    if not all(np.isfinite(one).all() for one in floats):
        raise ValueError("it holds values that are not finite")
    return EyeSkin(row, column, floats[1], floats[0], floats[2], share.astype(np.float32) / 255)
