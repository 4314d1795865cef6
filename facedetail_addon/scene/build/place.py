# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a new head stands: at the 3D cursor as all that is added in Blender, and beside the heads that are there."""

import bpy
import numpy as np

from ..frames import hang, in_world
from ..head_object import HeadObject
from ..ownership import heads_in

_GAP = 0.5
"""Between two heads, in widths of the new one."""


def place_beside_others(head: HeadObject, scene: bpy.types.Scene) -> None:
    """Move a new head, which nothing shows yet, to the 3D cursor; in a scene without a set cursor that is the origin.

    Where another head is in its way it goes along X, to the subject's left, until there is a gap. What hangs on its
    empty goes with it: camera and lamps. Heads count in hidden collections, too.
    """
    head.root.location = scene.cursor.location
    others = [_box(root) for root in heads_in(scene) if root != head.root and HeadObject(root).skin is not None]
    low, high = _box(head.root)
    gap, moved = _GAP * (high[0] - low[0]), 0.0
    for other_low, other_high in sorted(others, key=lambda box: box[0][0]):
        start, end = low[0] + moved - gap, high[0] + moved + gap
        beside = (other_low[1:] < high[1:]).all() and (low[1:] < other_high[1:]).all()
        if beside and other_low[0] < end and start < other_high[0]:
            moved = other_high[0] + gap - low[0]
    head.root.location.x += moved
    for child in head.root.children:
        hang(child, head.root)


def _box(root: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest coordinates in the world of a head's skin, without expression."""
    skin = HeadObject(root).skin
    places = np.empty(3 * len(skin.data.vertices), np.float32)
    skin.data.vertices.foreach_get("co", places)
    matrix = np.array(in_world(skin))
    points = places.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return points.min(axis=0), points.max(axis=0)
