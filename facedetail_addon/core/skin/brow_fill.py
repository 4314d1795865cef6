# SPDX-License-Identifier: GPL-3.0-or-later
"""Brows for the skin that the photo does not show, of this person as far as the photo tells."""

import cv2
import numpy as np

from ..face_model.brows import FAR_MM, usual_brows
from ..face_model.model import FaceModel
from ..uv.types import Atlas
from .brows import SIDE, BrowLook, look_with_hair, seen_look, sharp_picture
from .completion import Completion
from .fill import Fill
from .hair import diffuse_colour
from .types import AlbedoBasis

_CERTAIN = 0.9  # share of hair on the scalp, and of what is known of skin, that tells its colour


def with_brows(
    picture: np.ndarray,
    seen: tuple[np.ndarray, np.ndarray],
    brows: np.ndarray,
    look: BrowLook | None,
    model: FaceModel,
    atlas: Atlas,
) -> np.ndarray:
    """(1024, 1024, 3) float32 linear of (T, T, 3) skin, sharper, with this person's brows.

    Args:
        seen: (S, S, 3) albedo and (S, S) confidence of the photo. brows: (V,) mm inside of their border.
        look: where too little of them is seen; None: people's.
    """
    usual, own = (brow_map(one, atlas) for one in (usual_brows(model), brows))
    return sharp_picture(picture, model, usual, own, seen_look(*map(_sized, seen), own) or look)


def brow_map(brows: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(1024, 1024) float32 of (V,) mm inside of brows' border."""
    return _sized(atlas.reduced.picture(brows + np.float32(FAR_MM))) - np.float32(FAR_MM)


def look_of_hair(fields: Completion, fill: Fill, basis: AlbedoBasis, model: FaceModel) -> BrowLook | None:
    """Of brows of which too little is seen, by the hair on the scalp; None where there is none, either."""
    hairy, plain = model.in_region("scalp") & (fields.hair > _CERTAIN), basis.plain & (fill.known > _CERTAIN)
    if not hairy.any() or not plain.any():
        return None
    skin = (np.log(fill.colours) + fields.offset)[plain]
    hair = diffuse_colour(fields.colour[hairy], fields.hair[hairy])
    return look_with_hair(np.log(hair) - np.median(skin, axis=0))


def _sized(values: np.ndarray) -> np.ndarray:
    if len(values) == SIDE:
        return values
    way = cv2.INTER_AREA if SIDE < len(values) else cv2.INTER_LINEAR
    return cv2.resize(values, (SIDE, SIDE), interpolation=way)
