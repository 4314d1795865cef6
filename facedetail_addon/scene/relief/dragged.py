# SPDX-License-Identifier: GPL-3.0-or-later
"""A skin whose relief is being dragged: in views its subdivided mesh is kept, and only moved along its relief.

Displacement is linear in its strength, so a subdivided mesh and one vector for each of its vertices give the mesh of
every strength. While a drag lasts geometry nodes show that, and all modifiers that lead to it rest in views; renders do
not change. The mesh is kept from one drag to the next as long as nothing else moves the skin; it is not saved.
"""

import hashlib

import bpy
import numpy as np

from ...names import DRAG_MODIFIER, DRAGGED_PROPERTY, FINE_MODIFIER, MEDIUM_MODIFIER, UNSEEN_MODIFIER
from ..nodes import add_node
from .adaptive import subdivision_of

_OFFSET = "facedetail_drag"
_KEPT_FOR, _SIGNATURE = "facedetail_kept_for", "facedetail_signature"
_OBJECT_INPUT, _STRENGTH_INPUT = "Mesh", "Strength"
_USED_STRENGTH = 0.001
_LEAST_STRENGTH = 0.0005


def is_dragged(skin: bpy.types.Object) -> bool:
    """Whether a drag goes on."""
    return DRAGGED_PROPERTY in skin


def begin_drag(skin: bpy.types.Object) -> bool:
    """Keep the skin's subdivided mesh and show that; true where that is so, or was so already.

    Only where nothing but the medium relief displaces a subdivided mesh in views.
    """
    if is_dragged(skin):
        return True
    medium, subdivision = skin.modifiers.get(MEDIUM_MODIFIER), subdivision_of(skin)
    others = [skin.modifiers.get(name) for name in (FINE_MODIFIER, UNSEEN_MODIFIER)]
    if medium is None or subdivision is None or any(other is not None and other.show_viewport for other in others):
        return False
    order = skin.modifiers[:]
    place = order.index(medium)
    if not subdivision.show_viewport or order.index(subdivision) > place or skin.mode != "OBJECT":
        return False
    kept = _kept_mesh(skin)
    if kept is None:
        kept = _keep(skin, medium)
    resting = [one.name for one in order[:place] if one.show_viewport]
    skin[DRAGGED_PROPERTY] = {"modifiers": resting}
    for name in (*resting, MEDIUM_MODIFIER):
        skin.modifiers[name].show_viewport = False
    modifier = skin.modifiers.new(DRAG_MODIFIER, "NODES")
    modifier.node_group = bpy.data.node_groups.get(DRAG_MODIFIER) or _moving_nodes()
    modifier.show_render = False
    modifier[_identifier(modifier, _OBJECT_INPUT)] = kept
    modifier.use_pin_to_last = skin.modifiers[MEDIUM_MODIFIER].use_pin_to_last  # else it would stay before it
    own, medium_at = skin.modifiers.find(DRAG_MODIFIER), skin.modifiers.find(MEDIUM_MODIFIER)
    skin.modifiers.move(own, medium_at if own < medium_at else medium_at + 1)
    go_on_dragging(skin)
    return True


def go_on_dragging(skin: bpy.types.Object) -> None:
    """Show the strength that the medium modifier has now."""
    medium, modifier = skin.modifiers.get(MEDIUM_MODIFIER), skin.modifiers.get(DRAG_MODIFIER)
    if medium is None or modifier is None:
        end_drag(skin)
        return
    medium.show_viewport = False
    modifier[_identifier(modifier, _STRENGTH_INPUT)] = medium.strength
    skin.update_tag(refresh={"DATA"})


def end_drag(skin: bpy.types.Object) -> None:
    """Let the skin's own modifiers show it again; the mesh stays for the next drag."""
    if not is_dragged(skin) or not skin.is_editable:
        return
    noted = skin[DRAGGED_PROPERTY]
    names = list(noted.get("modifiers", ())) if hasattr(noted, "get") else []
    del skin[DRAGGED_PROPERTY]
    modifier = skin.modifiers.get(DRAG_MODIFIER)
    if modifier is not None:
        skin.modifiers.remove(modifier)
    for name in names:
        if name in skin.modifiers:
            skin.modifiers[name].show_viewport = True
    medium = skin.modifiers.get(MEDIUM_MODIFIER)
    if medium is not None:
        medium.show_viewport = medium.strength > 0
    group = bpy.data.node_groups.get(DRAG_MODIFIER)
    if group is not None and group.users == 0:
        bpy.data.node_groups.remove(group)


def end_all_drags() -> None:
    """Of all skins, and without keeping any mesh."""
    for item in [item for item in bpy.data.objects if is_dragged(item)]:
        end_drag(item)
    for kept in _all_kept():
        _forget(kept)


def end_drags_of_moved() -> None:
    """End the drags of skins that something else has moved; their kept meshes are not theirs any more."""
    if DRAG_MODIFIER not in bpy.data.node_groups:  # no drag at all
        return
    for skin in [item for item in bpy.data.objects if is_dragged(item)]:
        if _kept_mesh(skin) is None:
            end_drag(skin)


def _all_kept() -> list[bpy.types.Object]:
    return [item for item in bpy.data.objects if _KEPT_FOR in item]


