# SPDX-License-Identifier: GPL-3.0-or-later
"""How much less the hair of brows shines than skin: what is taken off for skin's shine would leave it black."""

import numpy as np

from ..colour import LUMINANCE
from ..image import smoothstep
from ..uv.types import UnwrappedPhoto

_HAIR_MM, _SKIN_MM = (-2.0, 0.0), (-8.0, -4.0)  # inside of brows' border: where hair grows, and the skin beside
_DARKER = (0.15, 0.6)  # log by which brows are darker than it, at which they are thick enough to hide it
_DULLER = 0.6  # of the skin's shine is hidden then
_SEEN, _LEAST = 0.4, 10  # confidence of what is compared; vertices of it
_FLOOR = 0.004  # linear, so that logarithms stay finite


def shine_of_brows(unwrapped: UnwrappedPhoto, brows: np.ndarray) -> np.ndarray:
    """(V,) float32 factors on the skin's shine, 1 beside brows and where they are thin or white.

    Args:
        brows: (V,) mm inside of their border.
    """
    light, seen = np.log(unwrapped.vertex_color @ LUMINANCE + _FLOOR), unwrapped.vertex_confidence > _SEEN
    hair, skin = seen & (brows > _HAIR_MM[1]), seen & (brows > _SKIN_MM[0]) & (brows < _SKIN_MM[1])
    if min(hair.sum(), skin.sum()) < _LEAST:
        return np.ones(len(brows), np.float32)
    darker = np.median(light[skin]) - light[hair].mean()
    return 1 - _DULLER * smoothstep(darker, *_DARKER) * smoothstep(brows, *_HAIR_MM)
