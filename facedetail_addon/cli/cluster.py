# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos on many machines: the same tasks as in a batch on this one, done by the workers of a Dask cluster.

Every worker has one task for each of its threads; what is left waits here. So giving up costs nothing, what a lost
worker was at goes to another one, and only what the command line has taken in is written to the manifest.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..core.errors import FaceDetailError, WorkerError
from ..core.io.atomic_directory import discard_half_written
from ..core.result.files import RECORD_FILE
from ..core.result.record import result_folder
from ..jobs.job import JobError
from ..jobs.messages import Failed, parse_line, to_line
from ..jobs.parcels import pack, write_result_files
from ..jobs.remote import STOPPED
from .batch import FATAL, JobSpecification, PhotoResult, ProgressOf, Task
from .cluster_link import ClusterLink, ClusterOptions, Machine
from .terminal import ProgressLine

_PAUSE_S = 0.02
_ATTEMPTS = 3
"""How often a task is given out whose workers are lost."""
_APPEARS_S = 60.0
"""How long a network's disk may take to show what another machine has written."""
_JOIN_S = 5.0


class _Lost(Exception):
    """The worker is gone, or has not done the task for a reason that is its own."""


def results_of_cluster(
    tasks: Iterable[Task],
    specification: JobSpecification,
    progress_of: ProgressOf,
    options: ClusterOptions,
    output: Path,
    photos: Sequence[Path],
) -> Iterator[PhotoResult]:
    """Do tasks on all machines of a cluster at once; results come as they are ready.

    When the generator is closed the machines have given up what they were at, and nothing is half written.

    Args:
        tasks, specification, progress_of: as for workers on this machine. options: which cluster, and how.
        output: the folder of results. photos: those of the tasks.

    Raises:
        FaceDetailError: there is no scheduler, or no machine that can be used.
    """
    link = ClusterLink(options, specification, output, photos)
    waiting = _Waiting(tasks)
    running: dict[str, _Running] = {}
    heard: queue.SimpleQueue[tuple[str, str, float]] = queue.SimpleQueue()
    try:
        link.listen(lambda *event: heard.put(event))
        while running or waiting.any():
            machines = link.machines()
            for one in _free(machines, running.values()):
                if waiting.any():
                    started = _Running(link, one, specification, *waiting.take(), progress_of)
                    running[started.key] = started
            while not heard.empty():
                key, *shown = heard.get()
                if key in running:
                    running[key].show(*shown)
            there = {one.address for one in machines}
            for key, one in list(running.items()):
                if one.machine.address not in there:
                    one.give_up()
                if one.ended:
                    del running[key]
                    result = _settled(one, link, waiting)
                    if result is not None:
                        yield result
            time.sleep(_PAUSE_S)
    finally:
        for one in running.values():
            one.give_up()
        link.close()
        for one in running.values():
            one.join(_JOIN_S)


class _Waiting:
    """Tasks that nobody does; those that come back go first, with how often they were given out."""

    def __init__(self, tasks: Iterable[Task]):
        self._tasks = iter(tasks)
        self._first: deque[tuple[Task, int]] = deque()

    def any(self) -> bool:
        if not self._first and (task := next(self._tasks, None)) is not None:
            self._first.append((task, 0))
        return bool(self._first)

    def take(self) -> tuple[Task, int]:
        return self._first.popleft()

    def again(self, task: Task, attempt: int) -> None:
        self._first.appendleft((task, attempt))


