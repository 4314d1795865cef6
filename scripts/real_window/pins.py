# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit Fit with a real mouse: three pins dragged, a step undone, kept, the skin made anew, saved, opened, dragged."""

import time
from pathlib import Path

from report import JOB_S, Report, running
from window import BlenderWindow

EDIT = "installed('session').current().edit"
VIEW = "installed('operators.edit_view').EditView(*view3d(), region('WINDOW'))"
FRAME = f"{VIEW}.measured(bpy.context.scene, {EDIT}.image_size)"
HEAD = "installed('scene.head_object').HeadObject.of(bpy.context.view_layer.objects.active)"
JAW, MOUTH, NOSE = 13, 54, 30
"""Of iBUG's 68, whose handles come first: two on the left of the head, one in the middle."""
DRAGS_PX = {JAW: (26, 10), MOUTH: (14, -10), NOSE: (-8, 12)}
STEPS, STEP_S = 120, 0.016
READY_S, MOST_MS, LEAST_A_SECOND = 60, 50, 15


def edit_fit(window: BlenderWindow, button: tuple[float, float], photo: str, report: Report) -> None:
    """All of it, with the head that is selected; ``button``: *Edit Fit* in the panel."""
    window.click(*button)
    window.wait("the fit can be edited", lambda: window.ask(f"{EDIT} is not None and {EDIT}.is_ready"), READY_S)
    report.check("a click on Edit Fit begins it", True)
    window.ask("[one.tag_redraw() for one in view3d()[1].regions] and None")
    window.settled_screenshot("10_edit_fit", 2)
    window.ask("still.start()")
    for number, by in DRAGS_PX.items():
        _drag(window, number, by)
        report.check(f"a pin was dragged, {number}", window.ask(f"{EDIT}.grabbed is None"))
    report.check("three pins are there", window.ask(f"len({EDIT}.edit.pins)") == len(DRAGS_PX))
    _measure(window, report)
    off = window.ask(f"float(abs({EDIT}.fit.pulls_px).max())")
    report.figure("px between pins and head, at most", round(off, 3))
    report.check("the head is where the pins are", off < 1)
    window.settled_screenshot("11_pins", 2)
    _undo_and_remove(window, report)
    _keep(window, report)
    _update(window, report)
    _open_and_drag_again(window, photo, report)
    _leave_otherwise(window, report)


def saved_with_pins(photo: str) -> str:
    """The file that a head is saved in, with its pins."""
    return str(Path(photo).with_name("pinned.blend"))


def _place(window: BlenderWindow, number: int) -> tuple[float, float]:
    """Where a handle of the head is on the screen."""
    x, y = window.ask(f"{EDIT}.shown.handles[{number}].tolist()")
    left, bottom, right, top, width, height = window.ask(
        f"(lambda f: [f.left, f.bottom, f.right, f.top, *f.size])({FRAME})"
    )
    region_x, region_y, _, _ = window.ask("rectangle('WINDOW')")
    return region_x + left + x / width * (right - left), region_y + top - y / height * (top - bottom)


def _drag(window: BlenderWindow, number: int, by: tuple[float, float]) -> None:
    """Press on a handle, move, let go."""
    x, y = _place(window, number)
    window.drag((x, y), (x + by[0], y + by[1]), 20, STEP_S)
    window.wait("the head has followed", lambda: window.ask(f"{EDIT}.is_up_to_date"), READY_S)


def _measure(window: BlenderWindow, report: Report) -> None:
    """Refits a second, and the longest that the window's thread was held, in a drag to and fro."""
    x, y = _place(window, JAW)
    before, begin = window.ask(f"[{EDIT}.refits, {EDIT}.busy_s]"), time.monotonic()
    window.drag((x, y), (x + 12, y), STEPS, STEP_S, back=True)
    seconds = time.monotonic() - begin
    refits, busy = (
        after - one for after, one in zip(window.ask(f"[{EDIT}.refits, {EDIT}.busy_s]"), before, strict=True)
    )
    window.ask("still.stop()")
    # Software OpenGL draws a few times a second, and each drawing shows one refit.
    report.figure("refits a second that were drawn in a drag", round(refits / seconds, 1))
    report.figure("refits a second of the processor", round(refits / busy, 1))
    gaps = [gap for _, gap in window.ask("still.gaps")]
    report.figure("longest ms between ticks, with Blender's own drawing", round(1000 * max(gaps)))
    edits = window.ask("still.edits")
    for what in sorted({one[0] for one in edits}):
        own = [(wall, busy) for kind, wall, busy in edits if kind == what]
        longest = {"clock": round(1000 * max(one[0] for one in own), 1)}
        longest["processor"] = round(1000 * max(one[1] for one in own), 1)
        report.figure(f"longest ms, {what}", longest)
    busiest = 1000 * max(busy for _, _, busy in edits)
    report.check(f"nothing of ours holds the window for {MOST_MS} ms ({busiest:.0f})", busiest <= MOST_MS)
    report.check(f"the head can follow {LEAST_A_SECOND} times a second", refits / busy >= LEAST_A_SECOND)
    window.wait("the head has followed", lambda: window.ask(f"{EDIT}.is_up_to_date"), READY_S)


