# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene with heads is, to compare it with what it was."""

import numpy as np


def state(bpy) -> object:
    """All that a head's objects, materials and meshes say, as far as posing could change it."""
    objects = {
        item.name: (
            [(one.name, one.type, one.show_viewport, one.show_render) for one in item.modifiers],
            sorted(item.keys()),
            [slot.material and slot.material.name for slot in item.material_slots],
            sorted(item.data.attributes.keys()) if item.type == "MESH" else None,
        )
        for item in bpy.data.objects
    }
    materials = {}
    for material in bpy.data.materials:
        tree = material.node_tree
        weights = {
            node.name: [tuple(one.default_value) for one in node.inputs if one.type in ("VECTOR", "RGBA")]
            for node in tree.nodes
            if node.type == "VECT_MATH"
        }
        links = sorted(
            (str(link.from_socket.path_from_id()), str(link.to_socket.path_from_id())) for link in tree.links
        )
        materials[material.name] = (sorted(tree.nodes.keys()), weights, links)
    return objects, materials, sorted(bpy.data.node_groups.keys())


def evaluated(bpy, item) -> np.ndarray:
    item = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * len(item.data.vertices), np.float32)
    item.data.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)
