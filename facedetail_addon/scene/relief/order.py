# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of modifiers: what the artist adds deforms the base mesh, before it is divided and displaced.

Blender adds an Armature modifier (Ctrl P, With Automatic Weights) at the end, but before modifiers that are pinned to
the end. So ours are: it works in files without the add-on, costs nothing, and shows in the modifiers' menu, where the
artist can take the pin off.
"""

import bpy

from ...names import FINE_MODIFIER, MEDIUM_MODIFIER, UNSEEN_MODIFIER
from .adaptive import subdivision_of


def pin_last(item: bpy.types.Object) -> None:
    """Pin an object's Subdivision, and its relief, to the end, in the order that they have."""
    for modifier in reversed(_ours(item)):  # each pinned one goes before those that are already
        modifier.use_pin_to_last = True


def put_rigs_first(item: bpy.types.Object) -> None:
    """For heads of older files, whose modifiers are not pinned: an Armature behind ours comes before them."""
    ours, order = _ours(item), list(item.modifiers)
    late = order[order.index(ours[0]) :] if ours else []
    if any(modifier.type == "ARMATURE" for modifier in late):
        pin_last(item)


def _ours(item: bpy.types.Object) -> list[bpy.types.Modifier]:
    first = subdivision_of(item)
    names = (MEDIUM_MODIFIER, FINE_MODIFIER, UNSEEN_MODIFIER)
    return [modifier for modifier in item.modifiers if modifier == first or modifier.name in names]
