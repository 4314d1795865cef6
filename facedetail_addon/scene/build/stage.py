# SPDX-License-Identifier: GPL-3.0-or-later
"""The lamps of a light stage as area lamps around a head, which obey the same controls as the world."""

import bpy
import numpy as np
from mathutils import Vector

from ...core.rendering.stage import DISTANCE_MM, RADIUS_MM, LightStage, lamp_directions
from ...names import ROTATION_NODE, STRENGTH_NODE, STUDIO_NODE
from ..colour_management import to_scene_linear
from ..space import HEAD_TO_BLENDER, METRES_PER_MM
from .sun import drive_by_world

_EMPTY_SIZE_M = 0.05


def make_stage(name: str, stage: LightStage, world: bpy.types.World) -> list[bpy.types.Object]:
    """An empty in the middle, and area lamps on it; lamps that do not shine are left out.

    Args:
        name: of the objects and their data.
        stage: how brightly the lamps shine, head frame.
        world: of ``make_world``; its nodes drive the lamps, by expressions that Blender evaluates without Python. So
            does the scale of what carries the empty, since larger lamps farther away need more power.
    """
    middle = bpy.data.objects.new(name, None)
    middle.empty_display_size = _EMPTY_SIZE_M
    # Rotations add up as delta after rotation, so this turns all lamps about the vertical axis.
    drive_by_world(middle, "delta_rotation_euler", 2, "turn", world, {"turn": (ROTATION_NODE, "Rotation", "[2]")})
    made = [middle]
    for direction, radiance in zip(lamp_directions(), stage.radiance, strict=True):
        if radiance.max() > 0:
            lamp = _make_lamp(f"{name} {len(made)}", direction, radiance, world)
            lamp.parent = middle
            made.append(lamp)
    return made


def _make_lamp(name: str, direction: np.ndarray, radiance: np.ndarray, world: bpy.types.World) -> bpy.types.Object:
    data = bpy.data.lights.new(name, "AREA")
    data.shape, data.size = "DISK", 2 * RADIUS_MM * METRES_PER_MM
    strongest = float(radiance.max())
    # Blender has the power of the whole disc, which shines by Lambert's law: π · area · radiance, area in the scene.
    data.energy = strongest * np.pi**2 * (RADIUS_MM * METRES_PER_MM) ** 2
    data.color = to_scene_linear(tuple(radiance / strongest))
    drive_by_world(
        data, "energy", -1, f"{data.energy:.9g} * strength * (1 - studio) * scale * scale", world,
        {"strength": (STRENGTH_NODE, "Strength", ""), "studio": (STUDIO_NODE, "Factor", "")},
    )  # fmt: skip
    made = bpy.data.objects.new(name, data)
    _drive_by_scale(data, made)
    made.visible_camera = False
    towards = Vector(HEAD_TO_BLENDER @ direction)
    made.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    made.location = towards * (DISTANCE_MM * METRES_PER_MM)
    return made


def _drive_by_scale(data: bpy.types.Light, lamp: bpy.types.Object) -> None:
    """Give the driver of a lamp's power the lamp's scale in the world."""
    variable = data.animation_data.drivers.find("energy").driver.variables.new()
    variable.name, variable.type = "scale", "TRANSFORMS"
    target = variable.targets[0]
    target.id, target.transform_type, target.transform_space = lamp, "SCALE_AVG", "WORLD_SPACE"
