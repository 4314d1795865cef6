# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the worker process, hands it jobs, collects its answers without ever waiting, and ends it."""

import collections
import itertools
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

from ..core.errors import OutOfMemoryError, WorkerError
from ..environment import ENVIRONMENT
from .messages import Done, Failed, Message, MessageError, Ready, Reply, Request, parse_line, to_line
from .tasks import tidy_after

_WORKER = Path(__file__).with_name("worker.py")
_ADDON = Path(__file__).parent.parent
_LOG_LINES = 40
_FOLDER_PREFIX = "facedetail_"
_WHERE_TEMPORARY = ("TMPDIR", "TEMP", "TMP")
"""Variables that tell programs of all systems where to put temporary files. A Blender that is killed leaves some."""
_KILL = 9
"""The signal that no process can answer; POSIX tells the end by it as a negative status."""
BUSY_MESSAGE = "FaceDetail is at work already."
_LOW_PRIORITY = 10
"""Niceness: the share of a processor that others want, too, is a tenth."""
_REMEDY = "Try again; if it happens again, ask for less (a smaller texture, smaller pictures), and report it."


class Worker:
    """A warm child process that does one job at a time.

    Every method returns at once. Nothing starts before the first :meth:`submit`.

    Args:
        sites: folders with the Python packages that the child needs.
        python: the interpreter.
        blender: Blender's program, where the child must be a Blender of its own, to write scenes.
        tasks: the module of the package that does what is asked for, where it is not ``jobs.tasks``.
        threads: how many processor cores the child's computations may use; None: all.
        low_priority: the child leaves the processor to whatever else wants it, above all the artist's Blender.
    """

    def __init__(
        self,
        sites: list[str],
        python: str = sys.executable,
        *,
        blender: str = "",
        tasks: str = "",
        threads: int | None = None,
        low_priority: bool = False,
    ):
        # Isolated: neither the user's PYTHONPATH nor their own site-packages may mix in.
        start = [python, "-I", "-X", "utf8", str(_WORKER), "--"]
        if blender:
            start = [blender, "--background", "--factory-startup", "--python", str(_WORKER), "--"]
        self._command = [*start, "--addon", str(_ADDON)]
        for site in sites:
            self._command += ["--site", site]
        if tasks:
            self._command += ["--tasks", tasks]
        self._environment = {**ENVIRONMENT, **os.environ}
        if threads is not None:
            self._environment.setdefault("OMP_NUM_THREADS", str(threads))
        self._is_blender = bool(blender)
        self._low_priority = low_priority
        self._folder: Path | None = None
        self._process: subprocess.Popen | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._log: collections.deque[str] = collections.deque(maxlen=_LOG_LINES)
        self._numbers = itertools.count(1)
        self._request: Request | None = None

    @property
    def busy(self) -> bool:
        """A job is under way."""
        return self._request is not None

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        return self._process.pid if self._alive() else None

    @property
    def folder(self) -> Path:
        """A temporary folder for a child that is a Blender, for its own temporary files too; it ends with the child.

        Raises:
            WorkerError: there is no room for one.
        """
        if self._folder is None:
            try:
                self._folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
            except OSError as error:
                message = f"There is no room for temporary files: {error.strerror or error}."
                raise WorkerError(message, "Free some space on the disk.") from error
        return self._folder

    def log(self) -> str:
        """The last lines the child wrote to its standard error."""
        return "\n".join(self._log)

    def submit(self, kind: type[Request], **fields: object) -> int:
        """Start a job, and the child where it does not run.

        Args:
            kind: of request. fields: the request's, all but its number.

        Returns:
            the job's number, repeated in its answers.

        Raises:
            WorkerError: a job is under way, or the child cannot be started.
        """
        if self.busy:
            raise WorkerError(BUSY_MESSAGE, "Wait until it is finished, or cancel it with Esc.")
        if not self._alive():
            self._start()
        request = kind(job=next(self._numbers), **fields)
        try:
            self._process.stdin.write(to_line(request).encode("utf-8"))
            self._process.stdin.flush()
        except OSError as error:
            self.close()
            raise WorkerError(f"The worker process does not answer: {error}.", _REMEDY) from error
        self._request = request
        return request.job

    def poll(self) -> list[Reply]:
        """The answers that came since the last call, for the current job only."""
        replies: list[Reply] = []
        while self.busy:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                break
            job = self._request.job
            reply = self._ended() if line is None else self._parse(line)
            if reply is None or isinstance(reply, Ready) or reply.job != job:
                continue
            replies.append(reply)
            if isinstance(reply, Done | Failed):
                self._request = None
        return replies

    def cancel(self, *, at_once: bool = False) -> None:
        """Give the current job up: kill the child, remove what it half wrote. The next job starts a new child.

        Args:
            at_once: a thread waits for the child's end, which takes long where it holds much memory, and tidies up.
        """
        self._end(self._request, at_once)

    def close(self, *, at_once: bool = False) -> None:
        """Kill the child, if any, where it has no job to tidy up after; safe to call twice. Args: as :meth:`cancel`."""
        self._end(None, at_once)

    def _end(self, request: Request | None, at_once: bool) -> None:
        process, self._process, self._request = self._process, None, None
        folder, self._folder = self._folder, None
        self._lines = queue.SimpleQueue()
        if process is not None:
            process.kill()
        rest = partial(_bury, process, request, folder)
        if at_once and process is not None:
            threading.Thread(target=rest).start()  # Python waits for it before it ends
        else:
            rest()

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        if self._process is not None:
            self.close()
        self._log.clear()
        command, environment = self._command, self._environment
        if self._is_blender:
            command = [*command, "--scratch", str(self.folder)]
            environment = {**environment, **dict.fromkeys(_WHERE_TEMPORARY, str(self.folder))}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                # A terminal's Ctrl-C is for the parent, which tidies up after the child.
                process_group=0 if os.name == "posix" else None,
                creationflags=self._windows_flags(),
            )
            if self._low_priority and os.name == "posix":
                os.setpriority(os.PRIO_PGRP, self._process.pid, os.getpriority(os.PRIO_PROCESS, 0) + _LOW_PRIORITY)
        except OSError as error:
            raise WorkerError(
                f"The worker process cannot be started: {error}.", "Install the extension again."
            ) from error
        threading.Thread(target=_read_replies, args=(self._process.stdout, self._lines), daemon=True).start()
        threading.Thread(target=_read_log, args=(self._process.stderr, self._log), daemon=True).start()

    def _windows_flags(self) -> int:
        if os.name != "nt":  # the names are there on Windows only
            return 0
        return subprocess.CREATE_NO_WINDOW | (self._low_priority and subprocess.BELOW_NORMAL_PRIORITY_CLASS)

    def _parse(self, line: str) -> Message | None:
        try:
            return parse_line(line)
        except MessageError as error:
            if self._is_blender and not line.startswith("{"):  # Blender greets before our script can silence it
                self._log.append(line.rstrip())
                return None
            self._process.kill()
            return self._ended(f"It sent an unreadable answer: {error}")

    def _ended(self, reason: str = "") -> Failed:
        """The child's output closed in the middle of a job; ``reason``: why we have ended it."""
        request, process = self._request, self._process
        status = process.wait()
        self.close()
        tidy_after(request, process.pid)
        if reason:
            return Failed(request.job, WorkerError.code, f"The worker process was stopped. {reason}", _REMEDY)
        if status == -_KILL:
            message = "The worker process was killed, by the system when memory runs out, or by hand."
            return Failed(request.job, WorkerError.code, message, OutOfMemoryError().remedy)
        last = next((line for line in reversed(self._log) if line.strip()), "no message")
        return Failed(request.job, WorkerError.code, f"The worker process ended (status {status}): {last}", _REMEDY)


def _bury(process: subprocess.Popen | None, request: Request | None, folder: Path | None) -> None:
    """Wait for a killed child; remove what it leaves: its job's half-written files, and its temporary folder."""
    if process is not None:
        process.wait()
        process.stdin.close()
        if request is not None:
            tidy_after(request, process.pid)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _read_replies(stream: object, lines: "queue.SimpleQueue[str | None]") -> None:
    with stream:
        for raw in stream:
            lines.put(raw.decode("utf-8", "replace"))
    lines.put(None)


def _read_log(stream: object, log: "collections.deque[str]") -> None:
    with stream:
        for raw in stream:
            log.append(raw.decode("utf-8", "replace").rstrip())
