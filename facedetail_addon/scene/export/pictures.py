# SPDX-License-Identifier: GPL-3.0-or-later
"""A head's pictures as the PNG files that other programs expect, whatever the artist has put in their place."""

import tempfile
from pathlib import Path

import bpy
import numpy as np

from ...core.colour import LUMINANCE, to_srgb
from ...core.errors import OutputError
from ...core.io.images import png_bytes
from ..colour_management import rendered_primaries, scene_linear_name

_PNG_BEGIN = b"\x89PNG\r\n\x1a\n"


def colours_png(image: bpy.types.Image) -> bytes:
    """A picture's colours as a PNG file, sRGB-encoded; a PNG in sRGB stays the file that it is.

    Raises:
        OutputError: the picture is missing.
    """
    kept = _own_png(image)
    if kept and _is_srgb(image):
        return kept
    values = picture_values(image)[..., :3]
    if image.is_float or not _is_srgb(image):
        primaries = rendered_primaries()
        linear = _shown(image, values)
        values = to_srgb(linear if primaries is None else linear @ np.linalg.inv(primaries))
    return png_bytes(_bytes(values))


def numbers_png(image: bpy.types.Image) -> bytes:
    """A picture's numbers, as shaders read them, as a grey PNG file; a PNG of data stays the file that it is.

    Raises:
        OutputError: the picture is missing.
    """
    kept = _own_png(image)
    if kept and image.colorspace_settings.is_data:
        return kept
    return png_bytes(_bytes(_shown(image, picture_values(image)[..., :3]) @ LUMINANCE))


def picture_values(image: bpy.types.Image) -> np.ndarray:
    """(H, W, 3 or 4) float32, row 0 at the top: of a float picture scene-linear colours, of others what they store.

    Raises:
        OutputError: the picture is missing.
    """
    width, height = image.size
    if min(width, height) < 1 or not len(image.pixels):
        raise missing_picture(image)
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    values = values.reshape(height, width, -1)[::-1]
    return values if values.shape[2] >= 3 else np.repeat(values[..., :1], 3, axis=2)


def missing_picture(image: bpy.types.Image) -> OutputError:
    """What to say of a picture that has neither a packed nor another file."""
    where = f" ({image.filepath})" if image.filepath else ""
    return OutputError(
        f"The head's picture {image.name}{where} is missing.",
        "Find it with File, External Data, Find Missing Files, or reconstruct the photo again.",
    )


def _shown(image: bpy.types.Image, values: np.ndarray) -> np.ndarray:
    """What shaders make of values as stored: data stays as it is, colours become scene-linear."""
    space = image.colorspace_settings
    if image.is_float or space.is_data or space.name == scene_linear_name():
        return values
    return _converted(image)


def _converted(image: bpy.types.Image) -> np.ndarray:
    """(H, W, 3) scene-linear colours of a picture in an uncommon colour space, by way of Blender's own conversion."""
    scene = bpy.data.scenes.new(image.name)
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGB", "32"
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "linear.exr"))
        image.save_render(path, scene=scene)
        return picture_values(bpy.data.images.load(path, check_existing=False))[..., :3]


def _own_png(image: bpy.types.Image) -> bytes | None:
    """The picture's file where that is a PNG and nothing was painted on it since."""
    if image.is_dirty or image.source != "FILE":
        return None
    if image.packed_file is not None:
        data = bytes(image.packed_file.data)
    else:
        try:
            data = Path(bpy.path.abspath(image.filepath, library=image.library)).read_bytes()
        except OSError:
            return None
    return data if data.startswith(_PNG_BEGIN) else None


def _is_srgb(image: bpy.types.Image) -> bool:
    """By its name in Blender's and the ACES configurations; others of theirs begin alike and have other primaries."""
    return image.colorspace_settings.name in ("sRGB", "sRGB - Texture", "Utility - sRGB - Texture")


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(np.nan_to_num(values), 0, 1)).astype(np.uint8)
