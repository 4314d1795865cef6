# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads that are posed: in views the mesh as the sliders move it and nothing finer, with its relief as shading.

What the artist had is noted on the objects themselves, in the file: so a head is itself again after undo, after saving,
in another session, or when its empty is gone. Renders do not change at all.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import bpy

from ..names import FINE_MODIFIER, MEDIUM_MODIFIER, POSED_PROPERTY, UNSEEN_MODIFIER
from .head_object import HeadObject
from .relief.dragged import end_drag
from .relief.posed import shade_as_before, shade_in_views, shown_factor

_FINER = ("SUBSURF", "MULTIRES", "DISPLACE", "REMESH")
"""Modifiers that make a mesh finer, or are of no use on a coarse one; all others (armatures, lattices …) go on."""
_RELIEF = (MEDIUM_MODIFIER, FINE_MODIFIER, UNSEEN_MODIFIER)
_CHOSEN, _PLAYING = "chosen", "playing"


def is_posed(head: HeadObject) -> bool:
    """Whether a head is posed, by choice or while it plays."""
    return POSED_PROPERTY in head.root


def pose(head: HeadObject, *, playing: bool = False) -> None:
    """Show a head in views as its sliders alone move it. One that is posed stays as it is, one of another file, too.

    Args:
        playing: until :func:`unpose_played`.
    """
    if is_posed(head) or head.linked_file is not None:
        return
    why = _PLAYING if playing else _CHOSEN
    for item in {part.name_full: part for part in head.parts.values()}.values():
        if item.is_editable:
            _rest(item, why)
    head.root[POSED_PROPERTY] = {"why": why, "modifiers": []}


def unpose(head: HeadObject) -> None:
    """Show a head as it was before; what the artist has changed or removed meanwhile stays so."""
    wake([head.root, *head.objects])


@contextmanager
def unposed(head: HeadObject) -> Iterator[None]:
    """In the block a head is not posed, so that what it shows can be changed."""
    why = _why(head.root)
    unpose(head)
    try:
        yield
    finally:
        if why is not None:
            pose(head, playing=why == _PLAYING)


def unpose_played() -> None:
    """As :func:`unpose`, for all that was posed while it played, parts of deleted heads as well."""
    wake(item for item in bpy.data.objects if _why(item) == _PLAYING)


def pose_played(scene: bpy.types.Scene) -> None:
    """Pose all heads of a scene that are not, until :func:`unpose_played`."""
    for root in {head.root.name_full: head.root for head in map(HeadObject.of, scene.objects) if head}.values():
        pose(HeadObject(root), playing=True)


def _rest(item: bpy.types.Object, why: str) -> None:
    end_drag(item)
    shown = [modifier for modifier in item.modifiers if modifier.type in _FINER and modifier.show_viewport]
    item[POSED_PROPERTY] = {"why": why, "modifiers": [modifier.name for modifier in shown]}
    shade_in_views(item, {one.name: shown_factor(one) for one in shown if one.name in _RELIEF})
    for modifier in shown:
        modifier.show_viewport = False


def wake(items: Iterable[bpy.types.Object]) -> None:
    """Let the modifiers of objects that are posed, or are copies of such, work in views again."""
    for item in [item for item in items if POSED_PROPERTY in item and item.is_editable]:
        noted = item[POSED_PROPERTY]
        names = noted.get("modifiers", ()) if hasattr(noted, "get") else ()
        del item[POSED_PROPERTY]
        shade_as_before(item)
        for name in names:
            modifier = item.modifiers.get(name)
            if modifier is not None:
                modifier.show_viewport = True


def _why(item: bpy.types.Object) -> str | None:
    noted = item.get(POSED_PROPERTY)
    return noted.get("why") if hasattr(noted, "get") else None
