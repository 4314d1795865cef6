# SPDX-License-Identifier: GPL-3.0-or-later
"""A contact sheet that is cancelled, and one that is finished."""

import time
from pathlib import Path

from report import CANCEL_S, GONE_S, JOB_S, STATE, Report, child, is_alive, running, temporary
from window import BlenderWindow

HEIGHT = 128
"""Of each picture of the sheet that is finished: small, because the time of all the rest does not depend on it."""


def cancel_pictures(window: BlenderWindow, report: Report) -> None:
    """Start a contact sheet as its button does, wait for its second picture, press Esc."""
    before, left = window.ask("census()"), temporary()
    window.ask("still.start()")
    window.ask("in_view(bpy.ops.facedetail.lookdev, 'INVOKE_DEFAULT')")
    report.check("the contact sheet is under way", running(window))
    wall, busy = window.ask("still.starts")[0]
    report.figure("ms to write the head for the second Blender", ms(wall, busy))
    window.wait("a picture", lambda: "light" in window.ask("stage()") or not running(window), JOB_S)
    report.check("the sheet is still under way", running(window))
    window.screenshot("8_lookdev")
    # With software OpenGL each of the view's antialiasing passes takes half a second, in which Blender reads no key.
    window.wait("the view is drawn", lambda: window.ask("max(gap for _, gap in still.gaps[-50:]) < 0.1"), JOB_S)
    report.check("the sheet is still under way as the view is drawn", running(window))
    pid = child(window, "renderer")
    window.key("Escape")
    seconds = window.wait("Esc cancels the sheet", lambda: not running(window), 10)
    report.figure("seconds from Esc to idle, sheet", round(seconds, 3))
    report.check(f"Esc cancels the sheet within {CANCEL_S} s", seconds < CANCEL_S)
    window.ask("still.stop()")
    seconds = window.wait("the second Blender ends", lambda: not is_alive(pid) and temporary() == left, GONE_S)
    report.figure("seconds until the second Blender and its files are gone", round(seconds, 2))
    report.check("the cancelled sheet adds nothing to the file", window.ask("census()") == before)


def finish_pictures(window: BlenderWindow, folder: Path, report: Report) -> None:
    """A small sheet, to the end, also as a file."""
    left = temporary()
    window.ask("still.start()")
    begin = time.monotonic()
    target = folder / "9_sheet.png"
    window.ask(f"in_view(bpy.ops.facedetail.lookdev, 'INVOKE_DEFAULT', height={HEIGHT}, filepath={str(target)!r})")
    while running(window) and time.monotonic() - begin < JOB_S:
        time.sleep(0.2)
    report.figure(f"seconds of a sheet of {HEIGHT} px", round(time.monotonic() - begin, 1))
    time.sleep(1)
    window.ask("still.stop()")
    handlers, gaps, starts = (window.ask(f"still.{kind}") for kind in ("handlers", "gaps", "starts"))
    report.figure("ms to write the head, second sheet", ms(*starts[0]))
    wall, busy = (max(handlers, key=lambda record: record[column])[column] for column in (1, 2))
    report.figure("longest ms in the sheet's handler", ms(wall, busy))
    # The first gap holds the start itself; in the rest Blender also draws.
    report.figure("longest ms between ticks during the sheet", round(1000 * max(gap for at, gap in gaps[2:] if at)))
    report.check("the sheet's handler never takes more than 50 ms", busy <= 0.05)
    report.check("the sheet is a file", target.is_file())
    image = "next(item for item in bpy.data.images if item.name.endswith('head lookdev'))"
    report.check("the sheet is a packed image", window.ask(f"bool({image}.packed_file) and {image}.size[0] > {HEIGHT}"))
    report.check("no error is told", window.ask(f"{STATE}.error") == "")
    window.wait("the second Blender ends", lambda: temporary() == left, GONE_S)
    report.check("nothing of the second Blender stays", child(window, "renderer") is None)


def ms(wall: float, busy: float) -> dict[str, int]:
    """Seconds by the clock and on the processor, in milliseconds."""
    return {"clock": round(1000 * wall), "processor": round(1000 * busy)}
