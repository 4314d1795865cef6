# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair on the scalp: whether the photo shows some, where it probably grows, and its colour.

The head has no hair of its own, and a photo from the front shows little of the scalp. Where what is seen of it is hair,
the rest is painted as if it were cut short; where it is skin, or nothing of it is seen, the head stays bald.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..colour import LUMINANCE
from ..geometry.nearest import distance_within
from ..image import smoothstep
from ..uv.types import Atlas
from .paint import hue_of

_DARKER, _TINTED = (0.25, 0.6), (0.15, 0.35)  # log differences from the skin: no hair yet, certainly hair
_TOLD = (0.3, 0.7)  # probability of hair: none, certainly
_HAIRLINE_MM = (1.0, 12.0)  # so far inside the scalp its hair begins and is full
_SEEN_MM2 = (150.0, 400.0)  # so much hair seen: perhaps a shadow, certainly hair
_HEAD_MM2, _SHADED = (220.0, 400.0), (0.1, 0.3)  # the same for a head of hair; log by which a scarf's shade is darker
_MOSTLY = (0.6, 0.85)  # share of the seen scalp that is hair, from which on little of it is a head of hair, too
_CERTAIN = 0.8  # hairy enough for its colour to be taken
_DIFFUSE_QUANTILES = (0.2, 0.6)  # of that by luminance: without the darkest and what shines
_DETAIL_MM, _REACH_MM = 2.0, 12.0  # of the seen hairline, and how far beyond it counts
_THINNING_STEPS = 12  # over the mesh, half way to the neighbours each: 5 mm
_BEYOND = 12  # edges beyond the scalp, over which what is seen counts for it
_DOTS, _DOT_TEXELS, _CONTRAST = 1024, 0.6, 0.22  # of short hair: texture's side, size, standard deviation
_DYED = (2.0, 3.0)  # blue over the less of red and green: perhaps the sky's, certainly not
_FLOOR = 0.004  # linear, so that logarithms stay finite


@dataclass(frozen=True)
class Hair:
    """Short hair on the scalp.

    Attributes:
        share: (V_skin,) float32 in [0, 1], how much of what lies there is hair. colour: (3,) float32 linear.
    """

    share: np.ndarray
    colour: np.ndarray


def find_hair(
    colours: np.ndarray,
    weights: np.ndarray,
    skin: np.ndarray,
    rest: np.ndarray,
    scalp: np.ndarray,
    atlas: Atlas,
    told: np.ndarray | None = None,
    haired: float = 0.0,
) -> Hair | None:
    """Hair on the scalp; None where none is seen.

    Args:
        colours: (V_skin, 3) linear albedo seen. weights: (V_skin,) confidence. skin: (V_skin, 3) skin's colour there.
        rest: (V_skin, 3) mm, the mean head. scalp: (V_skin,) bool. atlas: of the face model.
        told: (V_skin,) probability of hair in the photo, NaN where nobody has looked: there, and where None, hair is
            what is darker or of another tint than skin. haired: in [0, 1], whether the photo shows a head of hair,
            however little of it lies close to the scalp.
    """
    if not scalp.any() or scalp.all():
        return None
    inside = np.zeros(len(rest), np.float32)
    inside[scalp] = smoothstep(distance_within(rest[scalp], rest[~scalp], _HAIRLINE_MM[1]), *_HAIRLINE_MM)
    off = np.log(colours + _FLOOR) - np.log(skin + _FLOOR)
    light = off @ LUMINANCE
    tinted = np.abs(off - light[:, None]).max(axis=1)
    hairy = np.maximum(smoothstep(-light, *_DARKER), smoothstep(tinted, *_TINTED)).astype(np.float32)
    if told is not None:  # grey hair is lighter than dark skin, and a network may take a shaved head for hair
        other = np.maximum(hairy, smoothstep(light, *_DARKER)) * smoothstep(np.nan_to_num(told), *_TOLD)
        hairy = np.where(np.isnan(told), hairy, other)
    seen = weights * atlas.areas * scalp * hairy
    certain = seen * (hairy > _CERTAIN)
    amount = max(float(smoothstep(seen.sum(), *_SEEN_MM2)), haired)
    if amount == 0 or not certain.any():
        return None
    smoothed = atlas.smoother(weights, _DETAIL_MM, _REACH_MM, scalp, _BEYOND)
    share = smoothed(hairy[:, None], amount * inside[:, None])[:, 0]
    return Hair((share * scalp).clip(0, 1), diffuse_colour(colours, certain))


