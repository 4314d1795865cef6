# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature with neck, head, jaw and eye bones, which a head's meshes follow beneath all that makes them finer."""

from dataclasses import replace

import bpy
import numpy as np
from mathutils import Vector

from ...core.errors import RigError
from ...names import HEAD_ID_PROPERTY, RIG_PART
from ..head_object import LINKED_REMEDY, HeadObject
from ..ownership import mark
from .bones import Bone, find_bones, jaw_hinge, rig_of
from .weights import part_weights, write_weights

RIG_MODIFIER = "FaceDetail rig"
_ROOT_TAIL = np.array([0.0, 0.05, 0.0])


def add_rig(head: HeadObject, view_layer: bpy.types.ViewLayer, root_bone: str = "") -> bpy.types.Object:
    """Give a head an armature. Sliders go on working; bones move what the sliders have shaped.

    Args:
        view_layer: of the scene that the head is in, in Object Mode; the selection is given back.
        root_bone: of a bone at the head's origin that carries the others; empty for none.

    Returns:
        the armature's object, on the head's empty.

    Raises:
        RigError: the head has an armature, is of another file, or does not tell where its jaw turns.
    """
    if head.linked_file is not None:
        raise RigError(f"{head.root.name} is linked from {head.linked_file}.", LINKED_REMEDY)
    if head.skin is None or head.collection is None:
        raise RigError(f"{head.root.name} has no skin in a collection any more.", "Reconstruct the photo again.")
    there = rig_of(head)
    if there is not None:
        raise RigError(f"{head.root.name} has a rig already: {there.name}.", "Delete that first to make another.")
    hinge = jaw_hinge(head)
    bones, parts = find_bones(head, hinge), head.parts
    if root_bone:
        first, *others = bones
        bones = [Bone(root_bone, "", np.zeros(3), _ROOT_TAIL), replace(first, parent=root_bone), *others]
    name = f"{head.root.name.removesuffix(' head')} {RIG_PART}"
    rig = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    head.collection.objects.link(rig)
    rig.parent = head.root
    rig.show_in_front = True
    _make_bones(rig, bones, view_layer)
    head_id = head.root.get(HEAD_ID_PROPERTY)
    mark(rig, head_id if isinstance(head_id, str) else "", RIG_PART)
    for part_name, part in parts.items():
        write_weights(part, part_weights(head, part_name, part, hinge))
        modifier = part.modifiers.new(RIG_MODIFIER, "ARMATURE")
        modifier.object = rig
        part.modifiers.move(len(part.modifiers) - 1, 0)
    return rig


def _make_bones(rig: bpy.types.Object, bones: list[Bone], view_layer: bpy.types.ViewLayer) -> None:
    """Bones are made in Edit Mode alone."""
    active, selected = view_layer.objects.active, [item for item in view_layer.objects if item.select_get()]
    for item in selected:
        item.select_set(False)
    view_layer.update()
    view_layer.objects.active = rig
    rig.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        for bone in bones:
            made = rig.data.edit_bones.new(bone.name)
            made.head, made.tail = Vector(bone.head), Vector(bone.tail)
            if bone.parent:
                made.parent = rig.data.edit_bones[bone.parent]
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        rig.select_set(False)
        for item in selected:
            item.select_set(True)
        view_layer.objects.active = active
