# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line and its terminal: a progress line, a clean standard output, Ctrl-C."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

_BAR_CELLS = 24
_CLEAR_LINE = "\r\x1b[K"


class ProgressLine:
    """Progress of one photo: a bar redrawn in place on a terminal, else one line per stage.

    Args:
        stream: where to write. label: what it is about. quiet: nobody wants to see it.
    """

    def __init__(self, stream: TextIO, label: str, quiet: bool = False):
        self._stream = stream
        self._label = label
        self._quiet = quiet
        self._in_place = stream.isatty() and not quiet

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._in_place:
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()

    def show(self, text: str, done: float) -> None:
        """Show a stage and the fraction done, 0 to 1."""
        if self._quiet:
            return
        if self._in_place:
            filled = round(_BAR_CELLS * done)
            bar = "#" * filled + "-" * (_BAR_CELLS - filled)
            self._stream.write(_CLEAR_LINE + _showable(self._stream, f"[{bar}] {done:4.0%}  {self._label}: {text}"))
            self._stream.flush()
        else:
            write_line(self._stream, f"{done:4.0%}  {self._label}: {text}")


def write_line(stream: TextIO, text: str) -> None:
    """Write a line at once; characters the stream cannot show are escaped, so that an error never hides another."""
    stream.write(_showable(stream, text) + "\n")
    stream.flush()


@contextmanager
def stdout_kept_clean(discard: bool) -> Iterator[TextIO]:
    """A stream to the real standard output, while everything else that writes there, C code too, goes elsewhere.

    Args:
        discard: the rest is thrown away, else it goes to standard error.
    """
    sys.stdout.flush()
    real = os.dup(1)
    elsewhere = os.open(os.devnull, os.O_WRONLY) if discard else os.dup(2)
    os.dup2(elsewhere, 1)
    os.close(elsewhere)
    try:
        # File names on Linux may hold bytes that are no text: they leave as they came.
        with open(os.dup(real), "w", encoding="utf-8", errors="surrogateescape") as stream:
            yield stream
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
        os.close(real)


@contextmanager
def interrupt_kept() -> Iterator[None]:
    """Ctrl-C ends the block even where a library swallows it, as Blender does in its render engines written in Python.

    Raises:
        KeyboardInterrupt: one came meanwhile.
    """
    came = threading.Event()

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        came.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        # None stands for a handler that was not set from Python; Blender's own quits at once.
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
    if came.is_set():
        raise KeyboardInterrupt


def _showable(stream: TextIO, text: str) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
