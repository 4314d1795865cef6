# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads in scenes whose unit is no metre. The root's scale carries all geometry; what takes no part in it is here."""

import bpy

from ..names import UNITS_PROPERTY

_WORLD_LENGTHS = {"BSDF_PRINCIPLED": "Subsurface Scale", "AMBIENT_OCCLUSION": "Distance", "BUMP": "Distance"}
"""Inputs of shader nodes that are lengths in the scene, however objects are scaled."""


def units_per_metre(scene: bpy.types.Scene) -> float:
    """How many of a scene's units are a metre: 1 in most, 100 where a unit is a centimetre."""
    units = scene.unit_settings
    return 1.0 if units.system == "NONE" else 1.0 / units.scale_length


def units_of(root: bpy.types.Object) -> float:
    """How many units a metre was where a head was built, by its root; 1 for heads of older files."""
    units = root.get(UNITS_PROPERTY, 1.0)
    return units if isinstance(units, float) and units > 0 else 1.0


def set_units(root: bpy.types.Object, parts: list[bpy.types.Object], units: float) -> None:
    """Give a new head, built in metres, its real size where a metre is so many units.

    Args:
        root: the head's. parts: its meshes; their materials change.
    """
    root[UNITS_PROPERTY] = units
    if units == 1.0:
        return
    root.scale = (units,) * 3
    for material in {slot.material for part in parts for slot in part.material_slots} - {None}:
        scale_lengths(material, units)


def scale_lengths(material: bpy.types.Material, factor: float) -> None:
    """Multiply what a material measures in the scene's units."""
    if not material.use_nodes or material.node_tree is None:
        return
    for node in material.node_tree.nodes:
        if node.type in _WORLD_LENGTHS:
            node.inputs[_WORLD_LENGTHS[node.type]].default_value *= factor
