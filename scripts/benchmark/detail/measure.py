# SPDX-License-Identifier: GPL-3.0-or-later
"""How relief is compared with the truth, and what relief there is; maps over BOX on texels of TEXEL_MM."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.line_view import relief_light
from facedetail_addon.core.detail.relief_shading import slopes
from facedetail_addon.core.detail.space import TEXEL_MM
from scripts.benchmark.errors import best_factor, rms

BANDS_MM = ((0.4, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 12.0))
"""Wave lengths from and to; a Gaussian halves the waves at each border."""
WIDE_MM = 1.0
"""Waves that most photos' pixels can show."""
MOST_MM = 1.5
_HALVED = np.pi * np.sqrt(2 / np.log(2))  # wave length that a Gaussian halves, in standard deviations
_LEAST = 1e-9
_ONE = 65535.0


@dataclass(frozen=True)
class BandErrors:
    """One band of found relief against the true one.

    Attributes:
        correlation: 0 where one of them is constant. gain: root mean square of what was found over that of the truth.
        factor: what brings it nearest to the truth (least squares): 1 is calibrated, above 1 is too timid.
    """

    correlation: float
    gain: float
    factor: float


@dataclass(frozen=True)
class ReliefErrors:
    """Found relief against the true one.

    Attributes:
        rmse_mm: of heights. angle_deg: mean between the normals. wide_deg: the same of waves beyond WIDE_MM.
        bands: in the order of BANDS_MM.
    """

    rmse_mm: float
    angle_deg: float
    wide_deg: float
    bands: tuple[BandErrors, ...]


@dataclass(frozen=True)
class Amplitude:
    """How high relief is: percentiles 50, 95 and 99 of |mm|."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Explained:
    """Mean |photo's fine brightness − what the relief makes of the light|, in the value channel's units.

    Attributes:
        smooth: without relief. relief: with it. inverted: with the relief turned inside out, which must be worse.
    """

    smooth: float
    relief: float
    inverted: float


def band_pass(height: np.ndarray, band_mm: tuple[float, float]) -> np.ndarray:
    """(H, W) mm, the waves of one band: difference of two Gaussians."""
    short, long = (_blurred(height, wave) for wave in band_mm)
    return short - long


def relief_errors(
    found: np.ndarray, truth: np.ndarray, where: np.ndarray, normals_of: Callable[[np.ndarray], np.ndarray]
) -> ReliefErrors:
    """Compare (H, W) float32 mm with (H, W) true mm.

    Args:
        where: (H, W) bool, what counts; bands see nothing beyond it. normals_of: (H, W) mm to (H, W, 3) unit vectors.
    """
    inside = where.astype(np.float32)
    bands = tuple(
        band_errors(band_pass(found * inside, band)[where], band_pass(truth * inside, band)[where]) for band in BANDS_MM
    )
    wide = (_blurred(height, WIDE_MM) for height in (found, truth))
    return ReliefErrors(
        rmse_mm=rms((found - truth)[where]),
        angle_deg=mean_angle_deg(*(normals_of(height)[where] for height in (found, truth))),
        wide_deg=mean_angle_deg(*(normals_of(height)[where] for height in wide)),
        bands=bands,
    )


def band_errors(found: np.ndarray, truth: np.ndarray) -> BandErrors:
    """Compare (N,) heights with (N,) true ones that are not all alike."""
    spread = float(found.std() * truth.std())
    covariance = float(((found - found.mean()) * (truth - truth.mean())).mean())
    return BandErrors(
        correlation=covariance / spread if spread > _LEAST**2 else 0.0,
        gain=rms(found) / max(rms(truth), _LEAST),
        factor=best_factor(found, truth),
    )


def mean_angle_deg(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean angle between (N, 3) unit normals, degrees."""
    apart = np.linalg.norm(found.astype(np.float64) - truth, axis=1)  # exact for small angles, unlike the cosine
    return float(np.degrees(2 * np.arcsin((apart / 2).clip(0, 1))).mean())


def decoded(normal: np.ndarray) -> np.ndarray:
    """(…, 3) uint16 normals, 65535 = 1, to unit float32."""
    out = normal.astype(np.float32) * np.float32(2 / _ONE) - 1
    return out / np.linalg.norm(out, axis=-1, keepdims=True)


def fall(found: float, baseline: float) -> float:
    """Share of an error that is gone: 1 all of it, 0 none, negative it has grown."""
    return 1 - found / max(baseline, _LEAST)


def amplitude(height: np.ndarray, where: np.ndarray) -> Amplitude:
    """Of (H, W) mm where (H, W) bool."""
    return Amplitude(*(float(p) for p in np.percentile(np.abs(height[where]), (50, 95, 99))))


def beyond(height: np.ndarray, where: np.ndarray) -> float:
    """Share of (H, W) mm that is further from 0 than MOST_MM."""
    return float((np.abs(height[where]) > MOST_MM).mean())


def log_shading(relief: np.ndarray, inputs: DetailInputs) -> np.ndarray:
    """(H, W) float32: what (H, W) mm of relief changes of the logarithm of shading in the photo's light.

    Of tipped normals alone, steep ones too; that grooves shut light out is left out.
    """
    change, _, _ = relief_light(inputs).log_shading(*slopes(relief, TEXEL_MM))
    return change


def explained(value: np.ndarray, change: np.ndarray, where: np.ndarray) -> Explained:
    """What of a photo's fine brightness is shading of the relief.

    Args:
        value: (H, W) of the photo. change: (H, W) by the relief, same units. where: (H, W) bool.
    """
    seen, made = value[where], change[where]
    return Explained(*(float(np.abs(seen - part).mean()) for part in (0.0, made, -made)))


def gaussian_texels(wave_mm: float) -> float:
    """Standard deviation, in texels, of the Gaussian that halves a wave."""
    return wave_mm / _HALVED / TEXEL_MM


def _blurred(height: np.ndarray, wave_mm: float) -> np.ndarray:
    return cv2.GaussianBlur(height, (0, 0), gaussian_texels(wave_mm), borderType=cv2.BORDER_CONSTANT)
