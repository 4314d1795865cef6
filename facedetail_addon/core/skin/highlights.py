# SPDX-License-Identifier: GPL-3.0-or-later
"""Specular highlights on skin, and the skin under them.

Shafer's dichromatic model (1985): light from a highlight keeps the light's colour, light from below the surface takes
the skin's. In albedo, where the light's colour is divided out, a highlight is white: colour = d · skin + s · (1, 1, 1).
Per texel s is noise, and what is left after it is subtracted has holes with hard edges. So s only says where a
highlight is. Under it the smooth part of the skin goes on from beside, and what the photo shows of finer things stays,
as strong as it is beside the highlight.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ..colour import LUMINANCE
from ..image import enlarged_at, enlarged_rows, smoothstep
from ..robust import geman_mcclure

SIDE = 512
"""Texels per side of the maps in which highlights are looked for."""
_SOFT = 1.5  # texels; finer than this a highlight is not told from pores
_LOW = 3.0  # texels: colours that go on below a highlight are as smooth as this
_FOLLOWED = 2.2  # texels: what is finer stays of the photo, what is coarser is the highlight's own form
_AROUND = (5.0, 12.0, 30.0, 80.0)  # texels: how far beside is, the nearest that has enough skin
_ENOUGH = (0.05, 0.3)  # share of the surroundings that is skin without highlight, at which they begin to tell, and do
_WHITE = (0.06, 0.16)  # sine of the angle by which white turns the skin's hue that may be, and is, a highlight's;
# faces are unevenly red by about 3 degrees, which is much white where skin is pale, and little where it is dark
_WHITE_BESIDE, _BESIDE_TEXELS = (0.03, 0.1), 6  # the same so near to what is one
_LIKELY = 0.5  # of certain, from which on what is beside may be the highlight's border
_OTHER = (0.15, 0.35)  # share of the colour that neither skin nor white explains, where paint begins, and is
_EXPECTED = (0.2, 0.6)  # gloss of the estimated light over its median, where skin begins to shine, and may
_SHINING = (0.9, 1.5)  # the same where even what is paler may shine
_AGREED, _UNEXPECTED = (-0.15, 0.1), 0.1  # mean rank of gloss inside over outside; what counts where it does not agree
_PALER = (0.85, 1.2)  # log of the skin's part over that beside, from which on it is other skin
_EXCESS = (0.03, 0.2)  # log of brightness over the surroundings' at which an excess begins to count, and counts fully
_MONOCHROME_EXCESS = (0.22, 0.5)  # without colours only a strong one counts
_LEAST_TONE = (
    -0.1
)  # log of the brightness beside the statistical albedo in the person's tone; hair and beards are darker
_LEAST_CONFIDENCE = 0.15  # of texels that count
_NO_SKIN = 0.5  # log: what is so much darker than the skin is hair, a brow or shade, and hardly tells what is beside
_LITTLE = 0.1  # log brightness: what is beside a highlight is not taken for brighter than it by more
_FEATHER = 2.0  # texels over which a highlight's share fades
_HAIRY = (0.28, 0.45)  # standard deviation of logarithms on brows from which on they are hair and no shine
_HAIR_KEPT = 0.65
_FINE = 1.5  # texels: contrast is that of what is finer, or a highlight's own shape would count
_CONTRAST_AROUND = 6.0  # texels over which contrast is measured
_CONTRAST_RANGE = (0.5, 2.5)  # of the factor on what is finer
_WIDE = 30.0  # texels: without colours what is wider is no highlight
_MOST_ADDED = 0.35  # log of brightness that contrast adds at most
_FLOOR = 0.0005  # linear, so that logarithms stay finite


@dataclass(frozen=True)
class Highlights:
    """Where skin shines, and what is under it; (S, S) texels.

    Attributes:
        share: (S, S) float32 in [0, 1], how much of the smooth part comes from beside.
        white: (S, S) float32 ≥ 0, white in the albedo that is no skin.
        beside: (S, S, 3) float32 linear, the skin's smooth colour without highlights.
        low: (S, S) float32, the smooth part of the seen luminance, with highlights.
        contrast: (S, S) float32, factor on what is finer, in logarithms, that makes it as strong as beside.
    """

    share: np.ndarray
    white: np.ndarray
    beside: np.ndarray
    low: np.ndarray
    contrast: np.ndarray

    def framed(self, part: tuple[slice, slice], side: int) -> "Highlights":
        """Of a map of (side, side) texels, of which these are a part; beside them there are none."""
        whole = []
        for name, nothing in (("share", 0), ("white", 0), ("beside", 1), ("low", 1), ("contrast", 1)):
            values = getattr(self, name)
            whole.append(np.full((side, side, *values.shape[2:]), nothing, np.float32))
            whole[-1][part] = values
        return Highlights(*whole)

    def at(self, centres: np.ndarray) -> np.ndarray:
        """(N, 6) share, low, contrast and beside at (N, 2) of :func:`..image.texel_centres` of a larger map."""
        return np.column_stack([enlarged_at(one, centres) for one in (self._levels, self.beside)])

    @cached_property
    def _levels(self) -> np.ndarray:
        """(S, S, 3) share, low and contrast."""
        return np.dstack([self.share, self.low, self.contrast])

    def enlarged(self, rows: slice, here: np.ndarray) -> np.ndarray:
        """(N, 6) share, low, contrast and beside at texels of some rows of a larger map.

        Args:
            here: (rows, R) bool, which of them.
        """
        parts = self._levels, self.beside
        return np.column_stack([enlarged_rows(one, rows, here.shape[1])[here] for one in parts])


def find_highlights(
    albedo: np.ndarray,
    confidence: np.ndarray,
    skin: np.ndarray,
    monochrome: bool,
    brows: np.ndarray | float = 0.0,
    gloss: np.ndarray | None = None,
) -> Highlights:
    """Where white lies over the skin's own colour.

    Args:
        albedo: (S, S, 3) float32 linear, the photo freed of light and of the reflection that was expected.
        confidence: (S, S) float32 in [0, 1], where the photo shows skin. monochrome: neither it nor skin has colours.
        skin: (S, S, 3) float32 the colour that skin has there (statistical albedo).
        brows: (S, S) float32 in [0, 1], where hair grows on skin, which may be white.
        gloss: (S, S) float32, what the surface reflects of the estimated light; alike everywhere where None.
    """
    weight = (confidence * (confidence > _LEAST_CONFIDENCE)).astype(np.float32)
    skin = np.maximum(skin, _FLOOR).astype(np.float32)
    colour = np.maximum(_blurred(albedo, weight, _SOFT), 0)
    ratio = np.log(colour + _FLOOR) - np.log(skin + _FLOOR)
    tone = _median(ratio, weight)
    whiteness, _ = _turned_white(colour, skin * np.exp(tone))
    # Shining skin is whiter than it is: the person's tone is that of the duller half.
    tone = _median(ratio, weight * (whiteness <= np.median(whiteness[weight > 0])) if weight.any() else weight)
    ratio, usual = ratio - tone, skin * np.exp(tone)
    light = ratio @ LUMINANCE
    whiteness, under = _turned_white(colour, usual)
    whiteness = _whole(whiteness)
    seen = np.log(albedo @ LUMINANCE + _FLOOR)
    tufts = seen - _blurred(seen[..., None], weight, _LOW)[..., 0]
    hairy = brows * smoothstep(np.sqrt(_blurred(tufts[..., None] ** 2, weight, _LOW)[..., 0]), *_HAIRY)
    bright = smoothstep(light, _LEAST_TONE - 0.15, _LEAST_TONE) * (1 - _HAIR_KEPT * hairy)
    dull = weight * (1 - whiteness * (light > _LEAST_TONE)) ** 3
    if monochrome:
        wide = _blurred(light[..., None], weight, _WIDE)[..., 0]
        dull = weight * (1 - smoothstep(light - wide, *_MONOCHROME_EXCESS)) ** 3
    dull = (dull * geman_mcclure(np.minimum(light, 0) / np.float32(_NO_SKIN))).astype(np.float32)
    around = _beside(light[..., None], dull)[..., 0]
    excess = light - around
    counts = smoothstep(excess, *_MONOCHROME_EXCESS) if monochrome else whiteness * smoothstep(excess, *_EXCESS)
    share = counts * bright
    expected = np.zeros_like(weight) if gloss is None else gloss / np.maximum(_median(gloss, weight), 1e-6)
    if not monochrome:  # below a highlight is the skin that is beside it, below a pale patch is pale skin
        paler = np.log(np.maximum(under, 1e-3)) - around
        share = share * (1 - smoothstep(paler, *_PALER) * (1 - smoothstep(expected, *_SHINING)))
    if gloss is not None:
        share = share * smoothstep(expected, *_EXPECTED) * _agreement(share, gloss, weight)
    hue = _beside(ratio - light[..., None], dull)
    share = cv2.GaussianBlur(share * (weight > 0), (0, 0), _FEATHER)
    around = hue + np.minimum(around, light + _LITTLE)[..., None]
    beside = np.exp(_blurred(around, np.ones_like(weight), _LOW)) * usual
    white = share * np.maximum(albedo @ LUMINANCE - beside @ LUMINANCE, 0)
    return Highlights(
        share, white.astype(np.float32), beside.astype(np.float32), np.exp(_followed(seen, weight)),
        _contrast(seen, weight, share),
    )  # fmt: skip


def _followed(seen: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(S, S) smooth part of (S, S) logarithms that stays as high as they are in the middle of a narrow highlight.

    One mean would be lower there than what is seen, and what is left over a bright spot of no pigment; so the mean of
    that is added (Tukey's twicing).
    """
    smooth = _blurred(seen[..., None], weight, _FOLLOWED)
    return (smooth + _blurred(seen[..., None] - smooth, weight, _FOLLOWED))[..., 0]


