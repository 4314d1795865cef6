# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a photo's faces is taken."""

from ..errors import NoFaceError
from ..notices import Notice
from .landmarks.types import FaceLandmarks
from .photo import Photo


def choose_face(faces: tuple[FaceLandmarks, ...], photo: Photo, wanted: int | None) -> FaceLandmarks:
    """The face that was asked for, or the largest, which is the first; ``wanted``: counted from 0.

    Raises:
        NoFaceError: there is none, or not the asked-for one.
    """
    if not faces:
        raise NoFaceError(
            f"No face was found in {photo.path}.",
            "Use a photo where one face is sharp, well lit, seen from front or side and at least 60 pixels wide.",
        )
    index = wanted or 0
    if index >= len(faces):
        raise NoFaceError(
            f"Face {index + 1} was asked for, but {photo.path} shows {len(faces)}.",
            f"Choose a face from 1 (the largest) to {len(faces)}.",
        )
    return faces[index]


def several_faces(faces: tuple[FaceLandmarks, ...], wanted: int | None) -> tuple[Notice, ...]:
    """A notice with code ``several_faces`` where nobody chose among them."""
    if wanted is not None or len(faces) == 1:
        return ()
    return (Notice("several_faces", f"The photo shows {len(faces)} faces; the largest was taken."),)
