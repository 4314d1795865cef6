# SPDX-License-Identifier: GPL-3.0-or-later
"""Where glasses lie before the skin: their rims would be grooves, and their shadows folds."""

import cv2
import numpy as np

from ..image import smoothstep
from ..observe.masks.types import GlassesMask
from ..uv.types import Atlas
from .space import SIDE, TEXEL_MM, box_at

_FRAME = (0.2, 0.5)  # of the photo's mask: no frame, certainly one
_BESIDE_MM = 1.4  # what lies so near to a frame is its edge or its shadow


def frames_on_skin(glasses: GlassesMask, points_px: np.ndarray, atlas: Atlas) -> np.ndarray:
    """How far each texel lies behind a frame or a dark lens.

    Args:
        glasses: of the photo. points_px: (V_skin, 2) where it shows the skin's vertices. atlas: of the head.

    Returns:
        (h, w) float32 in [0, 1] over BOX, texels of the atlas.
    """
    rows, columns = box_at(atlas.resolution)
    out = np.zeros((rows.stop - rows.start, atlas.resolution), np.float32)
    if not (glasses.frames > _FRAME[0]).any():
        return out[:, columns]
    at = glasses.on_photo(points_px)
    for band in atlas.bands(rows.start, rows.stop):
        places = np.full((band.stop - band.start, atlas.resolution, 2), -2, np.float32)
        places[atlas.covered[band]] = atlas.texels(at, band)
        seen = cv2.remap(glasses.frames, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        out[band.start - rows.start : band.stop - rows.start] = smoothstep(seen, *_FRAME)
    reach = 2 * round(_BESIDE_MM / TEXEL_MM * atlas.resolution / SIDE) + 1
    return cv2.dilate(out, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))[:, columns]
