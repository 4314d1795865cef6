# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos as artists have them: any common file to upright 8-bit sRGB pixels, and the focal length where it is known."""

import math
import os
import struct
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps

from ..errors import PhotoError
from ..notices import Notice
from .colour.convert import File, floats_of, to_srgb
from .colour.declared import declared_in_header
from .colour.tiff import as_stored, float_tiff
from .heif import require_heif_reader

# By content, never by the file's name. Formats that start other programs (EPS) or hold no photos stay out.
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "JPEG2000", "BMP", "DIB", "GIF", "PPM", "TGA", "PSD", "HEIF")
MAX_SIDE = 6000
"""Larger photos are shrunk to this many pixels on the longer side."""
MAX_PIXELS = 160_000_000
"""Photos above this many pixels are refused, except JPEG, which can be decoded at a smaller size."""
MAX_JPEG_PIXELS = 800_000_000
_CLOCK_TICK_NS = 30_000_000
"""More than the resolution of files' times of writing."""

_SAVE_AGAIN = "Open it in an image editor, save it as JPEG or PNG, and use that file."
_BROKEN_FILE = (
    OSError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError, RuntimeError, EOFError, struct.error,
    zlib.error,
)  # fmt: skip
"""What Pillow's readers raise on damaged files."""
_FILM_DIAGONAL_MM = math.hypot(36, 24)
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""EXIF FocalPlaneResolutionUnit: inch, centimetre, millimetre, micrometre."""


@dataclass(frozen=True)
class Photo:
    """A photo ready for work.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB, upright as an artist sees it, the longer side at most ``MAX_SIDE``.
        path: the file it came from.
        focal_px: focal length in pixels of ``pixels`` from EXIF; None where EXIF does not say or the photo was cropped.
        notices: what was done to it that an artist should know.
    """

    pixels: np.ndarray
    path: Path
    focal_px: float | None
    notices: tuple[Notice, ...]

    @classmethod
    def of(cls, pixels: np.ndarray, name: str = "picture") -> "Photo":
        """A picture in memory, (H, W, 3) uint8 sRGB, of no known camera."""
        return cls(pixels, Path(name), None, ())


def read_photo(path: Path) -> Photo:
    """Read an image file, whatever its extension says.

    Turned upright by EXIF, colours brought to sRGB by the embedded profile, 16 bits to 8, transparent parts over
    mid grey, the first picture of an animation.

    Raises:
        PhotoError: missing, a folder, empty, not an image, damaged, truncated, too large, changed while it was read.
    """
    path = Path(path)
    _check_file(path)
    try:
        # Not by its name: Pillow would map the file into memory, and end the process if it were cut short now.
        with _pillow_settings(), _unchanged(path) as stream:
            pixels, stored_size, focal_px, notices = _read(stream, path)
    except Image.UnidentifiedImageError as error:
        raise PhotoError(f"{path} is not an image that can be read.", _SAVE_AGAIN) from error
    except PermissionError as error:
        raise PhotoError(f"{path} may not be read: {error.strerror}.", "Change the file's permissions.") from error
    except MemoryError as error:
        raise PhotoError(f"{path} does not fit into memory.", f"Shrink it to {MAX_SIDE} pixels at most.") from error
    except _BROKEN_FILE as error:
        raise PhotoError(f"{path} is damaged or incomplete: {error}.", f"Copy it again. {_SAVE_AGAIN}") from error

    pixels = _shrink(pixels)
    scale = max(pixels.shape[:2]) / max(stored_size)
    if scale < 1:
        text = f"The photo was shrunk from {stored_size[0]} × {stored_size[1]} pixels to {scale:.0%} of its size."
        notices += (Notice("photo_shrunk", text),)
    return Photo(pixels, path, focal_px * scale if focal_px else None, notices)


def _read(stream: BinaryIO, path: Path) -> tuple[np.ndarray, tuple[int, int], float | None, tuple[Notice, ...]]:
    """Upright pixels, (width, height) as stored, focal length in px of the stored size, and notices."""
    floats = float_tiff(stream)
    if floats is not None:
        _check_size(floats.size, "TIFF", path)
        stored, notices = floats_of(_content_of(stream), floats.size, floats.profile)
        return np.asarray(_turned(stored, floats.orientation)), floats.size, None, notices
    stream.seek(0)
    require_heif_reader(stream, path)
    declared = declared_in_header(stream)
    with Image.open(stream, formats=_formats()) as image:
        stored_size = image.size
        _check_size(stored_size, image.format, path)
        file = _content_of(stream) if _is_deep(image) else None  # asked before anything is loaded
        exif = image.getexif()
        focal_px = _focal_px(exif, stored_size)
        image.draft(None, (MAX_SIDE * 3 // 4, MAX_SIDE * 3 // 4))
        image.load()
        stored, notices = to_srgb(image, declared, file)
        upright = _turned(stored, exif.get(ExifTags.Base.Orientation))
    return np.asarray(upright), stored_size, focal_px, notices


def _turned(stored: Image.Image, orientation: int | None) -> Image.Image:
    if orientation:
        stored.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(stored)


def _is_deep(image: Image.Image) -> bool:
    """Whether a file has more bits than Pillow gives."""
    if image.format == "PNG":
        return image.mode.startswith("I") or any("16" in str(tile.args) for tile in image.tile)
    bits = image.tag_v2.get(ExifTags.Base.BitsPerSample, ()) if image.format == "TIFF" else ()
    return max(bits if isinstance(bits, tuple) else (bits,), default=8) > 8


def _content_of(stream: BinaryIO) -> File:
    def content() -> bytes:
        stream.seek(0)
        return as_stored(stream.read())

    return content


def _formats() -> list[str]:
    """Those of ours that this Pillow was built with; it knows no others by name."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _check_file(path: Path) -> None:
    choose = "Choose an image file."
    try:
        if path.is_dir():
            raise PhotoError(f"{path} is a folder.", "Choose an image file inside it.")
        if not path.exists():
            raise PhotoError(f"{path} does not exist.", "Check the name and the folder.")
        if not path.is_file():
            raise PhotoError(f"{path} is not a file.", choose)
        if path.stat().st_size == 0:
            raise PhotoError(f"{path} is empty.", "Copy it again from where it came.")
    except (OSError, ValueError) as error:
        raise PhotoError(f"{path} cannot be opened: {error}.", choose) from error


