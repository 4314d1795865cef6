# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief that belongs to the photo's expression and fades with its sliders, alike in all ways of showing relief.

Geometry nodes before the Subdivision weigh the relief at each vertex of the mesh: k = 1 + Σ shareᵢ · (rᵢ − 1), where rᵢ
is what a group's sliders have of their values in the photo, 0 to 1, by a driver. k is a vertex group, for the Displace
modifiers, and an attribute, for the material. Groups and sides without any share have no nodes and no driver; heads
without any share have none of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import bpy
import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator

from ...core.detail.expression_shares import GROUPS, SIDES, sides
from ...core.face_model.model import FaceModel
from ...core.image import sample
from ...names import PHOTO_EXPRESSION_PROPERTY, RELIEF_WEIGHT, WRINKLE_ATTRIBUTE, WRINKLE_MODIFIER
from ..nodes import add_node
from ..shape import write_attribute

_LEAST = 0.01  # largest share of a group that is worth a driver
_REST = 1e-4  # added to both sums: a photo without the expression takes nothing away
_MAP_SIDE = 256  # texels of the weights for other programs; they are soft


@dataclass(frozen=True)
class _Wrinkles:
    """One group on one side: (V,) shares, and how much each slider counts."""

    label: str
    shares: np.ndarray
    sliders: Mapping[str, float]


def add_wrinkles(skin: bpy.types.Object, model: FaceModel, maps: Mapping[str, np.ndarray], name: str) -> bool:
    """Make the relief of a skin follow the sliders.

    Args:
        skin: with the photo's expression; its first modifiers are not yet there or come later.
        model: of it. maps: (R, R) float32 shares in canonical UV, 0 to 1, by the groups' names. name: of the nodes.

    Returns:
        whether any relief belongs to the expression; else nothing has changed.
    """
    found = _found(skin, model, maps)
    if not found:
        return False
    for number, one in enumerate(found):
        write_attribute(skin.data, _attribute(number), "FLOAT", one.shares)
    whole = np.ones(len(skin.data.vertices), np.float32)
    write_attribute(skin.data, RELIEF_WEIGHT, "FLOAT", whole)  # for who removes the modifier
    skin.vertex_groups.new(name=WRINKLE_MODIFIER).add(range(len(whole)), 1.0, "REPLACE")
    modifier = skin.modifiers.new(WRINKLE_MODIFIER, "NODES")
    modifier.node_group, inputs = _weighing_nodes(name, [one.label for one in found])
    skin.modifiers.move(len(skin.modifiers) - 1, 0)
    for identifier, one in zip(inputs, found, strict=True):
        modifier[identifier] = 1.0
        _drive(skin, f'modifiers["{modifier.name}"]["{identifier}"]', one.sliders)
    return True


def update_wrinkles(skin: bpy.types.Object, model: FaceModel, maps: Mapping[str, np.ndarray]) -> None:
    """Give a skin that has wrinkles other shares of them, as of :func:`add_wrinkles`; groups without any stay so."""
    modifier = skin.modifiers.get(WRINKLE_MODIFIER)
    if modifier is None or modifier.type != "NODES" or modifier.node_group is None:
        return
    found = {one.label: one.shares for one in _found(skin, model, maps, least=0.0)}
    nothing = np.zeros(len(skin.data.vertices), np.float32)
    inputs = [item for item in modifier.node_group.interface.items_tree if item.socket_type == "NodeSocketFloat"]
    for number, item in enumerate(inputs):
        write_attribute(skin.data, _attribute(number), "FLOAT", found.get(item.name, nothing))


def follow_own_sliders(skin: bpy.types.Object) -> None:
    """Let the wrinkles of a copy with a mesh of its own follow that one's sliders."""
    curves = skin.animation_data.drivers if skin.animation_data is not None else ()
    for curve in curves:
        if curve.data_path.startswith(f'modifiers["{WRINKLE_MODIFIER}"]'):
            for variable in curve.driver.variables:
                variable.targets[0].id = skin.data.shape_keys


def shown_weights(skin: bpy.types.Object) -> np.ndarray | None:
    """How much of the relief a skin shows now, in its UV layout; None where all of it.

    Args:
        skin: of a scene that is up to date.

    Returns:
        (R, R) float32, row 0 at the top; as the geometry nodes weigh the mesh's vertices.
    """
    modifier, mesh = skin.modifiers.get(WRINKLE_MODIFIER), skin.data
    if modifier is None or modifier.type != "NODES" or modifier.node_group is None:
        return None
    weights = np.ones(len(mesh.vertices), np.float32)
    inputs = [item for item in modifier.node_group.interface.items_tree if item.socket_type == "NodeSocketFloat"]
    for number, item in enumerate(inputs):
        attribute = mesh.attributes.get(_attribute(number))
        if attribute is not None and item.identifier in modifier:
            shares = np.empty(len(weights), np.float32)
            attribute.data.foreach_get("value", shares)
            weights += shares * np.float32(modifier[item.identifier] - 1)
    return None if (weights == 1).all() else _in_uv(mesh, weights)


