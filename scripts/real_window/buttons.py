# SPDX-License-Identifier: GPL-3.0-or-later
"""All buttons of a finished head, pressed in the window's Blender."""

import time
from pathlib import Path

from report import Report
from window import BlenderWindow


def press_buttons(window: BlenderWindow, folder: Path, report: Report) -> None:
    """One after the other, each as from the 3D view; pass or fail for each.

    Args:
        folder: an existing one, for the files.
    """
    for button in window.ask("list(pressing.BUTTONS)"):
        begin = time.monotonic()
        right, told = window.ask(f"press_in_view({button!r}, {str(folder)!r})")
        report.check(f"button {button}", right)
        report.figure(f"{button}: {told or 'done'}, seconds", round(time.monotonic() - begin, 1))
