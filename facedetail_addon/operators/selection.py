# SPDX-License-Identifier: GPL-3.0-or-later
"""The head at hand: what operators and panels ask of the selection."""

import bpy

from ..scene.head_object import HeadObject

NO_HEAD = "Select a head first."


def active_head(context: bpy.types.Context) -> HeadObject | None:
    """The head that the active object belongs to, selected or not."""
    return HeadObject.of(context.active_object)


def head_at_hand(context: bpy.types.Context) -> HeadObject | None:
    """The head of the active object, which is selected, whichever of the head's objects it is."""
    item = context.active_object
    return HeadObject.of(item) if item is not None and item.select_get() else None


def emotion_at_hand(context: bpy.types.Context) -> tuple[str, float] | None:
    """What was found in the photo of the head at hand: a word and its probability."""
    head = head_at_hand(context)
    return None if head is None else head.emotion


def keys_at_hand(context: bpy.types.Context) -> bpy.types.Key | None:
    """The shape keys that move the head at hand; None without one, or where it has lost them."""
    head = head_at_hand(context)
    return None if head is None else head.keys


def relief_at_hand(context: bpy.types.Context) -> bpy.types.PropertyGroup | None:
    """The sliders of the relief of the head at hand; None without one, or where it has none."""
    head = head_at_hand(context)
    sliders = None if head is None else head.relief_settings
    return sliders if sliders is not None and sliders.skin is not None else None
