# SPDX-License-Identifier: GPL-3.0-or-later
"""What lives as long as the add-on is switched on: the one place of process-wide state in Blender.

:func:`start` makes a :class:`Session`, :func:`current` gives it to whoever works, :func:`end` drops it.
"""

import atexit
from dataclasses import dataclass, field
from pathlib import Path

import bpy
import bpy.utils.previews

from .core.editing import EditSession
from .jobs.job import Job
from .jobs.last_result import LastResult
from .jobs.runner import Worker
from .names import ADDON
from .paths import assets_directory, results_directory, user_folder
from .requirements import worker_directories

_MOST_THUMBNAILS = 16
_PICTURES = "cli.scene_tasks"
"""The module of what a second Blender does."""


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


@dataclass
class FaceSearch:
    """Which faces a photo shows, one photo at a time.

    Attributes:
        worker: its own, so that it never makes a reconstruction wait.
        job: under way. photo: path and time of change of the photo that it looks at.
        found: what the last search found.
    """

    worker: Worker
    job: Job | None = None
    photo: tuple[Path, int] | None = None
    found: FoundFaces | None = None


class Thumbnails:
    """Small pictures of files as icons; Blender reads each file in the background, when it is drawn."""

    def __init__(self) -> None:
        self._previews = bpy.utils.previews.new()

    def __len__(self) -> int:
        return len(self._previews)

    def icon(self, path: Path) -> int | None:
        """The icon of a file, read anew when the file changes; None where there is no such file."""
        try:
            key = f"{path} {path.stat().st_mtime_ns}"
        except (OSError, ValueError):  # no path at all, such as one with a null character
            return None
        if not path.is_file():
            return None
        if key not in self._previews:
            if len(self._previews) >= _MOST_THUMBNAILS:
                self._previews.clear()
            self._previews.load(key, str(path), "IMAGE")
        return self._previews[key].icon_id

    def close(self) -> None:
        """Free them."""
        bpy.utils.previews.remove(self._previews)


@dataclass
class Session:
    """The add-on from its registration to its end.

    Attributes:
        worker: does the operators' jobs, and is kept warm between them; its process starts with the first one.
        renderer: a second Blender, for pictures; None where this one is no program that could be started.
        faces: the search for faces in the chosen photo.
        thumbnails: of photos and faces.
        edit: the pins that are moved now; None where none are.
        last_result: of the reconstruct operator, so that it only builds what a choice has changed when it is adjusted;
            kept until the next result or file.
        command: Blender's handle of the command-line command.
    """

    worker: Worker
    renderer: Worker | None
    faces: FaceSearch
    thumbnails: Thumbnails = field(default_factory=Thumbnails)
    edit: EditSession | None = None
    last_result: LastResult | None = None
    command: object = None

    @property
    def workers(self) -> tuple[Worker, ...]:
        """All that may have a process."""
        return tuple(worker for worker in (self.worker, self.renderer, self.faces.worker) if worker is not None)


_session: Session | None = None


def start() -> Session:
    """Begin, when the add-on is registered; no process starts before its first job."""
    global _session
    sites, watched, blender = worker_directories(), not bpy.app.background, bpy.app.binary_path
    renderer = Worker(sites, blender=blender, tasks=_PICTURES, low_priority=watched) if blender else None
    faces = FaceSearch(Worker(sites, threads=1, low_priority=True))
    _session = Session(Worker(sites, low_priority=watched), renderer, faces)
    for worker in _session.workers:
        atexit.register(worker.cancel)
    bpy.app.handlers.load_post.append(_forget_last_result)
    return _session


def current() -> Session:
    """The session of the add-on, which is switched on."""
    if _session is None:
        raise RuntimeError("FaceDetail is switched off.")
    return _session


def end() -> None:
    """End all processes and what they are at, and forget everything."""
    global _session
    ended, _session = current(), None
    bpy.app.handlers.load_post.remove(_forget_last_result)
    if ended.edit is not None:
        ended.edit.close()
    for worker in ended.workers:
        atexit.unregister(worker.cancel)
        worker.cancel()
    ended.thumbnails.close()


def chosen_results_directory(context: bpy.types.Context) -> Path:
    """Where result folders go: as in the preferences."""
    return results_directory(_chosen(context, "results"), user_folder(ADDON))


def chosen_assets_directory(context: bpy.types.Context) -> Path:
    """Where imported face models and weights lie: as in the preferences."""
    return assets_directory(_chosen(context, "assets"), user_folder(ADDON))


def _chosen(context: bpy.types.Context, name: str) -> str:
    """A folder of the preferences; empty where none is chosen."""
    addon = context.preferences.addons.get(ADDON)
    chosen = getattr(addon.preferences, name) if addon and addon.preferences else ""
    return bpy.path.abspath(chosen) if chosen else ""


@bpy.app.handlers.persistent
def _forget_last_result(*args: object) -> None:
    """With another file there is nothing left to adjust."""
    if _session is not None:
        _session.last_result = None
