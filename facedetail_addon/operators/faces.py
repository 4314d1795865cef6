# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faces the chosen photo shows, found in the background by a process that ends as soon as it knows."""

import tempfile
from pathlib import Path

import bpy

from .. import session
from ..core.errors import FaceDetailError
from ..jobs.job import find_faces_job
from ..requirements import worker_problem
from ..session import FoundFaces, chosen_assets_directory
from .work import redraw

_TICK_S = 0.2
_FOLDER = "facedetail_faces"


def stop_looking() -> None:
    """Look at no photo any more; the session ends its process."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def look_for_faces(photo: Path) -> None:
    """Begin with a photo, in place of another one; at once done where it is known or under way, or is not there."""
    search, version = session.current().faces, _version(photo)
    known = search.found.photo if search.found is not None else None
    if version is None or version in (known, search.photo) or worker_problem() is not None:
        return
    search.worker.cancel()
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=bpy.app.tempdir))  # Blender removes it when it ends
    search.photo = version
    try:
        search.job = find_faces_job(search.worker, photo, folder, chosen_assets_directory(bpy.context))
    except FaceDetailError:
        _keep(None)
        return
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_TICK_S, persistent=True)


def found_faces(photo: Path) -> tuple[Path, ...] | None:
    """Pictures of the faces of a photo, largest first; None as long as they are not known. Quick: for drawing."""
    found = session.current().faces.found
    return found.pictures if found is not None and found.photo == _version(photo) else None


def _tick() -> float | None:
    """Blender's timer."""
    job = session.current().faces.job
    if job is None:
        return None
    try:
        pictures = job.step()
    except FaceDetailError:
        _keep(None)
        return None
    if pictures is None:
        return _TICK_S
    _keep(pictures)
    return None


def _keep(pictures: tuple[Path, ...] | None) -> None:
    search = session.current().faces
    search.found = FoundFaces(search.photo, pictures)
    search.job = search.photo = None
    search.worker.close()
    redraw(bpy.context)


def _version(photo: Path) -> tuple[Path, int] | None:
    try:
        return (photo, photo.stat().st_mtime_ns) if photo.is_file() else None
    except (OSError, ValueError):  # no path at all, such as one with a null character
        return None
