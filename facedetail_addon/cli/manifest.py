# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of every photo of a run: a text file of one JSON object per line, which only ever grows.

A line is written in one piece when its photo is finished, and is on the disk then. So a crash costs at most the line
it interrupts, and the file says what is left to do.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.errors import OutputError

MANIFEST_FILE = "manifest.jsonl"
DONE, FAILED, SKIPPED = STATUSES = ("done", "failed", "skipped")


@dataclass(frozen=True)
class Problem:
    """Why a photo has no result: a stable word, what happened, and what to do about it."""

    code: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Entry:
    """What became of one photo.

    Attributes:
        photo: its path, or that of a folder that cannot be used.
        sha256: of its content, hexadecimal; None where it could not be read.
        status: ``done``; ``failed``, an older result at its place stays; ``skipped``, done before.
        folder: of its result, as seen from the manifest's folder; empty where ``photo`` is a folder without photos.
        seconds: from its start to its end. warnings: their codes.
        error: where it failed.
        settings: hash of what was asked for, equal for equal settings.
    """

    photo: str
    sha256: str | None
    status: str
    folder: str
    seconds: float
    warnings: tuple[str, ...]
    error: Problem | None
    settings: str


class Manifest:
    """The manifest of an output folder; the file appears with its first line.

    Args:
        directory: the output folder.
    """

    def __init__(self, directory: Path):
        self.path = directory / MANIFEST_FILE

    def append(self, entry: Entry) -> None:
        """Write one line.

        Raises:
            OutputError: it cannot be written.
        """
        line = json.dumps(asdict(entry), allow_nan=False) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a+b", buffering=0) as file:
                file.write(self._line_end(file) + line.encode("ascii"))
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written: {error.strerror or error}.",
                "Choose an output folder that you may write to, on a disk with free space.",
            ) from error

    def finished(self) -> dict[str, Entry]:
        """The last entry of every folder that was not skipped; lines that cannot be read count as never written.

        Raises:
            OutputError: the file is there and cannot be read.
        """
        try:
            lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be read: {error.strerror or error}.", "Choose a folder that you may read."
            ) from error
        entries = (entry for entry in map(_parsed, lines) if entry is not None and entry.status != SKIPPED)
        return {entry.folder: entry for entry in entries if entry.folder}

    @staticmethod
    def _line_end(file) -> bytes:
        """What ends the line that a crash has left."""
        if file.seek(0, os.SEEK_END) == 0:
            return b""
        file.seek(-1, os.SEEK_END)
        return b"" if file.read(1) == b"\n" else b"\n"


def content_hash(path: Path) -> str | None:
    """SHA-256 of a file, hexadecimal; None where there is no file to read."""
    if not path.is_file():
        return None
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _parsed(line: bytes) -> Entry | None:
    try:
        fields = json.loads(line)
        problem = fields["error"] and Problem(**fields["error"])
        entry = Entry(**{**fields, "warnings": tuple(fields["warnings"]), "error": problem})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return entry if entry.status in STATUSES and isinstance(entry.folder, str) else None