def _whole(turn: np.ndarray) -> np.ndarray:
    """(S, S) in [0, 1] of (S, S) turns to white: what is certain, and less certain white around it."""
    certain = smoothstep(turn, *_WHITE)
    near = cv2.blur(cv2.dilate((certain / _LIKELY).clip(0, 1), _disc(_BESIDE_TEXELS)), (_BESIDE_TEXELS,) * 2)
    return np.maximum(certain, near * smoothstep(turn, *_WHITE_BESIDE)).astype(np.float32)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)


def _agreement(share: np.ndarray, gloss: np.ndarray, weight: np.ndarray) -> float:
    """In [0, 1], whether what is found lies where the estimated light makes skin shine; white paint does not."""
    seen = weight > 0.5
    if not seen.any():
        return 1.0
    found, usual = share[seen], gloss[seen]
    rank = np.argsort(np.argsort(usual)) / len(usual)
    agreed = np.average(rank, weights=found + 1e-9) - np.average(rank, weights=1 - found + 1e-9)
    return _UNEXPECTED + (1 - _UNEXPECTED) * float(smoothstep(agreed, *_AGREED))


def without_highlights(colour: np.ndarray, highlights: np.ndarray) -> np.ndarray:
    """(N, 3) linear albedo without highlights; ``highlights``: (N, 6), see :meth:`Highlights.enlarged`."""
    share, low, contrast = highlights[:, :3].T
    out = colour.copy()
    some = np.flatnonzero(share > 0)
    beside, seen = highlights[some, 3:], colour[some] @ LUMINANCE
    level = beside @ LUMINANCE
    fine = np.log(seen + _FLOOR) - np.log(low[some])
    smooth = share[some] * (np.log(level + _FLOOR) - np.log(low[some]))
    change = (contrast[some] - 1) * fine
    factor = np.exp(smooth + np.where(contrast[some] > 1, _MOST_ADDED * np.tanh(change / _MOST_ADDED), change))
    hued = beside * (seen / np.maximum(level, 1e-3))[:, None]
    out[some] = (out[some] + share[some, None] * (hued - out[some])) * factor[:, None]
    return out


