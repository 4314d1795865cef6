# SPDX-License-Identifier: GPL-3.0-or-later
"""Which photos of a run are to be done, and what became of them: for the terminal, and for the manifest."""

import hashlib
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from ..core.errors import FaceDetailError, OutputError
from ..core.io.atomic_directory import discard_half_written
from ..core.result.files import (
    EXPORT_FILES,
    LOOKDEV_FILE,
    RECORD_FILE,
    RENDER_FILE,
    SCENE_FILE,
    TURNTABLE_FILE,
)
from ..core.result.record import result_folder, same_folder_key
from ..core.result.record_json import FORMAT_VERSION
from .batch import JobSpecification, PhotoResult, Task
from .inputs import FoundPhoto
from .manifest import DONE, FAILED, SKIPPED, Entry, Manifest, Problem, content_hash
from .terminal import write_line


class RunLog:
    """Knows which photos of a run are left to do; reports every result and writes it to the manifest.

    Args:
        photos: in the order in which they are to be done. specification: what is made of each.
        output: the folder of results and of the manifest.
        resume: leave out what an earlier run has finished.
        announce: called with every result's folder. quiet: no warnings. debug: show where errors come from.

    Attributes:
        failures: how many photos have no result, and folders no photo.
    """

    def __init__(
        self,
        photos: Sequence[FoundPhoto],
        specification: JobSpecification,
        output: Path,
        *,
        resume: bool,
        announce: Callable[[Path], None],
        quiet: bool,
        debug: bool,
    ):
        self.failures = 0
        self._photos, self._specification, self._output = photos, specification, output
        self._resume, self._announce, self._quiet, self._debug = resume, announce, quiet, debug
        self._manifest = Manifest(output)
        self._settings_hash = settings_hash(specification)
        self._first_photo_of: dict[str, Path] = {}

    def tasks(self) -> Iterator[Task]:
        """The photos that are to be done; what becomes of the others is recorded on the way.

        Raises:
            OutputError: results cannot be written.
        """
        if self._output.exists() and not self._output.is_dir():
            raise OutputError(f"{self._output} is not a folder.", "Choose another output folder.")
        finished = self._manifest.finished() if self._resume else {}
        for number, photo in enumerate(self._photos, start=1):
            sha256 = content_hash(photo.path, *photo.more)
            task = Task(number, photo.path, self._output / photo.below, sha256, photo.more, photo.name)
            try:
                self._refuse_same_folder(task)
            except OutputError as error:
                self.record(PhotoResult(task, 0.0, error=error))
                continue
            if self._resume:
                discard_half_written(self._folder(task))  # a killed run's
            if self._is_finished(task, finished.get(self._name(self._folder(task)))):
                self._write(task, SKIPPED)
                self._announce(self._folder(task))
            else:
                yield task

    def record(self, result: PhotoResult) -> None:
        """Report a result or its error, and write it to the manifest.

        Raises:
            OutputError: the manifest cannot be written.
        """
        task, error = result.task, result.error
        if error is not None:
            self.failures += 1
            report_error(error, self._debug)
            problem = Problem(error.code, error.message, error.remedy)
            self._write(task, FAILED, result.seconds, error=problem)
            return
        warnings = json.loads((result.folder / RECORD_FILE).read_text(encoding="utf-8"))["warnings"]
        if not self._quiet:
            for warning in warnings:
                write_line(sys.stderr, f"warning: {task.photo}: {warning['message']}")
        self._write(task, DONE, result.seconds, tuple(warning["code"] for warning in warnings))
        self._announce(result.folder)

    def record_folder(self, folder: Path, error: FaceDetailError) -> None:
        """Report a folder of photos that cannot be used, and write it to the manifest.

        Raises:
            OutputError: the manifest cannot be written.
        """
        self.failures += 1
        report_error(error, self._debug)
        problem = Problem(error.code, error.message, error.remedy)
        self._manifest.append(Entry(str(folder.absolute()), None, FAILED, "", 0.0, (), problem, self._settings_hash))

    def _write(
        self,
        task: Task,
        status: str,
        seconds: float = 0.0,
        warnings: tuple[str, ...] = (),
        error: Problem | None = None,
    ) -> None:
        folder = self._name(self._folder(task))
        photo, *more = (str(path.absolute()) for path in (task.photo, *task.more))
        spent = round(seconds, 3)
        self._manifest.append(
            Entry(photo, task.sha256, status, folder, spent, warnings, error, self._settings_hash, tuple(more))
        )

    def _is_finished(self, task: Task, earlier: Entry | None) -> bool:
        """Whether the folder holds all files of the same photo's result with the same settings."""
        return (
            earlier is not None
            and earlier.status == DONE
            and task.sha256 is not None
            and (earlier.sha256, earlier.settings) == (task.sha256, self._settings_hash)
            and all((self._folder(task) / name).is_file() for name in _files_of(self._specification))
        )

    def _refuse_same_folder(self, task: Task) -> None:
        """Two photos of one run must not write over each other."""
        folder = self._folder(task)
        first = self._first_photo_of.setdefault(same_folder_key(folder), task.photo)
        if first is not task.photo:
            raise OutputError(
                f"{task.photo} would be written over the result of {first}, to {folder}.",
                "Rename one of the two photos, or give them different output folders.",
            )

    def _name(self, folder: Path) -> str:
        return folder.relative_to(self._output).as_posix()

    @staticmethod
    def _folder(task: Task) -> Path:
        return result_folder(task.directory, task.name or task.photo.name)


def settings_hash(specification: JobSpecification) -> str:
    """Hexadecimal, equal for specifications that make equal results of an equal photo."""
    scene = None if specification.scene is None else asdict(specification.scene)
    asked = {"format": FORMAT_VERSION, "settings": asdict(specification.settings), "scene": scene}
    asked |= {"pins": specification.pins} if specification.pins else {}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def report_error(error: FaceDetailError, debug: bool) -> None:
    """Say on standard error what happened and what to do about it."""
    if debug:
        write_line(sys.stderr, "".join(traceback.format_exception(error)).rstrip())
    write_line(sys.stderr, f"error: {error.message}")
    write_line(sys.stderr, f"try: {error.remedy}")


def _files_of(specification: JobSpecification) -> tuple[str, ...]:
    """Files that a complete result has; each folder appears whole or not at all, so a few of them tell."""
    scene = specification.scene
    if scene is None:
        return (RECORD_FILE,)
    asked = {RENDER_FILE: scene.render, LOOKDEV_FILE: scene.lookdev, TURNTABLE_FILE: scene.turntable}
    pictures = (name for name, wanted in asked.items() if wanted)
    export = (EXPORT_FILES[scene.export],) if scene.export else ()
    return (RECORD_FILE, SCENE_FILE, *pictures, *export)
