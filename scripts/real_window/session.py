# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist does with FaceDetail in Blender's window, with a check after every step.

python3 session.py PHOTO SCREENSHOTS, in a machine with blender, Xvfb, xdotool and import; FaceDetail is installed
(install.py). Prints a line per check; writes report.json. Exit status 0 when all checks have passed.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from buttons import press_buttons
from ending import load_during_a_job, open_a_saved_file, quit_during_a_job
from pictures import cancel_pictures, finish_pictures
from pins import edit_fit, saved_with_pins
from report import CANCEL_S, JOB_S, STATE, Report, child, running, temporary
from window import BlenderWindow, WindowError, blender_window

DISPLAY = ":77"
MODULE = "bl_ext.user_default.facedetail"
TAB = "FaceDetail"
OPERATOR = "bpy.ops.facedetail.reconstruct("
EDIT_FIT = "bpy.ops.facedetail.edit_fit("
ROW_PX = 7
"""The sidebar is searched in steps of less than a button's height."""
UNDO_S = 60
BLOCK_MS = 50


def open_sidebar(window: BlenderWindow) -> None:
    """N over the 3D view, and a click on the tab."""
    x, y, width, height = window.ask("rectangle('WINDOW')")
    window.point(x + width / 2, y + height / 2)
    window.key("n")
    window.wait("the sidebar opens", lambda: window.ask("rectangle('UI')")[2] > 100, 10)
    time.sleep(1)
    x, y, width, height = window.ask("rectangle('UI')")
    for down in range(40, height, 20):
        window.click(x + width - 8, y + height - down)
        if window.ask("region('UI').active_panel_category") == TAB:
            return
    raise WindowError(f"no tab {TAB} in the sidebar")


