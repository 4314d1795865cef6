# SPDX-License-Identifier: GPL-3.0-or-later
"""Another file, a saved one, and Blender's end while a reconstruction runs."""

import contextlib
import time
from pathlib import Path

from report import GONE_S, JOB_S, Report, child, is_alive, running, temporary
from window import BlenderWindow, WindowError

_EVEN_SO_FAR = 0.25


def load_during_a_job(window: BlenderWindow, photo: str, report: Report) -> None:
    """File > New: the job ends, and the new file knows nothing of it."""
    left = temporary()
    pid = _start(window, photo)
    report.check("a reconstruction runs", running(window))
    window.ask("sorted(bpy.ops.wm.read_homefile())")
    report.check("another file ends the job", not running(window))
    window.wait("its process ends", lambda: not is_alive(pid), GONE_S)
    report.check("no process of it stays", child(window, "worker") is None)
    report.check("no temporary file of it stays", temporary() <= left)
    report.check(
        "the new file has no head", not window.ask("[c.name for c in bpy.data.collections if 'Face' in c.name]")
    )
    operators = "[bpy.ops.facedetail.reconstruct.poll(), bpy.context.window_manager.facedetail_state.error]"
    report.check("the next job may begin", window.ask(operators) == [True, ""])


def open_a_saved_file(window: BlenderWindow, photo: str, report: Report) -> None:
    """The panel shows the faces of the photo that was chosen when the file was saved."""
    file = Path(photo).with_suffix(".blend")
    window.ask(f"setattr(bpy.context.scene.facedetail, 'photo', {photo!r})")
    window.ask(f"sorted(bpy.ops.wm.save_as_mainfile(filepath={str(file)!r}))")
    window.ask("sorted(bpy.ops.wm.read_homefile())")
    window.ask("forget_faces()")
    window.ask(f"sorted(bpy.ops.wm.open_mainfile(filepath={str(file)!r}))")
    seconds = window.wait("the faces are found", lambda: window.ask("faces()") is not None, JOB_S)
    report.figure("seconds from opening a file to its photo's faces", round(seconds, 1))
    report.check("an opened file's photo has its face", window.ask("faces()") == 1)


def quit_during_a_job(window: BlenderWindow, photo: str, left: set[str], report: Report) -> None:
    """Blender quits: nothing of its job outlives it. The last of all; ``left``: what was there before Blender began."""
    pid = _start(window, photo)
    with contextlib.suppress(OSError, ValueError):  # the answer may not come any more
        window.ask("sorted(bpy.ops.wm.quit_blender())")
    window.wait("Blender ends", lambda: window.process.poll() is not None, 30)
    report.check("Blender quits during a job without an error", window.process.returncode == 0)
    begin = time.monotonic()
    window.wait("the worker ends", lambda: not is_alive(pid), GONE_S)
    report.figure("seconds the worker outlives Blender", round(time.monotonic() - begin, 2))
    report.check("nothing of Blender and its job stays", temporary() <= left)


def _start(window: BlenderWindow, photo: str) -> int:
    """Begin a reconstruction and let it come to its work; the worker's process."""
    window.ask(f"in_view(bpy.ops.facedetail.reconstruct, 'INVOKE_DEFAULT', filepath={photo!r})")
    far = "bpy.context.window_manager.facedetail_state.fraction"
    window.wait("progress", lambda: window.ask(far) > _EVEN_SO_FAR or not running(window), JOB_S)
    pid = child(window, "worker")
    if pid is None:
        raise WindowError("the job has no process")
    return pid
