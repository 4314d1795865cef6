# SPDX-License-Identifier: GPL-3.0-or-later
"""One reconstruction, from the request to a result in memory, in steps that never wait."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import FaceDetailError, WorkerError
from ..core.expression.types import DEFAULT_EXPRESSION_SOURCE
from ..core.face_model.library import load_named_model
from ..core.face_model.model import FaceModel
from ..core.results import Reconstruction
from .messages import Done, Failed
from .runner import Worker

_SHARE_OF_WORKER = 0.9
_PAUSE_S = 0.02


class JobError(FaceDetailError):
    """The worker could not do a job; ``code`` is the worker's."""

    def __init__(self, failed: Failed):
        super().__init__(failed.message, failed.remedy)
        self.code = failed.code


@dataclass(frozen=True)
class Loaded:
    """A finished job: its result folder, and what is in it."""

    folder: Path
    reconstruction: Reconstruction
    model: FaceModel


class Job:
    """A job of the worker, and the loading of its result in a thread of its own.

    Args:
        worker: not busy.
        photo, output, resolution, face, expression: as :meth:`Worker.submit` takes them.

    Attributes:
        stage: what is being done, for people.
        fraction: 0 to 1, never falling.
    """

    def __init__(
        self,
        worker: Worker,
        photo: Path,
        output: Path,
        *,
        resolution: int,
        face: int | None,
        expression: str = DEFAULT_EXPRESSION_SOURCE,
    ):
        self.stage = "Starting"
        self.fraction = 0.0
        self._worker = worker
        self._loading: _Loading | None = None
        worker.submit(photo, output, resolution=resolution, face=face, expression=expression)

    def step(self) -> Loaded | None:
        """Look what has come; the result once it is there. Returns at once.

        Raises:
            FaceDetailError: the job failed.
        """
        for reply in self._worker.poll():
            if isinstance(reply, Failed):
                raise JobError(reply)
            if isinstance(reply, Done):
                self._tell("Loading the result", _SHARE_OF_WORKER)
                self._loading = _Loading(Path(reply.folder))
            else:
                self._tell(reply.stage, reply.fraction * _SHARE_OF_WORKER)
        if self._loading is not None:
            return self._loading.result()
        if not self._worker.busy:
            raise WorkerError("The worker process was stopped.", "Reconstruct the photo again.")
        return None

    def run(self, progress: Callable[[str, float], None]) -> Loaded:
        """Wait for the result, telling stages and fractions on the way (background mode).

        Raises:
            FaceDetailError: the job failed.
        """
        told = None
        try:
            while (loaded := self.step()) is None:
                if told != (self.stage, self.fraction):
                    told = (self.stage, self.fraction)
                    progress(*told)
                time.sleep(_PAUSE_S)
        except FaceDetailError:
            raise
        except BaseException:  # interrupted: the worker still works on it
            self.cancel()
            raise
        return loaded

    def cancel(self) -> None:
        """Give the job up; nothing stays half written."""
        self._worker.cancel()

    def _tell(self, stage: str, fraction: float) -> None:
        self.stage = stage
        self.fraction = max(self.fraction, fraction)


class _Loading:
    """Reads a result folder and its face model outside the main thread."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._loaded: Loaded | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._load, daemon=True)
        self._thread.start()

    def result(self) -> Loaded | None:
        if self._thread.is_alive():
            return None
        if self._error is not None:
            raise self._error
        return self._loaded

    def _load(self) -> None:
        try:
            reconstruction = Reconstruction.load(self._folder)
            self._loaded = Loaded(self._folder, reconstruction, load_named_model(reconstruction.face_model))
        except Exception as error:  # noqa: BLE001  raised again in the main thread
            self._error = error
