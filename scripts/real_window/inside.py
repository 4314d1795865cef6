# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the Blender under test: answers questions from outside, and notes when the window stands still.

blender --python inside.py -- SOCKET

Each connection to the Unix socket sends one Python expression, a line, and gets one JSON line back: ``[true, value]``
or ``[false, message]``. Expressions are evaluated between two of Blender's events, never in the middle of one.
"""

import json
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import bpy

sys.path.append(str(Path(__file__).parent))
import pressing

_TICK_S = 0.01
_PATIENCE_S = 400


class Stillness:
    """When Blender's main thread did not come round, by what the job was doing.

    Attributes:
        gaps: (stage, seconds between two ticks) while recording. handlers: (stage, seconds in the job's own handler,
            those on the processor alone: other programs on a busy machine do not count). starts: both seconds of
            starting a job. edits: (what, both seconds) of each call while a fit is edited.
    """

    def __init__(self):
        self.gaps: list[tuple[str, float]] = []
        self.handlers: list[tuple[str, float, float]] = []
        self.starts: list[tuple[float, float]] = []
        self.edits: list[tuple[str, float, float]] = []
        self._last: float | None = None

    def start(self) -> None:
        self.gaps.clear()
        self.handlers.clear()
        self.starts.clear()
        self.edits.clear()
        self._last = time.perf_counter()

    def stop(self) -> None:
        self._last = None

    def tick(self) -> None:
        if self._last is not None:
            now = time.perf_counter()
            self.gaps.append((stage(), now - self._last))
            self._last = now

    def timed(self, handler: Callable) -> Callable:
        """The operator's modal function, with a stop watch."""

        def modal(operator, context, event):
            kind, before, begin, busy = event.type, stage(), time.perf_counter(), time.thread_time()
            try:
                return handler(operator, context, event)
            finally:
                if kind == "TIMER":
                    took, worked = time.perf_counter() - begin, time.thread_time() - busy
                    self.handlers.append((before or stage(), took, worked))

        return modal

    def timed_start(self, start: Callable) -> Callable:
        """The operator's way to start its job, with a stop watch."""

        def started(operator, context):
            begin, busy = time.perf_counter(), time.thread_time()
            try:
                return start(operator, context)
            finally:
                self.starts.append((time.perf_counter() - begin, time.thread_time() - busy))

        return started

    def timed_edit(self, kind: type) -> None:
        """Put stop watches into the operator that edits a fit. Blender counts the arguments of ``modal``."""
        handle, draw = kind.modal, kind._draw

        def noted(what: str, function: Callable, *arguments: object) -> object:
            begin, busy = time.perf_counter(), time.thread_time()
            try:
                return function(*arguments)
            finally:
                self.edits.append((what, time.perf_counter() - begin, time.thread_time() - busy))

        def modal(operator, context, event):
            return noted(event.type, handle, operator, context, event)

        def drawing(operator):
            return noted("drawing", draw, operator)

        kind.modal, kind._draw = modal, drawing


def stage() -> str:
    """What the job is doing; empty without one."""
    return bpy.context.window_manager.facedetail_state.stage


def view3d() -> tuple[bpy.types.Window, bpy.types.Area]:
    """The window and its largest 3D view."""
    window = bpy.context.window_manager.windows[0]
    areas = [area for area in window.screen.areas if area.type == "VIEW_3D"]
    return window, max(areas, key=lambda area: area.width * area.height)


def region(kind: str) -> bpy.types.Region:
    """A region of the 3D view: WINDOW or UI."""
    return next(item for item in view3d()[1].regions if item.type == kind)


def rectangle(kind: str) -> list[int]:
    """x, y, width, height of a region, from the window's lower left."""
    found = region(kind)
    return [found.x, found.y, found.width, found.height]


def in_view(operator: Callable, *how: str, **options: object) -> list[str]:
    """Call an operator as if from the 3D view; ``how``: ``INVOKE_DEFAULT``, as by a button."""
    window, area = view3d()
    with bpy.context.temp_override(window=window, area=area, region=region("WINDOW")):
        return sorted(operator(*how, **options))


def press_in_view(button: str, folder: str) -> tuple[bool, str]:
    """Press one of the head's buttons as if from the 3D view."""
    window, area = view3d()
    with bpy.context.temp_override(window=window, area=area, region=region("WINDOW")):
        return pressing.press(button, folder)


def shade(kind: str, overlays: bool) -> None:
    """How the 3D view draws."""
    space = view3d()[1].spaces.active
    space.shading.type = kind
    space.overlay.show_overlays = overlays


def show_preferences(module: str) -> None:
    """The add-on's own page, in a window of its own."""
    bpy.context.preferences.active_section = "ADDONS"
    bpy.ops.screen.userpref_show("INVOKE_DEFAULT")
    bpy.context.window_manager.addon_search = "FaceDetail"
    bpy.ops.preferences.addon_expand(module=module)


def close_other_windows() -> None:
    """Preferences and contact sheet, which lie over the sidebar."""
    for window in list(bpy.context.window_manager.windows)[1:]:
        with bpy.context.temp_override(window=window):
            bpy.ops.wm.window_close()


def unpacked() -> list[str]:
    """Images that would not travel with the file."""
    return [image.name for image in bpy.data.images if image.users and image.source == "FILE" and not image.packed_file]


def forget_faces() -> None:
    """As if no photo had been looked at."""
    installed("session").current().faces.found = None


def faces() -> int | None:
    """How many faces of the chosen photo the panel knows; None: it does not know."""
    found = installed("operators.faces").found_faces(Path(bpy.context.scene.facedetail.photo))
    return None if found is None else len(found)


def installed(module: str) -> ModuleType:
    """A module of the installed extension, by its name in the package."""
    return sys.modules[bpy.types.FACEDETAIL_OT_reconstruct.__module__.replace("operators.reconstruct", module)]


def census() -> dict[str, int]:
    """How many datablocks there are of each kind."""
    kinds = ("objects", "collections", "meshes", "cameras", "materials", "worlds", "images", "textures", "shape_keys")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def serve(address: str) -> None:
    """Answer one connection after the other; runs in a thread, evaluates in the main one."""
    questions: queue.SimpleQueue[tuple[str, queue.SimpleQueue]] = queue.SimpleQueue()
    still = Stillness()
    for kind in (bpy.types.FACEDETAIL_OT_reconstruct, bpy.types.FACEDETAIL_OT_lookdev):
        kind.modal, kind.start = still.timed(kind.modal), still.timed_start(kind.start)
    still.timed_edit(bpy.types.FACEDETAIL_OT_edit_fit)
    update = bpy.types.FACEDETAIL_OT_update_skin
    update.modal = still.timed(update.modal)
    names = {**globals(), "still": still}

    def listen() -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(address)
            server.listen()
            while True:
                connection, _ = server.accept()
                with connection, connection.makefile("rw", encoding="utf-8") as stream:
                    answer: queue.SimpleQueue = queue.SimpleQueue()
                    questions.put((stream.readline(), answer))
                    stream.write(json.dumps(answer.get(timeout=_PATIENCE_S)) + "\n")

    def tick() -> float:
        still.tick()
        if not questions.empty():
            question, answer = questions.get()
            try:
                answer.put([True, eval(question, names)])  # from our own session only
            except Exception as error:  # noqa: BLE001  told to the session
                answer.put([False, f"{type(error).__name__}: {error}"])
        return _TICK_S

    threading.Thread(target=listen, daemon=True).start()
    bpy.app.timers.register(tick, persistent=True)


if __name__ == "__main__":
    serve(sys.argv[-1])
