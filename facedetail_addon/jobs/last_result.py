# SPDX-License-Identifier: GPL-3.0-or-later
"""The last reconstruction, kept so that what changes the scene alone neither computes nor reads anything again."""

from dataclasses import dataclass
from pathlib import Path

from ..core.errors import PhotoError
from ..core.result.files import RECORD_FILE
from .job import Loaded

Key = tuple[object, ...]


@dataclass(frozen=True)
class LastResult:
    """What was asked for, and its result: face model and encoded pictures, 80 to 200 MB.

    Attributes:
        key: of :func:`key_of`. loaded: the result.
        written_ns: when its record was written: another photo of the same name would replace it.
    """

    key: Key
    loaded: Loaded
    written_ns: int

    def answers(self, key: Key) -> bool:
        """Whether the same was asked for, and the result is still that one."""
        return key == self.key and _written_ns(self.loaded.folder) == self.written_ns


def key_of(photo: Path, more_photos: tuple[Path, ...] = (), **choices: object) -> Key:
    """Photos as they are now, and whatever their result depends on.

    Raises:
        PhotoError: there is no such photo.
    """
    versions = []
    for path in (photo, *more_photos):
        try:
            status = path.stat()
        except OSError as error:
            raise PhotoError(f"The photo {path} is not there.", "Choose an image file with a face.") from error
        versions += [path.absolute(), status.st_mtime_ns, status.st_size]
    return (*versions, *sorted(choices.items()))


def remember(key: Key, loaded: Loaded) -> LastResult | None:
    """A result that has just been written; None where it is gone already."""
    written = _written_ns(loaded.folder)
    return None if written is None else LastResult(key, loaded, written)


def _written_ns(folder: Path) -> int | None:
    try:
        return (folder / RECORD_FILE).stat().st_mtime_ns
    except OSError:
        return None
