# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures side by side with captions. Arrays only."""

import textwrap

import cv2
import numpy as np

BACKDROP = 72
"""Of the pictures, 8-bit sRGB: dark enough for pale skin, light enough for dark skin."""
_GUTTER_SHARE, _CAPTION_SHARE, _TEXT_SHARE = 0.016, 0.062, 0.036
"""Of a picture's height."""
_PAPER, _INK = 34, 214
_WARNING = (240, 180, 90)
COLUMNS = 3


def over_backdrop(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8 with straight alpha to (H, W, 3) uint8."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return (rgba[..., :3] * alpha + BACKDROP * (1 - alpha) + 0.5).astype(np.uint8)


def crop_photo(photo: np.ndarray, window: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """A part of a photo; beyond its edges the backdrop.

    Args:
        photo: (H, W, 3) uint8.
        window: (left, top, right, bottom) px of the photo. size: (width, height) of the result.
    """
    left, top, right, bottom = window
    scale = size[0] / (right - left)
    if scale < 1:  # a smaller photo first, each of its pixels the mean of its area, so that fine hair does not flicker
        height, width = photo.shape[:2]
        smaller = max(1, round(width * scale)), max(1, round(height * scale))
        photo = cv2.resize(photo, smaller, interpolation=cv2.INTER_AREA)
        left, right = (x * smaller[0] / width for x in (left, right))
        top, bottom = (y * smaller[1] / height for y in (top, bottom))
    x_scale, y_scale = (right - left) / size[0], (bottom - top) / size[1]
    # Pixel centres lie at halves.
    mapping = np.float64([[x_scale, 0, left + x_scale / 2 - 0.5], [0, y_scale, top + y_scale / 2 - 0.5]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photo, mapping, size, flags=flags, borderValue=(BACKDROP,) * 3)


def contact_sheet(pictures: list[np.ndarray], captions: tuple[str, ...], notices: tuple[str, ...] = ()) -> np.ndarray:
    """Pictures in rows of three, each over its caption; warnings in lines of their own below.

    Args:
        pictures: (H, W, 3) uint8, all of one size. captions: one for each. notices: as long as they are.

    Returns:
        (rows, columns, 3) uint8.
    """
    from PIL import Image, ImageDraw, ImageFont  # for nothing else in Blender's process: it registers without

    height, width = pictures[0].shape[:2]
    gutter, strip = max(2, round(_GUTTER_SHARE * height)), max(8, round(_CAPTION_SHARE * height))
    rows = -(-len(pictures) // COLUMNS)
    size = COLUMNS * width + (COLUMNS + 1) * gutter, rows * (height + strip) + (rows + 1) * gutter
    font = ImageFont.load_default(max(6.0, _TEXT_SHARE * height))
    characters = max(20, int((size[0] - 2 * gutter) / font.getlength("n")))
    lines = [line for notice in notices for line in textwrap.wrap(notice, characters)]
    sheet = Image.new("RGB", (size[0], size[1] + strip * len(lines)), (_PAPER,) * 3)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        place = gutter, size[1] + strip * number + strip // 2
        draw.text(place, line, fill=_WARNING, font=font, anchor="lm")
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(number, COLUMNS)
        x, y = gutter + column * (width + gutter), gutter + row * (height + strip + gutter)
        sheet.paste(Image.fromarray(picture), (x, y))
        draw.text((x, y + height + strip // 2), caption, fill=(_INK,) * 3, font=font, anchor="lm")
    return np.asarray(sheet)
