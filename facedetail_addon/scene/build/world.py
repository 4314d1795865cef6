# SPDX-License-Identifier: GPL-3.0-or-later
"""The light around the head as a world: the photo's, or a studio's. Its own nodes are the artist's controls."""

import bpy
import numpy as np

from ...core.rendering.environment import environment_image, studio_image
from ...names import (
    LIGHT_PROPERTY,
    LIGHT_SUFFIX,
    ROTATION_NODE,
    STRENGTH_NODE,
    STUDIO_NODE,
)
from ..images import packed_light
from ..nodes import add_node, find_node, mix_colors

STUDIO_IMAGE = "FaceDetail studio light"
_SAMPLING_MAP_PX = 256


def make_world(stem: str, radiance: np.ndarray) -> bpy.types.World:
    """A world with the photo's light, which plain nodes turn, strengthen or exchange for a neutral studio's.

    Args:
        stem: the name's beginning.
        radiance: (B², 3) spherical harmonics, head frame, linear Rec. 709 in units of the display: a view transform
            that changes nothing shows the photo's colours.
    """
    world = bpy.data.worlds.new(f"{stem} {LIGHT_SUFFIX}")
    world[LIGHT_PROPERTY] = True
    # A world that no scene uses any more would not be saved: the lights of older heads are kept to be chosen again.
    world.use_fake_user = True
    world.use_nodes = True
    if hasattr(world, "cycles"):
        # As large as the light's pictures: left to itself Cycles takes seconds for a map of millions of pixels.
        world.cycles.sampling_method = "MANUAL"
        world.cycles.sample_map_resolution = _SAMPLING_MAP_PX
    tree = world.node_tree
    place = add_node(tree, "ShaderNodeTexCoord", (-1150, 100))
    turn = add_node(tree, "ShaderNodeMapping", (-950, 100), ROTATION_NODE)
    turn.vector_type = "TEXTURE"  # turns the light, not the direction in which it is looked up
    tree.links.new(place.outputs["Generated"], turn.inputs["Vector"])
    mix = mix_colors(tree, (-350, 250), label=STUDIO_NODE)
    mix.inputs["Factor"].default_value = 0.0
    photo = packed_light(f"{stem} {LIGHT_SUFFIX}", environment_image(radiance))
    for image, label, height, socket in ((photo, "Photo's Light", 350, 6), (_studio(), "Studio Light", 50, 7)):
        node = add_node(tree, "ShaderNodeTexEnvironment", (-700, height), label)
        node.image = image
        tree.links.new(turn.outputs["Vector"], node.inputs["Vector"])
        tree.links.new(node.outputs["Color"], mix.inputs[socket])
    background = find_node(tree, "BACKGROUND")
    background.name = background.label = STRENGTH_NODE
    background.inputs["Strength"].default_value = 1.0
    tree.links.new(mix.outputs[2], background.inputs["Color"])
    return world


def _studio() -> bpy.types.Image:
    """One for all heads of a file."""
    return bpy.data.images.get(STUDIO_IMAGE) or packed_light(STUDIO_IMAGE, studio_image())