def _kept_mesh(skin: bpy.types.Object) -> bpy.types.Object | None:
    """What holds the subdivided mesh of a skin as it is; those that hold others are removed."""
    found = None
    for kept in _all_kept():
        if kept[_KEPT_FOR] == skin and kept[_SIGNATURE] == _signature(skin):
            found = kept
        elif kept[_KEPT_FOR] in (skin, None):
            _forget(kept)
    return found


def _signature(skin: bpy.types.Object) -> str:
    """Another for another shape of the subdivided mesh."""
    digest = hashlib.sha1(usedforsecurity=False)
    keys, mesh = skin.data.shape_keys, skin.data
    basis = mesh.vertices if keys is None else keys.key_blocks[0].points
    points = np.empty(3 * len(basis), np.float32)
    basis.foreach_get("co", points)
    digest.update(points.tobytes())
    facts = [skin.mode, subdivision_of(skin).levels, bpy.context.scene.frame_current]
    facts += [(key.name, key.value, key.mute) for key in keys.key_blocks] if keys is not None else []
    for modifier in skin.modifiers:
        if modifier.name == DRAG_MODIFIER:
            continue
        facts.append((modifier.name, modifier.type))
        carrier = getattr(modifier, "object", None)
        if carrier is not None:
            facts.append([list(row) for row in carrier.matrix_world])
            facts += [[list(row) for row in bone.matrix] for bone in carrier.pose.bones] if carrier.pose else []
    digest.update(repr(facts).encode())
    return digest.hexdigest()


def _keep(skin: bpy.types.Object, medium: bpy.types.Modifier) -> bpy.types.Object:
    """An object in no scene with the subdivided mesh and the vectors by which a strength of 1 moves it.

    From two strengths, neither of them zero: a mesh that ends with its Subdivision is left to the graphics card.
    """
    after = [one for one in skin.modifiers[skin.modifiers.find(medium.name) + 1 :] if one.show_viewport]
    before, usable = medium.strength, medium.show_viewport and medium.strength >= _LEAST_STRENGTH
    first = before if usable else _USED_STRENGTH
    try:
        for one in after:
            one.show_viewport = False
        if not usable:
            medium.strength, medium.show_viewport = first, True
        evaluated = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())  # mostly as it is: nothing to work out
        mesh = bpy.data.meshes.new_from_object(evaluated)
        low = _points(mesh)
        medium.strength = first + _USED_STRENGTH
        high = _points(skin.evaluated_get(bpy.context.evaluated_depsgraph_get()).data)
        used = medium.strength - first
    finally:
        for one in after:
            one.show_viewport = True
        medium.strength, medium.show_viewport = before, before > 0
    offset = (high - low) / np.float32(used)
    mesh.vertices.foreach_set("co", low - offset * np.float32(first))
    mesh.attributes.new(_OFFSET, "FLOAT_VECTOR", "POINT").data.foreach_set("vector", offset)
    kept = bpy.data.objects.new(f"{DRAG_MODIFIER} {skin.name}", mesh)
    kept[_KEPT_FOR], kept[_SIGNATURE] = skin, _signature(skin)
    kept.is_runtime_data = mesh.is_runtime_data = True  # no file holds it
    return kept


def _points(mesh: bpy.types.Mesh) -> np.ndarray:
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    return points


def _forget(kept: bpy.types.Object) -> None:
    mesh = kept.data
    bpy.data.objects.remove(kept)
    bpy.data.meshes.remove(mesh)


def _identifier(modifier: bpy.types.NodesModifier, name: str) -> str:
    return modifier.node_group.interface.items_tree[name].identifier


def _moving_nodes() -> bpy.types.NodeTree:
    tree = bpy.data.node_groups.new(DRAG_MODIFIER, "GeometryNodeTree")
    tree.is_modifier = True
    new = tree.interface.new_socket
    new("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    new(_OBJECT_INPUT, in_out="INPUT", socket_type="NodeSocketObject")
    new(_STRENGTH_INPUT, in_out="INPUT", socket_type="NodeSocketFloat")
    new("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    given, result = add_node(tree, "NodeGroupInput", (-600, 0)), add_node(tree, "NodeGroupOutput", (400, 0))
    kept = add_node(tree, "GeometryNodeObjectInfo", (-300, 150))
    kept.transform_space = "ORIGINAL"
    offset = add_node(tree, "GeometryNodeInputNamedAttribute", (-300, -150))
    offset.data_type, offset.inputs["Name"].default_value = "FLOAT_VECTOR", _OFFSET
    scaled = add_node(tree, "ShaderNodeVectorMath", (-100, -150))
    scaled.operation = "SCALE"
    moved = add_node(tree, "GeometryNodeSetPosition", (150, 100))
    tree.links.new(given.outputs[_OBJECT_INPUT], kept.inputs["Object"])
    tree.links.new(offset.outputs["Attribute"], scaled.inputs[0])
    tree.links.new(given.outputs[_STRENGTH_INPUT], scaled.inputs["Scale"])
    tree.links.new(kept.outputs["Geometry"], moved.inputs["Geometry"])
    tree.links.new(scaled.outputs["Vector"], moved.inputs["Offset"])
    tree.links.new(moved.outputs["Geometry"], result.inputs[0])
    return tree