def _contrast(seen: np.ndarray, weight: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(S, S) factor that makes what is fine in (S, S) logarithms as strong under highlights as beside."""
    fine = seen[..., None] - _blurred(seen[..., None], weight, _FINE)
    here = _blurred(np.abs(fine), weight, _CONTRAST_AROUND / 2)[..., 0]
    beside = _beside(np.abs(fine), weight * (1 - share) ** 2, _AROUND[1:])[..., 0]
    factor = (np.maximum(beside, 1e-3) / np.maximum(here, 1e-3)).clip(*_CONTRAST_RANGE)
    return (1 + share * (factor - 1)).astype(np.float32)


def _median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """([C],) of (S, S[, C]) values where they are well seen; zeros where nothing is."""
    well = weight > 0.5 * float(weight.max(initial=0))
    return np.median(values[well], axis=0) if well.any() else np.zeros(values.shape[2:], np.float32)


def _turned_white(colour: np.ndarray, skin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, S) by how much white turns the skin's hue, and (S, S) d of colour ≈ d · skin + s · (1, 1, 1), least squares.

    The turn is s over the colour's luminance times the sine of the angle between skin and white: what a share of white
    shows of itself. Less where skin and white do not explain the colour, as with paint.
    """
    hue = skin / np.maximum(np.linalg.norm(skin, axis=2, keepdims=True), 1e-6)
    across = hue.sum(axis=2)  # of the hue and white, whose squared length is 3
    along_hue, along_white = (colour * hue).sum(axis=2), colour.sum(axis=2)
    apart = 3 - across**2  # three times the squared sine
    determinant = np.maximum(apart, 1e-2)
    white = (along_white - across * along_hue) / determinant
    skin_part = (3 * along_hue - across * along_white) / determinant
    square = (colour**2).sum(axis=2)
    explained = skin_part * along_hue + white * along_white  # of the square, by both
    other = np.sqrt(np.maximum(square - explained, 0) / np.maximum(square, 1e-9))
    share = white / np.maximum(colour @ LUMINANCE, 1e-3) * (1 - smoothstep(other, *_OTHER))
    share *= np.sqrt(apart.clip(0) / 3)
    return share, skin_part / np.maximum(np.linalg.norm(skin, axis=2), 1e-6)


def _beside(values: np.ndarray, weight: np.ndarray, around: tuple[float, ...] = _AROUND) -> np.ndarray:
    """(S, S, C) smooth, from where there is weight: from as near as there is enough of it; 0 far from all."""
    out = np.zeros_like(values)
    for sigma in reversed(around):
        step = max(1, int(sigma / 3))  # coarse ones on fewer texels
        size = (values.shape[1] // step, values.shape[0] // step)
        less = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
        some = cv2.resize(values * weight[..., None], size, interpolation=cv2.INTER_AREA)
        total = cv2.GaussianBlur(less, (0, 0), sigma / step)
        soft = cv2.GaussianBlur(some, (0, 0), sigma / step).reshape(*total.shape, -1)
        soft /= np.maximum(total, 1e-4)[..., None]
        trusted = smoothstep(total, *_ENOUGH)
        both = cv2.resize(np.dstack([soft, trusted]), values.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        out += both[..., -1:] * (both[..., :-1] - out)
    return out


def _blurred(image: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """(S, S, C) averaged over what has weight; unchanged where nothing near has."""
    total = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
    soft = cv2.GaussianBlur(image * weight[..., None], (0, 0), sigma).reshape(image.shape)
    return np.where(total > 1e-3, soft / np.maximum(total, 1e-3), image).astype(np.float32)
