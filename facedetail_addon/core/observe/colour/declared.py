# SPDX-License-Identifier: GPL-3.0-or-later
"""What image files say about their colours, in all the ways that Pillow does not tell.

PNG: cICP, gAMA, cHRM, sRGB (W3C PNG 3). AVIF and HEIF: nclx (ISO 14496-12). JPEG 2000: enumerated, ICC, and code points
(ISO 15444). BMP: version 4 and 5. JPEG and TIFF: EXIF and TIFF tags.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import ExifTags, Image

from .encoding import ADOBE_GAMMA, ADOBE_RGB, D50, D65, ROMM, Encoding, by_code, by_numbers

_PNG = b"\x89PNG\r\n\x1a\n"
_JP2 = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_MOST_BYTES = 1 << 24
"""Of what comes before the pixels."""
_MOST_BOXES = 10_000
_WHITE_POINT, _PRIMARY_CHROMATICITIES = 318, 319


@dataclass(frozen=True)
class Declared:
    """What a file says.

    Attributes:
        encoding: None where it is sRGB, or nothing is said.
        profile: an ICC profile that Pillow does not find.
        first: ``encoding`` counts more than any ICC profile.
        unknown: what is said and not understood, for people; empty where all is.
    """

    encoding: Encoding | None = None
    profile: bytes | None = None
    first: bool = False
    unknown: str = ""


def declared_in_header(stream: BinaryIO) -> Declared:
    """What a file says before its pixels; the stream is left at its start. Damage is left to the decoder to tell."""
    head = stream.read(32)
    try:
        if head.startswith(_PNG):
            return _of_png(stream)
        if head.startswith(_JP2):
            return _of_boxes(stream, jpeg_2000=True)
        if head[4:8] == b"ftyp":
            return _of_boxes(stream, jpeg_2000=False)
        if head.startswith(b"BM"):
            return _of_bmp(stream)
    except (struct.error, IndexError, KeyError, OverflowError):
        return Declared()
    except (ValueError, ArithmeticError) as error:
        return Declared(unknown=str(error))
    finally:
        stream.seek(0)
    return Declared()


def _interoperability(exif: Image.Exif) -> object:
    """EXIF's InteroperabilityIndex; None where it does not say."""
    try:
        return exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Base.InteropIndex)
    except KeyError:  # of older Pillows, for files without that directory
        return None


def declared_in_exif(image: Image.Image) -> Declared:
    """What the tags of a JPEG, TIFF or other file with EXIF say."""
    exif = image.getexif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    space = details.get(ExifTags.Base.ColorSpace)
    if space == 1:
        return Declared()
    interoperability = _interoperability(exif)
    if space == 2 or (isinstance(interoperability, str) and interoperability.startswith("R03")):
        return Declared(by_numbers(ADOBE_GAMMA, ADOBE_RGB, D65))
    try:
        gamma = details.get(ExifTags.Base.Gamma)
        gamma = None if gamma is None else float(gamma)
        white, primaries = exif.get(_WHITE_POINT), exif.get(_PRIMARY_CHROMATICITIES)
        if white is None or primaries is None:
            return Declared(None if gamma is None else by_numbers(gamma, None, D65))
        numbers, white = tuple(map(float, primaries)), tuple(map(float, white))
        return Declared(by_numbers(gamma, numbers, white) if (len(numbers), len(white)) == (6, 2) else None)
    except (TypeError, ValueError, ArithmeticError) as error:
        return Declared(unknown=str(error))


