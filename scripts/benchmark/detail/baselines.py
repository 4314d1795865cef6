# SPDX-License-Identifier: GPL-3.0-or-later
"""What relief must be better than: dark is deep, and shape from shading without learning.

Both know the answer in part: their one free number is the best in hindsight, photo by photo.
"""

from collections.abc import Iterable

import numpy as np

from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.space import TEXEL_MM, VALUE_UNIT, split_bands
from scripts.benchmark.errors import best_factor, rms

STIFFNESS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Regularisers that are tried: the noise of the photo's brightness over the steepness of skin, squared."""
_PATCH = 128  # texels, 26 mm: the light is taken as even over one
_COARSE = 2 * np.pi / 12.0  # radians per mm; coarser waves are the proxy's


def dark_is_deep(inputs: DetailInputs) -> np.ndarray:
    """(H, W) heights up to a factor: the photo's fine brightness."""
    return _relief_bands(inputs.value * inputs.mask)


def linear_shape(inputs: DetailInputs, stiffness: float) -> np.ndarray:
    """(H, W) float32 mm: the relief whose shading is nearest to the photo's fine brightness, among those not too steep.

    Least squares in Fourier space, patch by patch, with even light in each: brightness is linear in the slopes
    (Pentland 1990), and steepness is paid for by ``stiffness``.
    """
    height, width = inputs.value.shape
    seen = inputs.value * inputs.mask
    window = np.sin(np.pi * (np.arange(_PATCH) + 0.5) / _PATCH)  # twice: once before, once after; squares add up to 1
    window = (window[:, None] * window).astype(np.float32)
    out = np.zeros(inputs.value.shape, np.float32)
    for y in range(0, height - _PATCH + 1, _PATCH // 2):
        for x in range(0, width - _PATCH + 1, _PATCH // 2):
            place = (slice(y, y + _PATCH), slice(x, x + _PATCH))
            weight = inputs.mask[place]
            if weight.sum() < 1:
                continue
            light = [
                float((channel[place] * weight).sum() / weight.sum()) for channel in (inputs.light_x, inputs.light_y)
            ]
            out[place] += window * _solved(seen[place] * window, light, stiffness)
    return _relief_bands(out)


def linear_shapes(inputs: DetailInputs) -> Iterable[np.ndarray]:
    """One relief for each regulariser."""
    return (linear_shape(inputs, stiffness) for stiffness in STIFFNESS)


def in_hindsight(candidates: Iterable[np.ndarray], truth: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The candidate (H, W) that the best factor, not below 0, brings nearest to the truth; times that factor."""
    scaled = (one * np.float32(max(0.0, best_factor(one[where], truth[where]))) for one in candidates)
    return min(scaled, key=lambda one: rms((one - truth)[where]))


def _solved(value: np.ndarray, light: list[float], stiffness: float) -> np.ndarray:
    """(P, P) mm of one patch under an even light."""
    down, right = (np.sin(2 * np.pi * k) / TEXEL_MM for k in (np.fft.fftfreq(_PATCH), np.fft.rfftfreq(_PATCH)))
    shading = 1j * (light[0] * right[None] + light[1] * down[:, None]) / VALUE_UNIT
    wave = (2 * np.pi / TEXEL_MM) ** 2 * (np.fft.fftfreq(_PATCH)[:, None] ** 2 + np.fft.rfftfreq(_PATCH)[None] ** 2)
    spectrum = np.conj(shading) * np.fft.rfft2(value) / (np.abs(shading) ** 2 + stiffness * (wave + _COARSE**2))
    return np.fft.irfft2(spectrum, s=value.shape).astype(np.float32)


def _relief_bands(height: np.ndarray) -> np.ndarray:
    medium, fine = split_bands(height)
    return medium + fine
