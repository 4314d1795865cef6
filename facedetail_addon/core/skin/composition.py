# SPDX-License-Identifier: GPL-3.0-or-later
"""The albedo of every texel: of the photo, of the mirrored place, or of what this person's skin probably is.

Colours are planes here, (3, N), so that each step runs over memory that lies together.
"""

from dataclasses import dataclass

import numpy as np

from ..colour import LUMINANCE, to_linear, to_srgb8
from ..image import enlarged_at, smoothstep, texel_centres
from ..uv.types import Atlas, UnwrappedPhoto
from .completion import share_of_mirrored
from .creases import FineLight
from .doubt import SEEN_RIM, corrected, not_bluer, unlike_skin
from .highlights import Highlights, without_highlights

ALBEDO_RANGE = (0.004, 0.95)
"""Linear."""
CONFIDENT = (0.0, 0.15)
"""Confidence at which the photo begins to count, and counts alone."""
_LEAST_DIFFUSE = 0.35  # of a texel's colour stays diffuse, however much gloss was expected: hair has less of it
_CLIPPED = (248, 254)  # 8-bit values between which a texel's colour stops counting
_FLOOR = ALBEDO_RANGE[0]  # so that logarithms stay finite
_SHINING = 1 / 512  # share of a highlight below which it changes no level
_BLACK = (24, 44)  # mean of a texel's brightest colour and twice the next, below which it tells no hue: dividing by
# light, and what is added where a colour has next to nothing, make one up
_BLACK_BYTES = 1 - smoothstep(np.arange(256), *_BLACK)
_CLIPPED_BYTES = smoothstep(np.arange(256), *_CLIPPED)
_OFFSET, _COLOUR, _KNOWN, _HAIR, _GRAINY = slice(0, 3), slice(3, 6), 6, 7, 8  # columns of :class:`Paints`' skin
_SHADING, _GLOSS, _CONFIDENCE, _CORRECTION = slice(0, 3), slice(3, 6), 6, slice(7, 10)  # the same of light
_RIM, _GAIN = 10, slice(11, 14)


@dataclass(frozen=True)
class Paints:
    """What texels are painted with.

    Attributes:
        skin: (V_skin, 9) float32, log offset of the statistical albedo, colour where that is not known, how well it
            is, how much is short hair, and has grain.
        own, mirrored: (V_skin, 11) and (V_skin, 14) float32, shading, gloss, confidence, correction, and where the rim
            of what is seen is bare skin, of the place and of the one on the other side, of which the last are log
            factors that match it to this one.
        unwrapped: the photo.
        statistical: (S, S, 3) float32 linear, what this person's skin probably is, before the offset; S ≤ R.
        highlights, fine: of the photo. hair, grain: (R, R) float32 log factors.
    """

    skin: np.ndarray
    own: np.ndarray
    mirrored: np.ndarray
    unwrapped: UnwrappedPhoto
    statistical: np.ndarray
    highlights: Highlights
    fine: FineLight
    hair: np.ndarray
    grain: np.ndarray


def composed(paints: Paints, atlas: Atlas) -> np.ndarray:
    """(R, R, 3) uint8 sRGB albedo, 0 beside the skin."""
    side = atlas.resolution
    out = np.zeros((side * side, 3), np.uint8)

    def paint(texel: np.ndarray, covered: slice) -> None:
        out[texel] = to_srgb8(_composed(texel, covered, paints, atlas)).T

    atlas.each_band(paint)
    return out.reshape(side, side, 3)


def freed_of_light(colour: np.ndarray, shading: np.ndarray, gloss: np.ndarray) -> np.ndarray:
    """Linear colours without light, finite and bounded; all of one shape."""
    diffuse = np.maximum(colour - gloss, np.float32(_LEAST_DIFFUSE) * colour)
    diffuse /= np.maximum(shading, np.float32(1e-4))
    return diffuse.clip(*ALBEDO_RANGE).astype(np.float32, copy=False)


