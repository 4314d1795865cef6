# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as Blender images, packed into the .blend so that it can move to another machine."""

from pathlib import Path

import bpy
import numpy as np


def packed_image(name: str, pixels: np.ndarray) -> bpy.types.Image:
    """An sRGB image of an array.

    Args:
        name: of the image.
        pixels: (H, W, 3) uint8 sRGB, row 0 at the top.
    """
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=False)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = pixels[::-1].astype(np.float32) / 255
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    return image


def loaded_image(name: str, path: Path) -> bpy.types.Image:
    """An image of a file, packed as the file is (JPEG stays JPEG).

    Raises:
        RuntimeError: Blender cannot read the file.
    """
    image = bpy.data.images.load(str(path))
    image.name = name
    image.pack()
    return image
