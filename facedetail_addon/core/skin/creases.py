# SPDX-License-Identifier: GPL-3.0-or-later
"""Light that is finer than the head's: what relief makes of it, and creases that are lighter or darker than that.

Under brows and nose, in folds and below the chin the estimated light is often darker, or of a stronger hue, than the
photo's: dividing by it would paint light or grey streaks. Grooves of lined skin hide more of the sky than their relief
tells: dividing by too little leaves black and orange paint.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..image import TEXTURE_MM, blurred, framed, smoothstep
from ..robust import geman_mcclure

_SIDE = 1024  # texels at which creases are looked for
_SOFT_MM = 0.5  # what is finer is the skin's
_AROUND_MM, _AROUND_TEXELS = 20.0, 8  # of the surroundings, whose texels are as many times as wide
_GROOVE_MM = 7.0  # the same of grooves; what is wider is none
_LIGHTER = (0.02, 0.1)  # log by which a crease is lighter than around, at which that begins to count, and does
_ODD = 0.3  # log by which hair, lips and shadows differ from skin around, which then is hardly compared with them
_KNOWN = 0.1  # share of the surroundings whose shading is well known, from which on they count fully
_FOLD_MM, _FOLDED = 3.0, (0.05, 0.15)  # so far around folds are near; RMS of relief's log shading there
_CREST, _MOST_ON_CRESTS = 0.7, 0.4  # of what is lighter on crests between folds is light; log, for skin may be pale
_IN_GROOVES, _DARKER = 0.7, (0.03, 0.15)  # of what is darker between folds is light; log at which it begins to count
_LEAST_WEIGHT = 0.02
_FLOOR = 0.004  # linear, so that logarithms stay finite

GROOVE_TINT = np.float32([0.8, 1.05, 1.1])
"""Exponents of red, green and blue in grooves, chosen on portraits."""


@dataclass(frozen=True)
class FineLight:
    """Factors on the shading of the smooth head.

    Attributes:
        relief: (R, R) float32 factor by which relief changes it.
        creases: (S, S, 3) float32, logarithm of what creases are lighter, negative where darker; S ≤ R.
        monochrome: the photo has no colours.
    """

    relief: np.ndarray
    creases: np.ndarray
    monochrome: bool

    def factor(self, texel: np.ndarray) -> np.ndarray:
        """(3, N) at (N,) of the R² texels, of relief alone.

        What is dark by relief is red, too, for light there is skin's.
        """
        relief = np.log(np.maximum(self.relief.take(texel), np.float32(_FLOOR)))
        tint = np.ones((3, 1), np.float32) if self.monochrome else GROOVE_TINT[:, None]
        logs = relief.clip(max=0) * tint
        logs += relief.clip(min=0)
        return np.exp(logs)


def plain_creases() -> np.ndarray:
    """None: (1, 1, 3) float32 of :class:`FineLight`."""
    return np.zeros((1, 1, 3), np.float32)


def unexpected_creases(
    albedo: np.ndarray,
    shading: np.ndarray,
    skin: np.ndarray,
    seen: np.ndarray,
    trusted: np.ndarray,
    relief: np.ndarray,
    hairy: np.ndarray,
) -> np.ndarray:
    """How much lighter or darker creases are than their shading says.

    Colour by colour: where shading is darker than around, and albedo lighter than around, it is lighter by as much,
    until albedo is as light as around, or as it is in the photo. If skin of people is lighter there, so may albedo be.
    What is light in the photo itself stays; but crests between folds, which catch light that neither head nor relief
    know of, are mostly lighter by light. What is dark stays but in grooves between folds, where most of it is shade.

    Args:
        albedo: (R, R, 3) float32 linear, the photo divided by ``shading``, (R, R, 3) float32.
        skin: (S, S, 3) float32 linear, statistical albedo, any S.
        seen: (R, R) float32 in [0, 1], where the photo shows bare skin. trusted: the same of skin whose shading is well
            known, which is what creases are compared with.
        relief: (R, R) float32 factor by which relief changes shading. hairy: (S, S) float32 in [0, 1], any S, where
            dark is a brow or a lash.

    Returns:
        (S, S, 3) float32 logarithms; S is R, but not more than 1024.
    """
    side = min(len(albedo), _SIDE)
    seen = _sized(seen, side)
    part = framed(seen, 2 * _AROUND_TEXELS)  # nothing is found beside what is seen
    colours = (_sized(one, side)[part] for one in (albedo, shading, skin))
    albedo, shading, skin = (np.log(np.maximum(one, np.float32(_FLOOR))) for one in colours)
    seen, trusted, relief, hairy = (_sized(one, side)[part] for one in (seen, trusted, relief, hairy))
    usual, size = albedo - skin, side / TEXTURE_MM
    del skin  # maps of colours are large, here and below
    unusual = _nearby(usual, seen, _SOFT_MM * size)
    odd = (unusual - _Around(trusted, size).mean(usual)).mean(axis=2)
    around = _Around(trusted * geman_mcclure(odd / np.float32(_ODD)), size)
    unusual -= around.mean(usual)
    del usual
    light = _nearby(shading, seen, _SOFT_MM * size)
    light -= around.mean(shading)
    del shading
    near = _nearby(albedo, seen, _SOFT_MM * size)
    unlike = near - around.mean(albedo)
    lighter = np.minimum(unlike, unusual)
    folded = _folded(relief, _FOLD_MM * size)
    by_light = np.maximum(-light, np.minimum(_CREST * lighter, _MOST_ON_CRESTS) * folded)
    found = np.minimum(lighter, by_light).clip(0) * smoothstep(lighter, *_LIGHTER)
    narrow = near - _Around(around.weight, size, _GROOVE_MM).mean(albedo)
    darker = np.minimum(np.maximum(np.maximum(unlike, unusual), narrow), 0)
    found += darker * smoothstep(-darker, *_DARKER) * (_IN_GROOVES * folded * (1 - hairy[..., None]))
    found *= (smoothstep(around.known(), 0, _KNOWN) * seen)[..., None]
    out = np.zeros((side, side, 3), np.float32)
    out[part] = blurred(found, _SOFT_MM * size)
    return out


def _folded(relief: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W, 1) in [0, 1], whether relief is folded nearby."""
    square = blurred(np.log(np.maximum(relief, np.float32(_FLOOR))) ** 2, sigma)
    return smoothstep(np.sqrt(square.clip(0)), *_FOLDED)[..., None]


