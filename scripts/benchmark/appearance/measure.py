# SPDX-License-Identifier: GPL-3.0-or-later
"""How light, skin colour and pictures are compared: numbers of known meaning, 0 for what is the same."""

from dataclasses import dataclass

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

from facedetail_addon.core.colour import LUMINANCE, to_srgb
from facedetail_addon.core.rendering.harmonics import evaluate, fibonacci_sphere, lambert
from scripts.benchmark.errors import best_factor

_DARKEST = 0.004  # albedo, so that logarithms stay finite
_NORMALS, _SEEN = 1000, 0.25  # normals tried over the sphere; cosine to the camera from which on they count
_SAME_PSNR_DB = 60.0  # of pictures that are the same to the last bit


@dataclass(frozen=True)
class LightErrors:
    """One estimated light against the true one, both as spherical harmonics of the radiance.

    Attributes:
        relative: norm of the difference of 9 coefficients × 3 channels over the truth's, after the best common factor.
        stops: log2 of estimated over true mean radiance; what brightness went from skin to light or back.
        tint_deg: angle between the colours of both mean radiances, as in measures of colour constancy.
        direction_deg: between the directions where both are brightest to first order, of luminance.
        lit: relative root mean square difference of the irradiance on surfaces that the camera sees, no shadows, after
            the best common factor; what a wrong light would show of itself in a render from the photo's camera.
        directed: |l = 1| / (l = 0) of the true luminance: 0 from everywhere alike, √3 from one point.
    """

    relative: float
    stops: float
    tint_deg: float
    direction_deg: float
    lit: float
    directed: float


@dataclass(frozen=True)
class AlbedoErrors:
    """One estimated albedo against the true one, over some points.

    Attributes:
        delta_e: mean CIEDE2000. delta_e_scaled: the same after the best factor per channel.
        si_rmse: root mean square difference after the best common factor, over the root mean square of the truth.
        leak: correlation of the logarithms of albedo error and of true shading (luminance); + = shading stayed in the
            albedo, − = too much was taken out.
    """

    delta_e: float
    delta_e_scaled: float
    si_rmse: float
    leak: float


@dataclass(frozen=True)
class AblationErrors:
    """One head without one term.

    Attributes:
        number: of the head. variant: what is left out. direction_deg: of the light. leak: shading left in the
            albedo, unsigned. delta_e: CIEDE2000 of the albedo after the best factors. mm: median distance of seen
            vertices after a rigid motion. level, roughness: root mean square error of log level and of roughness, which
            the heads have
            as expected. held_db: PSNR of the photo's hidden squares.
    """

    number: int
    variant: str
    direction_deg: float
    leak: float
    delta_e: float
    mm: float
    level: float
    roughness: float
    held_db: float


@dataclass(frozen=True)
class PortraitErrors:
    """What came back of one head.

    Attributes:
        number: of the head. subsurface: whether light wandered through its skin.
        light: by method; the photo as albedo has none. albedo: by method.
        regions: mean CIEDE2000 after the best factor per channel, ours, by region of the face.
        mean_skin: mean CIEDE2000 of the statistical albedo alone (mean of the basis, best factor per channel).
        misplaced_px: median distance between where seen vertices are and where they were found.
        radiance: (B², 3) of ours.
    """

    number: int
    subsurface: bool
    light: dict[str, LightErrors]
    albedo: dict[str, AlbedoErrors]
    regions: dict[str, float]
    mean_skin: float
    misplaced_px: float
    radiance: np.ndarray


@dataclass(frozen=True)
class PhotoErrors:
    """How near pictures of one reconstruction come to its photo.

    Attributes:
        group, name: of the photo.
        psnr, ssim: by look, then by mask.
        regions_db: PSNR of the photo's light by region of the face.
        radiance: (B², 3) of the estimate.
        codes: of the reconstruction's warnings.
    """

    group: str
    name: str
    psnr: dict[str, dict[str, float]]
    ssim: dict[str, dict[str, float]]
    regions_db: dict[str, float]
    radiance: np.ndarray
    codes: tuple[str, ...]


