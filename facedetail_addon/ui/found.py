# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel tells of the head at hand."""

from collections.abc import Iterator

import bpy

from ..names import EMOTION_PROBABILITY_PROPERTY, EMOTION_PROPERTY, HEAD_LIGHT_PROPERTY


def found_expression(item: bpy.types.Object | None) -> str:
    """The emotion found in the photo of the head that an object belongs to, as ``Expression: happy (93 %)``.

    Args:
        item: any object of a head, or another one, or None.

    Returns:
        the text; empty where the object is not selected, belongs to no head, or the artist has changed the head's
        properties into something else.
    """
    if item is None or not item.select_get():
        return ""
    for owner in with_parents(item):
        emotion, probability = owner.get(EMOTION_PROPERTY), owner.get(EMOTION_PROBABILITY_PROPERTY)
        if isinstance(emotion, str) and isinstance(probability, float):
            return f"Expression: {emotion} ({100 * probability:.0f} %)"
    return ""


def head_is_selected(item: bpy.types.Object | None) -> bool:
    """Whether an object is selected and belongs to a head, with relief or without."""
    return item is not None and item.select_get() and any(HEAD_LIGHT_PROPERTY in owner for owner in with_parents(item))


def with_parents(item: bpy.types.Object | None) -> Iterator[bpy.types.Object]:
    """The object, its parent, and so on."""
    while item is not None:
        yield item
        item = item.parent