def _nearby(values: np.ndarray, seen: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W, 3) mean of what is seen."""
    return blurred(values * seen[..., None], sigma) / np.maximum(blurred(seen, sigma), _LEAST_WEIGHT)[..., None]


class _Around:
    """Means over the surroundings, weighted by (H, W); ``size``: texels per mm; ``reach_mm``: how far they go."""

    def __init__(self, weight: np.ndarray, size: float, reach_mm: float = _AROUND_MM):
        high, wide = (max(length // _AROUND_TEXELS, 1) for length in weight.shape)
        self.weight, self._small = weight, (wide, high)
        self._sigma = reach_mm * size / _AROUND_TEXELS
        self._share = self._soft(weight)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """(H, W, C) of (H, W, C)."""
        total = self._soft(values * self.weight[..., None])
        return self._enlarged(total / np.maximum(self._share, _LEAST_WEIGHT)[..., None])

    def known(self) -> np.ndarray:
        """(H, W), of the weight."""
        return self._enlarged(self._share)

    def _soft(self, values: np.ndarray) -> np.ndarray:
        return blurred(cv2.resize(values, self._small, interpolation=cv2.INTER_AREA), self._sigma)

    def _enlarged(self, values: np.ndarray) -> np.ndarray:
        return cv2.resize(values, self.weight.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _sized(values: np.ndarray, side: int) -> np.ndarray:
    if len(values) == side:
        return values
    way = cv2.INTER_AREA if side < len(values) else cv2.INTER_LINEAR
    return cv2.resize(values, (side, side), interpolation=way)
