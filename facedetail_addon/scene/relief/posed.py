# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief of a posed head: what is geometry otherwise is shading in views, and renders are as they were.

One material serves views and renders. So its weights of normals become w + a · Δ, with a an attribute that only the
mesh in views has. The weights w stay where they are, under a link, and are back when our nodes go.
"""

from collections.abc import Mapping

import bpy

from ...names import FINE_MODIFIER, MEDIUM_MODIFIER, POSE_MODIFIER, POSED_ATTRIBUTE, UNSEEN_MODIFIER
from ..nodes import add_node, find_node
from ..space import METRES_PER_MM
from .nodes import has_relief_nodes, normal_map_output, normal_nodes

_PREFIX = "FaceDetail Pose"
_WEIGHT = f"{_PREFIX} Weight"


def shade_in_views(skin: bpy.types.Object, factors: Mapping[str, float]) -> None:
    """Let the skin's materials show as normals what its Displace modifiers showed.

    Args:
        factors: how much relief each of the modifiers that rest in views shows, 1 as found, by its name.
    """
    medium, fine, unseen = (factors.get(name, 0.0) for name in (MEDIUM_MODIFIER, FINE_MODIFIER, UNSEEN_MODIFIER))
    added = (medium, fine - medium, unseen)  # the first map holds the slopes of medium and fine relief
    trees = [material.node_tree for material in _relief_materials(skin)]
    if not any(added) or not trees:
        return
    for tree in trees:
        if not _is_posed(tree):
            _mix_in(tree, added)
    modifier = skin.modifiers.new(POSE_MODIFIER, "NODES")
    modifier.node_group = bpy.data.node_groups.get(POSE_MODIFIER) or _marking_nodes()
    modifier.show_render = False


def shade_as_before(skin: bpy.types.Object) -> None:
    """Take back :func:`shade_in_views`; a material that another posed skin shows keeps its nodes as long as that."""
    modifier = skin.modifiers.get(POSE_MODIFIER)
    if modifier is None:
        return
    group = modifier.node_group
    skin.modifiers.remove(modifier)
    for material in _relief_materials(skin):
        drop_pose_nodes(material)
    if group is not None and group.users == 0:
        bpy.data.node_groups.remove(group)


def drop_pose_nodes(material: bpy.types.Material) -> None:
    """Remove them from a material that no posed skin shows; a copy of such a one's has them, too."""
    if not any(POSE_MODIFIER in item.modifiers and _shows(item, material) for item in bpy.data.objects):
        tree = material.node_tree
        for node in [node for node in tree.nodes if node.name.startswith(f"{_PREFIX} ")]:
            tree.nodes.remove(node)


def shown_factor(modifier: bpy.types.DisplaceModifier) -> float:
    """How much relief a Displace modifier shows, 1 as found."""
    return modifier.strength / METRES_PER_MM


def _relief_materials(skin: bpy.types.Object) -> list[bpy.types.Material]:
    found = {slot.material for slot in skin.material_slots if slot.material is not None}
    return [material for material in found if material.is_editable and has_relief_nodes(material)]


def _shows(item: bpy.types.Object, material: bpy.types.Material) -> bool:
    return any(slot.material == material for slot in item.material_slots)


def _is_posed(tree: bpy.types.NodeTree) -> bool:
    return any(node.name.startswith(_WEIGHT) for node in tree.nodes)


def _mix_in(tree: bpy.types.NodeTree, added: tuple[float, ...]) -> None:
    posed = add_node(tree, "ShaderNodeAttribute", (-1000, -850), f"{_PREFIX} Attribute")
    posed.attribute_name = POSED_ATTRIBUTE
    for (node, slopes), more in zip(normal_nodes(tree), added, strict=True):
        if node is None or more == 0:
            continue
        place = (int(node.location.x) - 180, int(node.location.y) - 180)
        weight = add_node(tree, "ShaderNodeVectorMath", place, f"{_WEIGHT} {node.name}")
        weight.operation = "MULTIPLY_ADD"
        tree.links.new(posed.outputs["Fac"], weight.inputs[0])
        weight.inputs[1].default_value = (0.5 * more, 0.5 * more, 0.0)
        weight.inputs[2].default_value = node.inputs[1].default_value
        tree.links.new(weight.outputs["Vector"], node.inputs[1])
        if slopes is not None and not node.inputs[0].is_linked:
            # Through a node of ours, so that the link goes with it.
            _plug_through(tree, slopes, node.inputs[0])
    shader, normal = find_node(tree, "BSDF_PRINCIPLED"), normal_map_output(tree)
    if shader is not None and normal is not None and not shader.inputs["Normal"].is_linked:
        _plug_through(tree, normal, shader.inputs["Normal"])


def _plug_through(tree: bpy.types.NodeTree, source: bpy.types.NodeSocket, target: bpy.types.NodeSocket) -> None:
    x, y = source.node.location
    through = add_node(tree, "NodeReroute", (int(x) + 100, int(y) - 50), f"{_PREFIX} Link {target.node.name}")
    tree.links.new(source, through.inputs[0])
    tree.links.new(through.outputs[0], target)


def _marking_nodes() -> bpy.types.NodeTree:
    tree = bpy.data.node_groups.new(POSE_MODIFIER, "GeometryNodeTree")
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    given, result = add_node(tree, "NodeGroupInput", (-200, 0)), add_node(tree, "NodeGroupOutput", (200, 0))
    store = add_node(tree, "GeometryNodeStoreNamedAttribute", (0, 0))
    store.data_type, store.domain, store.inputs["Name"].default_value = "FLOAT", "POINT", POSED_ATTRIBUTE
    store.inputs["Value"].default_value = 1.0
    tree.links.new(given.outputs[0], store.inputs["Geometry"])
    tree.links.new(store.outputs["Geometry"], result.inputs[0])
    return tree
