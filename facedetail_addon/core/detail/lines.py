# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a photo shows wrinkles and folds, and which way they run: dark valleys of its fine brightness.

A ridge filter on the Hessian at several scales (Lindeberg 1998, "Edge detection and ridge detection with automatic
scale selection"), whose responses must agree along a line: pores, moles and stubble have no direction, edges of shadow
and paint have a slope where a line has none.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..image import blurred, smoothstep

_SIGMAS_MM = (0.5, 0.8, 1.3, 2.1)  # half widths of lines that are looked for
_COARSEN = 3.0  # texels of σ beyond which a scale is looked at on a smaller map
_ALONG = 2.5  # σ over which directions must agree
_WALL = 1.5  # σ beside a valley that belong to the groove: in oblique light one wall is dark, the other bright
_EDGE, _PAINT = 1.0, 0.7  # of the slopes of brightness and of hue that are taken off a response
_BESIDE = (0.6, 0.95)  # share of skin nearby between which responses begin to count, and count fully
_LENGTH_MM = (5.0, 9.0)  # of a line, at which it begins to count, and counts fully: strands of beards are shorter
_ROUGH_SIGMAS_MM, _ROUGH_NEAR_MM = (0.09, 0.26), 2.0  # waves of 0.5 to 1.4 mm; how far around
_LEAST_ROUGH, _HAIRY = 0.006, (2.2, 3.5)  # of log luminance; times the usual at which hair begins, and is certain
_TINT_SIGMAS_MM, _TINT_NEAR_MM = (0.2, 1.6), 0.8  # waves of about 1 to 8 mm; how far around
_GREY, _LEAST_CONTRAST = (0.04, 0.16), 0.02  # greying at which a line may be none, and is none; of log luminance
_FRINGE_MM = 1.0  # beside a line that goes with it
_CONNECTED = 0.3  # likelihood from which on texels belong to one line
_CONTRAST = (0.008, 0.03)  # of log luminance: response at which a line is possible, and certain


@dataclass(frozen=True)
class LineField:
    """Lines of a map, (H, W) float32 each.

    Attributes:
        likelihood: 0 where no line is seen, 1 where one is certain. response: of the filter, of log luminance.
        greying: how much less red the dark is, per logarithm; 0 without colours.
        across_cos, across_sin: of twice the angle, from x towards y (down), of the direction across the lines.
        coherence: 0 where directions differ, 1 where they agree.
    """

    likelihood: np.ndarray
    response: np.ndarray
    greying: np.ndarray
    across_cos: np.ndarray
    across_sin: np.ndarray
    coherence: np.ndarray


def find_lines(luminance: np.ndarray, hue: np.ndarray, mask: np.ndarray, texel_mm: float) -> LineField:
    """Look for dark lines of 1 to 9 mm.

    Args:
        luminance, hue: (H, W) float32 logarithms, of luminance and of red over green, without their means nearby.
        mask: (H, W) float32, 1 where skin is seen. texel_mm: side of a texel.
    """
    tensor = np.zeros((*mask.shape, 3), np.float32)  # of directions across: cos, sin, and how much there is
    strongest = np.zeros(mask.shape, np.float32)
    for sigma_mm in _SIGMAS_MM:
        step = max(1, int(sigma_mm / texel_mm / _COARSEN + 0.5))
        size = (max(mask.shape[1] // step, 1), max(mask.shape[0] // step, 1))
        weight = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        seen = [cv2.resize(part * mask, size, interpolation=cv2.INTER_AREA) for part in (luminance, hue)]
        own, response = _responses(*seen, weight, sigma_mm / texel_mm / step)
        back = cv2.resize(np.dstack([own, response]), mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        tensor += back[..., :3]
        strongest = np.maximum(strongest, back[..., 3])
    length = np.hypot(tensor[..., 0], tensor[..., 1])
    greying = _greying(luminance, hue, mask, texel_mm)
    likely = smoothstep(strongest, *_CONTRAST) * (1 - smoothstep(greying, *_GREY))
    unit = 1 / np.maximum(length, 1e-9)
    return LineField(
        likelihood=_long(likely, texel_mm),
        response=strongest,
        greying=greying,
        across_cos=tensor[..., 0] * unit,
        across_sin=tensor[..., 1] * unit,
        coherence=(length / np.maximum(tensor[..., 2], 1e-6)).clip(0, 1),
    )


def _greying(luminance: np.ndarray, hue: np.ndarray, mask: np.ndarray, texel_mm: float) -> np.ndarray:
    """(H, W) float32: how much less red the dark is, per logarithm; 0 without colours.

    Light in a groove comes from skin, so grooves are redder than the skin beside them.
    Frames of glasses and strands of hair are greyer.
    """
    fine = [
        mean_nearby(part, mask, _TINT_SIGMAS_MM[0] / texel_mm) - mean_nearby(part, mask, _TINT_SIGMAS_MM[1] / texel_mm)
        for part in (luminance, hue)
    ]
    near = _TINT_NEAR_MM / texel_mm
    product, square = (mean_nearby(fine[0] * other, mask, near) for other in (fine[1], fine[0]))
    return product / np.maximum(square, _LEAST_CONTRAST**2)


def hairy(luminance: np.ndarray, mask: np.ndarray, beard: np.ndarray, texel_mm: float) -> np.ndarray:
    """(H, W) float32, 1 where beards grow and the skin is much rougher than where none do.

    Args:
        luminance: (H, W) float32 logarithm. mask: 1 where skin is seen. beard: 1 where beards grow.
    """
    fine, wide = (mean_nearby(luminance, mask, sigma / texel_mm) for sigma in _ROUGH_SIGMAS_MM)
    rough = np.sqrt(mean_nearby((fine - wide) ** 2, mask, _ROUGH_NEAR_MM / texel_mm).clip(0))
    elsewhere = (mask > 0.5) & (beard < 0.5)
    if not elsewhere.any():
        return np.zeros_like(mask)
    usual = max(float(np.median(rough[elsewhere])), _LEAST_ROUGH)
    return smoothstep(rough / np.float32(usual), *_HAIRY) * beard


def _long(likelihood: np.ndarray, texel_mm: float) -> np.ndarray:
    """(H, W) likelihood less what is short."""
    _, labels, boxes, _ = cv2.connectedComponentsWithStats((likelihood > _CONNECTED).astype(np.uint8))
    extent = np.hypot(boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT]) * texel_mm
    share = smoothstep(extent, *_LENGTH_MM)
    share[0] = 0  # of what belongs to no line
    # Its fringe goes with the line.
    reach = 2 * round(_FRINGE_MM / texel_mm) + 1
    around = cv2.dilate(share[labels], np.ones((reach, reach), np.uint8))
    return likelihood * np.where(labels > 0, share[labels], around)


def _responses(
    luminance: np.ndarray, hue: np.ndarray, weight: np.ndarray, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) directions and (h, w) strength of lines at one scale, of maps that are multiplied by ``weight``."""
    nearby = np.maximum(blurred(weight, sigma), 1e-2)
    light, colour = (blurred(part, sigma) / nearby for part in (luminance, hue))
    xx, yy, xy = (_derivative(light, *order) * np.float32(sigma**2) for order in ((2, 0), (0, 2), (1, 1)))
    half, turn = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    edge, paint = (np.hypot(_derivative(part, 1, 0), _derivative(part, 0, 1)) * sigma for part in (light, colour))
    valley = half + turn - np.abs(half - turn) - _EDGE * edge - _PAINT * paint
    valley = np.maximum(valley, 0) * smoothstep(blurred(weight, sigma), *_BESIDE)
    turn = np.maximum(turn, 1e-9)
    tensor = np.dstack([valley * (xx - yy) / (2 * turn), valley * xy / turn, valley]).astype(np.float32)
    tensor = blurred(tensor, _ALONG * sigma)
    coherence = np.hypot(tensor[..., 0], tensor[..., 1]) / np.maximum(tensor[..., 2], 1e-6)
    reach = 2 * round(_WALL * sigma) + 1
    strength = cv2.dilate(blurred(valley.astype(np.float32), sigma) * coherence**2, np.ones((reach, reach), np.uint8))
    return tensor, blurred(strength, sigma / 2)


def mean_nearby(values: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W) float32 mean around each texel, over ``sigma`` texels, of where the (H, W) mask has weight."""
    return blurred(values * mask, sigma) / np.maximum(blurred(mask, sigma), 1e-2)


def _derivative(values: np.ndarray, along_x: int, along_y: int) -> np.ndarray:
    scale = 1 / 4 if along_x + along_y == 2 else 1 / 8  # of Sobel's kernels
    return cv2.Sobel(values, cv2.CV_32F, along_x, along_y, ksize=3, scale=scale)
