# SPDX-License-Identifier: GPL-3.0-or-later
"""Light that is finer than the head's: what relief makes of it, and creases that are lighter or darker than that.

Under brows and nose, in folds and below the chin the estimated light is often darker, or of a stronger hue, than the
photo's: dividing by it would paint light or grey streaks. Grooves of lined skin hide more of the sky than their relief
tells: dividing by too little leaves black and orange paint.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..image import blurred, enlarged_rows, smoothstep
from ..robust import geman_mcclure

CREASES_SIDE = 1024
"""Texels per side of the map in which creases are looked for; that of smaller textures is theirs."""
_TEXEL_MM = 0.2 * 2048  # over the texture's side: of a texel on the face
_SOFT_MM = 0.5  # what is finer is the skin's
_AROUND_MM, _AROUND_TEXELS = 20.0, 8  # of the surroundings, whose texels are as many times as wide
_GROOVE_MM = 7.0  # the same of grooves; what is wider is no groove
_LIGHTER = (0.02, 0.1)  # log by which a crease is lighter than around, at which that begins to count, and does
_ODD = 0.3  # log by which hair, lips and shadows differ from skin around, which then is hardly compared with them
_KNOWN = 0.1  # share of the surroundings whose shading is well known, from which on they count fully
_FOLD_MM, _FOLDED = 3.0, (0.05, 0.15)  # so far around folds are near; RMS of relief's log shading there
_CREST, _MOST_ON_CRESTS = 0.7, 0.4  # of what is lighter on crests between folds is light; log, for skin may be pale
_IN_GROOVES, _DARKER = 0.7, (0.03, 0.15)  # of what is darker between folds is light; log at which it begins to count
_GROOVE_TINT = np.float32([0.8, 1.05, 1.1])  # exponents of red, green and blue, chosen on portraits
_LEAST_WEIGHT = 0.02
_FLOOR = 0.004  # linear, so that logarithms stay finite


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

    def mirrored(self) -> "FineLight":
        """That of the other side of the face, in a UV that is symmetric."""
        creases = np.ascontiguousarray(self.creases[:, ::-1])
        return FineLight(self.relief[:, ::-1], creases, self.monochrome)

    def factor(self, rows: slice, here: np.ndarray) -> np.ndarray:
        """(N, 3) at texels of some rows; ``here``: (rows, R) bool, which of them.

        What is dark by relief is red, too, for light there is skin's.
        """
        factor = np.repeat(self.relief[rows][here][:, None], 3, axis=1)
        dark = np.flatnonzero(factor[:, 0] < 1)
        if not self.monochrome and len(dark):
            factor[dark] = factor[dark] ** _GROOVE_TINT
        return factor * np.exp(enlarged_rows(self.creases, rows, here.shape[1])[here])


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
    side = min(len(albedo), CREASES_SIDE)
    albedo, shading, skin = (np.log(np.maximum(_sized(part, side), _FLOOR)) for part in (albedo, shading, skin))
    seen, trusted = (_sized(part, side)[..., None] for part in (seen, trusted))
    odd = _apart(albedo - skin, seen, trusted).mean(axis=2, keepdims=True)
    trusted = trusted * geman_mcclure(odd / np.float32(_ODD))
    unlike, light, unusual = (_apart(part, seen, trusted) for part in (albedo, shading, albedo - skin))
    lighter = np.minimum(unlike, unusual)
    known = smoothstep(_around(trusted, np.ones_like(trusted)), 0, _KNOWN)
    folded = _folded(_sized(relief, side))
    by_light = np.maximum(-light, np.minimum(_CREST * lighter, _MOST_ON_CRESTS) * folded)
    found = np.minimum(lighter, by_light).clip(0) * smoothstep(lighter, *_LIGHTER)
    narrow = _apart(albedo, seen, trusted, _GROOVE_MM)
    darker = np.minimum(np.maximum(np.maximum(unlike, unusual), narrow), 0)
    found += _IN_GROOVES * darker * smoothstep(-darker, *_DARKER) * folded * (1 - _sized(hairy, side)[..., None])
    found *= known * seen
    return blurred(found, _SOFT_MM * side / _TEXEL_MM)


def _folded(relief: np.ndarray) -> np.ndarray:
    """(S, S, 1) in [0, 1], whether relief is folded nearby."""
    square = blurred(np.log(np.maximum(relief, _FLOOR)) ** 2, _FOLD_MM * len(relief) / _TEXEL_MM)
    return smoothstep(np.sqrt(square.clip(0)), *_FOLDED)[..., None]


def _apart(values: np.ndarray, seen: np.ndarray, trusted: np.ndarray, around_mm: float = _AROUND_MM) -> np.ndarray:
    """(S, S, 3) less the surroundings' mean."""
    sigma = _SOFT_MM * len(values) / _TEXEL_MM
    nearby = blurred(values * seen, sigma) / np.maximum(blurred(seen, sigma), _LEAST_WEIGHT)[..., None]
    return nearby - _around(values, trusted, around_mm)


def _around(values: np.ndarray, weight: np.ndarray, around_mm: float = _AROUND_MM) -> np.ndarray:
    """(S, S, C) mean over the surroundings of (S, S, C) with (S, S, 1) weight."""
    side = max(len(values) // _AROUND_TEXELS, 1)
    sigma = around_mm * side / _TEXEL_MM
    total, share = (blurred(_sized(part, side), sigma).reshape(side, side, -1) for part in (values * weight, weight))
    return _sized(total / np.maximum(share, _LEAST_WEIGHT), len(values)).reshape(values.shape)


def _sized(values: np.ndarray, side: int) -> np.ndarray:
    if len(values) == side:
        return values
    way = cv2.INTER_AREA if side < len(values) else cv2.INTER_LINEAR
    return cv2.resize(values, (side, side), interpolation=way)
