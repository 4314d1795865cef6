# SPDX-License-Identifier: GPL-3.0-or-later
"""A decoded picture of any mode and colours to 8-bit sRGB."""

import io
import struct
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageCms

from ...colour import to_srgb8
from ...notices import Notice
from .declared import Declared, declared_in_exif
from .encoding import Encoding
from .icc import is_srgb, simple_profile

MID_GREY = 128
_STRIP_PIXELS = 1 << 20
_WHITE, _MUCH = 1.05, 0.001
"""Light beyond white, and the part of a photo of which it is worth to speak."""
_UNKNOWN = (ValueError, struct.error, LookupError, ArithmeticError)
_Notices = tuple[Notice, ...]
File = Callable[[], bytes]


def to_srgb(image: Image.Image, declared: Declared, file: File | None) -> tuple[Image.Image, _Notices]:
    """Any of Pillow's modes to RGB, as it is stored: not turned.

    Args:
        image: loaded. declared: what the file's header says.
        file: gives its content, where that has more than 8 bits.
    """
    profile = image.info.get("icc_profile") or declared.profile
    if not (profile or declared.first or declared.encoding or declared.unknown):
        declared = declared_in_exif(image)
    coded = declared.encoding if declared.first or not profile else None
    profile = None if declared.first else profile
    if image.mode == "F":
        values = _deep(file, image.size)
        values = np.asarray(image) if values is None else values
        return from_floats(values, coded or (_simple(profile) if profile else None))
    if profile and file is not None and image.mode != "CMYK":
        simple = _simple(profile)
        coded = simple if simple is not None and simple.coarse else None
    if coded is not None and image.mode not in ("CMYK", "LAB"):
        values = _numbers(image, file)
        return _from_encoding(values, coded), _cut_off(values, coded) if coded.hdr else ()
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
    if declared.unknown and not profile:
        text = f"The photo's colours are described in a way that is not understood ({declared.unknown})"
        notices += (Notice("colour_profile", f"{text}, so they are approximate."),)
    return image.convert("RGB"), notices


def _sixteen_to_eight_bits(values: np.ndarray) -> np.ndarray:
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("grey values of more than 16 bits")
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _apply_profile(image: Image.Image, profile: File | None) -> tuple[Image.Image, _Notices]:
    if not profile:
        if image.mode != "CMYK":
            return image, ()
        text = "The photo is CMYK without a colour profile, so its colours are approximate."
        return image.convert("RGB"), (Notice("colour_profile", text),)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() == "RGB":
            if image.mode == "L":  # grey pictures that a camera or an editor saved with the profile of colours
                image = image.convert("RGB")
            if image.mode == "RGB" and is_srgb(source):
                return image, ()
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"), ()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        text = "The photo's colour profile cannot be used, so its colours are approximate."
        return image.convert("RGB"), (Notice("colour_profile", text),)


def _simple(profile: bytes) -> Encoding | None:
    try:
        return simple_profile(profile)
    except _UNKNOWN:
        return None


def _cut_off(values: np.ndarray, encoding: Encoding) -> _Notices:
    few = values[:: max(1, len(values) // 512), :: max(1, values.shape[1] // 512), :3]
    if (_light(few, encoding).max(-1) > _WHITE).mean() < _MUCH:
        return ()
    text = (
        "The photo is HDR, and what is brighter than white paper was cut off. A photo without HDR may show it better."
    )
    return (Notice("hdr_photo", text),)


def floats_of(file: File, size: tuple[int, int], profile: bytes | None) -> tuple[Image.Image, _Notices]:
    """The picture of a TIFF of 32-bit colours.

    Raises:
        ValueError: it cannot be decoded.
    """
    values = _deep(file, size)
    if values is None:
        raise ValueError("its 32-bit pixels cannot be decoded")
    return from_floats(values, _simple(profile) if profile else None)


def from_floats(values: np.ndarray, encoding: Encoding | None) -> tuple[Image.Image, _Notices]:
    """(H, W[, C]) numbers of 32 bits: by their profile, else as light, as programs for rendering write them."""
    values = _three_channels(values)
    values = np.nan_to_num(values, nan=0.0, posinf=np.finfo(np.float32).max, neginf=0.0)
    if float(np.median(values)) > 1:  # they count levels, as 8- or 16-bit numbers do
        values = values / (255 if values.max() <= 255 else max(65535, float(values.max())))
    elif encoding is not None:
        return _from_encoding(values, encoding), ()
    else:
        return _from_encoding(values, Encoding(lambda strip: strip, np.eye(3))), (_FLOATS_AS_LIGHT,)
    return Image.fromarray((values[..., :3].clip(0, 1) * 255 + 0.5).astype(np.uint8)), (_FLOATS_AS_LEVELS,)


_FLOATS_AS_LIGHT = Notice(
    "colour_profile",
    "The photo has 32-bit numbers without a colour profile, which were taken as light. If it looks too bright, save it "
    "as 8- or 16-bit sRGB.",
)
_FLOATS_AS_LEVELS = Notice(
    "colour_profile",
    "The photo has 32-bit numbers beyond white, which were scaled and taken as sRGB. If it looks wrong, save it as 8- "
    "or 16-bit sRGB.",
)


def _numbers(image: Image.Image, file: File | None) -> np.ndarray:
    """(H, W, 3 or 4) uint8, uint16 or float32 of a picture, with as many bits as can be had."""
    deep = _deep(file, image.size)
    if deep is not None:
        return _three_channels(deep)
    if image.mode.startswith("I"):
        return _three_channels(np.asarray(image).clip(0, 65535).astype(np.uint16))
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _deep(file: File | None, size: tuple[int, int]) -> np.ndarray | None:
    """Pixels of more than 8 bits, RGB(A) or grey; None where OpenCV reads none."""
    if file is None:
        return None
    try:
        read = cv2.imdecode(np.frombuffer(file(), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if read is None or read.dtype == np.uint8 or read.shape[1::-1] != size:
        return None
    if read.ndim == 3 and read.shape[2] in (3, 4):
        read = read[..., [2, 1, 0, 3][: read.shape[2]]]
    return read


def _three_channels(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, -1) if values.ndim == 2 else values


def _from_encoding(values: np.ndarray, encoding: Encoding) -> Image.Image:
    """(H, W, 3 or 4) of a file's numbers to sRGB; transparent parts over mid grey."""
    pixels = np.empty((*values.shape[:2], 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // values.shape[1])  # some at once, for large photos fill the memory as floats
    for start in range(0, len(values), rows):
        strip = slice(start, start + rows)
        pixels[strip] = to_srgb8(_light(values[strip, :, :3], encoding))
    if values.shape[2] == 4:
        alpha = _unit(values[..., 3:])
        pixels = (pixels * alpha + MID_GREY * (1 - alpha) + 0.5).astype(np.uint8)
    return Image.fromarray(pixels)


def _light(values: np.ndarray, encoding: Encoding) -> np.ndarray:
    return encoding.linear(_unit(values)) @ encoding.to_rec709.T.astype(np.float32)


def _unit(values: np.ndarray) -> np.ndarray:
    full = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(values.dtype, 1)
    return values.astype(np.float32) / np.float32(full)
