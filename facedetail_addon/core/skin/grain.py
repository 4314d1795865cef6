# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine unevenness of skin that nobody has seen: as strong and as coarse as that which the photo shows.

Noise with the spectrum of a piece of seen skin (random phase noise: Galerne, Gousseau and Morel 2011), the same in all
directions, so that no place is there twice and no line is made up.
"""

from collections.abc import Callable

import cv2
import numpy as np
from scipy.fft import irfft2, rfft2

from ..image import smoothstep

_SIDE = 1024  # texels of the noise, which is periodic
_PIECE_MM, _STEP_MM = 20.0, 8.0  # size of a piece of seen skin, and between pieces that are looked at
_TEXEL_MM = 0.2 * 2048  # over the texture's side: of a texel on the face
_COARSEST_MM = 1.6  # coarser than this is the completion's
_SEEN = 0.97  # of a piece, to be taken
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


def _sizes(side: int) -> tuple[int, int, float]:
    """Texels of a piece, between pieces, and of what is too coarse."""
    texel_mm = _TEXEL_MM / side
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
