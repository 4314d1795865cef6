# SPDX-License-Identifier: GPL-3.0-or-later
"""Soft neutral light around the head."""

import bpy

WORLD_NAME = "FaceDetail neutral light"


def use_neutral_light(scene: bpy.types.Scene) -> bpy.types.World:
    """A white world of radiance 1, and colours as they are instead of a film look.

    A diffuse surface under radiance 1 from everywhere shows its own base colour. The texture of this version still
    holds the photo's light, so this world adds none of its own: a plain render shows the photo's colours.
    """
    world = bpy.data.worlds.new(WORLD_NAME)
    world.color = (1.0, 1.0, 1.0)
    world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    background.inputs["Strength"].default_value = 1.0
    scene.world = world
    view = scene.view_settings
    view.view_transform = "Standard"
    view.look = "None"
    view.exposure, view.gamma = 0.0, 1.0
    return world
