# SPDX-License-Identifier: GPL-3.0-or-later
"""The colours of iris and white from what a photo shows of both eyes.

Each eye gives medians of what its iris and its white reflect. Both are joined by how much of them is seen and how
sharply; the more they differ and the fewer pixels there are, the nearer the result lies to eyes in general. Whites are
much the same in all people: where they are tinted, so is the light that was estimated, and irises are tinted with them.
"""

import numpy as np

from ..colour import LUMINANCE
from ..face_model.model import FaceModel
from ..notices import Notice
from .look import as_bright, usual_inner
from .prior import IRIS_PRIOR, SCLERA_PRIOR, ColourPrior
from .sampling import EyeSample
from .types import DEFAULT_EYES, EYE_VEIL, Colour, EyeLook

_DARKEST, _BRIGHTEST = 0.003, 0.9  # reflectance, whatever was measured
_GLARE = 0.4  # luminance: no iris reflects so much; glare on glasses does
_TINT_NOISE = 0.05  # σ of logarithms that many pixels leave, of tint
_IRIS_NOISE, _WHITE_NOISE = 0.10, 0.25  # the same of brightness: lashes and pupil; lids shade the white most
_PIXEL_NOISE, _PIXEL_TINT = 0.5, 0.6  # relative, of a single pixel: what compression, blur and lashes do to both
_UNLIKELY = 9.0  # squared Mahalanobis distance from all eyes, three times the usual: what is farther is mostly error
_OF_LIGHT, _HALF_WHITE = 0.6, 40  # share of whites' unusual tint that is the light's; pixels that tell half of it
_MOST_OF_LIGHT = 0.25  # logarithm
_INNER_SIGMA, _INNER_NOISE, _INNER_PIXEL = 0.15, 0.08, 0.6  # of the inner ring's tint beside the iris', as above
_STRAY = 0.001  # reflectance: stray light and compression, which tell what the darkest irises' tint is
_HALF_CONFIDENCE = 40  # so many pixels of iris make half a confidence
_SIZE_SIGMA = 0.5  # mm, of the visible diameter between fitted heads
_SIZE_NOISE, _SIZE_NOISE_PX = 0.4, 1.0  # mm and px, standard deviations of its measurement


def estimate_eyes(samples: list[EyeSample], monochrome: bool) -> EyeLook:
    """The look of both eyes.

    Args:
        samples: of the eyes that are seen, none to two. monochrome: the photo has no colours; the eyes get none either.
    """
    look = {"iris_mm": _diameter(samples)}
    irises = [(s.iris, s.iris_pixels, s.sharpness) for s in samples if s.iris is not None]
    irises = [iris for iris in irises if iris[0] @ LUMINANCE < _GLARE]
    confidence = 0.0
    if irises:
        light = np.exp(_tint_of_light(samples))
        irises = [(color / light, *rest) for color, *rest in irises]
        reflectance, difference, pixels = _joined(irises, IRIS_PRIOR, _IRIS_NOISE, monochrome)
        look["iris"] = tuple(max(value - EYE_VEIL, _DARKEST) for value in reflectance)
        look["iris_inner"] = look["iris"] if monochrome else _inner(samples, look["iris"])
        confidence = pixels / (pixels + _HALF_CONFIDENCE) * float(np.exp(-difference))
    whites = [(s.white, s.white_pixels, s.sharpness) for s in samples if s.white is not None]
    if whites:
        look["sclera"], _, _ = _joined(whites, SCLERA_PRIOR, _WHITE_NOISE, monochrome)
    if monochrome:
        look = {"iris": _grey(DEFAULT_EYES.iris), "sclera": _grey(DEFAULT_EYES.sclera)} | look
    return EyeLook(**(vars(DEFAULT_EYES) | look | {"confidence": confidence}))


def notices(eyes: EyeLook, model: FaceModel, monochrome: bool) -> tuple[Notice, ...]:
    """A notice with code ``eye_colour`` where a head with eyes got a usual brown."""
    if eyes.confidence > 0 or monochrome or not model.eyes:
        return ()
    message = "The irises are too small, closed or covered by glare; their colour is a usual brown."
    return (Notice("eye_colour", message),)


