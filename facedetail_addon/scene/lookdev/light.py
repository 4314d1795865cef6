# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and materials of lookdev pictures."""

import bpy
import numpy as np
from mathutils import Vector

from ...names import STUDIO_NODE
from ..build.world import make_world
from ..nodes import find_node

_CLAY = (0.42, 0.40, 0.38, 1.0)
_CLAY_ROUGHNESS = 0.55
_LAMP_ANGLE_DEG = 6.0
_LAMPS = ((-60.0, 32.0, 3.2), (80.0, 8.0, 0.6))
"""Azimuth to the subject's left from straight before the face, elevation, strength: one lamp grazes forehead, nose and
cheek, and one on the other side keeps the form there from drowning in shadow."""
_FILL = 0.08


def light_as_photo(scene: bpy.types.Scene, radiance: np.ndarray) -> None:
    """The photo's light, without what the artist has turned since.

    Args:
        radiance: (B², 3) spherical harmonics, head frame.
    """
    scene.world = make_world(scene.name, radiance)


def light_as_studio(scene: bpy.types.Scene, radiance: np.ndarray) -> None:
    """The studio that the panel *Light* offers. Args as for the photo's light, whose world it is part of."""
    light_as_photo(scene, radiance)
    scene.world.node_tree.nodes[STUDIO_NODE].inputs["Factor"].default_value = 1.0


def light_raking(scene: bpy.types.Scene) -> None:
    """Lamps from the sides, so that every unevenness of the skin shows, and a little light from all over."""
    world = bpy.data.worlds.new(scene.name)
    world.use_nodes = True
    background = find_node(world.node_tree, "BACKGROUND")
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    background.inputs["Strength"].default_value = _FILL
    scene.world = world
    for azimuth, elevation, strength in _LAMPS:
        scene.collection.objects.link(_lamp(scene.name, *np.radians((azimuth, elevation)), strength))


def _lamp(name: str, azimuth: float, elevation: float, strength: float) -> bpy.types.Object:
    data = bpy.data.lights.new(name, "SUN")
    data.energy = strength
    data.angle = np.radians(_LAMP_ANGLE_DEG)
    lamp = bpy.data.objects.new(name, data)
    towards = Vector((np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)))
    lamp.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    return lamp


def make_clay(parts: tuple[bpy.types.Object, ...]) -> None:
    """Grey materials that keep the relief of the ones they replace. The parts' slots change."""
    made: dict[bpy.types.Material, bpy.types.Material] = {}
    for part in parts:
        for slot in part.material_slots:
            if slot.material is not None:
                slot.material = made.setdefault(slot.material, _clay_of(slot.material))
    for part in parts:
        if part.type == "MESH" and not part.material_slots:
            part.data.materials.append(_plain_clay(part.name))


def _clay_of(material: bpy.types.Material) -> bpy.types.Material:
    clay = material.copy()
    shader = find_node(clay.node_tree, "BSDF_PRINCIPLED") if clay.use_nodes else None
    if shader is None:
        return _plain_clay(material.name)
    _turn_to_clay(clay.node_tree, shader)
    return clay


def _plain_clay(name: str) -> bpy.types.Material:
    clay = bpy.data.materials.new(name)
    clay.use_nodes = True
    _turn_to_clay(clay.node_tree, find_node(clay.node_tree, "BSDF_PRINCIPLED"))
    return clay


def _turn_to_clay(tree: bpy.types.NodeTree, shader: bpy.types.ShaderNode) -> None:
    """Everything that is colour or gloss becomes a number; what is form (normals, displacement) stays linked."""
    numbers = {
        "Base Color": _CLAY,
        "Roughness": _CLAY_ROUGHNESS,
        "Specular IOR Level": 0.3,
        "Subsurface Weight": 0.0,
        "Coat Weight": 0.0,
        "Metallic": 0.0,
        "Alpha": 1.0,
        "Transmission Weight": 0.0,
        "Emission Strength": 0.0,
    }
    for name, value in numbers.items():
        socket = shader.inputs[name]
        for link in list(socket.links):
            tree.links.remove(link)
        socket.default_value = value
    for link in list(shader.inputs["Normal"].links):
        if link.from_node.type == "BUMP":  # the hollow of an iris, which is the light's
            tree.links.remove(link)
