# SPDX-License-Identifier: GPL-3.0-or-later
"""Two checkouts of FaceDetail in turn, as a whole from the command line: seconds, memory and bytes.

    FACEDETAIL_DATA=… python -m scripts.benchmark.speed.pairs CHECKOUT [--rounds 3] [--photos 4] [--quick]

Each case does the same photos with CHECKOUT and with this one, by turns, as often as there are rounds. *Cold* is from
the command to the first result, *warm* the time from one result to the next; both are medians, and so are the ratios
of pairs. *Peak* is the highest resident memory of any process, *bytes* what a result takes on the disk. An older
checkout knows no ``--quality``: then it has nothing to refine, and both that are left out say so. ``scene`` needs the
``bpy`` module. ``--quick``: 1024 texels alone. The last line is JSON.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from skimage import data

from scripts.harness import benchmark, benchmark_arguments, data_folder_if_set, progress, table

ROOT = Path(__file__).parents[3]
CASES = {
    "1024, not refined": ("reconstruct", "--resolution", "1024", "--quality", "draft"),
    "2048, not refined": ("reconstruct", "--resolution", "2048", "--quality", "draft"),
    "2048, standard": ("reconstruct", "--resolution", "2048"),
    "scene, 2048, not refined": ("scene", "--resolution", "2048", "--quality", "draft"),
}


@dataclass(frozen=True)
class Run:
    """One run of one checkout; ``warm_s``: None with a single photo."""

    cold_s: float
    warm_s: float | None
    cpu_s: float
    peak_mb: float
    megabytes: float


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every case, both checkouts in turn."""
    portraits, rows, figures = photos(options.photos), [], {}
    for name, arguments in list(CASES.items())[: 1 if options.quick else None]:
        pairs = []
        for number in range(options.rounds):
            pairs.append([once(checkout, arguments, portraits) for checkout in (options.checkout, ROOT)])
            progress(f"{name}: round {number + 1} of {options.rounds}")
        for what in asdict(pairs[0][0]):
            values = [[getattr(each, what) for each in pair] for pair in pairs]
            if None in values[0]:
                continue
            before, after = (statistics.median(column) for column in zip(*values, strict=True))
            ratio = statistics.median(one / other for one, other in values)
            rows.append((name, what, f"{before:.4g}", f"{after:.4g}", f"{ratio:.2f}"))
            figures[f"{name}: {what}"] = {"before": before, "after": after, "ratio": ratio}
    return table(("case", "", "before", "after", "before / after"), rows), figures


def once(checkout: Path, arguments: tuple[str, ...], portraits: list[Path]) -> Run:
    """The photos with a checkout, one after the other in one warm worker."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    with tempfile.TemporaryDirectory() as output:
        action, *more = arguments
        command = [
            sys.executable,
            "-m",
            "facedetail_addon",
            action,
            *map(str, portraits),
            "--output",
            output,
            "--quiet",
        ]
        if "--quality" in more and not _knows_quality(checkout, environment):
            at = more.index("--quality")
            del more[at : at + 2]
        begun, times = time.perf_counter(), []
        child = subprocess.Popen(
            [*command, *more],
            cwd=checkout,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with child.stdout as lines:
            times.extend(time.perf_counter() for _ in lines)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode or len(times) != len(portraits):
            raise RuntimeError(f"{checkout}: {len(times)} of {len(portraits)} photos, exit status {child.returncode}")
        size = sum(file.stat().st_size for file in Path(output).rglob("*") if file.is_file())
    gaps = [after - before for before, after in zip(times[:-1], times[1:], strict=True)]
    return Run(
        cold_s=times[0] - begun,
        warm_s=statistics.median(gaps) if gaps else None,
        cpu_s=used.ru_utime + used.ru_stime,
        peak_mb=used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3),
        megabytes=size / len(portraits) / 1e6,
    )


def photos(count: int) -> list[Path]:
    """Portraits, or as many copies of scikit-image's astronaut as there can be of one name: one."""
    folder = data_folder_if_set()
    found = sorted(folder.glob("london/neutral/*.jpg"))[:count] if folder else []
    return found or [Path(data.__file__).parent / "astronaut.png"]


def _knows_quality(checkout: Path, environment: dict[str, str]) -> bool:
    command = [sys.executable, "-m", "facedetail_addon", "reconstruct", "--help"]
    told = subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True, text=True)
    return "--quality" in told.stdout


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "1024 texels alone", jobs=False)
    parser.add_argument("checkout", type=Path, help="the other checkout's folder")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs of each case")
    parser.add_argument("--photos", type=int, default=4, help="photos of each run")
    benchmark(run, parser)
