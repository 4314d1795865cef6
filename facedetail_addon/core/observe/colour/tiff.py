# SPDX-License-Identifier: GPL-3.0-or-later
"""What Pillow and OpenCV do not agree with us about in TIFFs: 32-bit colours, and who turns the picture."""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

_ICC, _ORIENTATION = 34675, 274
_PLAIN = (3, 4)
_LOG_LUV = (34676, 34677)
"""Compressions that hold light as logarithms; OpenCV, for one, writes floats so."""
_NOT_TIFF = (OSError, ValueError, TypeError, ArithmeticError, LookupError, RuntimeError, AttributeError, struct.error)


@dataclass(frozen=True)
class FloatTiff:
    """What the header says: (width, height), EXIF's orientation, and an ICC profile."""

    size: tuple[int, int]
    orientation: int
    profile: bytes | None


def float_tiff(stream: BinaryIO) -> FloatTiff | None:
    """The header of a TIFF of floats in three or four channels; None where a file is none. Nothing is decoded."""
    stream.seek(0)
    if stream.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return None
    import tifffile  # here, for few photos are TIFFs

    stream.seek(0)
    try:
        with tifffile.TiffFile(stream) as file:
            page = file.pages[0]
            floats = page.compression in _LOG_LUV or (page.dtype is not None and page.dtype.kind == "f")
            if page.samplesperpixel not in _PLAIN or not floats:
                return None
            tags = {code: page.tags[code].value for code in (_ICC, _ORIENTATION) if code in page.tags}
            size = (int(page.imagewidth), int(page.imagelength))
    except _NOT_TIFF:
        return None
    orientation, profile = tags.get(_ORIENTATION, 1), tags.get(_ICC)
    if min(size) < 1:
        return None
    return FloatTiff(size, int(orientation), profile if isinstance(profile, bytes) else None)


def as_stored(content: bytes) -> bytes:
    """A TIFF without its orientation, so that OpenCV leaves its rows where they are; anything else as it is."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            tag = file.pages[0].tags.get(_ORIENTATION)
            if tag is None or tag.valuebytecount != 2:
                return content
            place, order = tag.valueoffset, file.byteorder
    except _NOT_TIFF:
        return content
    return content[:place] + struct.pack(f"{order}H", 1) + content[place + 2 :]
