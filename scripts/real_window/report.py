# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session has found out, and what its parts have in common."""

import os
from pathlib import Path

from window import BlenderWindow

STATE = "bpy.context.window_manager.facedetail_state"
CANCEL_S, JOB_S, GONE_S = 0.5, 600, 5


class Report:
    """Checks and figures."""

    def __init__(self):
        self.checks: dict[str, bool] = {}
        self.figures: dict[str, object] = {}

    def check(self, what: str, right: bool) -> None:
        """Note a check, and tell it."""
        self.checks[what] = bool(right)
        print(f"{'ok    ' if right else 'FAILED'} {what}", flush=True)

    def figure(self, what: str, value: object) -> None:
        """Note a number, and tell it."""
        self.figures[what] = value
        print(f"       {what}: {value}", flush=True)


def running(window: BlenderWindow) -> bool:
    """A job is under way."""
    return window.ask(f"{STATE}.running")


def child(window: BlenderWindow, kind: str) -> int | None:
    """The process of a job: ``worker`` or ``renderer``."""
    return window.ask(f"installed('session').current().{kind}.pid")


def is_alive(pid: int) -> bool:
    """Whether a process is there, and more than a name that its parent has not asked for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def temporary() -> set[str]:
    """What lies in the folder for temporary files, and half-written results in Blender's user folder."""
    user = Path(os.environ["BLENDER_USER_RESOURCES"])
    names = {path.name for path in Path("/tmp").iterdir() if path.name.startswith(("facedetail_", "blender_"))}
    return names | {str(path) for path in user.rglob("*.partial")}
