# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether colours that are no skin's are paint on it, or light that was misunderstood.

Paint is no skin's colour in the photo either, and not only once the light has been divided out. Shade and what clothes
reflect into it are grey or brown in the photo, and become blue or purple where the light was thought to be warm.
"""

import numpy as np

from ..colour import LUMINANCE
from ..image import smoothstep
from ..robust import weighted_median

_HUE, _SATURATED = (0.9, 1.2), (1.3, 1.7)  # logs from which on another hue, and a stronger one, is paint
_ONLY_SATURATED = (0.45, 0.75)  # cosine to the direction in which skin gets more saturated
_OTHER = (0.25, 0.6)  # logs by which the photo's hue lies beside all hues between grey and what skin has
_STRONGEST = 1.6  # times its skin's usual hue, that
_GREYER, _BRIGHTER = (0.3, 0.7), (0.0, 0.4)  # share of the way to grey, and log: white paint
_SHADED = (0.7, 1.3)  # log by which the brightest channel lies below the skin's: the hue of shade tells nothing
_FLOOR = 0.004  # linear, so that logarithms stay finite


def paint(hue: np.ndarray, usual: np.ndarray, photo: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(V, 1) in [0, 1], whether hues are so far from skin's that they are paint's.

    Skin that is only more saturated than the usual seldom is.

    Args:
        hue: (V, 3) logs by which hues of albedo differ from (V, 3) linear ``usual`` skin's. photo: (V, 3) linear, what
            the photo shows, light and all. weight: (V,), where that is the face.
    """
    size = np.linalg.norm(hue, axis=1, keepdims=True)
    saturated = hue_of(np.log(usual + _FLOOR))
    alike = (hue * saturated).sum(axis=1, keepdims=True)
    alike /= np.maximum(size * np.linalg.norm(saturated, axis=1, keepdims=True), 1e-6)
    only_saturated = smoothstep(alike, *_ONLY_SATURATED)
    kinds = smoothstep(size, *_HUE), smoothstep(size, *_SATURATED)
    return np.minimum(kinds[0] + only_saturated * (kinds[1] - kinds[0]), _in_photo(photo, weight))


def hue_of(logarithms: np.ndarray) -> np.ndarray:
    """(V, 3) logarithms of colours without that of their luminance."""
    return logarithms - (logarithms @ LUMINANCE)[:, None]


def _in_photo(photo: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(V, 1) in [0, 1], whether (V, 3) colours, light and all, are no skin's, and not for being in shade."""
    skin = weighted_median(photo, weight, photo.mean(axis=0))[None]
    colours, skin_logs = np.log(photo + _FLOOR), np.log(skin + _FLOOR)
    hue, skin_hue = hue_of(colours), hue_of(skin_logs)[0]
    along = hue @ skin_hue / max(float(skin_hue @ skin_hue), 1e-6)
    other = smoothstep(np.linalg.norm(hue - along.clip(0, _STRONGEST)[:, None] * skin_hue, axis=1), *_OTHER)
    brighter = (colours - skin_logs) @ LUMINANCE
    white = smoothstep(1 - along, *_GREYER) * smoothstep(brighter, *_BRIGHTER)
    shaded = smoothstep(skin_logs.max() - colours.max(axis=1), *_SHADED)
    return (np.maximum(other, white) * (1 - shaded))[:, None]
