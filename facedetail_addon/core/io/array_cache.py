# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays that are slow to make and quick to read, kept in a folder across sessions.

Nothing depends on it but time: what is missing, damaged or of something else is made anew, and a folder that cannot be
written to, or a full disk, only means that nothing is kept. The artist hears of neither; the log does, at its level
for debugging.
"""

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .archive import declared_arrays, read_arrays, write_arrays

CACHE = "cache"
"""The folder's name in the user's."""
MOST_BYTES = 512 << 20
"""Of all files of the folder together; those that were not used for longest go first."""
_KEY = "made_from"
_FORGOTTEN_S = 24 * 3600.0
_LOG = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class ArrayCache:
    """Files ``<name>-<key>.npz``.

    Attributes:
        folder: nothing else lies there; None: nothing is kept.
        key: hexadecimal digest of all that the arrays are made from, their makers included.
        most_bytes: of the folder, and of a file.
    """

    folder: Path | None
    key: str
    most_bytes: int = MOST_BYTES

    def arrays(self, name: str, make: Callable[[], Arrays], check: Callable[[Arrays], None]) -> Arrays:
        """What ``make`` gives, or gave another time.

        Args:
            check: raises ValueError, KeyError or IndexError where arrays of a file are not what they should be.
        """
        if self.folder is None:
            return make()
        path = self.folder / f"{name}-{self.key[:16]}.npz"
        found = self._read(path, check)
        if found is None:
            found = make()
            self._write(path, found)
        return found

    def _read(self, path: Path, check: Callable[[Arrays], None]) -> Arrays | None:
        try:
            if not path.is_file():
                return None
            declared = declared_arrays(path)
            if sum(np.prod(shape, dtype=float) * kind.itemsize for shape, kind in declared.values()) > self.most_bytes:
                raise ValueError("it is too large")
            arrays = read_arrays(path, max_bytes=self.most_bytes)
            if str(arrays.pop(_KEY)) != self.key:
                raise ValueError("it was made from something else")
            check(arrays)
        except (OSError, ValueError, LookupError) as error:
            _LOG.debug("%s is made anew: %s", path, error)
            return None
        _used(path)
        return arrays

    def _write(self, path: Path, arrays: Arrays) -> None:
        try:
            write_arrays(path, {**arrays, _KEY: np.array(self.key)})
            self._limit(path)
        except OSError as error:
            _LOG.debug("%s is not kept: %s", path, error)

    def _limit(self, newest: Path) -> None:
        """Remove what processes left that were killed, and what was not used for longest."""
        entries, total = [], 0
        for path in self.folder.iterdir():
            try:
                entries.append((path.stat().st_mtime, path.stat().st_size, path))
            except FileNotFoundError:  # another process has tidied up
                continue
        for changed, size, path in sorted(entries, reverse=True):
            total += size
            half_written = path.name.startswith(".")
            if path != newest and (time.time() - changed > _FORGOTTEN_S if half_written else total > self.most_bytes):
                path.unlink(missing_ok=True)


def _used(path: Path) -> None:
    with suppress(OSError):  # of another user, or read-only
        os.utime(path)
