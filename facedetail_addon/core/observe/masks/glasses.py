# SPDX-License-Identifier: GPL-3.0-or-later
"""Where glasses lie before a face: their frames, and lenses that are dark."""

import cv2
import numpy as np
import torch

from ...image import smoothstep
from ...io.networks import one_thread
from ..landmarks.types import FaceLandmarks
from ..region import Region
from .glasses_net import GLASSES_HIGH, GLASSES_WIDE, GlassesNet
from .types import GlassesMask

_EYES = slice(36, 42), slice(42, 48)  # of iBUG
_JAW = 0, 16
_OF_EYES, _OF_FACE = 2.6, 1.15  # sides of the square: of the distance between the eyes, and of the face's width
_BELOW = 6 / GLASSES_WIDE  # sides of the square that its middle lies below the eyes
_FIRST_ROW = (GLASSES_WIDE - GLASSES_HIGH) // 2
_WORN = (0.5, 0.7)  # probability of glasses from which frames begin to count, and count fully


def find_glasses(pixels: np.ndarray, landmarks: FaceLandmarks, network: GlassesNet) -> GlassesMask:
    """The glasses before one face of a photo; nothing where it wears none, or is only seen in profile.

    Args:
        pixels: (H, W, 3) uint8 sRGB. landmarks: of the face.
    """
    region = eye_region(landmarks.sparse_px)
    if not landmarks.seen:
        return GlassesMask(region, 0.0, np.zeros((GLASSES_HIGH, GLASSES_WIDE), np.float32))
    with one_thread():
        frames, worn = network(as_input(eye_band(pixels, region)))
    probability = float(torch.sigmoid(worn)[0])
    frames = torch.sigmoid(frames)[0, 0].numpy() * np.float32(smoothstep(probability, *_WORN))
    return GlassesMask(region, probability, frames)


def eye_region(sparse_px: np.ndarray) -> Region:
    """The square, turned with the eyes, that is as wide as the face; its middle rows hold the eyes.

    Args:
        sparse_px: (68, 2) px.
    """
    right, left = (sparse_px[eye].mean(axis=0) for eye in _EYES)
    across = left - right
    angle = float(np.arctan2(across[1], across[0]))
    wide = np.linalg.norm(sparse_px[_JAW[1]] - sparse_px[_JAW[0]])
    side = float(max(_OF_EYES * np.linalg.norm(across), _OF_FACE * wide))
    down = np.array([-np.sin(angle), np.cos(angle)])
    return Region(((right + left) / 2 + _BELOW * side * down).astype(np.float64), side, angle)


def eye_band(pixels: np.ndarray, region: Region) -> np.ndarray:
    """(GLASSES_HIGH, GLASSES_WIDE, 3) uint8, the middle rows of the region."""
    crop = region.crop(pixels, GLASSES_WIDE, cv2.BORDER_REPLICATE)
    return crop[_FIRST_ROW : _FIRST_ROW + GLASSES_HIGH]


def as_input(band: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(band)).permute(2, 0, 1)[None].float().div(255)