def telling_hue(colour: np.ndarray) -> np.ndarray:
    """(N,) uint16, a third of the largest and two of the next of (3, N) uint8: small in shade.

    Where two have next to nothing, as in the shade of saturated photos, what division makes of them is no hue.
    """
    largest = colour.max(axis=0)
    both = colour.sum(axis=0, dtype=np.uint16) - colour.min(axis=0)
    return (2 * both - largest) // 3


def _composed(texel: np.ndarray, covered: slice, paints: Paints, atlas: Atlas) -> np.ndarray:
    """(3, N) linear albedo of some of the covered texels, of which ``texel`` are those of the texture."""
    photo = paints.unwrapped
    at = _planes(paints.skin, covered, atlas)
    skin = _probable(at, texel, paints)
    grain = at[_GRAINY] * paints.grain.take(texel)
    out = skin * np.exp(grain)
    free, dazzled = np.ones(len(texel), np.float32), np.zeros(len(texel), np.float32)
    some = np.flatnonzero(photo.confidence.take(texel) > 0)
    if len(some):
        light = _planes(paints.own, some + covered.start, atlas)
        parts = light, grain[some], skin.take(some, axis=1), paints
        own = _seen((photo.color, photo.confidence), texel[some], texel[some], *parts)
        free[some], dazzled[some] = 1 - own.share, own.dazzled
        _blend(out, some, own.colour, own.share)
    beside = np.flatnonzero((free > 0) & (photo.mirrored_confidence.take(texel) > 0))
    if len(beside):
        light, skin = _planes(paints.mirrored, beside + covered.start, atlas), skin.take(beside, axis=1)
        there, side = texel[beside], atlas.resolution
        mirrored = 2 * side * (there // side) + side - 1 - there  # the canonical UV is symmetric
        parts = light, grain[beside], skin, paints
        other = _seen((photo.mirrored_color, photo.mirrored_confidence), there, mirrored, *parts)
        matched = other.colour * np.exp(light[_GAIN])
        share = other.share * share_of_mirrored(matched.T, skin.T, dazzled[beside])
        before = skin * np.exp(grain[beside])
        out[:, beside] += free[beside] * share * (matched - before)
    return out.clip(*ALBEDO_RANGE)


def _planes(values: np.ndarray, which: slice | np.ndarray, atlas: Atlas) -> np.ndarray:
    """(C, N) of (V, C) at some of the covered texels."""
    return np.ascontiguousarray(atlas.covered_texels(values, which).T)


def _blend(out: np.ndarray, some: np.ndarray, colour: np.ndarray, share: np.ndarray) -> None:
    """Some of (3, N) in place towards (3, M) colours by (M,) shares."""
    here = out.take(some, axis=1)
    out[:, some] = here + share * (colour - here)


def _probable(at: np.ndarray, texel: np.ndarray, paints: Paints) -> np.ndarray:
    """(3, N) linear, this person's skin where nothing of it is seen, without grain."""
    colour = at[_COLOUR]
    skin = np.ascontiguousarray(_sampled(paints.statistical, texel, len(paints.hair)).T)
    skin *= np.exp(at[_OFFSET])
    skin -= colour
    skin *= at[_KNOWN]
    skin += colour
    hairy = np.flatnonzero(at[_HAIR])
    if len(hairy):
        skin[:, hairy] *= np.exp(at[_HAIR].take(hairy) * paints.hair.take(texel[hairy]))
    return skin


def _sampled(values: np.ndarray, texel: np.ndarray, side: int) -> np.ndarray:
    """(N, 3) of (S, S, 3) at (N,) of the R² texels; R = ``side``."""
    if len(values) == side:
        return values.reshape(-1, 3).take(texel, axis=0)
    return enlarged_at(values, texel_centres(texel, side))


@dataclass(frozen=True)
class _Seen:
    """What the photo shows of N texels, or of the mirrored ones.

    Attributes:
        colour: (3, N) linear, without light and highlights. share: (N,) of it in what is painted.
        dazzled: (N,) float32 in [0, 1], how much of what would be seen is lost to light that was too bright.
    """

    colour: np.ndarray
    share: np.ndarray
    dazzled: np.ndarray


def _seen(
    photo: tuple[np.ndarray, np.ndarray],
    texel: np.ndarray,
    place: np.ndarray,
    light: np.ndarray,
    grain: np.ndarray,
    skin: np.ndarray,
    paints: Paints,
) -> _Seen:
    """What is seen of N texels.

    Args:
        photo: (R, R, 3) uint8 and (R, R) confidence. texel: (N,) of these; place: (N,) where highlights and fine light
            are those of the place that the photo shows. light: (C, N). grain: (N,). skin: (3, N) this person's there.
    """
    pixels, confidence = photo
    in_view = smoothstep(confidence.take(texel), *CONFIDENT) * light[_CONFIDENCE]
    colour = np.ascontiguousarray(pixels.reshape(-1, 3).take(texel, axis=0).T)
    brightest = colour.max(axis=0)
    black, clipped = _BLACK_BYTES.take(telling_hue(colour)), _CLIPPED_BYTES.take(brightest)
    centres = texel_centres(place, len(confidence))
    shine = enlarged_at(paints.highlights.share, centres)
    share = in_view * (1 - clipped * (1 - shine))
    colour = freed_of_light(to_linear(colour), light[_SHADING] * paints.fine.factor(place), light[_GLOSS])
    colour = (colour * np.exp(-enlarged_at(paints.fine.creases, centres).T)).clip(*ALBEDO_RANGE)
    shining = np.flatnonzero(shine > _SHINING)
    if len(shining):
        highlights = paints.highlights.at(centres[shining])
        colour[:, shining] = without_highlights(colour[:, shining].T, highlights).T
    colour = corrected(colour, light[_CORRECTION])
    flat = clipped * shine
    some = np.flatnonzero(flat)
    if len(some):
        colour[:, some] *= np.exp(grain[some] * flat[some])
    _hued(colour, skin, black)
    _keep_from_blue(colour, skin)
    share *= 1 - light[_RIM] * _strange(colour, skin, confidence.take(texel), share)
    return _Seen(colour, share, in_view - share)


def _strange(colour: np.ndarray, skin: np.ndarray, confidence: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(N,) as :func:`.doubt.unlike_skin`, of (3, N) albedo of which (N,) shares are painted."""
    out = np.zeros(len(share), np.float32)
    some = np.flatnonzero((share > 0) & (confidence < SEEN_RIM[1]))
    if len(some):
        out[some] = unlike_skin(colour[:, some].T, skin[:, some].T, confidence[some])
    return out


def _hued(colour: np.ndarray, skin: np.ndarray, black: np.ndarray) -> None:
    """Change (3, N) linear albedo in place to the hue of (3, N) skin by (N,) shares, as bright as it is."""
    some = np.flatnonzero(black)
    if len(some):
        here, usual = colour[:, some], skin[:, some]
        usual = usual * ((LUMINANCE @ here) / np.maximum(LUMINANCE @ usual, np.float32(_FLOOR)))
        colour[:, some] = here + black[some] * (usual - here)


def _keep_from_blue(colour: np.ndarray, skin: np.ndarray) -> None:
    """Change (3, N) linear albedo in place as :func:`.doubt.not_bluer` does, where it does anything."""
    light, usual = LUMINANCE @ colour, LUMINANCE @ skin
    darker = np.flatnonzero(light < usual)
    blue, skin_blue, light, usual = (one[darker] + _FLOOR for one in (colour[2], skin[2], light, usual))
    changed = colour[2] > colour[0]
    changed[darker] |= blue * usual > skin_blue * light
    some = np.flatnonzero(changed)
    if len(some):
        colour[:, some] = not_bluer(colour[:, some].T, skin[:, some].T).T
