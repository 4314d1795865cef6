# SPDX-License-Identifier: GPL-3.0-or-later
"""The last reconstruction's folder, so that what changes the scene alone needs no second reconstruction."""

from dataclasses import dataclass
from pathlib import Path

from ..core.errors import PhotoError
from ..core.result_files import RECORD_FILE

Key = tuple[object, ...]


@dataclass(frozen=True)
class LastResult:
    """What was asked for, and where its result lies.

    Attributes:
        key: of :func:`key_of`. folder: of the result.
        written_ns: when its record was written: another photo of the same name would replace it.
    """

    key: Key
    folder: Path
    written_ns: int

    def answers(self, key: Key) -> bool:
        """Whether the same was asked for, and the result is still that one."""
        return key == self.key and _written_ns(self.folder) == self.written_ns


def key_of(photo: Path, **choices: object) -> Key:
    """A photo as it is now, and whatever its result depends on.

    Raises:
        PhotoError: there is no such photo.
    """
    try:
        status = photo.stat()
    except OSError as error:
        raise PhotoError(f"The photo {photo} is not there.", "Choose an image file with a face.") from error
    return (photo.absolute(), status.st_mtime_ns, status.st_size, *sorted(choices.items()))


def remember(key: Key, folder: Path) -> LastResult | None:
    """A result that has just been written; None where it is gone already."""
    written = _written_ns(folder)
    return None if written is None else LastResult(key, folder, written)


def _written_ns(folder: Path) -> int | None:
    try:
        return (folder / RECORD_FILE).stat().st_mtime_ns
    except OSError:
        return None
