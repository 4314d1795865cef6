# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender in a virtual screen, as someone outside sees and moves it: pixels, mouse, keys, and questions."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

WIDTH, HEIGHT = 1600, 1000
_START_S = 90
_SETTLE_S = 0.4
_ANSWER_S = 400


class WindowError(Exception):
    """Something on the screen is not as expected."""


class BlenderWindow:
    """A running Blender that fills the screen. Points are pixels from the lower left, as Blender counts them."""

    def __init__(self, display: str, address: Path, screenshots: Path, process: subprocess.Popen):
        self.process = process
        self._environment = {**os.environ, "DISPLAY": display}
        self._address = address
        self._screenshots = screenshots

    def ask(self, expression: str) -> object:
        """The value of a Python expression in Blender."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_ANSWER_S)
            client.connect(str(self._address))
            with client.makefile("rw", encoding="utf-8") as stream:
                stream.write(expression + "\n")
                stream.flush()
                right, value = json.loads(stream.readline())
        if not right:
            raise WindowError(f"{expression}: {value}")
        return value

    def wait(self, what: str, true: Callable[[], bool], seconds: float) -> float:
        """Wait until something is true; how many seconds it took."""
        begin = time.monotonic()
        while not true():
            if time.monotonic() - begin > seconds:
                raise WindowError(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.02)
        return time.monotonic() - begin

    def point(self, x: float, y: float) -> None:
        """Move the mouse."""
        self._xdotool("mousemove", str(round(x)), str(round(HEIGHT - y)))

    def click(self, x: float, y: float) -> None:
        """Move the mouse there, and click."""
        self.point(x, y)
        time.sleep(0.1)
        self._xdotool("click", "1")
        time.sleep(_SETTLE_S)

    def drag(
        self, begin: tuple[float, float], end: tuple[float, float], steps: int, pause_s: float, back: bool = False
    ) -> None:
        """Press the left button, move there in steps, and let go; ``back``: to and fro."""
        self.point(*begin)
        time.sleep(_SETTLE_S)
        moves = []
        for step in range(1, steps + 1):
            share = step / steps
            share = 1 - abs(2 * share - 1) if back else share
            x, y = (one + share * (other - one) for one, other in zip(begin, end, strict=True))
            moves += ["mousemove", f"{x:.0f}", f"{HEIGHT - y:.0f}", "sleep", str(pause_s)]
        self._xdotool("mousedown", "1", "sleep", "0.2", *moves, "sleep", "0.1", "mouseup", "1")
        time.sleep(_SETTLE_S)

    def key(self, name: str) -> None:
        """Press and release a key."""
        self._xdotool("key", name)

    def resize(self, title: str, width: int, height: int) -> None:
        """Move a window to the middle of the screen, in this size."""
        place = [str((WIDTH - width) // 2), str((HEIGHT - height) // 2)]
        self._xdotool("search", "--name", title, "windowsize", str(width), str(height), "windowmove", *place)

    def settled_screenshot(self, name: str, seconds: float = 20) -> Path:
        """A picture once nothing has changed for so long: views compile shaders for minutes with software OpenGL."""
        path, before, begin = self.screenshot(name), b"", time.monotonic()
        while before != (before := path.read_bytes()):
            if time.monotonic() - begin > _ANSWER_S:
                raise WindowError(f"the picture {name} does not come to rest")
            time.sleep(seconds)
            self.ask("1")
            self.screenshot(name)
        return path

    def screenshot(self, name: str) -> Path:
        """A picture of the whole screen, once it has been drawn."""
        path = self._screenshots / f"{name}.png"
        time.sleep(_SETTLE_S)
        subprocess.run(["import", "-window", "root", str(path)], env=self._environment, check=True)
        return path

    def _xdotool(self, *arguments: str) -> None:
        subprocess.run(["xdotool", *arguments], env=self._environment, check=True)


@contextmanager
def blender_window(display: str, folder: Path, screenshots: Path) -> Iterator[BlenderWindow]:
    """Start a screen and a Blender that fills it; both end with the block."""
    address = folder / "blender.sock"
    address.unlink(missing_ok=True)
    size = f"{WIDTH}x{HEIGHT}x24"
    screen = subprocess.Popen(["Xvfb", display, "-screen", "0", size, "-nolisten", "tcp"], stderr=subprocess.DEVNULL)
    environment = {**os.environ, "DISPLAY": display}
    command = ["blender", "--window-geometry", "0", "0", str(WIDTH), str(HEIGHT), "--python-exit-code", "1"]
    command += ["--python", str(folder / "inside.py"), "--", str(address)]
    try:
        _until(lambda: Path(f"/tmp/.X11-unix/X{display[1:]}").exists(), screen, "the screen")
        with open(screenshots / "blender.log", "w", encoding="utf-8") as log:
            blender = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _until(address.exists, blender, "Blender")
            window = BlenderWindow(display, address, screenshots, blender)
            window.ask("1")
            yield window
        finally:
            blender.kill()
            blender.wait()
    finally:
        screen.terminate()
        screen.wait()


def _until(ready: Callable[[], bool], process: subprocess.Popen, name: str) -> None:
    begin = time.monotonic()
    while not ready():
        if process.poll() is not None or time.monotonic() - begin > _START_S:
            raise WindowError(f"{name} did not start")
        time.sleep(0.1)
