# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief in the skin's material: normal maps by weight, and true displacement."""

from dataclasses import dataclass, replace

import bpy

from ...names import RELIEF_WEIGHT
from ..nodes import add_node, find_node, image_node, vector_math
from ..space import METRES_PER_MM
from ..units import growth_node

_HEIGHT_MEDIUM, _HEIGHT_FINE, _HEIGHT_UNSEEN = "Medium Relief", "Fine Relief", "Unseen Relief"
_NORMAL_BOTH, _NORMAL_FINE, _NORMAL_UNSEEN = "Relief Normals", "Fine Normals", "Unseen Normals"
_NORMAL_MAP = "Relief Normal Map"
_DISPLACEMENT = "Relief Displacement"
BOTH_IMAGE_NODE, FINE_IMAGE_NODE, UNSEEN_IMAGE_NODE = (
    f"{label} Image" for label in (_NORMAL_BOTH, _NORMAL_FINE, _NORMAL_UNSEEN)
)
"""Nodes with the pictures of normals."""
_FLAT = (0.5, 0.5, 1.0)
"""The colour of a normal map that changes nothing."""
_KINDS = (
    *(_NORMAL_BOTH, _NORMAL_FINE, _NORMAL_UNSEEN, _HEIGHT_MEDIUM, _HEIGHT_FINE, _HEIGHT_UNSEEN),
    *(_NORMAL_MAP, _DISPLACEMENT),
)


@dataclass(frozen=True)
class ReliefImages:
    """Packed, in canonical UV: heights in mm, and tangent-space normals of both heights and of the fine ones.

    Those of skin that the photo does not show are None where there are none.
    """

    medium: bpy.types.Image
    fine: bpy.types.Image
    normal: bpy.types.Image
    normal_fine: bpy.types.Image
    unseen: bpy.types.Image | None = None
    normal_unseen: bpy.types.Image | None = None


@dataclass(frozen=True)
class ReliefWeights:
    """How much of each map the material shows: displacement by ``medium``, ``fine``, ``unseen``, shading by normals.

    The weights of the normals add up: ``normal`` m with ``normal_fine`` f − m shows m of the medium and f of the fine
    relief.
    """

    medium: float = 0.0
    fine: float = 0.0
    normal: float = 0.0
    normal_fine: float = 0.0
    unseen: float = 0.0
    normal_unseen: float = 0.0


def add_relief_nodes(tree: bpy.types.NodeTree, images: ReliefImages, uv_map: str, *, fades: bool = False) -> None:
    """Add nodes for all ways of showing relief; none is linked to the skin before :func:`weigh_relief`.

    Args:
        fades: the skin's attribute ``RELIEF_WEIGHT`` says how much of it shows.
    """
    fine = _weighted_slopes(tree, (-1450, -1000), images.normal_fine, _NORMAL_FINE)
    fine.inputs[2].default_value = _FLAT
    if images.normal_unseen is not None:
        unseen = _weighted_slopes(tree, (-1450, -700), images.normal_unseen, _NORMAL_UNSEEN)
        unseen.inputs[2].default_value = _FLAT
        tree.links.new(unseen.outputs["Vector"], fine.inputs[2])
    both = _weighted_slopes(tree, (-1450, -1300), images.normal, _NORMAL_BOTH)
    tree.links.new(fine.outputs["Vector"], both.inputs[2])
    normal_map = add_node(tree, "ShaderNodeNormalMap", (-250, -1000), _NORMAL_MAP)
    normal_map.space, normal_map.uv_map = "TANGENT", uv_map
    tree.links.new(both.outputs["Vector"], normal_map.inputs["Color"])

    fine = _weighted_heights(tree, (-700, -1600), images.fine, _HEIGHT_FINE)
    fine.inputs[2].default_value = 0.0
    if images.unseen is not None:
        unseen = _weighted_heights(tree, (-700, -2200), images.unseen, _HEIGHT_UNSEEN)
        unseen.inputs[2].default_value = 0.0
        tree.links.new(unseen.outputs["Value"], fine.inputs[2])
    medium = _weighted_heights(tree, (-700, -1900), images.medium, _HEIGHT_MEDIUM)
    tree.links.new(fine.outputs["Value"], medium.inputs[2])
    displacement = add_node(tree, "ShaderNodeDisplacement", (-250, -1600), _DISPLACEMENT)
    displacement.inputs["Midlevel"].default_value = 0.0
    # In the object's own units: its scale and its parents' count by themselves, what was applied to the mesh does not.
    grown = add_node(tree, "ShaderNodeMath", (-450, -1800))
    grown.operation = "MULTIPLY_ADD"
    tree.links.new(growth_node(tree, (-650, -1800)), grown.inputs[0])
    grown.inputs[1].default_value = grown.inputs[2].default_value = METRES_PER_MM
    tree.links.new(grown.outputs["Value"], displacement.inputs["Scale"])
    tree.links.new(medium.outputs["Value"], displacement.inputs["Height"])
    if fades:
        _fade(tree, medium, displacement)


