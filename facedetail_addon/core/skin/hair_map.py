# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the photo shows hair on the head, for whoever makes hair of it: the skin's colours have none on the face."""

import numpy as np

from ..image import smoothstep
from ..uv.types import Atlas

_SEEN = (0.05, 0.2)  # confidence at which a place begins to be seen, and is


def hair_map(hair: np.ndarray, confidence: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(R, R) uint8 in canonical UV, 255 = hair for sure; 0 where there is none, and where the photo shows nothing.

    Args:
        hair: (V_skin,) probability in the photo, NaN where nobody has looked. confidence: (V_skin,) how well the photo
            shows the vertices. atlas: of R texels.
    """
    share = np.nan_to_num(hair) * smoothstep(confidence, *_SEEN)
    return np.round(255 * atlas.picture(share).clip(0, 1)).astype(np.uint8)
