# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays as Blender images, packed into the .blend so that it can move to another machine."""

import zlib

import bpy
import numpy as np

from ..core.result.maps import DATA, map_spec
from ..core.result.pictures import Pictures
from ..names import MAP_PROPERTY
from .colour_management import rendered_primaries


def packed_image(name: str, pixels: np.ndarray, *, is_data: bool = False) -> bpy.types.Image:
    """An 8-bit image of an array.

    Args:
        name: of the image.
        pixels: (H, W, 3) or (H, W) uint8, row 0 at the top; sRGB, or numbers where ``is_data``.
    """
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=False, is_data=is_data)
    return _filled(image, pixels.reshape(height, width, -1).astype(np.float32) / 255)


def packed_light(name: str, radiance: np.ndarray) -> bpy.types.Image:
    """A float image of linear Rec. 709 radiance, in the linear colours that the scene renders in.

    Args:
        name: of the image.
        radiance: (H, 2·H, 3) float32, row 0 at the top.
    """
    height, width = radiance.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=True)
    primaries = rendered_primaries()
    return _filled(image, radiance if primaries is None else radiance @ primaries)


def packed_file(name: str, data: bytes, *, is_data: bool = False) -> bpy.types.Image:
    """An image that holds a file's bytes; Blender reads it when it is first shown, and 16 bits or floats stay exact.

    Args:
        name: of the image.
        data: a PNG or EXR file.
        is_data: numbers, not colours.
    """
    # Made as large as the file it would cost memory and 15 ms; Blender takes the size from the file.
    image = bpy.data.images.new(name, 1, 1, alpha=False, is_data=is_data)
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    return image


def packed_map(stem: str, pictures: Pictures, name: str) -> bpy.types.Image:
    """One of a reconstruction's maps, named and shown as :data:`~..core.result.maps.MAPS` says.

    Args:
        stem: the names' beginning.
    """
    spec, data = map_spec(name), pictures.files[name]
    image = packed_file(f"{stem} {spec.label}", data, is_data=spec.colour_space == DATA)
    mark_map(image, name, data)
    return image


def mark_map(image: bpy.types.Image, name: str, data: bytes) -> None:
    """Note on an image which map it is, and the bytes that it holds."""
    image[MAP_PROPERTY] = f"{name} {zlib.crc32(data):08x}"


def map_of(image: bpy.types.Image) -> str:
    """Which map an image was packed as; empty where it does not say."""
    noted = image.get(MAP_PROPERTY)
    return noted.partition(" ")[0] if isinstance(noted, str) else ""


def is_painted(image: bpy.types.Image) -> bool:
    """Whether a map holds other pixels than it was packed with: the artist has painted on it, or put a file there."""
    noted, packed = image.get(MAP_PROPERTY), image.packed_file
    if image.is_dirty or packed is None or not isinstance(noted, str):
        return True
    return noted.partition(" ")[2] != f"{zlib.crc32(packed.data):08x}"


def repack(image: bpy.types.Image, name: str, data: bytes) -> None:
    """Put another file's bytes into a map's image; who shows it shows them."""
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    image.buffers_free()
    image.gl_free()
    mark_map(image, name, data)
    image.update_tag()


def _filled(image: bpy.types.Image, colors: np.ndarray) -> bpy.types.Image:
    height, width = colors.shape[:2]
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = colors[::-1]
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    return image
