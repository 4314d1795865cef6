# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an object is as seen from another, by their parents: also in files that Blender does not evaluate."""

import bpy
from mathutils import Matrix


def in_frame(item: bpy.types.Object, owner: bpy.types.Object) -> Matrix:
    """From an object's own axes to those of another, which need not carry it. Constraints and bones are left out."""
    matrix, carrier = item.matrix_basis.copy(), item
    while carrier.parent is not None:
        matrix, carrier = carrier.matrix_parent_inverse @ matrix, carrier.parent
        if carrier == owner:
            return matrix
        matrix = carrier.matrix_basis @ matrix
    return in_world(owner).inverted() @ matrix


def set_in_frame(item: bpy.types.Object, owner: bpy.types.Object, matrix: Matrix) -> None:
    """Move an object so that :func:`in_frame` gives this matrix; its parent stays."""
    if item.parent != owner:
        matrix = in_world(owner) @ matrix
        if item.parent is not None:
            matrix = in_world(item.parent).inverted() @ matrix
    if item.parent is not None:
        matrix = item.matrix_parent_inverse.inverted() @ matrix
    item.matrix_basis = matrix


def hang(item: bpy.types.Object, carrier: bpy.types.Object) -> None:
    """Give an object that was placed in a carrier's axes this parent, which it outlives in its place.

    Blender leaves an object without its parent where its own location is; so that is in the world, as after Ctrl P.
    """
    place = in_world(carrier).translation
    item.parent = carrier
    item.matrix_parent_inverse = Matrix.Translation(-place)
    item.location += place


def in_world(item: bpy.types.Object) -> Matrix:
    """From an object's own axes to the world's. With constraints or bones: as last evaluated."""
    carriers = [item]
    while carriers[-1].parent is not None:
        carriers.append(carriers[-1].parent)
    if any(one.constraints or one.parent_type == "BONE" for one in carriers):
        return item.matrix_world.copy()
    matrix = Matrix()
    for one in carriers:
        matrix = one.matrix_basis @ matrix
        if one.parent is not None:
            matrix = one.matrix_parent_inverse @ matrix
    return matrix
