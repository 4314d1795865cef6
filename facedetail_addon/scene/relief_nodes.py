# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief in the skin's material: normal maps by weight, and true displacement."""

from dataclasses import dataclass

import bpy

from .nodes import add_node, find_node, image_node
from .space import METRES_PER_MM

_HEIGHT_MEDIUM, _HEIGHT_FINE = "Medium Relief", "Fine Relief"
_NORMAL_BOTH, _NORMAL_FINE, _NORMAL_MAP = "Relief Normals", "Fine Normals", "Relief Normal Map"
_DISPLACEMENT = "Relief Displacement"
_FLAT = (0.5, 0.5, 1.0)
"""The colour of a normal map that changes nothing."""


@dataclass(frozen=True)
class ReliefImages:
    """Packed, in canonical UV: heights in mm, and tangent-space normals of both heights and of the fine ones."""

    medium: bpy.types.Image
    fine: bpy.types.Image
    normal: bpy.types.Image
    normal_fine: bpy.types.Image


@dataclass(frozen=True)
class ReliefWeights:
    """How much of each map the material shows: displacement by ``medium`` and ``fine``, shading by the normals.

    The weights of the normals add up: ``normal`` m with ``normal_fine`` f − m shows m of the medium and f of the fine
    relief.
    """

    medium: float = 0.0
    fine: float = 0.0
    normal: float = 0.0
    normal_fine: float = 0.0


def add_relief_nodes(tree: bpy.types.NodeTree, images: ReliefImages, uv_map: str) -> None:
    """Add nodes for all ways of showing relief; none is linked to the skin before :func:`weigh_relief`."""
    fine = _weighted(tree, (-700, -1000), images.normal_fine, _NORMAL_FINE)
    both = _weighted(tree, (-700, -1300), images.normal, _NORMAL_BOTH)
    tree.links.new(fine.outputs["Vector"], both.inputs[2])
    normal_map = add_node(tree, "ShaderNodeNormalMap", (-250, -1000), _NORMAL_MAP)
    normal_map.space, normal_map.uv_map = "TANGENT", uv_map
    tree.links.new(both.outputs["Vector"], normal_map.inputs["Color"])

    fine = _weighted(tree, (-700, -1600), images.fine, _HEIGHT_FINE, "ShaderNodeMath")
    fine.inputs[2].default_value = 0.0
    medium = _weighted(tree, (-700, -1900), images.medium, _HEIGHT_MEDIUM, "ShaderNodeMath")
    tree.links.new(fine.outputs["Value"], medium.inputs[2])
    displacement = add_node(tree, "ShaderNodeDisplacement", (-250, -1600), _DISPLACEMENT)
    displacement.inputs["Midlevel"].default_value = 0.0
    displacement.inputs["Scale"].default_value = METRES_PER_MM
    tree.links.new(medium.outputs["Value"], displacement.inputs["Height"])


def weigh_relief(material: bpy.types.Material, weights: ReliefWeights) -> None:
    """Show the maps by weight. What has no weight is unplugged, so that Blender neither reads nor evaluates it."""
    tree = material.node_tree
    _weigh(tree, _NORMAL_BOTH, weights.normal, (weights.normal,) * 3)
    _weigh(tree, _NORMAL_FINE, weights.normal_fine, (weights.normal_fine,) * 3)
    _weigh(tree, _HEIGHT_MEDIUM, weights.medium, weights.medium)
    _weigh(tree, _HEIGHT_FINE, weights.fine, weights.fine)
    rest = tree.nodes.get(_NORMAL_FINE)
    if rest is not None:
        flat = 1 - weights.normal - weights.normal_fine
        rest.inputs[2].default_value = [flat * channel for channel in _FLAT]
    shader, output = find_node(tree, "BSDF_PRINCIPLED"), find_node(tree, "OUTPUT_MATERIAL")
    shaded = bool(weights.normal or weights.normal_fine)
    displaced = bool(weights.medium or weights.fine)
    _plug(tree, _NORMAL_MAP, "Normal", shader.inputs["Normal"], shaded)
    _plug(tree, _DISPLACEMENT, "Displacement", output.inputs["Displacement"], displaced)
    # Displaced as far as the mesh is fine enough, and shaded for the rest.
    material.displacement_method = "BOTH" if displaced else "BUMP"


def _weighted(
    tree: bpy.types.NodeTree,
    location: tuple[int, int],
    image: bpy.types.Image,
    label: str,
    kind: str = "ShaderNodeVectorMath",
) -> bpy.types.Node:
    """Image times a weight plus something."""
    node = add_node(tree, kind, (location[0] + 270, location[1]), label)
    node.operation = "MULTIPLY_ADD"
    image_node(tree, location, image, _image_of(label))
    return node


def _image_of(label: str) -> str:
    return f"{label} Image"


def _weigh(tree: bpy.types.NodeTree, name: str, weight: float, value: object) -> None:
    node = tree.nodes.get(name)
    if node is not None:
        node.inputs[1].default_value = value
        _plug(tree, _image_of(name), "Color", node.inputs[0], weight != 0)


def _plug(tree: bpy.types.NodeTree, name: str, output: str, socket: bpy.types.NodeSocket, wanted: bool) -> None:
    """Link our node to a socket or take it off; another link that the artist has made there stays."""
    node = tree.nodes.get(name)
    if node is None:
        return
    if wanted and not socket.is_linked:
        tree.links.new(node.outputs[output], socket)
    elif not wanted and socket.is_linked and socket.links[0].from_node == node:
        tree.links.remove(socket.links[0])
