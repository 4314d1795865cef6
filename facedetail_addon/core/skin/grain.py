# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine unevenness of skin that nobody has seen: as strong and as coarse as that which the photo shows.

Noise with the spectrum of a piece of seen skin (random phase noise: Galerne, Gousseau and Morel 2011), the same in all
directions, so that no place is there twice and no line is made up.
"""

from collections.abc import Callable

import cv2
import numpy as np
from scipy.fft import irfft2, rfft2

from ..image import TEXTURE_MM, framed, smoothstep

_SIDE = 1024  # texels of the noise, which is periodic
_PIECE_MM, _STEP_MM = 20.0, 8.0  # size of a piece of seen skin, and between pieces that are looked at
_COARSEST_MM = 1.6  # coarser than this is the completion's
_SEEN = 0.97  # of a piece, to be taken
_PATCH_MM, _COARSEST_LINES_MM = 12.8, 2.0  # of pieces of lined skin, and what of them is coarser than lines
_NEAREST, _FOLDLESS = 12, 0.8  # pieces of which one is taken; quantile of contrasts from which on they have folds
_QUANTILE = 0.3  # of the pieces' contrasts: not the smoothest one, and none with folds or a beard
_MOST = 0.08  # standard deviation of logarithms
_FLOOR = 0.004  # linear, so that logarithms stay finite


def skin_grain(
    luminance: np.ndarray,
    confidence: np.ndarray,
    side: int | None = None,
    closer: Callable[[int, int, int], np.ndarray] | None = None,
) -> np.ndarray:
    """(R, R) float32 log factors, zero in the mean; zeros where no piece of skin is seen.

    Args:
        luminance: (S, S) float32 albedo without light. confidence: (S, S) in [0, 1], where it is plain seen skin.
        side: R, at least S; S where None. closer: where R is larger, gives (P, P) of the luminance of R² texels from a
            row and a column on.
    """
    side = side or len(luminance)
    piece, step, coarsest = _sizes(len(luminance))
    seen = cv2.blur(confidence, (piece, piece))[piece // 2 :: step, piece // 2 :: step]
    seen = seen[: (side - piece) // step, : (side - piece) // step]
    places = np.argwhere(seen > _SEEN) * step
    if len(places) == 0:
        return np.zeros((side, side), np.float32)
    pieces = [_fine(luminance[y : y + piece, x : x + piece], coarsest) for y, x in places]
    contrasts = np.array([one.std() for one in pieces])
    place = int(np.argsort(contrasts)[int(_QUANTILE * (len(pieces) - 1))])
    chosen = pieces[place]
    if side > len(luminance):
        y, x = places[place] * side // len(luminance)
        piece, _, coarsest = _sizes(side)
        chosen = _fine(closer(y, x, piece), coarsest)
    period = min(_SIDE, side)
    noise = np.random.default_rng(0).standard_normal((period, period), np.float32)
    window = smoothstep(np.minimum(np.arange(piece), np.arange(piece)[::-1]), 0, piece / 4)
    spectrum = _turned(np.abs(rfft2(chosen * window[:, None] * window, (period, period))))
    out = irfft2(rfft2(noise) * spectrum, (period, period)).astype(np.float32, copy=False)
    out *= min(float(chosen.std()), _MOST) / max(float(out.std()), 1e-9)
    repeat = -(-side // period)
    return np.tile(out, (repeat, repeat))[:side, :side]


def seen_pieces(luminance: np.ndarray, clear: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
    """Fine unevenness of the face where neither side of it is seen: pieces of skin nearby that overlap at random.

    Lines of lined skin have no spectrum that noise could have. Of the pieces nearest to a place those with folds are
    left out. Overlapping ones are uncorrelated: their squares add up.

    Args:
        luminance: (S, S) float32 albedo without light. clear: (S, S) bool, plain skin that is well seen.
        wanted: (S, S) bool.

    Returns:
        (S, S) float32 log factors, or None where there is too little skin to take pieces from.
    """
    texel_mm = TEXTURE_MM / len(luminance)
    size = 4 * max(2, round(_PATCH_MM / texel_mm / 4))
    part = framed(np.maximum(clear, wanted), size)
    luminance, known, wanted = luminance[part], clear[part].astype(np.float32), wanted[part]
    fine, sigma = np.log(luminance + _FLOOR).astype(np.float32), _COARSEST_LINES_MM / texel_mm
    fine -= cv2.GaussianBlur(fine * known, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(known, (0, 0), sigma), 1e-3)
    rows, columns = (np.arange(0, length - size + 1, size // 4) for length in fine.shape)
    share, mean, square = (
        cv2.boxFilter(one, -1, (size, size), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)[np.ix_(rows, columns)]
        for one in (known, fine, fine**2)
    )
    enough = share >= _SEEN
    if enough.sum() < 2 * _NEAREST:
        return None
    contrast = square - mean**2
    places = np.argwhere(enough & (contrast <= np.quantile(contrast[enough], _FOLDLESS))) * (size // 4)
    ramp = np.sin(np.pi * (np.arange(size, dtype=np.float32) + 0.5) / size) ** 2
    window = np.outer(ramp, ramp)
    total, weight = np.zeros_like(fine), np.full_like(fine, 1e-6)
    chosen = np.random.default_rng(0)  # the same photo gives the same skin
    for y in rows[::2]:
        for x in columns[::2]:
            here = np.s_[y : y + size, x : x + size]
            if not wanted[here].any():
                continue
            near = np.argpartition(((places - [y, x]) ** 2).sum(axis=1), _NEAREST)[:_NEAREST]
            row, column = places[near[chosen.integers(_NEAREST)]]
            piece = fine[row : row + size, column : column + size]
            total[here] += window * (piece - piece.mean())
            weight[here] += window**2
    out = np.zeros(clear.shape, np.float32)
    out[part] = total / np.sqrt(weight)
    return out


def _sizes(side: int) -> tuple[int, int, float]:
    """Texels of a piece, between pieces, and of what is too coarse."""
    texel_mm = TEXTURE_MM / side
    return max(8, round(_PIECE_MM / texel_mm)), max(1, round(_STEP_MM / texel_mm)), _COARSEST_MM / texel_mm


def _turned(spectrum: np.ndarray) -> np.ndarray:
    """(P, P // 2 + 1) the same in all directions, so that nothing looks combed."""
    period = len(spectrum)
    down, across = np.fft.fftfreq(period)[:, None], np.fft.rfftfreq(period)[None]
    ring = np.round(np.hypot(down, across) * period).astype(np.int64)
    power = np.bincount(ring.ravel(), (spectrum**2).ravel()) / np.maximum(np.bincount(ring.ravel()), 1)
    return np.sqrt(power).astype(np.float32)[ring]


def _fine(luminance: np.ndarray, coarsest: float) -> np.ndarray:
    log = np.log(luminance + _FLOOR).astype(np.float32)
    return log - cv2.GaussianBlur(log, (0, 0), coarsest)
