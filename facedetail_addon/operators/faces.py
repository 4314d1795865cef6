# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faces the chosen photo shows, found in the background by a process that ends as soon as it knows."""

import atexit
import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..core.errors import FaceDetailError
from ..jobs.job import Job, find_faces_job
from ..jobs.runner import Worker
from ..preferences import chosen_assets_directory
from ..requirements import worker_directories, worker_problem
from .work import redraw

_TICK_S = 0.2
_FOLDER = "facedetail_faces"


@dataclass(frozen=True)
class FoundFaces:
    """The faces of a photo.

    Attributes:
        photo: its path and time of change.
        pictures: small pictures of them, largest face first; None where it cannot be looked at: a reconstruction will
            say why.
    """

    photo: tuple[Path, int]
    pictures: tuple[Path, ...] | None


class FaceFinder:
    """Looks at one photo at a time, from :func:`attach_finder` to :func:`detach_finder`.

    It has a worker of its own, so it never makes a reconstruction wait.
    """

    worker: Worker | None = None
    job: Job | None = None
    looking_at: tuple[Path, int] | None = None
    found: FoundFaces | None = None


def attach_finder() -> None:
    """Be ready; nothing starts before a photo is chosen."""
    FaceFinder.worker = Worker(worker_directories(), threads=1, low_priority=True)
    atexit.register(FaceFinder.worker.cancel)


def detach_finder() -> None:
    """End what is under way."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    worker, FaceFinder.worker = FaceFinder.worker, None
    FaceFinder.job = FaceFinder.looking_at = FaceFinder.found = None
    if worker is not None:
        atexit.unregister(worker.cancel)
        worker.cancel()


def look_for_faces(photo: Path) -> None:
    """Begin with a photo, in place of another one; at once done where it is known or under way, or is not there."""
    version = _version(photo)
    known = FaceFinder.found.photo if FaceFinder.found is not None else None
    if version is None or version in (known, FaceFinder.looking_at) or worker_problem() is not None:
        return
    worker = FaceFinder.worker
    worker.cancel()
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=bpy.app.tempdir))  # Blender removes it when it ends
    FaceFinder.looking_at = version
    try:
        FaceFinder.job = find_faces_job(worker, photo, folder, chosen_assets_directory(bpy.context))
    except FaceDetailError:
        _keep(None)
        return
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_TICK_S, persistent=True)


def found_faces(photo: Path) -> tuple[Path, ...] | None:
    """Pictures of the faces of a photo, largest first; None as long as they are not known. Quick: for drawing."""
    found = FaceFinder.found
    return found.pictures if found is not None and found.photo == _version(photo) else None


def _tick() -> float | None:
    """Blender's timer."""
    if FaceFinder.job is None:
        return None
    try:
        pictures = FaceFinder.job.step()
    except FaceDetailError:
        _keep(None)
        return None
    if pictures is None:
        return _TICK_S
    _keep(pictures)
    return None


def _keep(pictures: tuple[Path, ...] | None) -> None:
    FaceFinder.found = FoundFaces(FaceFinder.looking_at, pictures)
    FaceFinder.job = FaceFinder.looking_at = None
    FaceFinder.worker.close()
    redraw(bpy.context)


def _version(photo: Path) -> tuple[Path, int] | None:
    try:
        return (photo, photo.stat().st_mtime_ns) if photo.is_file() else None
    except (OSError, ValueError):  # no path at all, such as one with a null character
        return None
