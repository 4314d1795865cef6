# SPDX-License-Identifier: GPL-3.0-or-later
"""Find person, hair and skin around one face of a photo."""

import cv2
import numpy as np
import torch

from ...io.networks import one_thread
from ..expression.face_crop import face_region
from ..landmarks.types import FaceLandmarks
from ..region import Region
from .hair_net import HAIR_INPUT
from .networks import MaskNetworks
from .skin import face_pixels, skin_likeness
from .types import LEVELS, MASK_SIDE, PhotoMasks

_SIDE, _UP = 2.15, 0.15  # sides of the face's square: so large, so far above its centre


def find_masks(pixels: np.ndarray, landmarks: FaceLandmarks, networks: MaskNetworks) -> PhotoMasks:
    """Which parts of a photo around a face show a person, hair and bare skin.

    Args:
        pixels: (H, W, 3) uint8 sRGB. landmarks: of the face.
    """
    height, width = pixels.shape[:2]
    region = head_region(landmarks.mesh_px, (width, height))
    wide = region.crop(pixels, HAIR_INPUT, cv2.BORDER_REPLICATE)
    small = cv2.resize(wide, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA)
    with one_thread():
        person = networks.person(_as_input(small))[0, 0].numpy()
        hair = networks.hair(_as_input(wide)).softmax(1)[0, 1].numpy()
    hair = cv2.resize(hair, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA)
    mesh = region.from_photo(landmarks.mesh_px[:, :2].astype(np.float64)) * MASK_SIDE
    outline, cheeks = face_pixels(mesh, MASK_SIDE)
    person = np.maximum(person, outline)  # a face has been found: where it fills the photo, the network may see nobody
    bare = person * (1 - hair)
    skin = bare * skin_likeness(small, cheeks, bare)
    return PhotoMasks(region, (width, height), _in_levels(person), _in_levels(hair), _in_levels(skin))


def head_region(mesh_px: np.ndarray, image_size: tuple[int, int]) -> Region:
    """The upright square around crown, ears, neck and some shoulder: 2.6 times as wide as the face where the photo
    shows so much; the networks do not know what to make of a head on a large empty ground.

    Args:
        mesh_px: (478, 3) px, as in ``FaceLandmarks.mesh_px``. image_size: (width, height) of the photo in px.
    """
    face, limit = face_region(mesh_px), np.array(image_size, np.float64)
    side = min(_SIDE * face.side, max(limit))
    center = face.to_photo(np.array([0.5, 0.5 - _UP]))
    margin = np.minimum(side, limit) / 2
    return Region(center.clip(margin, limit - margin), float(side), face.angle)


def _as_input(crop: np.ndarray) -> torch.Tensor:
    """(S, S, 3) uint8 to (1, 3, S, S) in 0..1."""
    return torch.from_numpy(crop).permute(2, 0, 1)[None].float().div(255).contiguous(memory_format=torch.channels_last)


def _in_levels(mask: np.ndarray) -> np.ndarray:
    return np.round(mask.clip(0, 1) * LEVELS).astype(np.float32) / np.float32(LEVELS)
