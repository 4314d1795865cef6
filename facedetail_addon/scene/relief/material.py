# SPDX-License-Identifier: GPL-3.0-or-later
"""The material in which a head shows its relief: it must be the head's own, for others may show theirs otherwise."""

import bpy

from ...names import FINE_LEVEL_PROPERTY
from .nodes import has_relief_nodes


def own_relief_material(skin: bpy.types.Object) -> bpy.types.Material | None:
    """The skin's material with our nodes, made its own where a duplicate of the head has the same.

    Duplicates share materials, linked ones (Alt D) their mesh too, and one material cannot displace for one head and
    not for the other. Only the skin's changes; teeth and eyes go on sharing theirs.

    Args:
        skin: of a head with relief.

    Returns:
        the material; None where the artist has removed it or has put another into its place.
    """
    slots = [slot for slot in skin.material_slots if slot.material is not None and has_relief_nodes(slot.material)]
    if not slots:
        return None
    material = slots[0].material
    if not any(_shows(item, material) for item in bpy.data.objects if item != skin):
        return material
    own = material.copy()
    for slot in slots:
        if slot.material == material:
            if skin.data.users > 1:
                slot.link = "OBJECT"  # the mesh's own slot is another head's as well
            slot.material = own
    return own


def _shows(item: bpy.types.Object, material: bpy.types.Material) -> bool:
    """Whether an object is a skin with relief in a material."""
    return FINE_LEVEL_PROPERTY in item and any(slot.material == material for slot in item.material_slots)
