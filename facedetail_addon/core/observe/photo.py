# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos as artists have them: any common file to upright 8-bit sRGB pixels, and the focal length where it is known."""

import io
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
from PIL import ExifTags, Image, ImageCms, ImageOps

from ..errors import PhotoError
from ..notices import Notice

# By content, never by the file's name. Formats that start other programs (EPS) or hold no photos stay out.
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "JPEG2000", "BMP", "DIB", "GIF", "PPM", "TGA", "PSD")
MAX_SIDE = 6000
"""Larger photos are shrunk to this many pixels on the longer side."""
MAX_PIXELS = 160_000_000
"""Photos above this many pixels are refused, except JPEG, which can be decoded at a smaller size."""
MAX_JPEG_PIXELS = 800_000_000
MID_GREY = 128
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
        with _pillow_settings(), _unchanged(path) as stream, Image.open(stream, formats=_formats()) as image:
            stored_size = image.size
            _check_size(image, path)
            focal_px = _focal_px(image.getexif(), stored_size)
            image.draft(None, (MAX_SIDE * 3 // 4, MAX_SIDE * 3 // 4))
            image.load()
            upright = ImageOps.exif_transpose(image)
            pixels, notices = _to_srgb(upright)
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


def _check_size(image: Image.Image, path: Path) -> None:
    """Decide from the header, before anything is decoded."""
    width, height = image.size
    limit = MAX_JPEG_PIXELS if image.format in ("JPEG", "MPO") else MAX_PIXELS
    if width * height > limit:
        raise PhotoError(
            f"{path} has {width} × {height} pixels; at most {limit // 1_000_000} million can be read.",
            f"Shrink it to {MAX_SIDE} pixels on its longer side, or cut out the head.",
        )


def _to_srgb(image: Image.Image) -> tuple[np.ndarray, tuple[Notice, ...]]:
    """Any of Pillow's modes to (H, W, 3) uint8 sRGB."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        image = Image.fromarray(_sixteen_to_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, (MID_GREY, MID_GREY, MID_GREY, 255))
        # The profile speaks of the colours, not of how they are mixed: composite first.
        image = Image.alpha_composite(canvas, image).convert("RGB")
    elif image.mode in ("P", "PA", "1"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    image, notices = _apply_profile(image, profile)
    return np.asarray(image.convert("RGB")), notices


def _sixteen_to_eight_bits(values: np.ndarray) -> np.ndarray:
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("grey values of more than 16 bits")
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _apply_profile(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[Notice, ...]]:
    if not profile:
        if image.mode != "CMYK":
            return image, ()
        text = "The photo is CMYK without a colour profile, so its colours are approximate."
        return image.convert("RGB"), (Notice("colour_profile", text),)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "RGB" and ImageCms.getProfileDescription(source).startswith("sRGB"):
            return image, ()
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"), ()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        text = "The photo's colour profile cannot be used, so its colours are approximate."
        return image.convert("RGB"), (Notice("colour_profile", text),)


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
