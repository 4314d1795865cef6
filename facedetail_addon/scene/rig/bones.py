# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a head's bones are, and which armature is its own."""

from dataclasses import dataclass

import bpy
import numpy as np

from ...core.errors import RigError
from ...names import PART_PROPERTY, RIG_PART
from ..frames import in_frame
from ..head_object import HeadObject

NECK_BONE, HEAD_BONE, JAW_BONE = "Neck", "Head", "Jaw"
EYE_BONES = {"eye_left": "Eye.L", "eye_right": "Eye.R"}
"""By the names of parts."""
_JAW_KEY = "jawOpen"
_REMEDY = "Reconstruct the photo again, and rig the new head."
_LEAST_MOVED_M = 0.002


@dataclass(frozen=True)
class Bone:
    """In the axes of the head's empty, metres. ``parent``: a name; empty for the root."""

    name: str
    parent: str
    head: np.ndarray
    tail: np.ndarray


@dataclass(frozen=True)
class JawHinge:
    """The jaw's opening as a rotation: R p + shift, in the axes of the head's empty; ``centre`` stays where it is."""

    rotation: np.ndarray
    shift: np.ndarray
    centre: np.ndarray

    def moves(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) by how much it moves points that go with it wholly."""
        return points @ self.rotation.T + self.shift - points


def rig_of(head: HeadObject) -> bpy.types.Object | None:
    """The armature that was made for a head, or that its skin follows; None where there is none."""
    own = [item for item in head.objects if item.type == "ARMATURE" and item.get(PART_PROPERTY) == RIG_PART]
    skin = head.skin
    followed = [] if skin is None else [one.object for one in skin.modifiers if one.type == "ARMATURE" and one.object]
    return next(iter((*own, *followed)), None)


def head_bone_of(rig: bpy.types.Object) -> bpy.types.PoseBone | None:
    """The bone that turns the head, also under the name that game engines know; None where a rig has none."""
    return rig.pose.bones.get(HEAD_BONE) or rig.pose.bones.get(HEAD_BONE.lower())


def rest_points(head: HeadObject, part: bpy.types.Object, key: str = "") -> np.ndarray:
    """(N, 3) of a part without expression, or with one whole, in the axes of the head's empty."""
    keys = part.data.shape_keys
    block = None if keys is None else keys.key_blocks[key] if key else keys.reference_key
    points = part.data.vertices if block is None else block.points
    found = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", found)
    matrix = np.array(in_frame(part, head.root))
    return found.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def jaw_hinge(head: HeadObject) -> JawHinge:
    """How jawOpen turns the lower teeth, or where there are none what it moves most of the skin.

    Raises:
        RigError: the head has no such slider any more, or it moves nothing.
    """
    parts = head.parts
    part = next((part for part in (parts.get("teeth_lower"), head.skin) if _opens(part)), None)
    if part is None:
        raise RigError("The head has no slider jawOpen, which tells where its jaw turns.", _REMEDY)
    before, after = rest_points(head, part), rest_points(head, part, _JAW_KEY)
    moved = np.linalg.norm(after - before, axis=1)
    if moved.max() < _LEAST_MOVED_M:
        raise RigError("The head's slider jawOpen moves nothing, so nobody knows where its jaw turns.", _REMEDY)
    most = moved > 0.8 * moved.max()
    rotation, shift = _rigid(before[most], after[most])
    # In the plane of the turn, depth and height, one point stays; the middle of the head has no width.
    turn = np.eye(2) - rotation[1:, 1:]
    centre = np.concatenate([[0.0], np.linalg.lstsq(turn, shift[1:], rcond=None)[0]])
    return JawHinge(rotation, shift, centre)


def find_bones(head: HeadObject, hinge: JawHinge) -> list[Bone]:
    """The bones of a head, parents first."""
    skin = rest_points(head, head.skin)
    low, high = skin[:, 2].min(), skin[:, 2].max()
    base = skin[skin[:, 2] < low + 0.1 * (high - low)].mean(axis=0)
    base[0] = 0.0
    atlas = hinge.centre + np.array([0.0, 0.02, -0.01])  # the joint of skull and neck: a bit behind and below the jaw's
    bones = [
        Bone(NECK_BONE, "", base, atlas),
        Bone(HEAD_BONE, NECK_BONE, atlas, np.array([0.0, atlas[1], high])),
    ]
    chin = skin[np.abs(skin[:, 0]) < 0.02]
    chin = chin[(chin[:, 2] < hinge.centre[2]) & (chin[:, 1] < hinge.centre[1])]
    forward = chin[chin[:, 1].argmin()] if len(chin) else hinge.centre + np.array([0, -0.08, -0.05])
    bones.append(Bone(JAW_BONE, HEAD_BONE, hinge.centre, np.array([0.0, forward[1] * 0.9, forward[2] - 0.02])))
    parts = head.parts
    for part, name in EYE_BONES.items():
        if part in parts:
            centre = np.array(in_frame(parts[part], head.root).translation)
            if not centre.any():  # an eye that does not count from its own centre
                centre = rest_points(head, parts[part]).mean(axis=0)
            bones.append(Bone(name, HEAD_BONE, centre, centre + np.array([0.0, -0.03, 0.0])))
    return bones


def _opens(part: bpy.types.Object | None) -> bool:
    return part is not None and part.data.shape_keys is not None and _JAW_KEY in part.data.shape_keys.key_blocks


def _rigid(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rotation and shift that take points nearest to others."""
    middle, target = before.mean(axis=0), after.mean(axis=0)
    left, _, right = np.linalg.svd((before - middle).T @ (after - target))
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(right.T @ left.T))])
    rotation = right.T @ sign @ left.T
    return rotation, target - rotation @ middle
