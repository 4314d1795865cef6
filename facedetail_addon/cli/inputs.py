# SPDX-License-Identifier: GPL-3.0-or-later
"""The photos that a command line names, one by one or by folder."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import PhotoError
from ..core.result.files import RECORD_FILE
from ..names import PHOTO_FILTER

PHOTO_SUFFIXES = frozenset(pattern.removeprefix("*") for pattern in PHOTO_FILTER.split(";"))
"""What counts as a photo in a folder; a file that is named itself may have any."""


@dataclass(frozen=True)
class FoundPhoto:
    """A photo, and the folder below the named one in which it was found (``.`` for the named one itself)."""

    path: Path
    below: Path = Path()


def find_photos(named: Iterable[Path], output: Path, *, recursive: bool = False) -> list[FoundPhoto]:
    """Files as they are named; of folders the image files in them, by name. No photo comes twice.

    Args:
        named: files and folders. A file need not exist: reading it will say so.
        output: where results go; never searched.
        recursive: folders in folders too, but neither hidden ones nor results.

    Raises:
        PhotoError: a folder cannot be read, or holds no photo.
    """
    found: dict[Path, FoundPhoto] = {}
    for path in named:
        photos = _in_folder(path, output, recursive) if path.is_dir() else [FoundPhoto(path)]
        for photo in photos:
            found.setdefault(photo.path.absolute(), photo)
    return list(found.values())


def _in_folder(folder: Path, output: Path, recursive: bool) -> list[FoundPhoto]:
    photos = []
    for where, names in _files(folder, output, recursive):
        below = where.relative_to(folder)
        wanted = (name for name in names if not name.startswith(".") and Path(name).suffix.lower() in PHOTO_SUFFIXES)
        photos += [FoundPhoto(where / name, below) for name in sorted(wanted) if (where / name).is_file()]
    if not photos:
        remedy = "Name a folder with image files" + (
            "." if recursive else ", or search the folders in it, too, with --recursive."
        )
        raise PhotoError(f"The folder {folder} holds no photo.", remedy)
    return photos


def _files(folder: Path, output: Path, recursive: bool) -> Iterator[tuple[Path, list[str]]]:
    """The folders to search, each with its files' names."""
    for where, folders, names in os.walk(folder, onerror=_refuse):
        yield Path(where), names
        folders[:] = sorted(name for name in folders if recursive and _is_source(Path(where, name), output))


def _is_source(folder: Path, output: Path) -> bool:
    is_output = output.exists() and folder.samefile(output)
    return not (folder.name.startswith(".") or is_output or (folder / RECORD_FILE).exists())


def _refuse(error: OSError) -> None:
    raise PhotoError(
        f"The folder {error.filename} cannot be read: {error.strerror}.", "Choose a folder that you may read."
    ) from error