class _Running:
    """A task that a machine has been given. A thread of this process sends it and waits for its result.

    Attributes:
        key: by which Dask knows it. machine: which has it. attempt: how often it was given out before.
    """

    def __init__(
        self,
        link: ClusterLink,
        machine: Machine,
        specification: JobSpecification,
        task: Task,
        attempt: int,
        progress_of: ProgressOf,
    ):
        self.machine, self.task, self.attempt = machine, task, attempt
        self.key = f"facedetail-{link.run}-{task.number}-{attempt}-{machine.address}"
        self.folder = result_folder(task.directory, task.name or task.photo.name)
        self._link, self._specification = link, specification
        self._progress: ProgressLine = progress_of(task)
        self._start = time.monotonic()
        self._given_up = threading.Event()
        self._error: Exception | None = None
        self._future = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        if attempt:
            self._progress.show(f"Again, on {machine.host}", 0.0)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def show(self, stage: str, fraction: float) -> None:
        self._progress.show(stage, fraction)

    def give_up(self) -> None:
        """Returns at once; the thread ends soon after."""
        self._given_up.set()
        if self._future is not None:
            self._future.cancel()

    def join(self, limit_s: float) -> None:
        self._thread.join(limit_s)

    def result(self) -> PhotoResult:
        """Once it has ended.

        Raises:
            _Lost: another machine may do it.
        """
        if self._error is None:
            self._progress.show("Done", 1.0)
        self._progress.__exit__(None, None, None)
        if isinstance(self._error, _Lost):
            raise self._error
        folder = None if self._error else self.folder
        return PhotoResult(self.task, time.monotonic() - self._start, folder, self._error)

    def _run(self) -> None:
        try:
            self._error = self._done()
        except FaceDetailError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  of the engine, whatever it says: the task goes to another machine
            self._error = _Lost(f"{type(error).__name__}: {error}")

    def _done(self) -> FaceDetailError | None:
        """The error of a task that is done."""
        request = self._specification.kind(job=self.task.number, **self._specification.fields_of(self.task))
        paths = {name: str(Path(getattr(request, name)).absolute()) for name in ("photo", "output", "assets")}
        more = tuple(str(Path(path).absolute()) for path in request.more_photos)
        request = replace(request, more_photos=more, **paths)
        parcel = None if self.machine.sees else pack(request)
        self._future = self._link.submit(self.machine, self.key, to_line(request), parcel)
        if self._given_up.is_set():
            self._future.cancel()
        line, files = self._future.result()
        answer = parse_line(line)
        if self._given_up.is_set() or isinstance(answer, Failed) and answer.code == STOPPED:
            raise _Lost("it has given it up")
        if files:
            write_result_files(files, self.folder)
        if isinstance(answer, Failed):
            return JobError(answer)
        if not _appears(self.folder / RECORD_FILE):
            return WorkerError(
                f"{self.machine.name} has written {self.folder}, and it does not appear here.",
                "Check that all machines have the same folder there, or let results come as bytes: --send files.",
            )
        return None


def _free(machines: Iterable[Machine], running: Iterable[_Running]) -> list[Machine]:
    """Machines that can be given a task, one with several free threads as often; the idlest first."""
    busy: dict[str, int] = {}
    for one in running:
        busy[one.machine.address] = busy.get(one.machine.address, 0) + 1
    free = [(n, one) for one in machines for n in range(busy.get(one.address, 0), one.threads)]
    return [one for _, one in sorted(free, key=lambda pair: pair[0])]


def _settled(ended: _Running, link: ClusterLink, waiting: _Waiting) -> PhotoResult | None:
    """What became of a task, or None where it is to be done again."""
    task, attempt = ended.task, ended.attempt + 1
    try:
        result = ended.result()
    except _Lost as lost:
        link.look_again()  # where the scheduler is lost, no task is to blame
        link.machines()
        if attempt < _ATTEMPTS:
            waiting.again(task, attempt)
            return None
        discard_half_written(ended.folder)
        error = WorkerError(
            f"{task.photo}: {attempt} workers were lost, the last one {ended.machine.name} ({lost}).",
            "Look after the machines' memory, ask for less, and try again with --resume.",
        )
        return PhotoResult(task, 0.0, error=error)
    if result.error is not None and result.error.code in FATAL:
        link.leave_out(ended.machine, result.error.message)
        waiting.again(task, ended.attempt)
        return None
    if ended.attempt:  # what a lost machine has left of it
        discard_half_written(ended.folder)
    return result


def _appears(path: Path) -> bool:
    end = time.monotonic() + _APPEARS_S
    while not path.is_file():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_S)
    return True