def _of_png(stream: BinaryIO) -> Declared:
    found: dict[bytes, bytes] = {}
    stream.seek(8)
    for _ in range(_MOST_BOXES):
        size, name = struct.unpack(">I4s", stream.read(8))
        if name == b"IDAT":
            break
        if name in (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"):
            found[name] = stream.read(min(size, 64))
            size -= len(found[name])
        stream.seek(size + 4, 1)
    if b"cICP" in found:
        primaries, transfer, matrix, full = found[b"cICP"][:4]
        if matrix:
            return Declared(first=True, unknown="a PNG of other than RGB")
        return Declared(by_code(primaries, transfer, bool(full)), first=True)
    if b"iCCP" in found or b"sRGB" in found or not found:
        return Declared()
    gamma = struct.unpack(">I", found[b"gAMA"][:4])[0] / 100_000 if b"gAMA" in found else None
    if b"cHRM" not in found:
        return Declared(by_numbers(1 / gamma, None, D65))
    white_x, white_y, *primaries = (n / 100_000 for n in struct.unpack(">8I", found[b"cHRM"][:32]))
    return Declared(by_numbers(None if gamma is None else 1 / gamma, tuple(primaries), (white_x, white_y)))


def _of_bmp(stream: BinaryIO) -> Declared:
    stream.seek(14)
    header = stream.read(124)
    (size,) = struct.unpack_from("<I", header)
    if size < 108:
        return Declared()
    space = header[56:60]
    if space == b"DEBM":  # "MBED", the profile is in the file
        start, length = struct.unpack_from("<II", header, 112)
        stream.seek(14 + start)
        return Declared(profile=stream.read(min(length, _MOST_BYTES)))
    if space == b"KNIL":
        return Declared(unknown="a profile in another file")
    if space != bytes(4):
        return Declared()
    ends = [n / 2**30 for n in struct.unpack_from("<9I", header, 60)]
    gammas = [n / 65536 for n in struct.unpack_from("<3I", header, 96)]
    if not any(ends) or not all(gammas):
        return Declared()
    xyz = [ends[i : i + 3] for i in (0, 3, 6)]
    total = [sum(axis) for axis in zip(*xyz, strict=True)]
    primaries = [n / sum(colour) for colour in xyz for n in colour[:2]]
    return Declared(by_numbers(gammas[1], tuple(primaries), (total[0] / sum(total), total[1] / sum(total))))


def _of_boxes(stream: BinaryIO, jpeg_2000: bool) -> Declared:
    """Of a file of ISO boxes: JPEG 2000's ``jp2h``, or the properties of the main picture of AVIF and HEIF."""
    stream.seek(0)
    wanted = b"jp2h" if jpeg_2000 else b"meta"
    data = _top_box(stream, wanted)
    if jpeg_2000:
        colours = [content for name, content in _boxes(data) if name == b"colr"]
        return next((d for d in map(_jpeg_2000_colour, colours) if d is not None), Declared())
    meta = dict(_boxes(data[4:]))
    properties = dict(_boxes(meta[b"iprp"]))
    stored = list(_boxes(properties[b"ipco"]))
    mine = _associated(properties[b"ipma"], _main_item(meta[b"pitm"]))
    colours = [stored[index - 1][1] for index in mine if 0 < index <= len(stored) and stored[index - 1][0] == b"colr"]
    for colour in colours:
        if colour[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", colour, 4)
            return Declared(by_code(primaries, transfer))  # the decoder has brought the range to full
    return Declared()


def _jpeg_2000_colour(content: bytes) -> Declared | None:
    method = content[0]
    if method in (2, 3):
        return Declared(profile=content[3:])
    if method == 5:
        return Declared(by_code(*struct.unpack_from(">HH", content, 3)))
    if method != 1:
        return None
    (space,) = struct.unpack_from(">I", content, 3)
    if space == 21:
        return Declared(by_numbers(1.8, ROMM, D50))
    if space in (14, 19, 20, 24):
        return Declared(unknown={14: "CIE Lab", 19: "CIE Jab", 20: "e-sRGB", 24: "e-sYCC"}[space])
    return Declared()


def _top_box(stream: BinaryIO, wanted: bytes) -> bytes:
    for _ in range(_MOST_BOXES):
        size, name = struct.unpack(">I4s", stream.read(8))
        header = 8
        if size == 1:
            (size,), header = struct.unpack(">Q", stream.read(8)), 16
        if name == wanted:
            return stream.read(min(size - header, _MOST_BYTES) if size else _MOST_BYTES)
        if size < header:
            break
        stream.seek(size - header, 1)
    raise KeyError(wanted)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        size = size or len(data) - at
        if size < 8:
            return
        yield name, data[at + 8 : at + size]
        at += size


def _main_item(box: bytes) -> int:
    return struct.unpack_from(">I" if box[0] else ">H", box, 4)[0]


def _associated(box: bytes, item: int) -> list[int]:
    """Numbers of a picture's properties, counted from 1."""
    wide_item, wide_index = box[0] > 0, box[3] & 1
    (count,) = struct.unpack_from(">I", box, 4)
    at = 8
    for _ in range(min(count, _MOST_BOXES)):
        (number,) = struct.unpack_from(">I" if wide_item else ">H", box, at)
        at += 4 if wide_item else 2
        length, at = box[at], at + 1
        layout, mask = (f">{length}H", 0x7FFF) if wide_index else (f">{length}B", 0x7F)
        indices = struct.unpack_from(layout, box, at)
        at += struct.calcsize(layout)
        if number == item:
            return [index & mask for index in indices]
    return []
