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
        sha256: of its content, hexadecimal, or of all photos'; None where it could not be read.
        status: ``done``; ``failed``, an older result at its place stays; ``skipped``, done before.
        folder: of its result, as seen from the manifest's folder; empty where ``photo`` is a folder without photos.
        seconds: from its start to its end. warnings: their codes.
        error: where it failed.
        settings: hash of what was asked for, equal for equal settings.
        more_photos: paths of other photos of the same person.
    """

    photo: str
    sha256: str | None
    status: str
    folder: str
    seconds: float
    warnings: tuple[str, ...]
    error: Problem | None
    settings: str
    more_photos: tuple[str, ...] = ()


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


def content_hash(*paths: Path) -> str | None:
    """SHA-256 of a file, hexadecimal, or of those of several; None where there is no file to read."""
    digests = []
    for path in paths:
        if not path.is_file():
            return None
        try:
            with open(path, "rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError:
            return None
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _parsed(line: bytes) -> Entry | None:
    try:
        fields = json.loads(line)
        problem = fields["error"] and Problem(**fields["error"])
        several = {"warnings": tuple(fields["warnings"]), "more_photos": tuple(fields.get("more_photos", ()))}
        entry = Entry(**{**fields, **several, "error": problem})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return entry if entry.status in STATUSES and isinstance(entry.folder, str) else None
