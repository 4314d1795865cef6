# SPDX-License-Identifier: GPL-3.0-or-later
"""The strongest direction of a photo's light as a lamp, which obeys the same controls as the world."""

import bpy
import numpy as np
from mathutils import Vector

from ...core.rendering.environment import Sun
from ...names import ROTATION_NODE, STRENGTH_NODE, STUDIO_NODE
from ..colour_management import to_scene_linear
from ..space import HEAD_TO_BLENDER

_DISTANCE_M = 0.5  # where it is drawn; suns shine from everywhere


def make_sun(name: str, sun: Sun, world: bpy.types.World) -> bpy.types.Object:
    """A sun lamp that is strengthened, turned and put out in the studio together with the world's light.

    Args:
        name: of the object and of its data.
        sun: head frame.
        world: of ``make_world``; its nodes drive the lamp, by expressions that Blender evaluates without Python.
    """
    data = bpy.data.lights.new(name, "SUN")
    energy = float(sun.irradiance.max())
    data.energy = energy
    data.color = to_scene_linear(tuple(sun.irradiance / energy))
    data.angle = np.radians(sun.angle_deg)
    drive_by_world(
        data, "energy", -1, f"{energy:.9g} * strength * (1 - studio)", world,
        {"strength": (STRENGTH_NODE, "Strength", ""), "studio": (STUDIO_NODE, "Factor", "")},
    )  # fmt: skip
    made = bpy.data.objects.new(name, data)
    towards = Vector(HEAD_TO_BLENDER @ sun.direction)
    made.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    made.location = towards * _DISTANCE_M
    # Rotations add up as delta after rotation, so this turns the lamp about the vertical axis.
    drive_by_world(made, "delta_rotation_euler", 2, "turn", world, {"turn": (ROTATION_NODE, "Rotation", "[2]")})
    return made


def drive_by_world(
    owner: bpy.types.ID,
    path: str,
    index: int,
    expression: str,
    world: bpy.types.World,
    controls: dict[str, tuple[str, str, str]],
) -> None:
    """Drive a property by inputs of the world's nodes, each given by node, socket and component."""
    driver = owner.driver_add(path, index).driver
    driver.type = "SCRIPTED"
    for name, (node, socket, component) in controls.items():
        variable = driver.variables.new()
        variable.name = name
        variable.type = "SINGLE_PROP"
        target = variable.targets[0]
        target.id_type = "WORLD"
        target.id = world
        target.data_path = f"{_input_path(world, node, socket)}.default_value{component}"
    driver.expression = expression


def _input_path(world: bpy.types.World, node: str, socket: str) -> str:
    inputs = world.node_tree.nodes[node].inputs
    # The mix node has a factor for each type of data, all of one name, so the place counts.
    return f'node_tree.nodes["{node}"].inputs[{inputs.find(socket)}]'