@contextmanager
def _unchanged(path: Path) -> Iterator[BinaryIO]:
    """A file's stream; PhotoError where somebody writes to the file meanwhile, however the reading ends."""
    with open(path, "rb") as stream:
        before = _written(stream)
        if time.time_ns() - before[0] < _CLOCK_TICK_NS:
            time.sleep(_CLOCK_TICK_NS / 1e9)  # else one more write might not change the time
        changed = PhotoError(f"{path} changed while it was read.", "Wait until it is written, then use it.")
        if _written(stream) != before:
            raise changed
        try:
            yield stream
        finally:
            if _written(stream) != before:
                raise changed


def _written(stream: BinaryIO) -> tuple[int, int]:
    """When an open file was last written, in ns, and its size."""
    status = os.fstat(stream.fileno())
    return status.st_mtime_ns, status.st_size


@contextmanager
def _pillow_settings() -> Iterator[None]:
    """Pillow's own limit of pixels off, because :func:`_check_size` decides by format; set back afterwards.

    Its warnings about odd tags are not shown: what matters of a damaged file becomes an error.
    """
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _check_size(size: tuple[int, int], kind: str, path: Path) -> None:
    """Decide from the header, before anything is decoded."""
    width, height = size
    limit = MAX_JPEG_PIXELS if kind in ("JPEG", "MPO") else MAX_PIXELS
    if width * height > limit:
        raise PhotoError(
            f"{path} has {width} × {height} pixels; at most {limit // 1_000_000} million can be read.",
            f"Shrink it to {MAX_SIDE} pixels on its longer side, or cut out the head.",
        )


def _shrink(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = MAX_SIDE / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX, reducing_gap=2.0))


def _focal_px(exif: Image.Exif, size: tuple[int, int]) -> float | None:
    """Focal length in pixels of the picture as stored, from EXIF 2.3.

    Args:
        exif: the photo's EXIF. size: (width, height) of the file.

    Returns:
        None where it is unknown, implausible (outside 0.4 to 20 times the longer side), or where the picture's sides
        differ from those EXIF recorded by more than a change of size, because a crop moves the principal point.
    """
    details = exif.get_ifd(ExifTags.IFD.Exif)
    recorded = (
        _number(details.get(ExifTags.Base.ExifImageWidth)), _number(details.get(ExifTags.Base.ExifImageHeight))
    )  # fmt: skip
    if all(recorded):
        aspect, recorded_aspect = (max(s) / min(s) for s in (size, recorded))
        if abs(aspect / recorded_aspect - 1) > 0.02:
            return None

    film_mm = _number(details.get(ExifTags.Base.FocalLengthIn35mmFilm))
    focal_mm = _number(details.get(ExifTags.Base.FocalLength))
    per_unit = _number(details.get(ExifTags.Base.FocalPlaneXResolution))
    unit_mm = _MM_PER_UNIT.get(details.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
    if film_mm:
        # "Equivalent" compares diagonals: that of 36 × 24 mm film and that of the picture.
        focal = film_mm / _FILM_DIAGONAL_MM * math.hypot(*size)
    elif focal_mm and per_unit and unit_mm and all(recorded):
        focal = focal_mm * per_unit / unit_mm * max(size) / max(recorded)
    else:
        return None
    return focal if 0.4 <= focal / max(size) <= 20 else None


def _number(value: object) -> float | None:
    """A positive finite EXIF number, or None; rationals may have a zero denominator."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None
