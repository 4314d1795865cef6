# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders of the relief: at once in scripts, and while one is dragged in a window without subdividing anew."""

import bpy

from ..scene.head_object import HeadObject
from ..scene.relief.displacement import Relief, drag_relief, set_relief
from ..scene.relief.dragged import end_all_drags, end_drag, end_drags_of_moved, is_dragged

_REST_S = 0.5
"""A slider that has stood still for so long is not dragged any more."""


def show(head: HeadObject, relief: Relief) -> None:
    """Show a relief of another mode or other levels."""
    set_relief(head, relief)


def show_strength(head: HeadObject, relief: Relief) -> None:
    """Show a relief of which a strength has changed. In a window more changes may follow at once."""
    if bpy.app.background:
        set_relief(head, relief)
    else:
        drag(head, relief)


def drag(head: HeadObject, relief: Relief) -> None:
    """One of many steps, the last of which is known by the rest after it."""
    drag_relief(head, relief)
    if bpy.app.timers.is_registered(rest):
        bpy.app.timers.unregister(rest)
    bpy.app.timers.register(rest, first_interval=_REST_S)


def rest() -> None:
    """No slider is dragged any more."""
    for skin in [item for item in bpy.data.objects if is_dragged(item)]:
        end_drag(skin)


def attach() -> None:
    """Follow what ends a drag."""
    for handlers, function in _followed():
        handlers.insert(0, function)  # before heads are posed, which look at what their modifiers show


def detach() -> None:
    """Follow no more, and end all drags."""
    for handlers, function in _followed():
        handlers.remove(function)
    if bpy.app.timers.is_registered(rest):
        bpy.app.timers.unregister(rest)
    end_all_drags()


@bpy.app.handlers.persistent
def _moved(*args: object) -> None:
    end_drags_of_moved()


@bpy.app.handlers.persistent
def _end(*args: object) -> None:
    end_all_drags()


def _followed() -> tuple[tuple[list, object], ...]:
    handlers = bpy.app.handlers
    ends = ("animation_playback_pre", "frame_change_pre", "save_pre", "undo_post", "redo_post", "load_post")
    return ((handlers.depsgraph_update_post, _moved), *((getattr(handlers, name), _end) for name in ends))