def scraps(
    colours: np.ndarray,
    weights: np.ndarray,
    skin: np.ndarray,
    told: np.ndarray,
    scalp: np.ndarray,
    atlas: Atlas,
    haired: float = 0.0,
) -> np.ndarray:
    """(V_skin,) float32 in [0, 1]: what is darker than skin, or greyer, on a scalp of which too little hair is seen.

    Below a scarf's or a hat's edge that is its shade, and the hairline; alone it would be a stain on a bald head.

    Args:
        colours, weights, skin, told, scalp, atlas, haired: as of :func:`find_hair`.
    """
    area = weights * atlas.areas * scalp
    hair = float((area * smoothstep(np.nan_to_num(told, nan=1.0), *_TOLD)).sum())
    mostly = smoothstep(hair / max(float(area.sum()), 1e-6), *_MOSTLY) * smoothstep(hair, *_SEEN_MM2)
    darker = np.log(skin @ LUMINANCE + _FLOOR) - np.log(colours @ LUMINANCE + _FLOOR)
    few = 1 - max(smoothstep(hair, *_HEAD_MM2), mostly**0.5, haired)
    other = np.linalg.norm(hue_of(np.log(colours + _FLOOR) - np.log(skin + _FLOOR)), axis=1)
    stain = np.maximum(smoothstep(darker, *_SHADED), smoothstep(other, *_TINTED))
    return (few * scalp * stain).astype(np.float32)


def softened(share: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(V_skin,) float32 of (V_skin,) shares, as of hair that thins out over the scalp's border, where it is painted."""
    edges = -atlas.laplacian.tocsr()
    edges.setdiag(0)
    total = np.asarray(edges.sum(axis=1)).ravel() + 1e-9
    for _ in range(_THINNING_STEPS):
        share = (share + edges @ share / total) / 2
    return share.astype(np.float32)


def short_hair(side: int) -> np.ndarray:
    """(R, R) float32 log factors: lighter and darker dots, as hair of some millimetres looks; always the same.

    Texels of smaller textures are larger than such dots, and show none.
    """
    if side < _DOTS:
        return np.zeros((side, side), np.float32)
    noise = np.random.default_rng(0).standard_normal((_DOTS, _DOTS), np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), _DOT_TEXELS)
    noise *= _CONTRAST / noise.std()
    return cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)


def diffuse_colour(colours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(3,) float32: of hair that does not shine just there; black where there is none.

    Args:
        colours: (N, 3) linear. weights: (N,) how much of each is seen hair.
    """
    if not weights.any():
        return np.zeros(3, np.float32)
    light = colours @ LUMINANCE
    order = np.argsort(light)
    total = np.cumsum(weights[order])
    low, high = np.searchsorted(total, total[-1] * np.array(_DIFFUSE_QUANTILES))
    some = order[low : high + 1]
    colour = np.average(colours[some], axis=0, weights=weights[some] + 1e-9)
    # No hair is a little blue or purple; what is, lies in the sky's light, or in light that was too little understood.
    # What is very blue is dyed.
    blue = colour[2] / max(float(colour[:2].min()), _FLOOR)
    neutral = np.minimum.accumulate(colour)
    return (neutral + smoothstep(blue, *_DYED) * (colour - neutral)).astype(np.float32)
