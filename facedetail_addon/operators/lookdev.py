# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the selected head: a contact sheet, and a turntable."""

from functools import partial
from pathlib import Path

import bpy

from .. import session
from ..core.errors import FaceDetailError, OutputError
from ..core.io.atomic_directory import atomic_files
from ..core.io.images import png_bytes
from ..jobs.job import Job, picture_job
from ..names import (
    LOOKDEV_LABEL,
    MAX_FRAMES,
    MIN_FRAMES,
    OP_LOOKDEV,
    OP_TURNTABLE,
    STATE_PROPERTY,
    TURNTABLE_LABEL,
)
from ..scene.head_object import HeadObject
from ..scene.lookdev.file import write_head
from ..scene.lookdev.pictures import DEFAULT_HEIGHT, MAX_HEIGHT, MIN_HEIGHT, Lookdev, keep_sheet, sheet_steps
from ..scene.lookdev.turntable import DEFAULT_FRAMES, turntable_steps
from ..scene.steps import run_through
from .selection import NO_HEAD, active_head
from .work import WorkOperator


def _height_property() -> object:
    return bpy.props.IntProperty(
        name="Height",
        description="Of each picture in pixels",
        default=DEFAULT_HEIGHT,
        min=MIN_HEIGHT,
        max=MAX_HEIGHT,
        subtype="PIXEL",
    )


class _Pictures(WorkOperator):
    """What both operators share: a second Blender renders, where somebody watches; else this one.

    Its child ends with the job: the next one is for other pictures of another head, and it holds much memory.
    """

    needs_packages = False
    last_stage = "Keeping the pictures"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if active_head(context) is None:
            cls.poll_message_set(NO_HEAD)
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Pictures are made in Object Mode.")
            return False
        return super().poll(context)

    def wanted(self) -> dict[str, object]:
        """What kind of pictures, as fields of the request.

        Raises:
            OutputError: they would have no place.
        """
        raise NotImplementedError

    def start(self, context: bpy.types.Context) -> Job:
        wanted, lookdev, renderer = self.wanted(), self._lookdev(context), session.current().renderer
        try:
            write_head(renderer.folder, self._head(context), lookdev.relief)
            return picture_job(renderer, self.load, height=lookdev.height, samples=lookdev.samples, **wanted)
        except BaseException:
            renderer.close()
            raise

    @staticmethod
    def load(path: Path) -> object:
        """What the child has made."""
        return path

    def _lookdev(self, context: bpy.types.Context) -> Lookdev:
        return Lookdev(height=self.height, relief=self._head(context).relief_settings.chosen())

    def _head(self, context: bpy.types.Context) -> HeadObject:
        head = active_head(context)
        self._root_name = head.root.name
        return head

    def _fail(self, context: bpy.types.Context, error: FaceDetailError) -> set[str]:
        result = super()._fail(context, error)
        getattr(context.window_manager, STATE_PROPERTY).error_code = ""  # preferences mend none of these
        return result

    def _finish(self, context: bpy.types.Context) -> None:
        super()._finish(context)
        session.current().renderer.close(at_once=True)


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

    def wanted(self) -> dict[str, object]:
        return {}

    def wait(self, context: bpy.types.Context) -> bytes:
        return png_bytes(run_through(sheet_steps(self._head(context).root.name, self._lookdev(context))))

    @staticmethod
    def load(path: Path) -> bytes:
        return path.read_bytes()

    def complete(self, context: bpy.types.Context, result: bytes) -> set[str]:
        image = keep_sheet(self._root_name, result)
        if not bpy.app.background:
            # Later, because an operator that opens a window while it is modal never ends.
            bpy.app.timers.register(partial(_show_image, image.name), first_interval=0.0)
        path = Path(bpy.path.abspath(self.filepath))
        if self.filepath:
            with atomic_files(path.parent, "sheet") as unfinished:
                (unfinished / path.name).write_bytes(result)
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

    def wanted(self) -> dict[str, object]:
        folder = Path(bpy.path.abspath(self.directory))
        if not self.directory or not folder.is_dir():
            raise OutputError(f"The folder {folder} is not there.", "Choose a folder.")
        return {"frames": self.frames, "film": self.film, "output": str(folder)}

    def wait(self, context: bpy.types.Context) -> Path:
        folder = Path(self.wanted()["output"])
        lookdev = self._lookdev(context)
        run_through(turntable_steps(self._root_name, lookdev, folder, self.frames, film=self.film))
        return folder

    def complete(self, context: bpy.types.Context, result: Path) -> set[str]:
        made = "The film is" if self.film else f"{self.frames} files are"
        self.report({"INFO"}, f"{made} in {result}")
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
