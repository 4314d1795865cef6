# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker of a Dask cluster does for the command line of another machine.

The work itself is done by child processes, as on one machine: they keep the models loaded between photos, one that ends
costs its photo alone, and one that is given up is killed with what it has half written. When the Dask worker itself is
killed they see their input close, and end in the same way. What comes and goes is text, numbers and bytes.
"""

import dataclasses
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.errors import FaceDetailError, OutputError
from ..paths import site_directories
from . import machine
from .job import Job
from .messages import Done, Failed, Reconstruct, parse_line, to_line
from .parcels import Files, unpack
from .runner import Worker

TASKS = "cli.scene_tasks"
"""The module of what the children do, for the command line."""
STOPPED = "stopped"
"""The code of a task that was given up."""
SCENE_FAILED = "scene"
"""The code of a failure that leaves a result."""
_AT_WORK = ("running", "paused", "closing_gracefully")
"""States of a Dask worker whose results anybody will fetch; it closes where it is told to, or its scheduler is lost."""
_PAUSE_S = 0.02
_IDLE_S = 120.0
"""After that, children with nothing to do end, so that a machine does not hold models for nobody."""


def look(host: Any, question: dict[str, Any]) -> dict[str, Any]:
    """Answer what the command line wants to know of this machine.

    Args:
        host: the Dask worker. question: the fields of :class:`~.machine.Question`.

    Returns:
        those of :class:`~.machine.Answer`.
    """
    return dataclasses.asdict(machine.answer(machine.Question(**question)))


def do(host: Any, run: str, key: str, line: str, parcel: dict[str, Any] | None) -> tuple[str, Files]:
    """Do a task, in a thread of the Dask worker.

    Args:
        host: the Dask worker. run: of which command line. key: of this task; its progress goes by the run's topic.
        line: the request. parcel: of :func:`~.parcels.pack`; None: this machine sees the photos and the output folder.

    Returns:
        the line of the answer, ``Done`` or ``Failed``, and with a parcel the result's files.
    """
    request = parse_line(line)
    request = dataclasses.replace(request, assets=str(machine.assets_here(request.assets)))

    def report(stage: str, fraction: float) -> None:
        host.log_event(topic(run), (key, stage, fraction))

    def is_given_up() -> bool:
        return stopped.is_set() or host.status.name not in _AT_WORK

    with _children(host).one(run) as (child, stopped):
        if parcel is None:
            return to_line(_done_by(child, is_given_up, request, report)), {}
        # Dask removes this folder of a worker that was killed when the next one starts.
        with tempfile.TemporaryDirectory(dir=host.local_directory) as scratch:
            try:
                unpacked = unpack(request, parcel, Path(scratch))
            except OSError as error:
                message = f"{request.photo} cannot be laid out on {socket.gethostname()}: {error}."
                return to_line(Failed(request.job, OutputError.code, message, "Make room on that machine.")), {}
            answer = _done_by(child, is_given_up, unpacked.request, report)
            files = unpacked.result() if isinstance(answer, Done) or answer.code == SCENE_FAILED else {}
            if isinstance(answer, Failed):
                answer = dataclasses.replace(answer, message=unpacked.in_their_words(answer.message))
            return to_line(answer), files


def stop(host: Any, run: str) -> int:
    """Give up what a run still does here; how many tasks of it have not ended yet."""
    return _children(host).stop(run)


def rest(host: Any) -> None:
    """End the children that have nothing to do."""
    _children(host).rest()


def topic(run: str) -> str:
    """Under which a run's progress is told: key, stage and fraction of a task."""
    return f"facedetail-{run}"


def _done_by(
    child: Worker, is_given_up: Callable[[], bool], request: Reconstruct, report: Callable[[str, float], None]
) -> Done | Failed:
    fields = {field.name: getattr(request, field.name) for field in dataclasses.fields(request) if field.name != "job"}
    shown = None
    try:
        job = Job(child, _itself, type(request), **fields)
        while (folder := job.step()) is None:
            if is_given_up():
                job.cancel()
                return Failed(request.job, STOPPED, "The task was given up.", "Try again.")
            if shown != (job.stage, job.fraction):
                shown = (job.stage, job.fraction)
                report(*shown)
            time.sleep(_PAUSE_S)
    except FaceDetailError as error:
        return Failed(request.job, error.code, error.message, error.remedy)
    return Done(request.job, str(folder))


def _itself(folder: Path) -> Path:
    return folder


class _Children:
    """The child processes of one Dask worker: never more than it has threads, as each thread takes one.

    Args:
        threads: of the Dask worker.
    """

    def __init__(self, threads: int):
        self._cores = max(1, (os.cpu_count() or 1) // threads)
        self._lock = threading.Lock()
        self._free: list[Worker] = []
        self._stops: list[tuple[str, threading.Event]] = []
        self._timer: threading.Timer | None = None

    @contextmanager
    def one(self, run: str) -> Iterator[tuple[Worker, threading.Event]]:
        """A child for a task of a run, and what is set when the run gives it up."""
        mine = (run, threading.Event())
        with self._lock:
            self._stops.append(mine)
            child = self._free.pop() if self._free else None
        child = child or Worker(site_directories(sys.path), tasks=TASKS, threads=self._cores)
        try:
            yield child, mine[1]
        finally:
            if child.busy:
                child.cancel()
            with self._lock:
                self._stops.remove(mine)
                self._free.append(child)
                self._rest_later()

    def stop(self, run: str) -> int:
        with self._lock:
            events = [event for whose, event in self._stops if whose == run]
        for event in events:
            event.set()
        return len(events)

    def rest(self) -> None:
        with self._lock:
            free, self._free = self._free, []
        for child in free:
            child.close()

    def _rest_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(_IDLE_S, self.rest)
        self._timer.daemon = True
        self._timer.start()


def _children(host: Any) -> _Children:
    """Those of a Dask worker, kept on it: they live as long as it does, and never longer."""
    return vars(host).setdefault("facedetail_children", _Children(host.state.nthreads))
