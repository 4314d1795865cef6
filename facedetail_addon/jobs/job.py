# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs for the worker, from the request to a result in memory, in steps that never wait."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from ..core.assets.user import UserAsset
from ..core.errors import FaceDetailError, WorkerError
from ..core.face_model.library import load_named_model
from ..core.face_model.model import FaceModel
from ..core.face_model.store import INFO_FILE, InstalledModel, read_info
from ..core.result.files import read_record
from ..core.result.pictures import Pictures, read_pictures
from ..core.result.record import HeadRecord
from ..settings import Settings
from .messages import (
    Done,
    Download,
    Failed,
    FindFaces,
    ImportModel,
    InstallFile,
    Reconstruct,
    RenderHead,
    Request,
    UpdateSkin,
)
from .runner import Worker

_SHARE_OF_WORKER = 0.9
_PAUSE_S = 0.02

Result = TypeVar("Result")


class JobError(FaceDetailError):
    """The worker could not do a job; ``code`` is the worker's."""

    def __init__(self, failed: Failed):
        super().__init__(failed.message, failed.remedy)
        self.code = failed.code


@dataclass(frozen=True)
class Loaded:
    """A finished reconstruction: its result folder, what is in it, and its maps as Blender packs them."""

    folder: Path
    record: HeadRecord
    model: FaceModel
    pictures: Pictures


class Job(Generic[Result]):
    """A job of the worker, and the loading of its result in a thread of its own.

    Args:
        worker: not busy.
        load: makes the result of the path that the worker has made.
        kind, fields: as :meth:`Worker.submit` takes them.

    Attributes:
        stage: what is being done, for people.
        fraction: 0 to 1, never falling.
    """

    def __init__(self, worker: Worker, load: Callable[[Path], Result], kind: type[Request], **fields: object):
        self.stage = "Starting"
        self.fraction = 0.0
        self._worker = worker
        self._load = load
        self._loading: _Loading | None = None
        worker.submit(kind, **fields)

    def step(self) -> Result | None:
        """Look what has come; the result once it is there. Returns at once.

        Raises:
            FaceDetailError: the job failed.
        """
        for reply in self._worker.poll():
            if isinstance(reply, Failed):
                raise JobError(reply)
            if isinstance(reply, Done):
                self._advance("Loading the result", _SHARE_OF_WORKER)
                self._loading = _Loading(partial(self._load, Path(reply.path)))
            else:
                self._advance(reply.stage, reply.fraction * _SHARE_OF_WORKER)
        if self._loading is not None:
            return self._loading.result()
        if not self._worker.busy:
            raise WorkerError("The worker process was stopped.", "Try again.")
        return None

    def run(self, progress: Callable[[str, float], None]) -> Result:
        """Wait for the result, reporting stages and fractions on the way (background mode).

        Raises:
            FaceDetailError: the job failed.
        """
        reported = None
        try:
            while (loaded := self.step()) is None:
                if reported != (self.stage, self.fraction):
                    reported = (self.stage, self.fraction)
                    progress(*reported)
                time.sleep(_PAUSE_S)
        except FaceDetailError:
            raise
        except BaseException:  # interrupted: the worker still works on it
            self.cancel()
            raise
        return loaded

    def cancel(self, *, at_once: bool = False) -> None:
        """Give the job up; nothing stays half written. ``at_once`` as of :meth:`Worker.cancel`."""
        self._worker.cancel(at_once=at_once)

    def _advance(self, stage: str, fraction: float) -> None:
        self.stage = stage
        self.fraction = max(self.fraction, fraction)


def reconstruct_job(
    worker: Worker, photo: Path, output: Path, assets: Path, settings: Settings, more_photos: tuple[Path, ...] = ()
) -> Job[Loaded]:
    """Reconstruct a photo, or a person by several.

    Args:
        output: folder in which the result folder is to be made. assets: the user's folder with models and weights.
        settings: what the pipeline is asked for. more_photos: others of the same person.
    """
    files = {"photo": str(photo), "output": str(output), "assets": str(assets)}
    files |= {"more_photos": tuple(map(str, more_photos))}
    return Job(worker, partial(load_result, assets=assets), Reconstruct, **files, settings=settings)


def update_job(worker: Worker, folder: Path, pins: str, key: str, assets: Path) -> Job[Loaded]:
    """Make light, skin and relief of a result anew for other pins.

    Args:
        folder: of the result, which is replaced. pins: as ``pins.json`` has them. key: by which it is known.
    """
    fields = {"folder": str(folder), "pins": pins, "key": key, "assets": str(assets)}
    return Job(worker, partial(load_result, assets=assets), UpdateSkin, **fields)


def import_job(worker: Worker, source: Path, assets: Path) -> Job[InstalledModel]:
    """Install the face model of a file or folder."""
    return Job(
        worker, lambda folder: read_info(folder / INFO_FILE), ImportModel, assets=str(assets), source=str(source)
    )


def download_job(worker: Worker, asset: UserAsset, assets: Path, *, online: bool) -> Job[Path]:
    """Download a file that the user has agreed to; the result is its place."""
    return Job(worker, _itself, Download, assets=str(assets), asset=asset, online=online)


def install_job(worker: Worker, asset: UserAsset, source: Path, assets: Path) -> Job[Path]:
    """Install weights that the user has as a file; the result is their place."""
    return Job(worker, _itself, InstallFile, assets=str(assets), asset=asset, source=str(source))


def picture_job(worker: Worker, load: Callable[[Path], Result], **choices: object) -> Job[Result]:
    """Render the head that was written to the worker's folder.

    Args:
        worker: a Blender. load: as of :class:`Job`; what is in the worker's folder ends with its child.
        choices: further fields of :class:`RenderHead`.
    """
    return Job(worker, load, RenderHead, folder=str(worker.folder), **choices)


def find_faces_job(worker: Worker, photo: Path, folder: Path, assets: Path) -> Job[tuple[Path, ...]]:
    """Write pictures of a photo's faces into a folder that is empty or not there; largest face first."""
    files = {"photo": str(photo), "folder": str(folder), "assets": str(assets)}
    return Job(worker, lambda made: tuple(sorted(made.glob("*.png"))), FindFaces, **files)


def _itself(path: Path) -> Path:
    return path


def load_result(folder: Path, assets: Path) -> Loaded:
    """Read a result folder. Pictures are not decoded: Blender does that itself when it first shows them.

    Raises:
        FaceDetailError: as ``read_record``, ``read_pictures`` and ``load_named_model``.
    """
    record = read_record(folder)
    return Loaded(folder, record, load_named_model(record.face_model, assets), read_pictures(folder))


class _Loading:
    """Makes a job's result outside the main thread."""

    def __init__(self, load: Callable[[], object]):
        self._job = load
        self._loaded: object = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._load, daemon=True)
        self._thread.start()

    def result(self) -> object:
        if self._thread.is_alive():
            return None
        if self._error is not None:
            raise self._error
        return self._loaded

    def _load(self) -> None:
        try:
            self._loaded = self._job()
        except Exception as error:  # noqa: BLE001  raised again in the main thread
            self._error = error
