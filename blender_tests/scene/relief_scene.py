# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief as tests set it and look at it."""

SIDE = 512
MAPS = ("displacement_medium", "displacement_fine", "normal", "normal_fine")


def show(root, **choice) -> None:
    from facedetail_addon.scene.head_object import HeadObject
    from facedetail_addon.scene.relief.displacement import Relief, set_relief

    set_relief(HeadObject(root), Relief(**choice))


def shading(skin) -> tuple[bool, bool]:
    """Whether the material shades by normals, and whether it displaces."""
    nodes = skin.material_slots[0].material.node_tree.nodes
    return (
        nodes["Principled BSDF"].inputs["Normal"].is_linked,
        nodes["Material Output"].inputs["Displacement"].is_linked,
    )


def geometry(skin) -> dict[str, tuple[bool, bool]]:
    """Of each Displace modifier, whether it shows in views and in renders."""
    return {item.name: (item.show_viewport, item.show_render) for item in skin.modifiers if item.type == "DISPLACE"}
