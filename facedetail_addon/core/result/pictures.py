# SPDX-License-Identifier: GPL-3.0-or-later
"""A reconstruction's maps as the bytes of files, which Blender packs as they are."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputError
from ..io.exr import exr_bytes, is_zero
from .files import (
    ALBEDO_FILE,
    FINE_FILE,
    MEDIUM_FILE,
    NORMAL_FILE,
    NORMAL_FINE_FILE,
    PHOTO_FILE,
    ROUGHNESS_FILE,
    SPECULAR_FILE,
    png_bytes,
)
from .record import Reconstruction

_FILES = {
    "photo": PHOTO_FILE,
    "albedo": ALBEDO_FILE,
    "roughness": ROUGHNESS_FILE,
    "specular": SPECULAR_FILE,
    "displacement_medium": MEDIUM_FILE,
    "displacement_fine": FINE_FILE,
    "normal": NORMAL_FILE,
    "normal_fine": NORMAL_FINE_FILE,
}
_HEIGHTS = ("displacement_medium", "displacement_fine")
_MAX_SIDE = 16384
_PNG_BEGIN, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_REMEDY = "Reconstruct the photo again, or choose a folder that FaceDetail wrote."


@dataclass(frozen=True)
class Pictures:
    """PNG of 8 bits (photo, albedo, roughness, specular) or 16 (normals); EXR of one float channel (heights, mm).

    Attributes:
        has_relief: whether any height is not zero.
    """

    photo: bytes
    albedo: bytes
    roughness: bytes
    specular: bytes
    displacement_medium: bytes
    displacement_fine: bytes
    normal: bytes
    normal_fine: bytes
    has_relief: bool


def encode_pictures(reconstruction: Reconstruction) -> Pictures:
    """The maps of a reconstruction, encoded; takes a second. OSError when one cannot be encoded."""
    return Pictures(
        **{name: (exr_bytes if name in _HEIGHTS else png_bytes)(getattr(reconstruction, name)) for name in _FILES},
        has_relief=any(getattr(reconstruction, name).any() for name in _HEIGHTS),
    )


def read_pictures(folder: Path) -> Pictures:
    """The maps of a result folder as they lie there; no pixel is decoded, only sizes and ends are looked at.

    Raises:
        OutputError: a file is missing, cut short, or no picture of the others' size.
    """
    try:
        data = {name: (folder / file).read_bytes() for name, file in _FILES.items()}
        shapes = {name: _png_shape(content) for name, content in data.items() if name not in _HEIGHTS}
        del shapes["photo"]
        if len(set(shapes.values())) > 1:
            raise ValueError("the maps differ in size")
        flat = [is_zero(data[name], shapes["albedo"]) for name in _HEIGHTS]
    except OSError as error:
        raise OutputError(f"{error.filename} cannot be read: {error.strerror or error}.", _REMEDY) from error
    except ValueError as error:
        raise OutputError(f"{folder} holds pictures that cannot be: {error}.", _REMEDY) from error
    return Pictures(**data, has_relief=not all(flat))


def _png_shape(data: bytes) -> tuple[int, int]:
    """(H, W). ValueError when it is no whole PNG of a usable size."""
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    if not data.startswith(_PNG_BEGIN) or not data.endswith(_PNG_END):
        raise ValueError("a PNG is cut short, or is none")
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise ValueError("a PNG has no usable size")
    return height, width
