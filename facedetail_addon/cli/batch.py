# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo after the other, or several at once, each by a worker whose end costs its photo only."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import FaceDetailError, OutOfMemoryError, is_out_of_memory
from ..jobs.job import Job
from ..jobs.messages import Reconstruct, WriteScene
from ..jobs.runner import Worker
from ..settings import SceneSettings, Settings
from .scene_tasks import do
from .terminal import ProgressLine

_PAUSE_S = 0.02
FATAL = frozenset(("asset", "face_model", "packages"))
"""Codes of errors that every photo would have."""


@dataclass(frozen=True)
class Task:
    """A photo to do, or a person by several.

    Attributes:
        number: counted from 1, of all photos named. photo: its path.
        directory: in which its result folder is to be made.
        sha256: of its content, and of the others'; None where one could not be read.
        more: paths of other photos of the same person. name: of the result folder, that of the photo where empty.
    """

    number: int
    photo: Path
    directory: Path
    sha256: str | None
    more: tuple[Path, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class PhotoResult:
    """What became of a task: its result folder, or the error; and how long it took."""

    task: Task
    seconds: float
    folder: Path | None = None
    error: FaceDetailError | None = None


@dataclass(frozen=True)
class JobSpecification:
    """What is made of every photo.

    Attributes:
        settings: what the pipeline is asked for. assets: the user's folder with face models and weights.
        scene: what is made of the result in Blender; None: nothing, a result folder is enough.
        pins: what the head is to follow, as ``pins.json`` has it; empty: nothing.
    """

    settings: Settings
    assets: Path
    scene: SceneSettings | None = None
    pins: str = ""

    @property
    def kind(self) -> type[Reconstruct]:
        """Of the requests."""
        return Reconstruct if self.scene is None else WriteScene

    def fields_of(self, task: Task) -> dict[str, object]:
        """Those of a task's request, all but its number."""
        files = {"photo": str(task.photo), "output": str(task.directory), "assets": str(self.assets)}
        files |= {"more_photos": tuple(map(str, task.more)), "name": task.name, "pins": self.pins}
        scene = {} if self.scene is None else {"scene": self.scene}
        return {**files, "settings": self.settings, **scene}


ProgressOf = Callable[[Task], ProgressLine]
"""Where a task's progress is shown."""


def results_here(
    tasks: Iterable[Task], specification: JobSpecification, progress_of: ProgressOf
) -> Iterator[PhotoResult]:
    """Do one task after the other in this process.

    Raises:
        FaceDetailError: an error that every photo would have.
    """
    warm: dict = {}
    for task in tasks:
        start = time.monotonic()
        progress = progress_of(task)
        folder, error = None, None
        try:
            with progress:
                request = specification.kind(job=task.number, **specification.fields_of(task))
                folder = do(request, warm, progress.show)
                progress.show("Done", 1.0)
        except FaceDetailError as raised:
            error = raised
        except Exception as raised:
            if not is_out_of_memory(raised):
                raise
            warm.clear()
            error = OutOfMemoryError()
        yield _checked(PhotoResult(task, time.monotonic() - start, folder, error))


def results_of_workers(
    tasks: Iterable[Task], specification: JobSpecification, progress_of: ProgressOf, workers: Iterable[Worker]
) -> Iterator[PhotoResult]:
    """Do as many tasks at once as there are workers; results come as they are ready.

    When the generator is closed all workers have ended, and nothing is half written.

    Raises:
        FaceDetailError: an error that every photo would have.
    """
    free, running, waiting = list(workers), [], iter(tasks)
    try:
        while True:
            while free and (task := next(waiting, None)) is not None:
                running.append(_Running(task, free.pop(), specification, progress_of(task)))
            if not running:
                return
            for one in running[:]:
                result = one.step()
                if result is not None:
                    running.remove(one)
                    free.append(one.worker)
                    yield _checked(result)
            time.sleep(_PAUSE_S)
    finally:
        for one in running:
            one.worker.cancel()
        for worker in free:
            worker.close()


class _Running:
    """A task that a worker has been given."""

    def __init__(self, task: Task, worker: Worker, specification: JobSpecification, progress: ProgressLine):
        self.worker = worker
        self._task, self._specification, self._progress = task, specification, progress
        self._start = time.monotonic()
        self._job: Job[Path] | None = None
        self._shown: tuple[str, float] | None = None

    def step(self) -> PhotoResult | None:
        """Go on without waiting; the result, once it is there."""
        folder, error = None, None
        try:
            if self._job is None:
                fields = self._specification.fields_of(self._task)
                self._job = Job(self.worker, _itself, self._specification.kind, **fields)
            folder = self._job.step()
            self._show("Done" if folder else self._job.stage, 1.0 if folder else self._job.fraction)
        except FaceDetailError as raised:
            error = raised
        if folder is None and error is None:
            return None
        self._progress.__exit__(None, None, None)
        return PhotoResult(self._task, time.monotonic() - self._start, folder, error)

    def _show(self, stage: str, done: float) -> None:
        if self._shown != (stage, done):
            self._shown = (stage, done)
            self._progress.show(stage, done)


def _itself(folder: Path) -> Path:
    return folder


def _checked(result: PhotoResult) -> PhotoResult:
    if result.error is not None and result.error.code in FATAL:
        raise result.error
    return result