def _tint_of_light(samples: list[EyeSample]) -> np.ndarray:
    """(3,) logarithms that the light on the eyes is tinted by beyond what was estimated."""
    seen = [sample for sample in samples if sample.white is not None]
    count = sum(sample.white_pixels for sample in seen)
    if not count:
        return np.zeros(3)
    logs = np.log(np.clip([sample.white for sample in seen], _DARKEST, None))
    unusual = np.average(logs, axis=0, weights=[sample.white_pixels for sample in seen]) - SCLERA_PRIOR.mean
    unusual -= unusual @ LUMINANCE
    return (_OF_LIGHT * count / (count + _HALF_WHITE) * unusual).clip(-_MOST_OF_LIGHT, _MOST_OF_LIGHT)


def _inner(samples: list[EyeSample], iris: Colour) -> Colour:
    """The ring around the pupil: its tint beside the iris' in the photo, and the usual one where that says little."""
    usual = np.log(usual_inner(iris)) - np.log(iris)
    seen = [sample for sample in samples if sample.inner is not None]
    if not seen:
        return usual_inner(iris)
    counts = np.array([sample.inner_pixels for sample in seen])
    tints = np.log([np.maximum(sample.inner, _DARKEST) / np.maximum(sample.iris, _DARKEST) for sample in seen])
    tints -= (tints @ LUMINANCE)[:, None]
    apart = np.ptp(tints, axis=0) / 2
    noise = _INNER_NOISE**2 + apart**2 + _INNER_PIXEL**2 / counts.sum() + (_STRAY / np.array(iris)) ** 2
    share = _INNER_SIGMA**2 / (_INNER_SIGMA**2 + noise)
    return as_bright(iris * np.exp(usual + share * (np.average(tints, axis=0, weights=counts) - usual)), iris)


def _joined(
    seen: list[tuple[np.ndarray, int, float]], prior: ColourPrior, level_noise: float, monochrome: bool
) -> tuple[tuple[float, float, float], float, int]:
    """Reflectance from (colour, pixels, sharpness) of each eye, how far the eyes differ (log), and all their pixels."""
    logs = np.log(np.clip([color for color, _, _ in seen], _DARKEST, _BRIGHTEST))
    counts = np.array([count for _, count, _ in seen])
    weights = counts * np.maximum([sharpness for _, _, sharpness in seen], 1e-3)
    mean = weights @ logs / weights.sum()
    if monochrome:
        mean = np.full(3, np.log(np.exp(mean) @ LUMINANCE))
    apart = np.ptp(logs, axis=0) / 2
    level, tints = float(abs(apart.mean())), apart - apart.mean()
    few = 1 / counts.sum()
    noise = (level_noise**2 + level**2 + _PIXEL_NOISE**2 * few) * np.ones((3, 3))
    # Where blue is next to nothing eyes differ in it by much, which tells little of red and green.
    noise += np.diag(_TINT_NOISE**2 + (tints**2 + (tints**2).mean()) / 2 + _PIXEL_TINT**2 * few)
    noise *= max(1.0, prior.unlikeliness(mean, noise) / _UNLIKELY)
    found = np.exp(prior.posterior_mean(mean, noise)).clip(_DARKEST, _BRIGHTEST)
    color = _grey(tuple(found)) if monochrome else tuple(float(value) for value in found)
    return color, level + float(np.abs(tints).max()), int(counts.sum())


def _grey(color: tuple[float, ...]) -> tuple[float, float, float]:
    return (float(np.array(color) @ LUMINANCE),) * 3


def _diameter(samples: list[EyeSample]) -> float:
    """mm; both eyes are alike, and most people's too."""
    prior, total = DEFAULT_EYES.iris_mm, 0.0
    precision = 1 / _SIZE_SIGMA**2
    for sample in samples:
        mm_per_px = sample.iris_mm / (2 * sample.radius_px)
        weight = 1 / (_SIZE_NOISE**2 + (_SIZE_NOISE_PX * mm_per_px) ** 2)
        total += weight * (sample.iris_mm - prior)
        precision += weight
    return prior + float(np.clip(total / precision, -3 * _SIZE_SIGMA, 3 * _SIZE_SIGMA))