def find_button(window: BlenderWindow, operator: str = OPERATOR, across: float = 0.5) -> tuple[float, float]:
    """Where the button is, so far across the sidebar: Ctrl-C over a button copies what it does."""
    for patience_s in (0.15, 0.6):  # a busy machine draws late
        x, y, width, height = window.ask("rectangle('UI')")
        hits = []
        for down in range(20, height, ROW_PX):
            at = x + across * width, y + height - down
            if operator in copied(window, at, patience_s):
                hits.append(at)
            elif hits:
                return hits[len(hits) // 2]
    raise WindowError(f"no button of {operator} in the sidebar")


def copied(window: BlenderWindow, at: tuple[float, float], patience_s: float) -> str:
    """What Ctrl-C copies with the mouse there."""
    window.ask("setattr(bpy.context.window_manager, 'clipboard', '')")
    window.point(at[0] - 1, at[1])
    window.point(*at)
    time.sleep(patience_s)
    window.key("ctrl+c")
    time.sleep(patience_s)
    return window.ask("bpy.context.window_manager.clipboard")


def cancel_once(window: BlenderWindow, button: tuple[float, float], report: Report) -> None:
    """Click, watch, press Esc."""
    before = window.ask("census()")
    window.click(*button)
    report.check("a click starts the job", running(window))
    window.wait("progress", lambda: window.ask(f"{STATE}.fraction") > 0.25 or not running(window), JOB_S)
    report.check("the panel shows the stage", bool(window.ask("stage()")))
    window.screenshot("2_progress")
    report.check("the job still runs", running(window))
    window.key("Escape")
    seconds = window.wait("Esc cancels", lambda: not running(window), 10)
    report.figure("seconds from Esc to idle", round(seconds, 3))
    report.check(f"Esc cancels within {CANCEL_S} s", seconds < CANCEL_S)
    report.check("nothing is added to the file", window.ask("census()") == before)
    report.check("the worker is gone", child(window, "worker") is None)
    window.screenshot("3_cancelled")


def complete(window: BlenderWindow, button: tuple[float, float], report: Report) -> None:
    """Click, and wait for the head."""
    before = window.ask("census()")
    window.ask("still.start()")
    begin = time.monotonic()
    window.click(*button)
    report.check("a second click starts again", running(window))
    while running(window) and time.monotonic() - begin < JOB_S:
        time.sleep(0.5)
    report.figure("seconds of the job", round(time.monotonic() - begin, 1))
    time.sleep(3)
    window.ask("still.stop()")
    tell_stillness(window, report)
    stem = window.ask("bpy.data.filepath or bpy.context.scene.facedetail.photo")
    name = f"{TAB} {Path(stem).stem}"
    report.check("the head is in the scene", window.ask(f"{name!r} in bpy.context.scene.collection.children"))
    kinds = window.ask(f"sorted(item.type for item in bpy.data.collections[{name!r}].objects)")
    report.check("with meshes, camera and empty", {"MESH", "CAMERA", "EMPTY"} <= set(kinds))
    keys = "len(bpy.context.view_layer.objects.active.data.shape_keys.key_blocks)"
    report.check("the skin is active and has its shape keys", window.ask(keys) >= 54)
    report.check("all pictures are packed", not window.ask("unpacked()"))
    report.check("the photo's camera is the scene's", "camera" in window.ask("bpy.context.scene.camera.name"))
    view = window.ask("view3d()[1].spaces.active.region_3d.view_perspective")
    report.check("the view looks through it", view == "CAMERA")
    window.settled_screenshot("4_finished", 3)
    after = window.ask("census()")
    x, y, width, height = window.ask("rectangle('WINDOW')")
    window.point(x + width / 2, y + height / 2)
    window.key("ctrl+z")
    window.wait("one undo takes it all back", lambda: window.ask("census()") == before, UNDO_S)
    report.check("one undo takes it all back", True)
    window.key("ctrl+shift+z")
    window.wait("one redo brings it back", lambda: window.ask("census()") == after, UNDO_S)
    report.check("one redo brings it back", True)


def tell_stillness(window: BlenderWindow, report: Report) -> None:
    """Median and longest time between two ticks, and in the job's handler, by what the job was doing.

    Between ticks Blender draws, which takes long with software OpenGL; the handler is what the job itself adds.
    """
    gaps = [tuple(gap) for gap in window.ask("still.gaps")]
    handlers = window.ask("still.handlers")
    kinds = {
        "between ticks": gaps,
        "in the job's handler": [(stage, wall) for stage, wall, _ in handlers],
        "in the job's handler, processor": [(stage, busy) for stage, _, busy in handlers],
    }
    longest = 0.0
    for kind, records in kinds.items():
        for part in ("worker", "loading", "building", "no job"):
            values = [1000 * seconds for stage, seconds in records if part_of(stage) == part]
            if values:
                longest = max(values) if "processor" in kind and max(values) > longest else longest
                row = {"n": len(values), "median": round(statistics.median(values), 1), "max": round(max(values), 1)}
                report.figure(f"ms {kind}, {part}", row)
    report.check(f"the job's handler never takes more than {BLOCK_MS} ms ({longest:.0f})", 0 < longest <= BLOCK_MS)


def part_of(stage: str) -> str:
    """Which part of a job a stage belongs to."""
    if not stage:
        return "no job"
    return {"Loading the result": "loading", "Building the scene": "building"}.get(stage, "worker")


def look(window: BlenderWindow) -> None:
    """The head through the photo's camera, as the view's engines draw it, and the preferences."""
    for name, kind in (("5_material", "MATERIAL"), ("6_rendered", "RENDERED")):
        window.ask(f"shade({kind!r}, False)")
        window.settled_screenshot(name)
    window.ask("shade('SOLID', True)")
    window.ask(f"show_preferences({MODULE!r})")
    time.sleep(2)
    window.resize("Preferences", 1000, 960)
    window.settled_screenshot("7_preferences", 3)


def main(photo: str, screenshots: Path) -> int:
    report, left = Report(), temporary()
    try:
        with blender_window(DISPLAY, Path(__file__).parent, screenshots) as window:
            # Blender's first cube is two metres wide, and the head would be inside it.
            window.ask("bpy.data.objects.remove(bpy.data.objects['Cube'])")
            window.ask("in_view(bpy.ops.ed.undo_push, message='Delete')")
            open_sidebar(window)
            report.check("the sidebar has the tab FaceDetail", True)
            window.ask(f"setattr(bpy.context.scene.facedetail, 'photo', {photo!r})")
            button = find_button(window)
            report.check("the panel has the button", True)
            window.screenshot("1_idle")
            cancel_once(window, button, report)
            complete(window, button, report)
            cancel_pictures(window, report)
            look(window)
            finish_pictures(window, screenshots, report)
            window.ask("close_other_windows()")
            time.sleep(1)
            edit_fit(window, find_button(window, EDIT_FIT, 0.3), photo, report)
            window.ask(f"sorted(bpy.ops.wm.open_mainfile(filepath={saved_with_pins(photo)!r}))")  # its head is gone
            time.sleep(2)
            with tempfile.TemporaryDirectory() as files:
                press_buttons(window, Path(files), report)
            load_during_a_job(window, photo, report)
            open_a_saved_file(window, photo, report)
            quit_during_a_job(window, photo, left, report)
        log = (screenshots / "blender.log").read_text(encoding="utf-8", errors="replace")
        report.check("no traceback in Blender's log", "Traceback" not in log)
    except WindowError as error:
        report.check(str(error), False)
    (screenshots / "report.json").write_text(json.dumps(vars(report), indent=2), encoding="utf-8")
    return 0 if all(report.checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
