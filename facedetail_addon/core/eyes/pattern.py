# SPDX-License-Identifier: GPL-3.0-or-later
"""What an iris is drawn with: fibres, collarette, crypts and furrows, as factors of its colour.

A photo shows irises of ten to thirty pixels: their colour, and no more. The pattern is made up, of the parts that every
iris has (Lefohn et al. 2003 name them), by a seed that is the eye's own, and leaves the colour that was measured.
"""

import zlib

import cv2
import numpy as np

from ..colour import LUMINANCE
from ..image import sample
from .types import Colour, EyeLook

PATTERN_REACH = 1.1
"""Iris radii from the picture's centre to its border."""
PATTERN_SIDE = 384
_ANGLES, _RADII = 1024, 96  # of the polar grid that it is drawn on, from the pupil's edge to the reach
_FROM = 0.30  # iris radii: where the grid begins
_MEASURED = (0.55, 0.85)  # iris radii between which a photo's colour is taken, and kept
_REACH = ((0.33, 0.0), (0.40, 1.0), (0.88, 1.0), (1.02, 0.0))  # how much there is of it, by radius
_OCTAVES = ((32.0, 0.45), (12.0, 0.55), (6.0, 0.5))  # width along the angle in samples, and weight
_ALONG = 24.0  # width along the radius in samples: fibres are long
_COLLARETTE, _WAVES = 0.53, 0.025  # its radius, and how far it wanders
_CRYPTS = (9, 16)
_DARK, _LIGHT = 0.02, 0.09  # luminances of velvet-brown irises, and of those whose fibres lie open
_CONTRAST = (0.19, 0.24)  # σ of the logarithm for these


def iris_pattern(look: EyeLook, name: str) -> np.ndarray:
    """(384, 384, 3) float32 factors of the iris colour, row 0 at the top; their mean where colour is measured is 1.

    Args:
        look: its iris colour says how much of the stroma lies open. name: of the eye, for both differ.
    """
    rng = np.random.default_rng(_seed(look, name))
    light = openness(look.iris)
    radius = np.linspace(_FROM, PATTERN_REACH, _RADII, dtype=np.float32)[:, None]
    collarette = _COLLARETTE + _WAVES * _around(rng, 72.0) + _WAVES / 2 * _around(rng, 16.8)
    within = _step((collarette - radius) / 0.05 + 0.5)
    ridge = np.exp(-(((radius - collarette) / 0.022) ** 2))
    relief = _fibres(rng) * (1 - 0.35 * within) + ridge * (0.7 + 0.5 * _around(rng, 36.0))
    logs = np.interp(light, (0, 1), _CONTRAST) * relief + _crypts(rng, radius, collarette)
    for at, depth in ((0.74, 0.05), (0.85, 0.07)):
        arc = at + 0.012 * _around(rng, 108.0)
        logs = logs - depth * (0.6 + 0.4 * _around(rng, 144.0)) * np.exp(-(((radius - arc) / 0.016) ** 2))
    shown = np.float32(np.interp(radius, *zip(*_REACH, strict=True)))
    colors = np.repeat(np.exp(shown * logs)[..., None], 3, axis=2)
    measured = (radius[:, 0] > _MEASURED[0]) & (radius[:, 0] < _MEASURED[1])
    colors = colors / np.average(colors[measured].mean(axis=1), axis=0, weights=radius[measured, 0])
    return _unrolled(colors.astype(np.float32))


def openness(iris: Colour) -> float:
    """How much of an iris' stroma lies open: 0 velvet-brown, 1 light."""
    return float(np.clip(np.log(max(np.dot(iris, LUMINANCE), 1e-4) / _DARK) / np.log(_LIGHT / _DARK), 0, 1))


def sampled_pattern(pattern: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(N, 3) float32 of a pattern at (N, 2) around the pupil in iris radii, x to the subject's left and y up."""
    size = np.array(pattern.shape[1::-1])
    at = (place / PATTERN_REACH * [1, -1] + 1) * (size / 2) - 0.5
    return sample(pattern, at.astype(np.float32), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


def _seed(look: EyeLook, name: str) -> int:
    """The same for a look as for what Blender and files keep of it."""
    return zlib.crc32(f"{name} {' '.join(f'{value:.4f}' for value in look.iris)}".encode())


def _noise(rng: np.random.Generator, along: float, around: float) -> np.ndarray:
    """(R, A) float32 of σ 1: random numbers so many samples of the grid apart, and a smooth surface through them."""
    rows, columns = max(round(_RADII / along), 1), round(_ANGLES / around)
    knots = np.pad(rng.standard_normal((rows, columns)).astype(np.float32), ((0, 0), (2, 2)), mode="wrap")
    step = _ANGLES // columns
    values = cv2.resize(knots, ((columns + 4) * step, _RADII), interpolation=cv2.INTER_CUBIC)
    values = cv2.resize(values[:, 2 * step : -2 * step], (_ANGLES, _RADII), interpolation=cv2.INTER_LINEAR)
    return values / values.std()


def _around(rng: np.random.Generator, width: float) -> np.ndarray:
    """(A,) of σ 1."""
    return _noise(rng, 2 * _RADII, width)[0]


def _fibres(rng: np.random.Generator) -> np.ndarray:
    """(R, A) of σ about 1: bright cords with darker clefts, hardly bent."""
    total = sum(weight * (0.8 - abs(_noise(rng, _ALONG, width))) * 1.5 for width, weight in _OCTAVES)
    total = total + 0.4 * _noise(rng, 40.0, 60.0)
    bent = 2.0 * _noise(rng, 20.0, 80.0)
    rows, columns = np.indices(total.shape, np.float32)
    bent = cv2.remap(np.float32(total), np.float32((columns + bent) % (_ANGLES - 1)), rows, cv2.INTER_LINEAR)
    return bent / bent.std()


def _crypts(rng: np.random.Generator, radius: np.ndarray, collarette: np.ndarray) -> np.ndarray:
    """(R, A) log factors: lozenges without fibres beside the collarette."""
    angle = np.arange(_ANGLES, dtype=np.float32) * np.float32(2 * np.pi / _ANGLES)
    total = np.zeros((_RADII, _ANGLES), np.float32)
    for _ in range(rng.integers(*_CRYPTS)):
        at = rng.uniform(0, 2 * np.pi)
        middle = collarette[int(at / (2 * np.pi) * _ANGLES) % _ANGLES] + rng.uniform(0.03, 0.14)
        high, wide, depth = rng.uniform(0.035, 0.085), rng.uniform(0.02, 0.05), rng.uniform(0.15, 0.5)
        across = ((angle - at + np.pi) % (2 * np.pi) - np.pi) * middle
        far = abs(across / wide) ** 1.5 + abs((radius - middle) / high) ** 1.5
        total -= depth * np.exp(-(far**2))
    return total


def _unrolled(polar: np.ndarray) -> np.ndarray:
    """(side, side, 3) of (R, A, 3)."""
    place = ((np.arange(PATTERN_SIDE) + 0.5) / PATTERN_SIDE * 2 - 1) * PATTERN_REACH
    x, y = np.meshgrid(place, -place)
    row = (np.hypot(x, y) - _FROM) / (PATTERN_REACH - _FROM) * (_RADII - 1)
    column = np.arctan2(y, x) / (2 * np.pi) % 1 * _ANGLES
    closed = np.concatenate([polar, polar[:, :1]], axis=1)
    return cv2.remap(closed, np.float32(column), np.float32(row), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _step(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
