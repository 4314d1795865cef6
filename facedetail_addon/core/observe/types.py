# SPDX-License-Identifier: GPL-3.0-or-later
"""What one photo says before any head is fitted to it."""

from dataclasses import dataclass

import numpy as np

from ..notices import Notice
from .correspondence.types import Correspondences
from .expression.types import Emotion, ExpressionPrior
from .landmarks.types import FaceLandmarks
from .masks.types import GlassesMask, PhotoMasks


@dataclass(frozen=True)
class CameraPrior:
    """What is known of a photo's camera.

    Attributes:
        image_size: (width, height) of the photo in px.
        center_px: (2,) float64, principal point in px.
        focal_px: focal length in px (from EXIF); None where it is not known.
    """

    image_size: tuple[int, int]
    center_px: np.ndarray
    focal_px: float | None = None

    @classmethod
    def centred(cls, image_size: tuple[int, int], focal_px: float | None = None) -> "CameraPrior":
        """Of a photo that was not cropped: the principal point is the middle of the picture."""
        return cls(image_size, np.array(image_size, np.float64) / 2, focal_px)


@dataclass(frozen=True)
class Observation:
    """One photo of a person.

    Attributes:
        landmarks: of the face; ``mesh_px`` is None in results of format 5, which did not keep it.
        camera_prior: of the photo.
        emotion: of the face; None where nobody has looked.
        expression_prior: read from the whole face; None where nobody has looked, or in results of format 5.
        masks: where the photo shows the person, hair and skin; None where nobody has looked, or in older results.
        glasses: before the face; None where nobody has looked, or where only the record was read.
        correspondences: points of the whole head; None where nobody has looked, or in older results.
        alpha_prior: (K,) float32 mean of α among people who look like this, of the built-in head; None with imported
            models, where nobody has looked, or in older results.
        photo_name: file name of the photo.
        pixels: (H, W, 3) uint8 sRGB, upright; None where only the record was read.
        notices: what an artist should know of the photo and its face.
    """

    landmarks: FaceLandmarks
    camera_prior: CameraPrior
    emotion: Emotion | None = None
    expression_prior: ExpressionPrior | None = None
    masks: PhotoMasks | None = None
    glasses: GlassesMask | None = None
    correspondences: Correspondences | None = None
    alpha_prior: np.ndarray | None = None
    photo_name: str = ""
    pixels: np.ndarray | None = None
    notices: tuple[Notice, ...] = ()
