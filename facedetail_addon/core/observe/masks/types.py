# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a photo shows the person, the hair and the skin."""

from dataclasses import dataclass

import cv2
import numpy as np

from ...image import sample, smoothstep
from ..region import Region

MASKS = ("person", "hair", "skin")
MASK_SIDE = 256
LEVELS = 255
"""Masks are whole multiples of 1 / LEVELS, so that they come back from a file as they were."""

_BROW_TOPS, _CHIN = (105, 334), 152  # of the face mesh's landmarks
_LIKELY_HAIR = 0.5
_HEAD_OF_HAIR = (0.3, 0.45)  # area of hair above the brows, in squares as high as from there to the chin


@dataclass(frozen=True)
class PhotoMasks:
    """Probabilities around one head.

    Attributes:
        region: the upright square of the photo that the masks cover.
        image_size: (width, height) of the photo in px.
        person: (256, 256) float32 in 0..1, a person with all they wear, not the background.
        hair: (256, 256) float32 in 0..1, hair of the head; not brows, and beards only where they are long.
        skin: (256, 256) float32 in 0..1, of the person, not hair, and of the face's own colour.
    """

    region: Region
    image_size: tuple[int, int]
    person: np.ndarray
    hair: np.ndarray
    skin: np.ndarray

    def sample(self, points_px: np.ndarray) -> np.ndarray:
        """Person, hair and skin at places of the photo.

        Args:
            points_px: (N, 2) photo px, the first pixel's centre at (0.5, 0.5).

        Returns:
            (N, 3) float32, bilinear between the masks' pixels; NaN outside the photo and outside the region, where
            nobody has looked.
        """
        points = np.asarray(points_px, np.float64).reshape(-1, 2)
        places = self.region.from_photo(points)
        known = ((places >= 0) & (places <= 1) & (points >= 0) & (points <= self.image_size)).all(axis=1)
        out = np.full((len(points), 3), np.nan, np.float32)
        masks = np.stack([getattr(self, name) for name in MASKS], axis=-1)
        at = (places[known] * MASK_SIDE - 0.5).astype(np.float32)
        out[known] = sample(masks, at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        return out

    def head_of_hair(self, mesh_px: np.ndarray) -> float:
        """Whether there is one, in [0, 1].

        What lies above the brows tells: hair stands off the scalp, so that little of it is seen where the scalp is.

        Args:
            mesh_px: (478, 2 or 3) landmarks, photo px.
        """
        *brows, chin = self.region.from_photo(mesh_px[[*_BROW_TOPS, _CHIN], :2].astype(np.float64))[:, 1] * MASK_SIDE
        brow = float(np.mean(brows))
        above = self.hair[: max(int(brow), 0)] > _LIKELY_HAIR
        return float(smoothstep(above.sum() / max(chin - brow, 1.0) ** 2, *_HEAD_OF_HAIR))


@dataclass(frozen=True)
class GlassesMask:
    """Glasses before one face.

    Attributes:
        region: the square of the photo whose middle rows ``frames`` covers.
        probability: in 0..1, that there are any.
        frames: (128, 256) float32 in 0..1, frames and dark lenses; 0 where there are no glasses.
    """

    region: Region
    probability: float
    frames: np.ndarray

    def on_photo(self, points_px: np.ndarray) -> np.ndarray:
        """(..., 2) float32 pixels of ``frames`` that (..., 2) photo px lie at, the first one's centre at (0, 0)."""
        high, wide = self.frames.shape
        places = self.region.from_photo(np.asarray(points_px, np.float64)) * wide
        return (places - [0.5, 0.5 + (wide - high) / 2]).astype(np.float32)
