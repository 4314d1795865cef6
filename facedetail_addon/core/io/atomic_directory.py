# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that appear whole or not at all."""

import glob
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError

_NAME_PART = 40
_FORGOTTEN_S = 24 * 3600.0
_ATTEMPTS = 3
_ANY = "0unique0"
_FILES = "facedetail"
"""After this the hidden folder of files is named that have no folder of their own."""
_LEFT_BY_FILE_BROWSERS = frozenset((".DS_Store", "Thumbs.db", "desktop.ini"))
_REMEDY = "Choose an output folder that you may write to, on a disk with free space."


@contextmanager
def atomic_directory(target: Path, own_files: frozenset[str], marker: str, what: str = "result") -> Iterator[Path]:
    """Fill a temporary sibling; when the block ends well it becomes ``target``, else it is removed.

    A folder already there is replaced only when it holds ``marker`` and nothing but ``own_files``, or is empty.

    Args:
        target: the folder to make; missing parents are made too.
        own_files: the names that may be replaced.
        marker: the file that tells a folder of ours.
        what: what messages call the folder's content.

    Raises:
        OutputError: the folder may not be replaced, or cannot be written.
    """
    unique = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    temporary = target.with_name(_hidden_name(target, unique, "partial"))
    previous = target.with_name(_hidden_name(target, unique, "previous"))
    try:
        _check_replaceable(target, own_files, marker, what)
        target.parent.mkdir(parents=True, exist_ok=True)
        _discard_forgotten(target)
        temporary.mkdir()
        yield temporary
        _check_replaceable(target, own_files, marker, what)
        if target.exists():
            target.rename(previous)
        temporary.rename(target)
    except OSError as error:
        raise OutputError(f"The {what} cannot be written to {target}: {error.strerror or error}.", _REMEDY) from error
    finally:
        _tidy(target, [temporary], [previous])


@contextmanager
def atomic_files(folder: Path, what: str) -> Iterator[Path]:
    """Fill a hidden folder inside another; when the block ends well its files move up, else it is removed.

    Files of the same names are replaced, one after the other.

    Args:
        folder: an existing folder, with other files perhaps.
        what: what messages call the files.

    Raises:
        OutputError: the folder cannot be written to.
    """
    target = folder / _FILES
    temporary = target.with_name(_hidden_name(target, f"{os.getpid()}-{uuid.uuid4().hex[:8]}", "partial"))
    try:
        _discard_forgotten(target)
        temporary.mkdir()
        yield temporary
        for path in sorted(temporary.iterdir()):
            path.replace(folder / path.name)
    except OSError as error:
        raise OutputError(f"The {what} cannot be written to {folder}: {error.strerror or error}.", _REMEDY) from error
    finally:
        _tidy(target, [temporary], [])


def discard_half_made_files(folder: Path, process: int) -> None:
    """Tidy up after a process, by its id, that was killed in :func:`atomic_files`."""
    discard_half_written(folder / _FILES, process)


def discard_half_written(target: Path, process: int | None = None) -> None:
    """Tidy up after a process that was killed while it wrote ``target``: an older result is put back.

    Args:
        process: its id, where others may be writing to the same place; None: whoever it was.
    """
    whose = "*" if process is None else f"{process}-*"
    temporary, previous = (
        list(target.parent.glob(glob.escape(_hidden_name(target, _ANY, kind)).replace(_ANY, whose)))
        for kind in ("partial", "previous")
    )
    _tidy(target, temporary, previous)


def _discard_forgotten(target: Path) -> None:
    """What processes left that nobody could tidy up after, as when the power failed."""
    for folder in target.parent.glob(glob.escape(_hidden_name(target, _ANY, "partial")).replace(_ANY, "*")):
        if time.time() - folder.stat().st_mtime > _FORGOTTEN_S:
            shutil.rmtree(folder, ignore_errors=True)


def _hidden_name(target: Path, unique: str, kind: str) -> str:
    """Only a part of the target's name, because file systems limit names to 255 bytes."""
    return f".{target.name[:_NAME_PART]}.{unique}.{kind}"


def _tidy(target: Path, temporary: list[Path], previous: list[Path]) -> None:
    for folder in previous:
        if folder.exists() and not target.exists():
            with suppress(OSError):  # another writer's may have come meanwhile
                folder.rename(target)
    for folder in temporary + [folder for folder in previous if target.exists()]:
        for _ in range(_ATTEMPTS):  # another thread of a process that is about to end may still write
            if folder.exists():
                shutil.rmtree(folder, ignore_errors=True)


def _check_replaceable(target: Path, own_files: frozenset[str], marker: str, what: str) -> None:
    if not target.exists():
        return
    elsewhere = "Choose another output folder, or move what is in the way."
    if not target.is_dir():
        raise OutputError(f"{target} is in the way: it is not a folder.", elsewhere)
    names = {entry.name for entry in target.iterdir()}
    external = sorted(names - own_files - _LEFT_BY_FILE_BROWSERS)
    if external:
        raise OutputError(f"{target} is not replaced, because it holds other files, such as {external[0]}.", elsewhere)
    if names and marker not in names:
        raise OutputError(f"{target} is not replaced, because it is not a {what} of FaceDetail.", elsewhere)
