# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression that a head's photo showed, as its shape keys remember it, and the way back to it."""

from collections.abc import Collection

import bpy

from ..names import PHOTO_EXPRESSION_PROPERTY


def remember_photo_expression(keys: bpy.types.Key, names: Collection[str]) -> None:
    """Note the sliders' values as those of the photo; saved with the file.

    Args:
        keys: of a head's skin.
        names: of the expressions; the artist's own sliders are none.
    """
    keys[PHOTO_EXPRESSION_PROPERTY] = {key.name: key.value for key in keys.key_blocks[1:] if key.name in names}


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
