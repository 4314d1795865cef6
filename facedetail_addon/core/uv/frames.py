# SPDX-License-Identifier: GPL-3.0-or-later
"""Where glasses lie before the skin: their rims would be grooves and paint, and their shadows folds."""

from dataclasses import replace

import cv2
import numpy as np

from ..image import sample, smoothstep
from .types import Atlas, UnwrappedPhoto

_FRAME = (0.2, 0.5)  # of the photo's mask: no frame, certainly one
_BESIDE = 1.4 / 410  # sides of the texture, 1.4 mm: what lies so near to a frame is its edge or its shadow


def frames_on_skin(frames: np.ndarray, places: np.ndarray, atlas: Atlas) -> np.ndarray:
    """How far each texel lies behind a frame or a dark lens.

    Args:
        frames: (h, w) float32 in [0, 1], how likely the photo shows one. places: (V_skin, 2) px of it, the first one's
            centre at (0, 0), where the skin's vertices lie. atlas: of the head.

    Returns:
        (R, R) float32 in [0, 1].
    """
    side = atlas.resolution
    out = np.zeros((side, side), np.float32)
    if not (frames > _FRAME[0]).any():
        return out
    for band in atlas.bands():
        at = np.full((band.stop - band.start, side, 2), -2, np.float32)
        at[atlas.covered[band]] = atlas.texels(places.astype(np.float32), band)
        seen = cv2.remap(frames, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
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
