# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos and results as bytes, for machines that share no folder: what is sent is names and bytes, nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.errors import OutputError
from ..core.io.atomic_directory import atomic_directory
from ..core.result.files import OBSERVATION_FILE, RECORD_FILE, RESULT_FILES, SCENE_FILE, VERTICES_FILE
from ..core.result.record import MORE_OBSERVATIONS
from .messages import Reconstruct
from .tasks import folder_of

Files = dict[str, bytes]
"""By names without folders."""
_FIT_FILES = (VERTICES_FILE, OBSERVATION_FILE, *MORE_OBSERVATIONS)
"""With the record, what a person's next photo begins with."""


def pack(request: Reconstruct) -> dict[str, Any]:
    """What another machine needs for a request: its photos, and what it has to know of the result that is there.

    A photo that cannot be read is left out: reading it there says so.
    """
    photos = [_content(path) for path in _photos(request)]
    return {"photos": photos, "earlier": _earlier(request)}


@dataclass(frozen=True)
class Unpacked:
    """A request whose photos lie in a temporary folder; once it is done, so does its result.

    Attributes:
        request: with the paths here. asked: with the paths of the machine that asks.
    """

    request: Reconstruct
    asked: Reconstruct

    def result(self) -> Files:
        """The result's files; none where an older one on the asking machine is to stay."""
        folder = folder_of(self.request)
        scene = folder / SCENE_FILE
        if scene.is_file() and scene.stat().st_size == 0:  # as it was laid out
            return {}
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    def in_their_words(self, text: str) -> str:
        """A sentence with the paths that the asking machine knows."""
        here, there = (
            (*map(str, _photos(request)), str(folder_of(request)), request.output)
            for request in (self.request, self.asked)
        )
        for ours, theirs in zip(here, there, strict=True):
            text = text.replace(ours, theirs)
        return text


def unpack(request: Reconstruct, parcel: dict[str, Any], scratch: Path) -> Unpacked:
    """Lay out what :func:`pack` has packed in an empty folder."""
    photos = []
    for number, (path, content) in enumerate(zip(_photos(request), parcel["photos"], strict=True)):
        place = scratch / f"photo{number}" / path.name  # photos of several folders may have the same name
        place.parent.mkdir()
        if content is not None:
            place.write_bytes(content)
        photos.append(str(place))
    output = scratch / "results"
    output.mkdir()
    here = replace(request, photo=photos[0], more_photos=tuple(photos[1:]), output=str(output))
    if parcel["earlier"]:
        folder_of(here).mkdir()
        for name, content in parcel["earlier"].items():
            (folder_of(here) / name).write_bytes(content)
    return Unpacked(here, request)


def write_result_files(files: Files, folder: Path) -> None:
    """Write a result that came as bytes, whole or not at all.

    Raises:
        OutputError: it cannot be written, or it is no result.
    """
    unknown = sorted(set(files) - RESULT_FILES)
    if unknown or RECORD_FILE not in files:
        problem = f"there is {unknown[0]!r} in it" if unknown else f"it lacks {RECORD_FILE}"
        raise OutputError(f"What came for {folder} is no result: {problem}.", "Look after the worker that sent it.")
    with atomic_directory(folder, RESULT_FILES, marker=RECORD_FILE) as unfinished:
        for name, content in files.items():
            (unfinished / name).write_bytes(content)


def _earlier(request: Reconstruct) -> Files:
    """Files of the result that is there: whether it has a scene decides what becomes of a failed one; its fit is where
    a person's added photo begins."""
    folder = folder_of(request)
    record = _content(folder / RECORD_FILE)
    if record is None:
        return {}
    wanted = _FIT_FILES if request.more_photos else ()
    found = ((name, _content(folder / name)) for name in wanted)
    scene = {SCENE_FILE: b""} if (folder / SCENE_FILE).is_file() else {}
    return {RECORD_FILE: record, **{name: content for name, content in found if content is not None}, **scene}


def _photos(request: Reconstruct) -> Iterator[Path]:
    return map(Path, (request.photo, *request.more_photos))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
