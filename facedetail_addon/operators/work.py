# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators have in common that give a worker a job and wait for it."""

import time
from collections.abc import Generator

import bpy

from .. import session
from ..core.errors import FaceDetailError, WorkerError
from ..jobs.job import Job
from ..jobs.runner import BUSY_MESSAGE
from ..names import LABEL, STATE_PROPERTY
from ..requirements import worker_problem
from ..scene.steps import run_through
from .eta import Eta

_TIMER_S = 0.1
_STEP_TIMER_S = 0.01
_STEPS_S = 0.012
"""No more than this, and one step (up to 35 ms), between two of Blender's events."""
_AFTERWARDS_S = 0.1
_WAITING = "Waiting for Object Mode"
_SHOWN_IN = ("VIEW_3D", "PREFERENCES")

Steps = Generator[None, None, set[str]]


class WorkOperator:
    """Runs a job through where nobody watches, else in the background of the session, with progress and Esc.

    An operator has ``start``, and ``complete`` or ``steps``.
    """

    needs_packages = True
    """Its job needs what the worker needs, torch above all."""
    last_stage = "Building the scene"
    """Of the completion, which nothing interrupts."""
    changes_scene = False
    """Blender would not undo what is added to the scene in Edit Mode."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if is_at_work(context):
            cls.poll_message_set(BUSY_MESSAGE)
            return False
        return True

    def known(self, context: bpy.types.Context) -> object | None:
        """The job's result, where an operator that is adjusted afterwards has it already."""
        return None

    def start(self, context: bpy.types.Context) -> Job:
        """Give the worker its job; FaceDetailError where that makes no sense."""
        raise NotImplementedError

    def wait(self, context: bpy.types.Context) -> object:
        """The job's result, in the end, where nobody watches."""
        return self.start(context).run(lambda stage, fraction: None)

    def complete(self, context: bpy.types.Context, result: object) -> set[str]:
        """Show or report what the job has made."""
        raise NotImplementedError

    def steps(self, context: bpy.types.Context, result: object) -> Steps:
        """:meth:`complete` in parts of some milliseconds, for operators that take longer."""
        yield
        return self.complete(context, result)

    def execute(self, context: bpy.types.Context) -> set[str]:
        _show_error(context, None)
        try:
            known = self.known(context) if self.options.is_repeat else None
            if known is not None:
                return run_through(self.steps(context, known))
            if self.needs_packages:
                _require_packages()
            # "Adjust Last Operation" and "Repeat Last" run the finished operator again, which must not go modal then.
            repeated = self.options.is_repeat or self.options.is_repeat_last
            if bpy.app.background or context.window is None or repeated:
                return run_through(self.steps(context, self.wait(context)))
            self._job = self.start(context)
        except FaceDetailError as error:
            return self._fail(context, error)
        self._begin(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS":
            self.cancel(context)
            self.report({"INFO"}, "Cancelled")
            return {"CANCELLED"}
        if event.type != "TIMER":
            # No undo and no other file while the scene is half built.
            return {"PASS_THROUGH"} if self._steps is None else {"RUNNING_MODAL"}
        try:
            if self._steps is not None:
                return self._go_on(context)
            self._result = self._result or self._job.step()
            waits = self.changes_scene and context.mode != "OBJECT"
            if self._result is None or waits:
                self._show(context, self._job.stage if self._result is None else _WAITING, self._job.fraction)
                return {"PASS_THROUGH"}
            self._steps = self.steps(context, self._result)
            self._show(context, self.last_stage, self._job.fraction)
            self._tick(context, _STEP_TIMER_S)
            return {"RUNNING_MODAL"}
        except FaceDetailError as error:
            result = self._fail(context, error)
        except BaseException:
            self._finish(context)
            raise
        self._finish(context)
        return result

    def _go_on(self, context: bpy.types.Context) -> set[str]:
        """Some steps of the completion."""
        until = time.perf_counter() + _STEPS_S
        try:
            while time.perf_counter() < until:
                next(self._steps)
        except StopIteration as end:
            self._finish(context)
            return end.value
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Esc, or Blender ends the operator (another file, quitting)."""
        if getattr(self, "_job", None) is not None:
            if self._steps is not None:
                self._steps.close()
            self._job.cancel(at_once=True)
            self._finish(context)

    def _fail(self, context: bpy.types.Context, error: FaceDetailError) -> set[str]:
        """Report it at once, and in the panel until the next job."""
        _show_error(context, error)
        redraw_all(context.window_manager)
        return report_error(self, error)

    def _begin(self, context: bpy.types.Context) -> None:
        self._eta = Eta(time.monotonic())
        self._result = self._steps = self._shown = self._timer = None
        manager = context.window_manager
        self._tick(context, _TIMER_S)
        manager.progress_begin(0, 100)
        manager.modal_handler_add(self)
        self._show(context, self._job.stage, 0.0)

    def _tick(self, context: bpy.types.Context, seconds: float) -> None:
        """Have :meth:`modal` called this often."""
        manager = context.window_manager
        if self._timer is not None:
            manager.event_timer_remove(self._timer)
        self._timer = manager.event_timer_add(seconds, window=context.window)

    def _show(self, context: bpy.types.Context, stage: str, fraction: float) -> None:
        """Progress in the status bar, at the mouse, in the panel and the preferences; redraws only on change."""
        remaining = self._eta.remaining(fraction, time.monotonic())
        if self._shown == (stage, fraction, remaining):
            return
        self._shown = (stage, fraction, remaining)
        state = getattr(context.window_manager, STATE_PROPERTY)
        state.running, state.stage, state.fraction, state.remaining = True, stage, fraction, remaining
        context.window_manager.progress_update(round(100 * fraction))
        progress = ", ".join(filter(None, (f"{stage} ({fraction:.0%})", remaining)))
        context.workspace.status_text_set(f"{LABEL}: {progress}   Esc: cancel")
        redraw(context)

    def _finish(self, context: bpy.types.Context) -> None:
        """The one way out of the modal state."""
        manager = context.window_manager
        manager.event_timer_remove(self._timer)
        manager.progress_end()
        context.workspace.status_text_set(None)
        state = getattr(manager, STATE_PROPERTY)
        state.running, state.stage, state.fraction, state.remaining = False, "", 0.0, ""
        self._job = None
        redraw_all(manager)
        # Once more when Blender has ended the operator, which may be after it has drawn.
        if not bpy.app.background:
            bpy.app.timers.register(_redraw_afterwards, first_interval=_AFTERWARDS_S)


def _require_packages() -> None:
    """Raises WorkerError where the worker's Python packages are missing or will not do."""
    problem = worker_problem()
    if problem is not None:
        raise WorkerError(problem.message, f"{problem.remedy} {problem.command}".strip())


def is_at_work(context: bpy.types.Context) -> bool:
    """Whether a job is under way."""
    return session.current().worker.busy or getattr(context.window_manager, STATE_PROPERTY).running


def report_error(operator: bpy.types.Operator, error: FaceDetailError) -> set[str]:
    """Report what went wrong and what to do about it."""
    operator.report({"ERROR"}, f"{error.message} {error.remedy}")
    return {"CANCELLED"}


def _show_error(context: bpy.types.Context, error: FaceDetailError | None) -> None:
    state = getattr(context.window_manager, STATE_PROPERTY)
    state.error, state.remedy, state.error_code = (error.message, error.remedy, error.code) if error else ("", "", "")


def redraw_all(manager: bpy.types.WindowManager) -> None:
    """Everything in all windows: a job's end changes scene, view, panels and status bar."""
    for window in manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                region.tag_redraw()


def _redraw_afterwards() -> None:
    redraw_all(bpy.context.window_manager)


def redraw(context: bpy.types.Context) -> None:
    """Where we draw progress and lists."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in _SHOWN_IN:
                for region in area.regions:
                    # The 3D view's own region may take long to draw, and shows nothing of this.
                    if area.type != "VIEW_3D" or region.type == "UI":
                        region.tag_redraw()