def has_relief_nodes(material: bpy.types.Material) -> bool:
    """Whether a material has nodes of :func:`add_relief_nodes`, be they all or what the artist has left of them."""
    tree = material.node_tree
    return material.use_nodes and tree is not None and any(name in tree.nodes for name in _KINDS)


def normal_nodes(
    tree: bpy.types.NodeTree,
) -> tuple[tuple[bpy.types.Node | None, bpy.types.NodeSocket | None], ...]:
    """The nodes that weigh normals by their second input, and what their first may take: of all relief, of the fine
    and of that of unseen skin. None where the artist has removed it."""
    found = []
    for label in (_NORMAL_BOTH, _NORMAL_FINE, _NORMAL_UNSEEN):
        slopes = tree.nodes.get(_slopes_of(label))
        found.append((tree.nodes.get(label), None if slopes is None else slopes.outputs["Vector"]))
    return tuple(found)


def normal_map_output(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket | None:
    """The normal that they make together; None where the artist has removed it."""
    node = tree.nodes.get(_NORMAL_MAP)
    return None if node is None else node.outputs["Normal"]


def weigh_relief(material: bpy.types.Material, weights: ReliefWeights) -> None:
    """Show the maps by weight. What has no weight is unplugged, so that Blender neither reads nor evaluates it.

    Args:
        material: one without our nodes stays as it is, and what the artist has removed stays away.
        weights: of each map.
    """
    if not has_relief_nodes(material):
        return
    tree = material.node_tree
    if _NORMAL_UNSEEN not in tree.nodes:
        weights = replace(weights, normal_unseen=0.0)
    if _HEIGHT_UNSEEN not in tree.nodes:
        weights = replace(weights, unseen=0.0)
    normals = (
        (_NORMAL_BOTH, weights.normal),
        (_NORMAL_FINE, weights.normal_fine),
        (_NORMAL_UNSEEN, weights.normal_unseen),
    )
    heights = ((_HEIGHT_MEDIUM, weights.medium), (_HEIGHT_FINE, weights.fine), (_HEIGHT_UNSEEN, weights.unseen))
    for label, weight in normals:
        # A normal (x, y, z) has the slopes x/z and y/z, and slopes add up as heights do. In the colour of a normal map
        # half of (slope, slope, 1) is added to a half; the Normal Map node makes it as long as 1 again.
        _weigh(tree, label, weight, (0.5 * weight, 0.5 * weight, 0.0), (_slopes_of(label), "Vector"))
    for label, weight in heights:
        _weigh(tree, label, weight, weight, (_image_of(label), "Color"))
    shader, output = find_node(tree, "BSDF_PRINCIPLED"), find_node(tree, "OUTPUT_MATERIAL")
    if shader is not None:
        _plug(tree, (_NORMAL_MAP, "Normal"), shader.inputs["Normal"], any(weight for _, weight in normals))
    if output is None:
        return
    displaced = any(weight for _, weight in heights)
    changed = _plug(tree, (_DISPLACEMENT, "Displacement"), output.inputs["Displacement"], displaced)
    if changed is not None:
        # Displaced as far as the mesh is fine enough, and shaded for the rest.
        material.displacement_method = "BOTH" if changed else "BUMP"


def _weighted_heights(
    tree: bpy.types.NodeTree, location: tuple[int, int], image: bpy.types.Image, label: str
) -> bpy.types.Node:
    """Heights times a weight plus something."""
    node = _multiply_add(tree, "ShaderNodeMath", (location[0] + 270, location[1]), label)
    heights = image_node(tree, location, image, _image_of(label))
    heights.node.interpolation = "Cubic"  # straight lines between texels show as a grid on a finer mesh
    return node


def _weighted_slopes(
    tree: bpy.types.NodeTree, location: tuple[int, int], image: bpy.types.Image, label: str
) -> bpy.types.Node:
    """The slopes (x/z, y/z, 1) of a normal map times weights plus something."""
    x, y = location
    color = image_node(tree, location, image, _image_of(label))
    half = vector_math(tree, "SUBTRACT", (x + 270, y), color)  # half of (x, y, z): the division takes no notice
    half.inputs[1].default_value = (0.5,) * 3
    parts = add_node(tree, "ShaderNodeSeparateXYZ", (x + 440, y - 100))
    tree.links.new(half.outputs["Vector"], parts.inputs["Vector"])
    slopes = vector_math(tree, "DIVIDE", (x + 610, y), half.outputs["Vector"])
    tree.links.new(parts.outputs["Z"], slopes.inputs[1])
    slopes.name = slopes.label = _slopes_of(label)
    return _multiply_add(tree, "ShaderNodeVectorMath", (x + 850, y), label)


def _multiply_add(tree: bpy.types.NodeTree, kind: str, location: tuple[int, int], label: str) -> bpy.types.Node:
    node = add_node(tree, kind, location, label)
    node.operation = "MULTIPLY_ADD"
    return node


def _fade(tree: bpy.types.NodeTree, heights: bpy.types.Node, displacement: bpy.types.Node) -> None:
    """Put the skin's weight of relief behind heights and slopes. A weight of 1 changes no bit of them."""
    weight = add_node(tree, "ShaderNodeAttribute", (-1200, -2200))
    weight.attribute_name = RELIEF_WEIGHT
    for label in (_NORMAL_BOTH, _NORMAL_FINE, _NORMAL_UNSEEN):
        slopes = tree.nodes.get(_slopes_of(label))
        if slopes is None:
            continue
        slopes.name = slopes.label = f"{_slopes_of(label)} Whole"
        place = (int(slopes.location.x) + 120, int(slopes.location.y) - 150)
        faded = vector_math(tree, "SCALE", place, slopes.outputs["Vector"])
        faded.name = faded.label = _slopes_of(label)
        tree.links.new(weight.outputs["Fac"], faded.inputs["Scale"])
    faded = add_node(tree, "ShaderNodeMath", (-420, -1700))
    faded.operation = "MULTIPLY"
    tree.links.new(heights.outputs["Value"], faded.inputs[0])
    tree.links.new(weight.outputs["Fac"], faded.inputs[1])
    tree.links.new(faded.outputs["Value"], displacement.inputs["Height"])


def _image_of(label: str) -> str:
    return f"{label} Image"


def _slopes_of(label: str) -> str:
    return f"{label} Slopes"


def _weigh(tree: bpy.types.NodeTree, name: str, weight: float, value: object, source: tuple[str, str]) -> None:
    node = tree.nodes.get(name)
    if node is not None:
        node.inputs[1].default_value = value
        _plug(tree, source, node.inputs[0], weight != 0)


def _plug(tree: bpy.types.NodeTree, source: tuple[str, str], socket: bpy.types.NodeSocket, wanted: bool) -> bool | None:
    """Link our node to a socket or take it off; another link that the artist has made there stays.

    Args:
        source: our node's name and its output's.

    Returns:
        True where it has been linked now, False where it has been taken off, None where all stays as it was.
    """
    node = tree.nodes.get(source[0])
    if node is None:
        return None
    if wanted and not socket.is_linked:
        tree.links.new(node.outputs[source[1]], socket)
        return True
    if not wanted and socket.is_linked and socket.links[0].from_node == node:
        tree.links.remove(socket.links[0])
        return False
    return None
