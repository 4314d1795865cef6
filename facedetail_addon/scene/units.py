# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a head is in its scene: by the scale of its objects and their parents, and of its meshes themselves.

Materials measure in the scene's units, so those of a head look up the scale of the object that they are on.
"""

import bpy
import numpy as np

from ..names import GROWTH_PROPERTY, SIZE_PROPERTY, UNITS_PROPERTY
from .nodes import add_node, vector_math
from .space import METRES_PER_MM

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


def scale_lengths(material: bpy.types.Material, factor: float) -> None:
    """Multiply what a material of an older file measures in the scene's units; today's look their scale up."""
    if not material.use_nodes or material.node_tree is None:
        return
    for node in material.node_tree.nodes:
        if node.type in _WORLD_LENGTHS:
            node.inputs[_WORLD_LENGTHS[node.type]].default_value *= factor


def link_millimetres(
    tree: bpy.types.NodeTree, location: tuple[int, int], length_mm: float, socket: bpy.types.NodeSocket
) -> None:
    """Make a length of a material, such as a socket ``Distance``, so many millimetres of the head at any scale.

    An object's vertical axis is as long in the world as its scale and that of its parents; what has been applied to the
    mesh is the object's ``GROWTH_PROPERTY``. So it holds for each of the objects that share the material.
    """
    x, y = location
    axis = add_node(tree, "ShaderNodeVectorTransform", (x, y))
    axis.vector_type, axis.convert_from, axis.convert_to = "VECTOR", "OBJECT", "WORLD"
    axis.inputs["Vector"].default_value = (0.0, 0.0, METRES_PER_MM * length_mm)
    length = vector_math(tree, "LENGTH", (x + 170, y), axis.outputs["Vector"]).outputs["Value"]
    growth = growth_node(tree, (x, y - 250))
    grown = add_node(tree, "ShaderNodeMath", (x + 340, y))
    grown.operation = "MULTIPLY_ADD"  # length · growth + length; growth is 0 where an object has no such property
    for value, place in ((length, 0), (growth, 1), (length, 2)):
        tree.links.new(value, grown.inputs[place])
    tree.links.new(grown.outputs["Value"], socket)


def growth_node(tree: bpy.types.NodeTree, location: tuple[int, int]) -> bpy.types.NodeSocket:
    """How much larger the mesh of the object is than it was built, 0 for as large."""
    node = add_node(tree, "ShaderNodeAttribute", location)
    node.attribute_type, node.attribute_name = "OBJECT", GROWTH_PROPERTY
    return node.outputs["Fac"]


def remember_size(item: bpy.types.Object) -> None:
    """Note how large a mesh of a head is as it was built."""
    item[SIZE_PROPERTY], item[GROWTH_PROPERTY] = _size(item.data) / mesh_scale(item), mesh_scale(item) - 1.0


def mesh_scale(item: bpy.types.Object) -> float:
    """How large the mesh of an object is by what it was when it was built."""
    growth = item.get(GROWTH_PROPERTY, 0.0)
    return 1.0 + growth if isinstance(growth, float) and growth > -1 else 1.0


def measured_scale(item: bpy.types.Object) -> float:
    """The same by its vertices, where :func:`remember_size` has noted what they were."""
    size = item.get(SIZE_PROPERTY)
    return _size(item.data) / size if isinstance(size, float) and size > 0 else mesh_scale(item)


def _size(mesh: bpy.types.Mesh) -> float:
    """Of the mesh without expressions: how far its vertices are from their middle, in the root of the mean square."""
    points = mesh.vertices if mesh.shape_keys is None else mesh.shape_keys.reference_key.points
    places = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", places)
    return float(np.sqrt(places.reshape(-1, 3).astype(np.float64).var(axis=0).sum()))
