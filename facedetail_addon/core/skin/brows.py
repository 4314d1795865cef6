# SPDX-License-Identifier: GPL-3.0-or-later
"""Brows that the photo does not show: hairs where people's brows are dark, and not their mean's dark smear.

Noise that is drawn out along the way in which brows grow lets the smear through in strokes, as dark as it is in its
middle; the rest of the face is made as sharp as maps of 1.6 mm can be.
"""

import cv2
import numpy as np

from ..colour import LUMINANCE
from ..face_model.model import FaceModel
from ..image import TEXTURE_MM, blurred, smoothstep

_SIDE = 1024  # texels at which hairs are drawn
_SHARP_SIDE, _SHARP_MM, _SHARPER = 512, 1.2, 1.5  # texels; what is finer than this is made stronger by that
_BROWS = (slice(17, 22), slice(22, 27))  # of iBUG's landmarks, the right one's inner end last, the left one's first
_OPENINGS, _RIM_MM = (slice(36, 42), slice(42, 48), slice(48, 60)), 8.0  # lids and lips, whose rims are no skin's
_BROW_MM, _AROUND_MM = 13.6, 20.8  # across the landmarks: brows, and what is not yet plain skin
_SKIN_MM, _COARSE = 17.0, 8  # over which the skin beside a brow is averaged, on fewer texels
_GROWS = (65.0, 25.0, -12.0)  # degrees up from outwards, at the inner end, in the middle and at the outer end
_HAIR_MM, _THIN_MM, _TUFT_MM = 6.0, 0.2, 2.0  # length, softness, and what is coarser than hairs
_CRISP = 0.8  # times what of them is finer than _SHARP_MM is added once more
_STRONGER, _BROAD_MM = 0.3, 3.0  # and what is finer than that
_DARKEST = 0.95  # quantile of a brow's darkness
_BETWEEN, _SPREAD = (0.2, 0.8), 0.45  # share of that between which hairs are sparse and dense, and what noise adds
_UNDER, _UNDER_SPREAD = (0.15, 0.85), 0.1  # the same of the skin below, which is half of it
_EDGE = (0.05, 0.4)  # share of that over which noise begins
_FLOOR = 0.004  # linear, so that logarithms stay finite


def sharp_picture(picture: np.ndarray, model: FaceModel) -> np.ndarray:
    """(1024, 1024, 3) float32 linear of (S, S, 3) skin of people, in canonical UV, with hairs for brows.

    Args:
        model: of the UV.
    """
    uv = model.landmarks68.points(model.skin.vertex_uv())
    marks = np.column_stack([uv[:, 0], 1 - uv[:, 1]]) * _SIDE
    size = _SHARP_SIDE / TEXTURE_MM
    log = np.log(np.maximum(_enlarged(picture, _SHARP_SIDE), np.float32(_FLOOR)))
    amount = _SHARPER * (1 - _lines(marks * (_SHARP_SIDE / _SIDE), log.shape[:2], _RIM_MM * size, _OPENINGS, True))
    log += amount[..., None] * (log - blurred(log, _SHARP_MM * size))
    log = _enlarged(log, _SIDE)
    _draw_hairs(log, marks)
    return np.exp(log)


