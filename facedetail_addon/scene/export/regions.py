# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the face in exports: as groups of faces (OBJ), or as a number of each vertex (glTF, USD)."""

import bpy
import numpy as np

from ...names import REGIONS_PROPERTY

REGION_ATTRIBUTE = "_region"
"""Point attribute of an exported skin: which of the regions, by their order. glTF keeps names that begin so."""


def plain_regions(original: bpy.types.Object, made: bpy.types.Object, bones: frozenset[str] = frozenset()) -> None:
    """Leave of a copy's vertex groups the regions of the face, and number them; relief has others.

    Args:
        original: with its vertex groups; one that does not name its regions has none for other programs.
        made: another object with a copy of its mesh. bones: names of groups that stay as well.
    """
    names = _regions_of(original)
    for group in [group for group in made.vertex_groups if group.name not in names and group.name not in bones]:
        made.vertex_groups.remove(group)
    numbers = {group.index: names.index(group.name) for group in made.vertex_groups if group.name in names}
    if not numbers:
        return
    regions = np.full(len(made.data.vertices), -1.0, np.float32)
    for number, vertex in enumerate(made.data.vertices):
        own = [one for one in vertex.groups if one.group in numbers]
        strongest = max(own, key=lambda one: one.weight, default=None)
        if strongest is not None:
            regions[number] = numbers[strongest.group]
    attribute = made.data.attributes.new(REGION_ATTRIBUTE, "FLOAT", "POINT")
    attribute.data.foreach_set("value", regions)
    made[REGIONS_PROPERTY] = original[REGIONS_PROPERTY]


def leave_regions(made: bpy.types.Object) -> None:
    """Take off all other vertex groups of a copy: groups of an OBJ's faces are the strongest of all there are."""
    names = _regions_of(made)
    for group in [group for group in made.vertex_groups if group.name not in names]:
        made.vertex_groups.remove(group)


def _regions_of(item: bpy.types.Object) -> list[str]:
    noted = item.get(REGIONS_PROPERTY)
    return noted.split(",") if isinstance(noted, str) else []
