# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression of a head in the scene: what its photo showed, and how to go back to it."""

import bpy

from ..names import PHOTO_EXPRESSION_PROPERTY
from .lookdev_stage import root_of


def expression_keys(item: bpy.types.Object | None) -> bpy.types.Key | None:
    """The shape keys that move the head that an object belongs to.

    Args:
        item: any object of a head, or another one, or None.

    Returns:
        the keys of its skin, which those of the other parts follow; None where it belongs to no head, or to one
        that has lost its skin.
    """
    root = root_of(item)
    children = root.children if root is not None else ()
    found = [child.data.shape_keys for child in children if child.type == "MESH" and child.data.shape_keys is not None]
    return max(found, key=lambda keys: len(keys.key_blocks), default=None)


def remember_photo_expression(keys: bpy.types.Key) -> None:
    """Note the sliders' values as those of the photo; saved with the file."""
    keys[PHOTO_EXPRESSION_PROPERTY] = {key.name: key.value for key in keys.key_blocks[1:]}


def photo_expression(keys: bpy.types.Key) -> dict[str, float]:
    """The photo's values by the sliders' names; empty where they are not known."""
    noted = keys.get(PHOTO_EXPRESSION_PROPERTY)
    values = noted.to_dict() if hasattr(noted, "to_dict") else {}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def set_photo_expression(keys: bpy.types.Key, share: float) -> None:
    """Set the photo's expression; sliders that the artist has added stay as they are.

    Args:
        share: 1 for the photo's, 0 for the neutral face.
    """
    for name, value in photo_expression(keys).items():
        key = keys.key_blocks.get(name)
        if key is not None:
            key.value = share * value
