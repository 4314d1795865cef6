# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded performance as keyframes of a head's sliders and of its rotation."""

from collections.abc import Generator

import bpy
import numpy as np
from mathutils import Matrix

from ..core.errors import PerformanceError
from ..core.face_model.arkit import ARKIT_NAMES, WHOLES
from ..core.face_model.live_link import Performance
from .head_object import HeadObject
from .rig.bones import head_bone_of, rig_of

_LINEAR = 1
"""Of keyframes' interpolation: every frame is there."""


def key_performance(
    head: HeadObject, scene: bpy.types.Scene, performance: Performance, *, start: float = 1.0, turn: float = 1.0
) -> Generator[float, None, int]:
    """Key all sliders of a head, and its rotation, as a performance has them. What they were keyed with before stays in
    the file as an action of its own; sliders of the photo's expression that ARKit does not have go to zero.

    The head's bone turns where it has a rig, else the head's object, beside its own rotation.

    Args:
        scene: whose frame rate and end follow. start: frame of its first row. turn: factor of the rotation, 0 for none.

    Yields:
        the share that is done.

    Returns:
        how many sliders were keyed.

    Raises:
        PerformanceError: the head has none of the sliders, or is of another file.
    """
    keys = head.keys
    if keys is None or not keys.is_editable or head.linked_file is not None:
        raise PerformanceError("The head's sliders cannot be keyed.", "Select a head of this file.")
    sliders = _sliders(keys)
    if not sliders:
        raise PerformanceError("The head has none of ARKit's sliders.", "Reconstruct its photo again.")
    render = scene.render
    frames = start + performance.seconds * render.fps / render.fps_base
    for name in head.photo_expression:
        if name in keys.key_blocks and name not in sliders and _is_expression(name):
            keys.key_blocks[name].value = 0.0
    curves = _new_action(keys, f"{head.root.name} performance")
    for number, (slider, shape) in enumerate(sliders.items()):
        path = f'key_blocks["{bpy.utils.escape_identifier(slider)}"].value'
        _write(curves.new(path), frames, performance.weights[:, ARKIT_NAMES.index(shape)])
        yield number / len(sliders)
    if performance.rotation is not None and turn != 0:
        _key_rotation(head, frames, turn * performance.rotation)
    scene.frame_end = max(scene.frame_end, int(np.ceil(frames[-1])))
    return len(sliders)


def _sliders(keys: bpy.types.Key) -> dict[str, str]:
    """ARKit's names by the sliders that show them; of heads without whole ones both sides."""
    found = {}
    for name in ARKIT_NAMES:
        sides = [name + side for side in ("Left", "Right")] if name in WHOLES else []
        for slider in [name] if name in keys.key_blocks else sides:
            if slider in keys.key_blocks:
                found[slider] = name
    return found


def _is_expression(name: str) -> bool:
    """Not the rest of the photo's expression, which belongs to the head's shape."""
    return name[:1].islower()


def _key_rotation(head: HeadObject, frames: np.ndarray, angles: np.ndarray) -> None:
    """Angles (N, 3): yaw, pitch and roll about the head's own axes up, left and forwards."""
    turns = [
        Matrix.Rotation(yaw, 3, "Z") @ Matrix.Rotation(pitch, 3, "X") @ Matrix.Rotation(roll, 3, (0, -1, 0))
        for yaw, pitch, roll in angles.tolist()
    ]
    rig = rig_of(head)
    bone = None if rig is None else head_bone_of(rig)
    if bone is not None:
        axes = bone.bone.matrix_local.to_3x3()
        bone.rotation_mode = "QUATERNION"
        values = [(axes.inverted() @ turn @ axes).to_quaternion() for turn in turns]
        owner, path = rig, f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"].rotation_quaternion'
    elif head.root.rotation_mode == "QUATERNION":
        owner, path, values = head.root, "delta_rotation_quaternion", [turn.to_quaternion() for turn in turns]
    else:
        order = head.root.rotation_mode if head.root.rotation_mode != "AXIS_ANGLE" else "XYZ"
        owner, path, values = head.root, "delta_rotation_euler", [turns[0].to_euler(order)]
        for turn in turns[1:]:
            values.append(turn.to_euler(order, values[-1]))
        if head.root.rotation_mode == "AXIS_ANGLE":
            raise PerformanceError(
                f"The rotation of {head.root.name} is by axis and angle, beside which nothing can turn it.",
                "Set its rotation mode to XYZ Euler, or import without the head's rotation.",
            )
    curves = _new_action(owner, f"{owner.name} rotation")
    table = np.array(values)
    for index in range(table.shape[1]):
        _write(curves.new(path, index=index), frames, table[:, index])


def _new_action(owner: bpy.types.ID, name: str) -> bpy.types.bpy_prop_collection:
    """The curves of a new action of a datablock, whose old one is kept."""
    animation = owner.animation_data_create()
    if animation.action is not None:
        animation.action.use_fake_user = True
    action = bpy.data.actions.new(name)
    animation.action = action
    if not hasattr(action, "slots"):  # before Blender 4.4
        return action.fcurves
    slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    animation.action_slot = slot
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True).fcurves


def _write(curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> None:
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], axis=1).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(frames), _LINEAR, np.int32))
    curve.update()
