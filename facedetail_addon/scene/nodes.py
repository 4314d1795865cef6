# SPDX-License-Identifier: GPL-3.0-or-later
"""Shader nodes in a line or two."""

from collections.abc import Sequence

import bpy


def find_node(tree: bpy.types.NodeTree, kind: str) -> bpy.types.Node | None:
    """The first node of a type, such as ``BSDF_PRINCIPLED``.

    A tree that Blender has just made has it; None where the artist has removed it.
    """
    return next((node for node in tree.nodes if node.type == kind), None)


def add_node(tree: bpy.types.NodeTree, kind: str, location: tuple[int, int], label: str = "") -> bpy.types.Node:
    """A new node; with a label it is also found by this name."""
    node = tree.nodes.new(kind)
    node.location = location
    if label:
        node.name = node.label = label
    return node


def image_node(
    tree: bpy.types.NodeTree, location: tuple[int, int], image: bpy.types.Image, label: str = ""
) -> bpy.types.NodeSocket:
    """The colours of an image on the object's UV."""
    node = add_node(tree, "ShaderNodeTexImage", location, label)
    node.image = image
    return node.outputs["Color"]


def vector_math(
    tree: bpy.types.NodeTree, operation: str, location: tuple[int, int], first: bpy.types.NodeSocket
) -> bpy.types.Node:
    """A vector operation whose first input is linked."""
    node = add_node(tree, "ShaderNodeVectorMath", location)
    node.operation = operation
    tree.links.new(first, node.inputs[0])
    return node


def mix_colors(
    tree: bpy.types.NodeTree, location: tuple[int, int], blend: str = "MIX", label: str = ""
) -> bpy.types.Node:
    """A colour mix: input 6 and 7 are the colours, output 2 the result (the node keeps sockets of all data types)."""
    node = add_node(tree, "ShaderNodeMix", location, label)
    node.data_type = "RGBA"
    node.blend_type = blend
    return node


def color_ramp(
    tree: bpy.types.NodeTree,
    location: tuple[int, int],
    value: bpy.types.NodeSocket,
    stops: Sequence[tuple[float, tuple[float, ...]]],
    span: float = 2.0,
) -> bpy.types.NodeSocket:
    """Colours by value from 0 to ``span``; ramps themselves know 0 to 1 only."""
    scale = add_node(tree, "ShaderNodeMath", (location[0] - 200, location[1]))
    scale.operation = "DIVIDE"
    tree.links.new(value, scale.inputs[0])
    scale.inputs[1].default_value = span
    node = add_node(tree, "ShaderNodeValToRGB", location)
    elements = node.color_ramp.elements
    elements[0].position, elements[0].color = stops[0][0] / span, stops[0][1]
    elements[1].position, elements[1].color = stops[-1][0] / span, stops[-1][1]
    for position, color in stops[1:-1]:
        elements.new(position / span).color = color
    tree.links.new(scale.outputs["Value"], node.inputs["Fac"])
    return node.outputs["Color"]
