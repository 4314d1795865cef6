# SPDX-License-Identifier: GPL-3.0-or-later
"""The photos that a command line names, one by one or by folder."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import PhotoError
from ..core.result.files import RECORD_FILE
from ..names import PHOTO_FILTER
from .manifest import MANIFEST_FILE

PHOTO_SUFFIXES = frozenset(pattern.removeprefix("*") for pattern in PHOTO_FILTER.split(";"))
"""What counts as a photo in a folder; a file that is named itself may have any."""
_OWN_OR_SYSTEM = frozenset((MANIFEST_FILE, "thumbs.db", "desktop.ini"))
"""Not spoken of."""
_SHOWN = 5


@dataclass(frozen=True)
class FoundPhoto:
    """A photo, and the folder below the named one in which it was found (``.`` for the named one itself).

    Attributes:
        more: others of the same person. name: of the result folder, that of the photo where empty.
    """

    path: Path
    below: Path = Path()
    more: tuple[Path, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Inputs:
    """What a command line's names stand for.

    Attributes:
        photos: no photo comes twice.
        problems: folders that cannot be used, each with the reason.
        left_out: what lies beside the photos in a folder and is none, a sentence for each folder.
    """

    photos: tuple[FoundPhoto, ...]
    problems: tuple[tuple[Path, PhotoError], ...]
    left_out: tuple[str, ...]


def find_photos(named: Iterable[Path], output: Path, *, recursive: bool = False) -> Inputs:
    """Files as they are named; of folders the image files in them, by name.

    Args:
        named: files and folders. A file need not exist: reading it will say so.
        output: where results go; never searched.
        recursive: folders in folders too, but neither hidden ones nor results.

    Raises:
        PhotoError: the only folders named cannot be read, or hold no photo.
    """
    found: dict[Path, FoundPhoto] = {}
    problems, left_out = [], []
    for path in named:
        photos = [FoundPhoto(path)]
        if path.is_dir():
            try:
                photos, others = _in_folder(path, output, recursive)
            except PhotoError as error:
                problems.append((path, error))
                continue
            left_out += others
        for photo in photos:
            found.setdefault(photo.path.absolute(), photo)
    if problems and not found:
        raise problems[0][1]
    return Inputs(tuple(found.values()), tuple(problems), tuple(left_out))


def find_people(named: Iterable[Path], output: Path) -> Inputs:
    """One person by all files that are named; one by each folder that holds photos; and where a folder holds only
    folders, one by each of these. Each has its result named after the folder.

    Args:
        named, output: as of :func:`find_photos`.

    Raises:
        PhotoError: the only folders named cannot be read, or hold no photo.
    """
    files, people, problems, left_out = [], [], [], []
    for path in named:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            people += _people_in(path, output, left_out)
        except PhotoError as error:
            problems.append((path, error))
    if files:
        first, *more = dict.fromkeys(files)
        people.insert(0, FoundPhoto(first, more=tuple(more)))
    if problems and not people:
        raise problems[0][1]
    return Inputs(tuple(people), tuple(problems), tuple(left_out))


def _people_in(folder: Path, output: Path, left_out: list[str]) -> list[FoundPhoto]:
    try:
        photos, others = _in_folder(folder, output, recursive=False)
        left_out += others
        return [_person(folder, photos)]
    except PhotoError:
        try:
            inner = sorted(path for path in folder.iterdir() if path.is_dir() and _is_source(path, output))
        except OSError as error:
            _refuse(error)
        people = []
        for path in inner:
            try:
                photos, others = _in_folder(path, output, recursive=False)
            except PhotoError:
                left_out.append(f"left out in {folder}, as it holds no photo: {path.name}")
                continue
            left_out += others
            people.append(_person(path, photos))
        if not people:
            raise
        return people


def _person(folder: Path, photos: list[FoundPhoto]) -> FoundPhoto:
    first, *more = (photo.path for photo in photos)
    return FoundPhoto(first, more=tuple(more), name=folder.absolute().name)


def _in_folder(folder: Path, output: Path, recursive: bool) -> tuple[list[FoundPhoto], list[str]]:
    photos, left_out = [], []
    for where, names in _files(folder, output, recursive):
        seen = sorted(name for name in names if not name.startswith("."))
        wanted = [name for name in seen if _is_photo(where / name)]
        photos += [FoundPhoto(where / name, where.relative_to(folder)) for name in wanted]
        others = [name for name in seen if name not in wanted and name.lower() not in _OWN_OR_SYSTEM]
        if others:
            left_out.append(f"left out in {where}, as no photos: {_listed(others)}")
    if not photos:
        remedy = "Name a folder with image files" + (
            "." if recursive else ", or search the folders in it, too, with --recursive."
        )
        raise PhotoError(f"The folder {folder} holds no photo{_but(left_out)}.", remedy)
    return photos, left_out


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES and path.is_file()


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def _but(left_out: list[str]) -> str:
    return f" ({'; '.join(left_out[:_SHOWN])})" if left_out else ""


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
