# SPDX-License-Identifier: GPL-3.0-or-later
"""Exported copies in other units, in their data: objects and bones without a scale, as game engines want them."""

import bpy
from mathutils import Matrix


def scale_copies(copies: bpy.types.Collection, factor: float) -> None:
    """Make meshes, shape keys, bones and the places of objects so many times as large."""
    scale = Matrix.Scale(factor, 4)
    for item in copies.objects:
        if item.type == "MESH":
            item.data.transform(scale, shape_keys=True)
        elif item.type == "ARMATURE":
            item.data.transform(scale)
        item.location *= factor
        item.matrix_parent_inverse.translation *= factor
