# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of Epic's Live Link Face: CSV files with a timecode and ARKit's blend shapes in each row.

A file is not trusted: its size, its columns, every row and every number are checked before any of it is used.
"""

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import PerformanceError
from .arkit import ARKIT_NAMES

ROTATION_COLUMNS = ("HeadYaw", "HeadPitch", "HeadRoll")
RATES = (24, 25, 30, 48, 50, 60)
"""Frames a second of timecodes; drop-frame ones are counted as these are."""
MOST_BYTES, MOST_ROWS = 512 * 2**20, 500_000
"""Two hours at 60 frames a second have 432,000 rows."""
_LONGEST_LINE = 8192
_PROGRESS_ROWS = 2000
_TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d{1,6})?)", re.ASCII)
_WEIGHTS = (-0.5, 2.0)  # beyond is no blend shape; between they are cut to 0 to 1
_RADIANS = 2 * np.pi
_DAY_S = 24 * 3600
_MOST_DAMAGED = 0.5
_REMEDY = "Export the take from Live Link Face again, as CSV."


@dataclass(frozen=True)
class Performance:
    """What a recording holds.

    Attributes:
        seconds: (N,) float64 since its first frame, ascending.
        weights: (N, 52) float32, 0 to 1, in the order of ``ARKIT_NAMES``.
        rotation: (N, 3) float32 rad, yaw, pitch and roll of the head; None where the file has none.
        rate: frames a second of its timecode.
        damaged: how many rows were left out.
    """

    seconds: np.ndarray
    weights: np.ndarray
    rotation: np.ndarray | None
    rate: int
    damaged: int

    def from_neutral(self) -> "Performance":
        """Counted from its first frame, in which the actor's face is at rest."""
        rest = np.minimum(self.weights[0], 0.95)
        weights = np.clip((self.weights - rest) / (1 - rest), 0, 1)
        rotation = None if self.rotation is None else self.rotation - self.rotation[0]
        return Performance(self.seconds, weights, rotation, self.rate, self.damaged)


def read_performance(path: Path) -> Generator[float, None, Performance]:
    """Read a CSV file of Live Link Face, pausing between parts of some milliseconds.

    Yields:
        the share of the file that is read.

    Raises:
        PerformanceError: it cannot be read, is none, lacks columns, is too large, or most of it is damaged.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise PerformanceError(
                f"{path.name} has {size / 2**20:.0f} MB; takes have up to {MOST_BYTES // 2**20}.", "Cut the take."
            )
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            columns, width = _columns(path, file.readline(_LONGEST_LINE))
            times, rows, damaged, done = [], [], 0, 0
            while line := file.readline(_LONGEST_LINE):
                row = _row(line, columns, width)
                if row is None:
                    damaged += bool(line.strip())
                else:
                    times.append(row[0])
                    rows.append(row[1])
                done += len(line)
                if len(rows) + damaged > MOST_ROWS:
                    raise PerformanceError(f"{path.name} has more than {MOST_ROWS:,} frames.", "Cut the take.")
                if (len(rows) + damaged) % _PROGRESS_ROWS == 0:
                    yield min(done / max(size, 1), 1.0)
    except OSError as error:
        raise PerformanceError(f"{path} cannot be read: {error.strerror or error}.", "Choose another file.") from error
    return _performance(
        path, np.array(times, np.float64).reshape(-1, 2), rows, damaged, len(columns) > len(ARKIT_NAMES)
    )


def _columns(path: Path, header: str) -> tuple[list[int], int]:
    """Where the blend shapes are, then those of the head's rotation, and how many columns a row has."""
    names = [name.strip().lower() for name in header.split(",")]
    places = {name: index for index, name in enumerate(names)}
    if names[0] != "timecode":
        raise PerformanceError(f"{path.name} is no CSV file of Live Link Face: it has no Timecode.", _REMEDY)
    if len(places) < len(names):
        raise PerformanceError(f"{path.name} has a column twice.", _REMEDY)
    lacking = [name for name in ARKIT_NAMES if name.lower() not in places]
    if lacking:
        named = ", ".join(name[0].upper() + name[1:] for name in lacking[:4]) + (" …" if len(lacking) > 4 else "")
        raise PerformanceError(f"{path.name} lacks {len(lacking)} of the 52 blend shapes: {named}.", _REMEDY)
    wanted = [*ARKIT_NAMES]
    if all(name.lower() in places for name in ROTATION_COLUMNS):
        wanted += ROTATION_COLUMNS
    return [places[name.lower()] for name in wanted], len(names)


def _row(line: str, columns: list[int], width: int) -> tuple[tuple[float, float], np.ndarray] | None:
    """Whole seconds and frame of a row, and its numbers; None where anything of it is not what it should be."""
    cells = line.strip().split(",")
    found = _TIMECODE.fullmatch(cells[0].strip())
    if len(cells) != width or found is None:
        return None
    hours, minutes, seconds = (int(found[index]) for index in (1, 2, 3))
    frame = float(found[4])
    if hours > 23 or minutes > 59 or seconds > 59 or frame >= RATES[-1]:
        return None
    try:
        values = np.array([cells[index] for index in columns], np.float32)
    except ValueError:
        return None
    weights, angles = values[: len(ARKIT_NAMES)], values[len(ARKIT_NAMES) :]
    in_range = ((weights >= _WEIGHTS[0]) & (weights <= _WEIGHTS[1])).all() and (np.abs(angles) <= _RADIANS).all()
    return ((3600 * hours + 60 * minutes + seconds, frame), values) if in_range else None  # NaN is in no range


def _performance(path: Path, times: np.ndarray, rows: list[np.ndarray], damaged: int, turns: bool) -> Performance:
    if len(rows) < 2 or damaged > _MOST_DAMAGED * (damaged + len(rows)):
        raise PerformanceError(
            f"{path.name} has {len(rows)} frames that can be used, and {damaged} damaged ones.", _REMEDY
        )
    rate = next(rate for rate in RATES if times[:, 1].max() < rate)
    seconds = times[:, 0] + times[:, 1] / rate
    midnight = np.diff(seconds) < -_DAY_S / 2
    seconds[1:] += _DAY_S * np.cumsum(midnight)
    seconds -= seconds[0]
    # A frame that is not after all those before it has a damaged timecode, or is there twice.
    after = np.concatenate([[True], seconds[1:] > np.maximum.accumulate(seconds)[:-1]])
    values = np.stack(rows)[after]
    if len(values) < 2 or (~after).mean() > _MOST_DAMAGED:
        raise PerformanceError(f"The timecodes of {path.name} do not go on from row to row.", _REMEDY)
    shapes = len(ARKIT_NAMES)
    return Performance(
        seconds[after],
        np.clip(values[:, :shapes], 0, 1),
        values[:, shapes:] if turns else None,
        rate,
        damaged + int((~after).sum()),
    )