def light_errors(found: np.ndarray, truth: np.ndarray, towards_camera: np.ndarray) -> LightErrors:
    """Compare (≥ 9, 3) coefficients with (≥ 9, 3) true ones; only the first 9 count.

    Args:
        towards_camera: (3,) unit vector from the head, head frame.
    """
    found, truth = np.asarray(found, np.float64)[:9], np.asarray(truth, np.float64)[:9]
    normals = fibonacci_sphere(_NORMALS)
    design = evaluate(normals[normals @ towards_camera > _SEEN], 3) * lambert(3)
    shown, true_shown = design @ found, design @ truth
    shown = shown * best_factor(shown, true_shown)
    scaled = best_factor(found, truth) * found
    level, true_level = found[0] @ LUMINANCE, truth[0] @ LUMINANCE
    return LightErrors(
        relative=float(np.linalg.norm(scaled - truth) / np.linalg.norm(truth)),
        stops=float(np.log2(max(level, 1e-6) / true_level)),
        tint_deg=angle_deg(found[0], truth[0]),
        direction_deg=angle_deg(brightest(found), brightest(truth)),
        lit=float(np.linalg.norm(shown - true_shown) / np.linalg.norm(true_shown)),
        directed=float(np.linalg.norm(truth[1:4] @ LUMINANCE) / true_level),
    )


def brightest(radiance: np.ndarray) -> np.ndarray:
    """(3,) direction, not normalised, of the linear term of (B², 3) coefficients' luminance."""
    return (radiance[1:4] @ LUMINANCE)[[2, 0, 1]]


def albedo_errors(found: np.ndarray, truth: np.ndarray, shading: np.ndarray) -> AlbedoErrors:
    """Compare (N, 3) linear albedo with the true one, under (N, 3) true shading."""
    per_channel = np.array([best_factor(found[:, c], truth[:, c]) for c in range(3)])
    return AlbedoErrors(
        delta_e=float(delta_e(found, truth).mean()),
        delta_e_scaled=float(delta_e(found * per_channel, truth).mean()),
        si_rmse=float(np.sqrt(np.mean((best_factor(found, truth) * found - truth) ** 2) / np.mean(truth**2))),
        leak=shading_leak(found, truth, shading),
    )


def shading_leak(found: np.ndarray, truth: np.ndarray, shading: np.ndarray) -> float:
    """Signed correlation of log albedo error and log shading, (N, 3) linear each; 0 where one of them is constant."""
    error = np.log(np.maximum(found @ LUMINANCE, _DARKEST)) - np.log(np.maximum(truth @ LUMINANCE, _DARKEST))
    light = np.log(np.maximum(shading @ LUMINANCE, 1e-4))
    if min(error.std(), light.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(error, light)[0, 1])


def delta_e(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N,) CIEDE2000 of (N, 3) linear Rec. 709 colours."""
    return deltaE_ciede2000(rgb2lab(to_srgb(found)), rgb2lab(to_srgb(truth)))


def angle_deg(one: np.ndarray, other: np.ndarray) -> float:
    """Between two vectors, degrees."""
    cross, dot = np.linalg.norm(np.cross(one, other)), float(np.dot(one, other))
    return float(np.degrees(np.arctan2(cross, dot)))


def psnr(found: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Peak signal to noise ratio in dB of (H, W, 3) uint8 pictures where (H, W) ``mask`` is true."""
    error = np.mean((found[mask].astype(np.float64) - truth[mask]) ** 2)
    return float(min(_SAME_PSNR_DB, 10 * np.log10(255**2 / max(error, 1e-9))))


def ssim(found: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Mean structural similarity of (H, W, 3) uint8 pictures around the pixels of a mask (Wang et al. 2004)."""
    _, similarity = structural_similarity(
        found, truth, channel_axis=2, full=True, data_range=255,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    return float(similarity[mask].mean())
