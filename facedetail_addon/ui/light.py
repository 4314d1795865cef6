# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of a photo's light, where the scene's world has them."""

from dataclasses import dataclass

import bpy

from ..names import LIGHT_PROPERTY, ROTATION_NODE, STRENGTH_NODE, STUDIO_NODE


@dataclass(frozen=True)
class Control:
    """A node's input as the panel draws it.

    Attributes:
        text: its label. socket: the input. index: which component of its value, −1 for a single number.
    """

    text: str
    socket: bpy.types.NodeSocket
    index: int = -1


def light_controls(world: bpy.types.World | None) -> tuple[Control, ...]:
    """What can be turned of a world that was made from a photo: studio, strength, rotation.

    Empty for other worlds; a control whose node the artist has removed is left out.
    """
    if world is None or LIGHT_PROPERTY not in world or not world.use_nodes:
        return ()
    nodes = world.node_tree.nodes
    wanted = (
        ("Studio Light", STUDIO_NODE, "Factor", -1),
        ("Light Strength", STRENGTH_NODE, "Strength", -1),
        ("Light Rotation", ROTATION_NODE, "Rotation", 2),
    )
    found = ((text, nodes.get(node), socket, index) for text, node, socket, index in wanted)
    return tuple(
        Control(text, node.inputs[socket], index)
        for text, node, socket, index in found
        if node and socket in node.inputs
    )