def _draw_hairs(log: np.ndarray, marks: np.ndarray) -> None:
    """Change (1024, 1024, 3) logarithms in place; ``marks``: (68, 2) texels."""
    size = _SIDE / TEXTURE_MM
    every = np.concatenate([marks[brow] for brow in _BROWS])
    reach = round((_AROUND_MM / 2 + _SKIN_MM) * size)
    low, high = (np.floor(every.min(axis=0)).astype(int) - reach, np.ceil(every.max(axis=0)).astype(int) + reach)
    (left, top), (right, bottom) = low.clip(0, _SIDE), high.clip(0, _SIDE)
    part = log[top:bottom, left:right]
    brow, around = (_lines(marks - [left, top], part.shape[:2], width * size) for width in (_BROW_MM, _AROUND_MM))
    plain = 1 - around + np.float32(1e-3)
    skin = _beside(part, plain, _SKIN_MM * size)
    darker = np.minimum(part - skin, 0) * brow[..., None]
    dark = -(darker @ LUMINANCE)
    darkest = float(np.quantile(dark[brow > 0.5], _DARKEST)) if (brow > 0.5).any() else 0.0
    if darkest < 1e-3:
        return
    tint = darker.sum(axis=(0, 1)) / float((darker @ LUMINANCE).sum())
    share = dark / darkest
    noise = _hairs(marks - [left, top], part.shape[:2], size) * smoothstep(share, *_EDGE)
    shown = smoothstep(share + _SPREAD * noise, *_BETWEEN) + smoothstep(share + _UNDER_SPREAD * noise, *_UNDER)
    hairy = part - darker - (darkest / 2 * shown)[..., None] * tint
    hairy += _CRISP * (hairy - blurred(hairy, _SHARP_MM * size))
    hairy += _STRONGER * (hairy - blurred(hairy, _BROAD_MM * size))
    part += brow[..., None] * (hairy - part)


def _beside(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W, 3) smooth means by (H, W) weight."""
    small = tuple(max(1, length // _COARSE) for length in weight.shape[::-1])
    total, share = (
        blurred(cv2.resize(one, small, interpolation=cv2.INTER_AREA), sigma / _COARSE)
        for one in (values * weight[..., None], weight)
    )
    return cv2.resize(total / share[..., None], weight.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _hairs(marks: np.ndarray, shape: tuple[int, int], size: float) -> np.ndarray:
    """(H, W) float32 of standard deviation 1, drawn out as brows grow; ``size``: texels per mm. The same each time."""
    inner, outer = ((marks[_BROWS[1]][end, 0] - marks[_BROWS[0]][-1 - end, 0]) / 2 for end in (0, -1))
    middle = (marks[_BROWS[1]][0, 0] + marks[_BROWS[0]][-1, 0]) / 2
    wide = int(np.ceil(max(middle, shape[1] - middle)))
    white = np.random.default_rng(1).standard_normal((shape[0], wide), np.float32)
    along = ((np.arange(wide) - inner) / max(outer - inner, 1e-6)).clip(0, 1) * 2
    out, power = np.zeros_like(white), np.zeros(wide, np.float32)
    for number, degrees in enumerate(_GROWS):
        weight = np.maximum(1 - np.abs(along - number), 0).astype(np.float32)
        one = blurred(cv2.filter2D(white, -1, _stroke(degrees, _HAIR_MM * size)), _THIN_MM * size)
        one -= blurred(one, _TUFT_MM * size)
        out += one / one.std() * weight
        power += weight**2
    out /= np.sqrt(power)
    return out[:, np.abs(np.arange(shape[1]) - int(middle)).clip(max=wide - 1)]


def _stroke(degrees: float, length: float) -> np.ndarray:
    """(K, K) float32 kernel, a line of sum 1 that rises to the right."""
    half = max(1, round(length / 2))
    towards = np.array([np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))]) * half
    out = np.zeros((2 * half + 1,) * 2, np.float32)
    ends = [tuple(int(at) for at in np.round(half + sign * towards)) for sign in (-1, 1)]
    cv2.line(out, *ends, 1.0, 1, cv2.LINE_8)
    return out / out.sum()


def _lines(
    marks: np.ndarray, shape: tuple[int, int], width: float, parts: tuple[slice, ...] = _BROWS, closed: bool = False
) -> np.ndarray:
    """(H, W) float32 in [0, 1] soft lines through some landmarks."""
    out = np.zeros(shape, np.float32)
    for part in parts:
        at = np.round(marks[part] * 16).astype(np.int32)
        cv2.polylines(out, [at], closed, 1.0, max(1, round(width)), cv2.LINE_8, 4)
    return blurred(out, width / 6)


def _enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
