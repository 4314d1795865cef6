# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of a photo's faces, to choose one by."""

from pathlib import Path

import cv2
import numpy as np

from ..errors import OutputError
from ..io.images import write_png
from .correspondence.finder import CorrespondenceFinder
from .correspondence.profile import find_faces
from .expression.face_crop import face_region
from .landmarks.landmarker import MeshLandmarker
from .landmarks.types import FaceLandmarks
from .photo import read_photo
from .region import Region

MOST_FACES = 8
"""The largest; smaller ones can be chosen by their number."""
_SIDE = 128
_AROUND = 1.3
"""Of the square that frames a face closely: with hair and chin people are known more easily."""


def save_faces(photo: Path, landmarker: MeshLandmarker, finder: CorrespondenceFinder, folder: Path) -> tuple[Path, ...]:
    """Write an upright picture of each face.

    Args:
        photo: an image file.
        folder: made where it is missing.

    Returns:
        PNGs of 128 pixels a side, largest face first, in the order of the pipeline's ``face``; at most ``MOST_FACES``.

    Raises:
        PhotoError: the photo cannot be read. OutputError: the pictures cannot be written.
    """
    pixels = read_photo(photo).pixels
    faces = find_faces(pixels, landmarker, finder)[:MOST_FACES]
    paths = tuple(folder / f"face_{number:02d}.png" for number in range(1, len(faces) + 1))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, face in zip(paths, faces, strict=True):
            write_png(path, _picture(pixels, face))
    except OSError as error:
        raise OutputError(
            f"The pictures of faces cannot be written to {folder}: {error.strerror or error}.",
            "Make room on the disk of the folder for temporary files.",
        ) from error
    return paths


def _picture(pixels: np.ndarray, face: FaceLandmarks) -> np.ndarray:
    close = face_region(face.mesh_px)
    region = Region(close.center, _AROUND * close.side, close.angle)
    return region.crop(pixels, _SIDE, cv2.BORDER_REPLICATE)
