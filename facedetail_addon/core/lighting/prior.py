# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of photos in general: mostly white, about as bright as display white, smooth, from above, and wherever it
comes from of much the same colour."""

from dataclasses import dataclass, replace

import numpy as np

from ..colour import LUMINANCE
from ..rendering.environment import positive_light
from ..rendering.harmonics import bands_of, evaluate, fibonacci_sphere

_LEVEL = 1.0  # linear; what a white surface in the place of the face shows in a well exposed photo
_LEVEL_SIGMA, _TINT_SIGMA = 0.18, 0.2  # standard deviations of that, and of the light's colour, relative
_MONOCHROME_TINT_SIGMA = 1e-3  # the same of a photo without colours
_BAND_SIGMA = (0.35, 0.5, 0.4, 0.25)  # standard deviation of higher bands' coefficients relative to the level
_PLACE_TINT_SIGMA = 0.5  # standard deviation of its colour in one direction from that of all of it, relative
_DARKEST = 0.03  # of the mean; where there is less light, its colour may differ by as much as there
_DIRECTIONS_EACH = 60  # for each coefficient, in which colours are compared
_LEAST_LEVEL = 1e-4  # of a light's first coefficient
_TILT = 0.5  # second band relative to the first
_UNIFORM_SHARE = 0.75  # of the light on the face comes from all around


@dataclass(frozen=True)
class LightPrior:
    """A normal distribution of the light's B² · 3 coefficients, and where to begin.

    Attributes:
        precision: (3·B², 3·B²) float64. information: (3·B²,) float64, precision times mean.
        start: (B², 3) float64. place_tint_sigma: relative, of the light's colour from direction to direction.
    """

    precision: np.ndarray
    information: np.ndarray
    start: np.ndarray
    place_tint_sigma: float

    def near(self, radiance: np.ndarray) -> "LightPrior":
        """With what is likely of the colours of a light about as bright in each direction as this one.

        Channel by channel, light of few bands that is pink before a face is green behind it, where a photo tells
        nothing and little light comes from: colours differ relative to the light of their direction.

        Args:
            radiance: (B², 3).
        """
        directions = fibonacci_sphere(_DIRECTIONS_EACH * len(radiance))
        harmonics = evaluate(directions, bands_of(radiance), np.float64)
        first = np.maximum(radiance[0], _LEAST_LEVEL)
        luminance = np.concatenate([first[None], radiance[1:]]) @ LUMINANCE
        bright = positive_light(luminance[:, None], directions)[:, 0]
        bright = np.maximum(bright, _DARKEST * bright.mean())
        # As many independent colours as coefficients.
        weight = len(radiance) / (len(directions) * (self.place_tint_sigma * bright) ** 2)
        # What is left of light of one colour and of this shape: nothing.
        shape, tint = np.eye(len(radiance)), np.eye(3) - np.outer(first, LUMINANCE) / luminance[0]
        shape[:, 0] -= luminance / luminance[0]
        seen = harmonics @ shape
        alike = np.kron((seen * weight[:, None]).T @ seen, tint.T @ tint)
        return replace(self, precision=self.precision + alike)


def light_prior(on_face: np.ndarray, monochrome: bool, direction: np.ndarray | None) -> LightPrior:
    """The prior of one photo's light.

    Its brightness is that on the seen face, because a face in frontal light says nothing of what lies behind it.

    Args:
        on_face: (B²,) what the seen face shows of each coefficient in the mean, were it white.
        monochrome: the photo has no colours. direction: (3,) from where light usually comes; None = from everywhere.
    """
    count, level = len(on_face), _LEVEL * np.sqrt(4 * np.pi)
    tint_sigma = _MONOCHROME_TINT_SIGMA if monochrome else _TINT_SIGMA
    mean = (_BAND_SIGMA[0] * level) ** 2 * np.ones((3, 3)) + (tint_sigma * level) ** 2 * np.eye(3)
    precision = np.zeros((3 * count, 3 * count))
    precision[:3, :3] = np.linalg.inv(mean)
    for index in range(1, count):
        band = int(np.sqrt(index))
        sigma = _BAND_SIGMA[min(band, 3)] * (1 if band < 4 else 3 / band) * level
        of_luminance = np.outer(LUMINANCE, LUMINANCE) * (2 * band + 1) / sigma**2
        precision[3 * index : 3 * index + 3, 3 * index : 3 * index + 3] = of_luminance
    information = precision @ _white_light(count, _UNIFORM_SHARE * _LEVEL, direction).ravel()
    brightness = np.outer(on_face, LUMINANCE).ravel() / _LEVEL_SIGMA
    return LightPrior(
        precision=precision + np.outer(brightness, brightness),
        information=information + brightness * (_LEVEL / _LEVEL_SIGMA),
        start=_white_light(count, _LEVEL, direction),
        place_tint_sigma=_MONOCHROME_TINT_SIGMA if monochrome else _PLACE_TINT_SIGMA,
    )


def _white_light(count: int, level: float, direction: np.ndarray | None) -> np.ndarray:
    """(B², 3) light in which a white surface shows ``level`` in the mean of all directions."""
    out = np.zeros((count, 3))
    out[0] = level * np.sqrt(4 * np.pi)
    if direction is not None:
        out[1:4] = (_TILT * out[0, 0] * direction[[1, 2, 0]])[:, None]
    return out
