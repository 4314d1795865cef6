# SPDX-License-Identifier: GPL-3.0-or-later
"""Where glasses lie before the skin: their rims would be grooves and paint, and their shadows folds."""

from dataclasses import replace

import cv2
import numpy as np

from ..image import sample, smoothstep
from ..observe.masks.types import GlassesMask
from .types import Atlas, UnwrappedPhoto

_FRAME = (0.2, 0.5)  # of the photo's mask: no frame, certainly one
_BESIDE = 1.4 / 410  # sides of the texture, 1.4 mm: what lies so near to a frame is its edge or its shadow


def frames_on_skin(glasses: GlassesMask, points_px: np.ndarray, atlas: Atlas) -> np.ndarray:
    """How far each texel lies behind a frame or a dark lens.

    Args:
        glasses: of the photo. points_px: (V_skin, 2) where it shows the skin's vertices. atlas: of the head.

    Returns:
        (R, R) float32 in [0, 1].
    """
    side = atlas.resolution
    out = np.zeros((side, side), np.float32)
    if not (glasses.frames > _FRAME[0]).any():
        return out
    at = glasses.on_photo(points_px)
    for band in atlas.bands():
        places = np.full((band.stop - band.start, side, 2), -2, np.float32)
        places[atlas.covered[band]] = atlas.texels(at, band)
        seen = cv2.remap(glasses.frames, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        out[band] = smoothstep(seen, *_FRAME)
    reach = 2 * round(_BESIDE * side) + 1
    return cv2.dilate(out, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))


def without_frames(unwrapped: UnwrappedPhoto, frames: np.ndarray, vertex_uv: np.ndarray) -> UnwrappedPhoto:
    """What a photo shows of the skin that is free.

    Args:
        frames: (R, R) of :func:`frames_on_skin`. vertex_uv: (V_skin, 2) places of the skin's vertices, v upwards.
    """
    if not frames.any():
        return unwrapped
    side = len(frames)
    at = np.column_stack([vertex_uv[:, 0], 1 - vertex_uv[:, 1]]).astype(np.float32) * side - np.float32(0.5)
    hidden = sample(frames, at, cv2.INTER_LINEAR)
    return replace(
        unwrapped,
        confidence=unwrapped.confidence * (1 - frames),
        mirrored_confidence=unwrapped.mirrored_confidence * (1 - frames[:, ::-1]),
        vertex_confidence=unwrapped.vertex_confidence * (1 - hidden),
    )
