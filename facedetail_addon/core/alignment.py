# SPDX-License-Identifier: GPL-3.0-or-later
"""How two photos of one skin lie on each other in canonical UV: small shifts by optical flow, and whether one of them
is its own mirror image."""

import cv2
import numpy as np

from .image import TEXTURE_MM, blurred, smoothstep

_FLOW = {"pyr_scale": 0.5, "levels": 4, "winsize": 21, "iterations": 3, "poly_n": 7, "poly_sigma": 1.5, "flags": 0}
_BAND_MM = (0.8, 6.0)  # waves that show where things are
_SMOOTH_MM, _MOST_MM = 5.0, 2.5  # flow is smoothed over so much, and goes no further
_GREY = 40.0  # levels per standard deviation
_LEAST = 0.02  # of the texels, to be compared at all
_MIDDLE = 0.06  # of the side: so near to the middle everything is its own mirror image
_MIRRORED, _LIKELIER = 0.15, 0.08  # correlation with the mirror image, and how much more than the plain one


def shift_between(one: np.ndarray, other: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Where in ``other`` the things of a texel of ``one`` are (Farnebäck 2003), smooth, zero far from where both are
    seen.

    Args:
        one, other: (S, S) float32 log luminance without light. both: (S, S) in [0, 1], where both are seen.

    Returns:
        (S, S, 2) float32 texels.
    """
    side = len(one)
    texel_mm = TEXTURE_MM / side
    bands = [band(part, both) for part in (one, other)]
    flow = cv2.calcOpticalFlowFarneback(*map(flow_picture, bands), None, **_FLOW)
    weight = both * np.minimum(np.abs(bands[0]), 1)
    sigma = _SMOOTH_MM / texel_mm
    flow = blurred(flow * weight[..., None], sigma) / (blurred(weight, sigma) + 1e-2)[..., None]
    most = _MOST_MM / texel_mm
    return flow.clip(-most, most).astype(np.float32)


def flow_picture(fine: np.ndarray) -> np.ndarray:
    """(S, S) standard deviations as the 8 bits that optical flow takes."""
    return (128 + _GREY * fine).clip(0, 255).astype(np.uint8)


def moved(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """(R, R[, C]) float32 at the places that (S, S, 2) flow of S texels says."""
    side = len(values)
    if len(flow) != side:
        flow = cv2.resize(flow, (side, side), interpolation=cv2.INTER_LINEAR) * np.float32(side / len(flow))
    steps = np.arange(side, dtype=np.float32)
    return cv2.remap(values, steps[None] + flow[..., 0], steps[:, None] + flow[..., 1], cv2.INTER_LINEAR)


def is_mirrored(one: np.ndarray, other: np.ndarray, seen: np.ndarray, other_seen: np.ndarray) -> bool:
    """Whether a photo shows the mirror image of the skin of another, as selfies of some phones do.

    Args:
        one, other: (S, S) float32 log luminance, light and all. seen, other_seen: (S, S) in [0, 1].
    """
    plain = correlation(one, other, np.minimum(seen, other_seen))
    turned = correlation(one, other[:, ::-1], np.minimum(seen, other_seen[:, ::-1]))
    return turned > _MIRRORED and turned > plain + _LIKELIER


def correlation(one: np.ndarray, other: np.ndarray, both: np.ndarray) -> float:
    """Of fine things away from the middle, 0 where hardly anything is seen of both."""
    side = len(one)
    away = np.abs(np.arange(side) + 0.5 - side / 2) > _MIDDLE * side
    where = (both > 0.5) & away[None]
    if where.mean() < _LEAST:
        return 0.0
    parts = [band(part, both)[where] for part in (one, other)]
    if min(part.std() for part in parts) < 1e-6:
        return 0.0
    return float(np.corrcoef(*parts)[0, 1])


def band(log_luminance: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(S, S) float32 waves of _BAND_MM over what is seen, in standard deviations; 0 elsewhere."""
    texel_mm = TEXTURE_MM / len(log_luminance)
    inside = smoothstep(seen, 0.1, 0.5)

    def mean(sigma: float) -> np.ndarray:
        return blurred(log_luminance * inside, sigma) / np.maximum(blurred(inside, sigma), 1e-3)

    fine, coarse = (mean(max(wave / texel_mm / 2, 0.5)) for wave in _BAND_MM)
    out = (fine - coarse) * inside
    spread = float(np.sqrt((out**2 * inside).sum() / max(float(inside.sum()), 1e-6)))
    return (out / max(spread, 1e-6)).astype(np.float32)
