# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads that are posed by one click, and by themselves while an animation plays."""

import bpy

from ..names import OP_POSE, SETTINGS_PROPERTY
from ..scene.posing import is_posed, pose, pose_played, unpose, unpose_played
from .selection import allowed, change_problem, selected_head

__all__ = ["FACEDETAIL_OT_pose", "attach", "detach", "is_posed"]


class FACEDETAIL_OT_pose(bpy.types.Operator):
    """Show the head in views without subdivision and with its relief as shading, so that sliders and keyframes play \
fluently; again to show it as before. Renders stay as they are"""

    bl_idname = OP_POSE
    bl_label = "Pose"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, change_problem(selected_head(context)))

    def execute(self, context: bpy.types.Context) -> set[str]:
        head = selected_head(context)
        if is_posed(head):
            unpose(head)
        else:
            pose(head)
        return {"FINISHED"}


def attach() -> None:
    """Follow playback, saving and undo."""
    for handlers, function in _followed():
        handlers.append(function)


def detach() -> None:
    """Follow no more; heads that were posed because they play are themselves again."""
    for handlers, function in _followed():
        handlers.remove(function)
    unpose_played()


@bpy.app.handlers.persistent
def _playback_begins(scene: bpy.types.Scene, *args: object) -> None:
    if getattr(scene, SETTINGS_PROPERTY).pose_while_playing:
        pose_played(scene)


@bpy.app.handlers.persistent
def _show_as_before(*args: object) -> None:
    """Playback has ended; or a file is saved, which is to hold what the artist had."""
    unpose_played()


@bpy.app.handlers.persistent
def _file_has_changed(*args: object) -> None:
    """By saving, undo or another file: whether its heads are posed is not what it was."""
    playing = [window.scene for window in bpy.context.window_manager.windows if window.screen.is_animation_playing]
    if not playing:
        unpose_played()
    for scene in playing:
        _playback_begins(scene)


def _followed() -> tuple[tuple[list, object], ...]:
    handlers = bpy.app.handlers
    return (
        (handlers.animation_playback_pre, _playback_begins),
        (handlers.animation_playback_post, _show_as_before),
        (handlers.save_pre, _show_as_before),
        (handlers.save_post, _file_has_changed),
        (handlers.save_post_fail, _file_has_changed),
        (handlers.undo_post, _file_has_changed),
        (handlers.redo_post, _file_has_changed),
        (handlers.load_post, _file_has_changed),
    )
