# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a worker that does one photo after the other grows.

    FACEDETAIL_DATA=… python -m scripts.benchmark.speed.batch_memory [--photos 200] [--resolution 1024] [--minutes M]

All portraits of the data folder, one of each kind in turn, through one worker that stays warm. Prints
how much memory it holds when it waits after 20, 60, 100 and 200 photos, the most that it held while it worked, and how
many megabytes it grows by in a hundred photos, by least squares from the tenth photo on. The last line is JSON.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facedetail_addon.jobs.messages import Done, Failed, Reconstruct
from facedetail_addon.jobs.runner import Worker
from facedetail_addon.paths import site_directories
from facedetail_addon.settings import Settings
from scripts.harness import benchmark, benchmark_arguments, data_folder, progress, table

SHOWN = (1, 20, 60, 100, 200)
_FOLDERS = ("london/neutral", "synthetic_portraits", "official_portraits", "canada", "london/smiling")
_WARM = 10  # photos until all that is loaded once has been
_QUICK = 6
_PAUSE_S = 0.02


def portraits(data: Path) -> Iterator[Path]:
    """For ever, one of each folder in turn."""
    folders = [itertools.cycle(sorted((data / name).glob("*.jpg"))) for name in _FOLDERS]
    return (next(folder) for folder in itertools.cycle(folders))


def memory_mb(pid: int) -> tuple[float, float]:
    """What a process holds, and the most that it has held (Linux)."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return tuple(int(lines[name].split()[0]) / 1e3 for name in ("VmRSS", "VmHWM"))


def growth(numbers: list[int], held_mb: list[float]) -> float:
    """MB in a hundred photos, of those from the tenth on, or of all where there are fewer than twice as many."""
    start = _WARM if len(numbers) >= 2 * _WARM else 0
    return 100 * float(np.polyfit(numbers[start:], held_mb[start:], 1)[0]) if len(numbers) > 1 else 0.0


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Lines and figures."""
    count = _QUICK if options.quick else options.photos
    until = time.monotonic() + 60 * options.minutes
    worker = Worker(site_directories(sys.path))
    numbers, held, most, failed = [], [], 0.0, 0
    with tempfile.TemporaryDirectory() as output:
        try:
            for number, photo in enumerate(itertools.islice(portraits(data_folder("portraits")), count), 1):
                if time.monotonic() > until:
                    break
                settings = Settings(resolution=options.resolution)
                files = {"photo": str(photo), "output": output, "assets": output, "name": "result"}
                worker.submit(Reconstruct, **files, settings=settings)
                failed += not _finished(worker)
                now, most = memory_mb(worker.pid)
                numbers.append(number)
                held.append(now)
                progress(f"{number} photos: {now:.0f} MB")
        finally:
            worker.close()
    figures = {f"after_{number}_mb": held[number - 1] for number in SHOWN if number <= len(held)}
    figures |= {"most_mb": most, "growth_mb_per_100": growth(numbers, held), "photos": len(held), "failed": failed}
    return table(("", ""), [(name, f"{value:.4g}") for name, value in figures.items()]), figures


def _finished(worker: Worker) -> bool:
    """Whether the job under way ends well."""
    while True:
        for reply in worker.poll():
            if isinstance(reply, Done | Failed):
                return isinstance(reply, Done)
        time.sleep(_PAUSE_S)


def main() -> None:
    parser = benchmark_arguments(__doc__, f"{_QUICK} photos", jobs=False)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--minutes", type=float, default=1e4, help="begin no photo after so long")
    benchmark(run, parser)


if __name__ == "__main__":
    main()