def _found(
    skin: bpy.types.Object, model: FaceModel, maps: Mapping[str, np.ndarray], least: float = _LEAST
) -> list[_Wrinkles]:
    keys, on_sides, uv = skin.data.shape_keys, sides(model), model.skin.vertex_uv()
    names = () if keys is None else keys.get(PHOTO_EXPRESSION_PROPERTY, {}).keys()
    found = []
    for name, group in GROUPS.items():
        size = np.array(maps[name].shape[::-1])
        at = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1) * size - 0.5
        shares = sample(maps[name], at.astype(np.float32), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        for side, belongs in zip(SIDES, on_sides.T, strict=True):
            one = _Wrinkles(f"{name} {side}", shares * belongs, group.sliders(side, list(names)))
            if one.sliders and one.shares.max() >= least:
                found.append(one)
    return found


def _attribute(number: int) -> str:
    return f"{WRINKLE_ATTRIBUTE}_{number}"


def _weighing_nodes(name: str, labels: Sequence[str]) -> tuple[bpy.types.NodeTree, list[str]]:
    """The geometry nodes, and the identifiers of their inputs in the order of ``labels``."""
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    inputs = []
    for label in labels:
        socket = tree.interface.new_socket(label, in_out="INPUT", socket_type="NodeSocketFloat")
        socket.default_value, socket.min_value, socket.max_value = 1.0, 0.0, 1.0
        inputs.append(socket.identifier)
    given = add_node(tree, "NodeGroupInput", (-900, 0))
    weight, geometry = None, given.outputs[0]
    for number in range(len(labels)):
        x, y = 200 * number - 600, -250
        share = add_node(tree, "GeometryNodeInputNamedAttribute", (x, y - 200))
        share.data_type, share.inputs["Name"].default_value = "FLOAT", _attribute(number)
        lost = add_node(tree, "ShaderNodeMath", (x, y))
        lost.operation, lost.inputs[1].default_value = "SUBTRACT", 1.0
        tree.links.new(given.outputs[1 + number], lost.inputs[0])
        total = add_node(tree, "ShaderNodeMath", (x + 180, y))
        total.operation, total.inputs[2].default_value = "MULTIPLY_ADD", 1.0
        tree.links.new(share.outputs["Attribute"], total.inputs[0])
        tree.links.new(lost.outputs["Value"], total.inputs[1])
        if weight is not None:
            tree.links.new(weight, total.inputs[2])
        weight = total.outputs["Value"]
    for step, stored in enumerate((RELIEF_WEIGHT, WRINKLE_MODIFIER)):
        store = add_node(tree, "GeometryNodeStoreNamedAttribute", (200 * step - 600, 0))
        store.data_type, store.domain, store.inputs["Name"].default_value = "FLOAT", "POINT", stored
        tree.links.new(geometry, store.inputs["Geometry"])
        tree.links.new(weight, store.inputs["Value"])
        geometry = store.outputs["Geometry"]
    for number in range(len(labels)):  # else the Subdivision divides them, too
        remove = add_node(tree, "GeometryNodeRemoveAttribute", (200 * number - 200, 0))
        remove.inputs["Name"].default_value = _attribute(number)
        tree.links.new(geometry, remove.inputs["Geometry"])
        geometry = remove.outputs["Geometry"]
    result = add_node(tree, "NodeGroupOutput", (200 * len(labels), 0))
    tree.links.new(geometry, result.inputs[0])
    return tree, inputs


def _drive(skin: bpy.types.Object, path: str, sliders: Mapping[str, float]) -> None:
    """Sum of the sliders over that of the photo's values. Blender evaluates such expressions without Python."""
    driver = skin.driver_add(path).driver
    driver.type = "SCRIPTED"
    now, then = [], []
    for number, (name, weight) in enumerate(sliders.items()):
        escaped = bpy.utils.escape_identifier(name)
        for letter, terms, source in (
            ("a", now, f'key_blocks["{escaped}"].value'),
            ("b", then, f'["{PHOTO_EXPRESSION_PROPERTY}"]["{escaped}"]'),
        ):
            variable = driver.variables.new()
            variable.name, variable.type = f"{letter}{number}", "SINGLE_PROP"
            target = variable.targets[0]
            target.id_type, target.id, target.data_path = "KEY", skin.data.shape_keys, source
            terms.append(variable.name if weight == 1 else f"{weight:g} * {variable.name}")
    now, then = (" + ".join([*terms, f"{_REST:g}"]) for terms in (now, then))
    driver.expression = f"max(0, min(1, ({now}) / ({then})))"


def _in_uv(mesh: bpy.types.Mesh, weights: np.ndarray) -> np.ndarray:
    corners, uv = np.empty(len(mesh.loops), np.int32), np.empty(2 * len(mesh.loops), np.float32)
    mesh.loops.foreach_get("vertex_index", corners)
    mesh.uv_layers[0].data.foreach_get("uv", uv)
    place = (np.arange(_MAP_SIDE) + 0.5) / _MAP_SIDE
    at = np.stack(np.meshgrid(place, 1 - place), axis=-1)
    places, first = np.unique(uv.reshape(-1, 2), axis=0, return_index=True)
    return LinearNDInterpolator(places, weights[corners[first]], fill_value=1.0)(at).astype(np.float32)