def _undo_and_remove(window: BlenderWindow, report: Report) -> None:
    _drag(window, JAW, (5, 3))
    steps = window.ask(f"{EDIT}.edit.pins[0].px")
    window.key("ctrl+z")
    window.wait("undo", lambda: window.ask(f"{EDIT}.edit.pins[0].px") != steps, 10)
    report.check("Ctrl Z takes one drag back", window.ask(f"len({EDIT}.edit.pins)") == len(DRAGS_PX))
    window.wait("the head has followed", lambda: window.ask(f"{EDIT}.is_up_to_date"), READY_S)
    window.point(*_place(window, NOSE))
    time.sleep(0.2)
    window.key("x")
    window.wait("X removes", lambda: window.ask(f"len({EDIT}.edit.pins)") == len(DRAGS_PX) - 1, 10)
    report.check("X removes the pin under the mouse", True)
    window.key("ctrl+z")
    window.wait("undo brings it back", lambda: window.ask(f"len({EDIT}.edit.pins)") == len(DRAGS_PX), 10)


def _keep(window: BlenderWindow, report: Report) -> None:
    before = window.ask(f"{HEAD}.keys.reference_key.points[1000].co[:]")
    window.key("Return")
    window.wait("Enter keeps", lambda: window.ask(f"{EDIT} is None"), READY_S)
    report.check("the head has another shape", window.ask(f"{HEAD}.keys.reference_key.points[1000].co[:]") != before)
    report.check("its skin is known to be older", window.ask(f"installed('scene.pinned').is_stale({HEAD})"))
    window.settled_screenshot("12_kept", 2)


def _update(window: BlenderWindow, report: Report) -> None:
    window.ask("still.start()")
    begin = time.monotonic()
    window.ask("in_view(bpy.ops.facedetail.update_skin, 'INVOKE_DEFAULT')")
    report.check("the skin is being made anew", running(window))
    while running(window) and time.monotonic() - begin < JOB_S:
        time.sleep(0.5)
    report.figure("seconds of Update Skin", round(time.monotonic() - begin, 1))
    window.ask("still.stop()")
    busiest = 1000 * max(busy for _, _, busy in window.ask("still.handlers"))
    report.check(f"Update Skin never takes more than {MOST_MS} ms ({busiest:.0f})", busiest <= MOST_MS)
    report.check("the skin is the pinned head's", not window.ask(f"installed('scene.pinned').is_stale({HEAD})"))
    report.check("no error is told", window.ask("bpy.context.window_manager.facedetail_state.error") == "")
    window.settled_screenshot("13_updated", 3)


def _open_and_drag_again(window: BlenderWindow, photo: str, report: Report) -> None:
    file = saved_with_pins(photo)
    window.ask(f"sorted(bpy.ops.wm.save_as_mainfile(filepath={file!r}))")
    window.ask(f"sorted(bpy.ops.wm.open_mainfile(filepath={file!r}))")
    time.sleep(2)
    _begin_again(window)
    report.check("an opened file has its pins", window.ask(f"len({EDIT}.edit.pins)") == len(DRAGS_PX))
    window.settled_screenshot("14_opened", 2)
    _drag(window, MOUTH, (-10, 6))
    report.check("its pins can be dragged on", window.ask(f"{EDIT}.is_changed"))
    window.ask("sorted(bpy.ops.wm.save_mainfile())")
    report.check("saving leaves the editing alone", window.ask(f"{EDIT} is not None"))
    shape = window.ask(f"{HEAD}.keys.reference_key.points[1000].co[:]")
    window.key("Escape")
    window.wait("Esc leaves", lambda: window.ask(f"{EDIT} is None"), READY_S)
    report.check("Esc leaves the head as it was", window.ask(f"{HEAD}.keys.reference_key.points[1000].co[:]") == shape)
    report.check("the view shows meshes again", window.ask("view3d()[1].spaces.active.show_object_viewport_mesh"))


def _leave_otherwise(window: BlenderWindow, report: Report) -> None:
    """Another workspace, and a head that is deleted, while the fit is edited."""
    workspace = "bpy.context.window_manager.windows[0].workspace"
    _begin_again(window)
    _drag(window, MOUTH, (8, 4))
    window.ask("setattr(bpy.context.window_manager.windows[0], 'workspace', bpy.data.workspaces['UV Editing'])")
    window.wait("another workspace ends it", lambda: window.ask(f"{EDIT} is None"), READY_S)
    report.check("another workspace keeps the pins", window.ask(f"installed('scene.pinned').is_stale({HEAD})"))
    window.ask("sorted(bpy.ops.object.mode_set(mode='OBJECT')) if bpy.context.mode != 'OBJECT' else []")
    window.ask("setattr(bpy.context.window_manager.windows[0], 'workspace', bpy.data.workspaces['Layout'])")
    window.wait("the workspace is back", lambda: window.ask(f"{workspace}.name") == "Layout", 10)
    time.sleep(1)
    report.check("its view shows meshes", window.ask("view3d()[1].spaces.active.show_object_viewport_mesh"))
    _begin_again(window)
    window.ask(f"bpy.data.batch_remove([*{HEAD}.objects, {HEAD}.root])")
    window.wait("a deleted head ends it", lambda: window.ask(f"{EDIT} is None"), READY_S)
    report.check(
        "a deleted head ends it, and the view shows meshes",
        window.ask("view3d()[1].spaces.active.show_object_viewport_mesh"),
    )


def _begin_again(window: BlenderWindow) -> None:
    window.ask("in_view(bpy.ops.facedetail.edit_fit, 'INVOKE_DEFAULT')")
    window.wait("the fit can be edited", lambda: window.ask(f"{EDIT} is not None and {EDIT}.is_ready"), READY_S)
    time.sleep(1)
