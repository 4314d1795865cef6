# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a photo shows bare skin whose shading tells of form."""

import cv2
import numpy as np

from ..face_model.model import FACE_REGIONS, FaceModel
from ..fit.types import PoseFit
from ..observe.masks.types import MASK_SIDE, PhotoMasks
from ..skin.types import AlbedoBasis
from ..uv.types import UnwrappedPhoto

_LEAST_CONFIDENCE = 0.1
_HAIR = 0.15  # probability from which on something is hair
_HAIR_MARGIN_MM = 5.0  # strands and their shadows


def clear_skin(
    unwrapped: UnwrappedPhoto, basis: AlbedoBasis, masks: PhotoMasks | None, pose: PoseFit, model: FaceModel
) -> np.ndarray:
    """(V_skin,) float64, 1 = seen straight on and not clipped; 0 = hidden, hair or near to it, no skin of the face.

    Args:
        masks: of the photo, None where nobody has looked. pose: of the head in it.
    """
    confidence = unwrapped.vertex_confidence * basis.known * (1 - unwrapped.vertex_clipped).clip(0, 1) ** 2
    confidence = np.where(model.in_region(*FACE_REGIONS) & (confidence >= _LEAST_CONFIDENCE), confidence, 0)
    return confidence if masks is None else np.where(_near_hair(masks, pose, model), 0, confidence)


def _near_hair(masks: PhotoMasks, pose: PoseFit, model: FaceModel) -> np.ndarray:
    camera, vertices = pose.perspective, model.skin.of(pose.vertices).astype(np.float64)
    depth = float(np.median(vertices @ camera.rotation[2] + camera.translation[2]))
    pixels = _HAIR_MARGIN_MM * camera.focal_px / depth / masks.region.side * MASK_SIDE
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(pixels) + 1,) * 2)
    wide = cv2.dilate(masks.hair, kernel)
    at = (masks.region.from_photo(camera.project(vertices)) * MASK_SIDE).astype(int)
    inside = ((at >= 0) & (at < MASK_SIDE)).all(axis=1)
    column, row = at.clip(0, MASK_SIDE - 1).T
    return inside & (wide[row, column] > _HAIR)
