# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo in, head in the scene: the operator that artists and scripts call."""

import atexit
from pathlib import Path

import bpy

from ..core.errors import FaceDetailError, PhotoError, WorkerError
from ..jobs.job import Job, Loaded
from ..jobs.runner import BUSY_MESSAGE, Worker
from ..names import LABEL, OP_RECONSTRUCT, PHOTO_FILTER, RECONSTRUCT_LABEL, STATE_PROPERTY
from ..preferences import chosen_results_directory
from ..properties import (
    expression_property,
    face_property,
    resolution_property,
    use_camera_property,
    use_light_property,
    use_sun_property,
)
from ..requirements import worker_directories, worker_problem
from ..scene.build import build_scene, select_head

_TIMER_S = 0.1
_BUILDING = "Building the scene"
_WAITING = "Waiting for Object Mode"


class FACEDETAIL_OT_reconstruct(bpy.types.Operator):
    """Make a posed, textured head and the photo's camera from one photo of a face"""

    bl_idname = OP_RECONSTRUCT
    bl_label = RECONSTRUCT_LABEL
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(name="Photo", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default=PHOTO_FILTER, options={"HIDDEN"})
    output: bpy.props.StringProperty(
        name="Output",
        description="Folder for the result; empty: as in the preferences",
        subtype="DIR_PATH",
        options={"SKIP_SAVE", "HIDDEN"},
    )
    expression: expression_property()
    resolution: resolution_property()
    face: face_property()
    use_camera: use_camera_property()
    use_light: use_light_property()
    use_sun: use_sun_property()

    # From register() to unregister(); kept warm between photos.
    worker: Worker | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if cls.worker is None or cls.worker.busy or getattr(context.window_manager, STATE_PROPERTY).running:
            cls.poll_message_set(BUSY_MESSAGE)
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("A head is added in Object Mode.")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run through where nobody watches, else go on in the background of the session."""
        try:
            self._job = self._start(context)
            # "Adjust Last Operation" and "Repeat Last" run the finished operator again, which must not go modal then.
            repeated = self.options.is_repeat or self.options.is_repeat_last
            if bpy.app.background or context.window is None or repeated:
                return self._build(context, self._job.run(lambda stage, fraction: None))
        except FaceDetailError as error:
            return self._refuse(error)
        self._begin(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS":
            self.cancel(context)
            self.report({"INFO"}, "Cancelled")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            self._loaded = self._loaded or self._job.step()
            if self._loaded is None:
                self._show(context, self._job.stage, self._job.fraction)
                return {"PASS_THROUGH"}
            # In Edit Mode Blender would not undo what is added to the scene.
            if context.mode != "OBJECT":
                self._show(context, _WAITING, self._job.fraction)
                return {"PASS_THROUGH"}
            self._show(context, _BUILDING, self._job.fraction)
            result = self._build(context, self._loaded)
        except FaceDetailError as error:
            result = self._refuse(error)
        except BaseException:
            self._finish(context)
            raise
        self._finish(context)
        return result

    def cancel(self, context: bpy.types.Context) -> None:
        """Esc, or Blender ends the operator (another file, quitting)."""
        if getattr(self, "_job", None) is not None:
            self._job.cancel()
            self._finish(context)

    def _start(self, context: bpy.types.Context) -> Job:
        photo = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or not photo.is_file():
            raise PhotoError(f"The photo {photo} is not there.", "Choose an image file with a face.")
        problem = worker_problem()
        if problem is not None:
            raise WorkerError(problem.message, f"{problem.remedy} {problem.command}".strip())
        output = Path(bpy.path.abspath(self.output)) if self.output else chosen_results_directory(context)
        face = self.face - 1 if self.face else None
        worker, resolution = type(self).worker, int(self.resolution)
        return Job(worker, photo, output, resolution=resolution, face=face, expression=self.expression)

    def _build(self, context: bpy.types.Context, loaded: Loaded) -> set[str]:
        collection = build_scene(
            loaded.reconstruction,
            loaded.model,
            scene=context.scene,
            use_camera=self.use_camera,
            use_light=self.use_light,
            use_sun=self.use_sun,
        )
        select_head(collection, context.view_layer)
        for notice in loaded.reconstruction.notices:
            self.report({"WARNING"}, notice.message)
        self.report({"INFO"}, f"{collection.name} is in the scene; files in {loaded.folder}")
        return {"FINISHED"}

    def _refuse(self, error: FaceDetailError) -> set[str]:
        self.report({"ERROR"}, f"{error.message} {error.remedy}")
        return {"CANCELLED"}

    def _begin(self, context: bpy.types.Context) -> None:
        self._loaded = None
        self._shown = None
        manager = context.window_manager
        self._timer = manager.event_timer_add(_TIMER_S, window=context.window)
        manager.progress_begin(0, 100)
        manager.modal_handler_add(self)
        self._show(context, self._job.stage, 0.0)

    def _show(self, context: bpy.types.Context, stage: str, fraction: float) -> None:
        """Progress in the status bar, at the mouse and in the panel; redraws only on change."""
        if self._shown == (stage, fraction):
            return
        self._shown = (stage, fraction)
        state = getattr(context.window_manager, STATE_PROPERTY)
        state.running, state.stage, state.fraction = True, stage, fraction
        context.window_manager.progress_update(round(100 * fraction))
        context.workspace.status_text_set(f"{LABEL}: {stage} ({fraction:.0%})   Esc: cancel")
        _redraw_panels(context)

    def _finish(self, context: bpy.types.Context) -> None:
        """The one way out of the modal state."""
        manager = context.window_manager
        manager.event_timer_remove(self._timer)
        manager.progress_end()
        context.workspace.status_text_set(None)
        state = getattr(manager, STATE_PROPERTY)
        state.running, state.stage, state.fraction = False, "", 0.0
        self._job = None
        _redraw_panels(context)


def _redraw_panels(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def attach_worker() -> None:
    """Give the operator its worker; the child process starts with the first job."""
    worker = Worker(worker_directories())
    FACEDETAIL_OT_reconstruct.worker = worker
    atexit.register(worker.close)


def detach_worker() -> None:
    """End the child process."""
    worker, FACEDETAIL_OT_reconstruct.worker = FACEDETAIL_OT_reconstruct.worker, None
    if worker is not None:
        atexit.unregister(worker.close)
        worker.close()
