# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of photos in general: mostly white, about as bright as display white, smooth, from above."""

from dataclasses import dataclass

import numpy as np

from ..colour import LUMINANCE

_LEVEL = 1.0  # linear; what a white surface in the place of the face shows in a well exposed photo
_LEVEL_SIGMA, _TINT_SIGMA = 0.18, 0.2  # standard deviations of that, and of the light's colour, relative
_MONOCHROME_TINT_SIGMA = 1e-3  # the same of a photo without colours
_BAND_SIGMA = (0.35, 0.5, 0.4, 0.25)  # standard deviation of higher bands' coefficients relative to the level
_BAND_TINT = 0.7  # how much of that the single bands may differ in colour: light from behind is not seen
_TILT = 0.5  # second band relative to the first
_UNIFORM_SHARE = 0.75  # of the light on the face comes from all around


@dataclass(frozen=True)
class LightPrior:
    """A normal distribution of the light's B² · 3 coefficients, and where to begin.

    Attributes:
        precision: (3·B², 3·B²) float64. information: (3·B²,) float64, precision times mean.
        start: (B², 3) float64.
    """

    precision: np.ndarray
    information: np.ndarray
    start: np.ndarray


def light_prior(on_face: np.ndarray, monochrome: bool, direction: np.ndarray | None) -> LightPrior:
    """The prior of one photo's light.

    Its brightness is that on the seen face, because a face in frontal light says nothing of what lies behind it.

    Args:
        on_face: (B²,) what the seen face shows of each coefficient in the mean, were it white.
        monochrome: the photo has no colours. direction: (3,) from where light usually comes; None = from everywhere.
    """
    count, level = len(on_face), _LEVEL * np.sqrt(4 * np.pi)
    tint_sigma = _MONOCHROME_TINT_SIGMA if monochrome else _TINT_SIGMA
    precision = np.zeros((3 * count, 3 * count))
    for index in range(count):
        band = int(np.sqrt(index))
        sigma = _BAND_SIGMA[min(band, 3)] * (1 if band < 4 else 3 / band) * level
        width = sigma / np.sqrt(2 * band + 1)
        tint = tint_sigma * (_BAND_TINT * sigma if band else level)
        covariance = width**2 * np.ones((3, 3)) + tint**2 * np.eye(3)
        precision[3 * index : 3 * index + 3, 3 * index : 3 * index + 3] = np.linalg.inv(covariance)
    information = precision @ _white_light(count, _UNIFORM_SHARE * _LEVEL, direction).ravel()
    brightness = np.outer(on_face, LUMINANCE).ravel() / _LEVEL_SIGMA
    return LightPrior(
        precision=precision + np.outer(brightness, brightness),
        information=information + brightness * (_LEVEL / _LEVEL_SIGMA),
        start=_white_light(count, _LEVEL, direction),
    )


def _white_light(count: int, level: float, direction: np.ndarray | None) -> np.ndarray:
    """(B², 3) light in which a white surface shows ``level`` in the mean of all directions."""
    out = np.zeros((count, 3))
    out[0] = level * np.sqrt(4 * np.pi)
    if direction is not None:
        out[1:4] = (_TILT * out[0, 0] * direction[[1, 2, 0]])[:, None]
    return out
