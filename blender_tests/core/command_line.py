# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a process that is watched, interrupted and killed, and photos for it."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import skimage

import facedetail_addon

HOME = Path(facedetail_addon.__file__).parent.parent
ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
FAST = ("--resolution", "512", "--detail", "none", "--quality", "draft")


def photos_in(folder: Path) -> Path:
    """The folder, with two photos and a file that is none."""
    folder.mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        shutil.copy(ASTRONAUT, folder / name)
    (folder / "c.jpg").write_text("no picture")
    return folder


@contextmanager
def starting() -> Iterator[Callable[..., subprocess.Popen]]:
    """What starts the command line; what still runs at the end is ended."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    running = []

    def begin(*arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "facedetail_addon", *map(str, arguments)]
        running.append(subprocess.Popen(command, cwd=HOME, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()
    signal.signal(signal.SIGINT, before)


def children_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def read_until(process: subprocess.Popen, *texts: str) -> None:
    """Read standard error until a line with each text has come."""
    missing, said = set(texts), []
    while missing:
        said.append(process.stderr.readline())
        assert said[-1], f"ended too early: {said}"
        missing = {text for text in missing if text not in said[-1]}


def entries(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]
