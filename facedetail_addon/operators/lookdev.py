# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the head at hand: a contact sheet, and a turntable."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import bpy

from ..core.errors import FaceDetailError, OutputError
from ..core.result_files import write_png
from ..names import (
    LABEL,
    LOOKDEV_LABEL,
    MAX_FRAMES,
    MIN_FRAMES,
    OP_LOOKDEV,
    OP_TURNTABLE,
    RELIEF_PROPERTY,
    TURNTABLE_LABEL,
)
from ..scene.build import run_through
from ..scene.lookdev import (
    DEFAULT_HEIGHT,
    MAX_HEIGHT,
    MIN_HEIGHT,
    Lookdev,
    find_root,
    keep_sheet,
    sheet_steps,
)
from ..scene.lookdev_stage import root_of
from ..scene.lookdev_turntable import DEFAULT_FRAMES, turntable_steps
from .work import refuse

_TIMER_S = 0.1
_NO_HEAD = "Select a head first."


def _height_property() -> object:
    return bpy.props.IntProperty(
        name="Height",
        description="Of each picture in pixels",
        default=DEFAULT_HEIGHT,
        min=MIN_HEIGHT,
        max=MAX_HEIGHT,
        subtype="PIXEL",
    )


class _Pictures:
    """What both operators share: picture by picture in a window, all at once where nobody watches.

    Subclasses give the steps and keep what they return.
    """

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if root_of(context.active_object) is None:
            cls.poll_message_set(_NO_HEAD)
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Pictures are made in Object Mode.")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            root = root_of(context.active_object)
            self._root_name = root.name
            self._steps = self._make_steps(Lookdev(height=self.height, relief=getattr(root, RELIEF_PROPERTY).chosen()))
            if bpy.app.background or context.window is None:
                return self._keep(context, run_through(self._steps))
        except FaceDetailError as error:
            return refuse(self, error)
        manager = context.window_manager
        self._timer = manager.event_timer_add(_TIMER_S, window=context.window)
        manager.progress_begin(0, 100)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS":
            self.cancel(context)
            self.report({"INFO"}, "Cancelled")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            # Each step does what the one before has announced, so the status bar names the picture that is being made.
            self._show(context, *next(self._steps))
            return {"PASS_THROUGH"}
        except StopIteration as done:
            self._finish(context)
            return self._done(context, done.value)
        except FaceDetailError as error:
            self._finish(context)
            return refuse(self, error)
        except BaseException:
            self._finish(context)
            raise

    def cancel(self, context: bpy.types.Context) -> None:
        """Esc, or Blender ends the operator (another file, quitting)."""
        self._steps.close()
        self._finish(context)

    def _make_steps(self, lookdev: Lookdev) -> Iterator[tuple[str, float]]:
        raise NotImplementedError

    def _keep(self, context: bpy.types.Context, made: object) -> set[str]:
        raise NotImplementedError

    def _done(self, context: bpy.types.Context, made: object) -> set[str]:
        try:
            return self._keep(context, made)
        except FaceDetailError as error:
            return refuse(self, error)

    def _show(self, context: bpy.types.Context, stage: str, done: float) -> None:
        context.window_manager.progress_update(round(100 * done))
        context.workspace.status_text_set(f"{LABEL}: {stage} ({done:.0%})   Esc: cancel")

    def _finish(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)


class FACEDETAIL_OT_lookdev(_Pictures, bpy.types.Operator):
    """Render a contact sheet of the selected head: photo, photo's light, studio, clay, neutral, three-quarter view"""

    bl_idname = OP_LOOKDEV
    bl_label = LOOKDEV_LABEL
    bl_options = {"UNDO"}

    height: _height_property()
    filepath: bpy.props.StringProperty(
        name="File",
        description="PNG file to write; empty: the sheet is only an image of the Blender file",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def _make_steps(self, lookdev: Lookdev) -> Iterator[tuple[str, float]]:
        return sheet_steps(self._root_name, lookdev)

    def _keep(self, context: bpy.types.Context, made: object) -> set[str]:
        image = keep_sheet(find_root(self._root_name), made)
        if not bpy.app.background:
            # Later, because an operator that opens a window while it is modal never ends.
            bpy.app.timers.register(partial(_show_image, image.name), first_interval=0.0)
        if self.filepath:
            path = Path(bpy.path.abspath(self.filepath))
            try:
                write_png(path, made)
            except OSError as error:
                raise OutputError(
                    f"{path} cannot be written: {error.strerror or error}.", "Choose a folder that you may write to."
                ) from error
        self.report({"INFO"}, f"The sheet is the image {image.name}" + (f", and {path}" if self.filepath else ""))
        return {"FINISHED"}


class FACEDETAIL_OT_turntable(_Pictures, bpy.types.Operator):
    """Render a turn around the selected head in studio light, as PNG files or as a film"""

    bl_idname = OP_TURNTABLE
    bl_label = TURNTABLE_LABEL

    height: _height_property()
    directory: bpy.props.StringProperty(name="Folder", subtype="DIR_PATH", options={"SKIP_SAVE"})
    frames: bpy.props.IntProperty(
        name="Frames",
        description="Pictures of a whole turn",
        default=DEFAULT_FRAMES,
        min=MIN_FRAMES,
        max=MAX_FRAMES,
    )
    film: bpy.props.BoolProperty(name="Film", description="One MP4 file instead of PNG files", default=True)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.directory:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return self.execute(context)

    def _make_steps(self, lookdev: Lookdev) -> Iterator[tuple[str, float]]:
        folder = Path(bpy.path.abspath(self.directory))
        if not self.directory or not folder.is_dir():
            raise OutputError(f"The folder {folder} is not there.", "Choose a folder.")
        return turntable_steps(self._root_name, lookdev, folder, self.frames, film=self.film)

    def _keep(self, context: bpy.types.Context, made: object) -> set[str]:
        self.report({"INFO"}, f"{len(made)} file{'s' if len(made) > 1 else ''} in {made[0].parent}")
        return {"FINISHED"}


def _show_image(name: str) -> None:
    """Where an older sheet was shown the image is there already; else in an empty image editor, or in a new window."""
    manager, image = bpy.context.window_manager, bpy.data.images.get(name)
    areas = [area for window in manager.windows for area in window.screen.areas]
    editors = [area.spaces.active for area in areas if area.type == "IMAGE_EDITOR"]
    if image is None or any(editor.image == image for editor in editors):
        return
    empty = next((editor for editor in editors if editor.image is None), None)
    if empty is None:
        with bpy.context.temp_override(window=manager.windows[0]):
            bpy.ops.wm.window_new()
        area = manager.windows[-1].screen.areas[0]
        area.type = "IMAGE_EDITOR"
        empty = area.spaces.active
    empty.image = image
