# SPDX-License-Identifier: GPL-3.0-or-later
"""How much faster several workers are than one, and what many hold of the memory.

    FACEDETAIL_DATA=… python -m scripts.benchmark.speed.workers [--resolution 1024] [--photos 4] [--many 8] [--quick]

*Throughput*: warm workers of one thread each, which all do the same photos: one alone, then as many at once as there
are processor cores (``--workers``), in turn, as often as there are rounds. The efficiency is the time of the one over
that of all: 1 where N workers do N times as much. Processor time, page faults and waits tell where it is lost:
processor time that grows waits for the memory or shares a core, and who is often without a processor wants more of
them than there are. Only right on a machine that does nothing else, which the load before each round shows.

*Memory* (Linux): ``--many`` workers at once at 2048 texels, and their proportional memory together at the highest, of
which the pages that they share count once. ``--quick``: no memory, two photos at 1024 texels. The last line is JSON.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from facedetail_addon.jobs.messages import Failed, Reconstruct
from facedetail_addon.jobs.runner import Worker
from facedetail_addon.paths import site_directories
from facedetail_addon.settings import Settings
from scripts.benchmark.speed.pairs import photos
from scripts.harness import benchmark, benchmark_arguments, progress, table

MEMORY_SIDE = 2048
_QUICK_PHOTOS = 2
_PAUSE_S = 0.01
_LOOK_S = 0.25  # between two looks at the memory, which the kernel sums up page by page
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Spent:
    """By one worker, of /proc: seconds of the processor, page faults, and how often it had to let go of a processor."""

    user_s: float
    system_s: float
    faults: float
    pushed_off: float

    def since(self, before: "Spent") -> "Spent":
        """What was added."""
        return Spent(*(now - then for now, then in zip(vars(self).values(), vars(before).values(), strict=True)))


def spent(pid: int) -> Spent:
    """So far, by a process and its threads."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    tasks = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    off = sum(int(text.split("nonvoluntary_ctxt_switches:")[1].split()[0]) for text in tasks)
    return Spent(int(stat[11]) / _TICKS, int(stat[12]) / _TICKS, int(stat[7]), off)


def proportional_mb(pid: int) -> float:
    """Of a process, each page divided by how many processes have it."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.split("Pss:")[1].split()[0]) / 1e3


@contextmanager
def started(count: int) -> Iterator[list[Worker]]:
    """Workers of one thread."""
    workers = [Worker(site_directories(sys.path), threads=1) for _ in range(count)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.close()


def at_work(workers: list[Worker], portraits: list[Path], resolution: int, watch: bool = False) -> tuple[float, float]:
    """Seconds until each worker has done all photos, and the most MB that they held together, 0 if nobody watches."""
    begun, most, looked = time.perf_counter(), 0.0, 0.0
    waiting = {worker: list(portraits) for worker in workers}
    with tempfile.TemporaryDirectory() as output:
        while any(waiting.values()) or any(worker.busy for worker in workers):
            for number, worker in enumerate(workers):
                failed = [reply for reply in worker.poll() if isinstance(reply, Failed)]
                if failed:
                    raise RuntimeError(f"A photo failed: {failed[0].message}")
                if not worker.busy and waiting[worker]:
                    folder = str(Path(output) / str(number))
                    fields = {"photo": str(waiting[worker].pop(0)), "output": folder, "assets": output}
                    worker.submit(Reconstruct, name="result", settings=Settings(resolution=resolution), **fields)
            if watch and time.perf_counter() - looked > _LOOK_S:
                looked = time.perf_counter()
                most = max(most, sum(proportional_mb(worker.pid) for worker in workers if worker.pid))
            time.sleep(_PAUSE_S)
        return time.perf_counter() - begun, most


def throughput(options: argparse.Namespace, portraits: list[Path]) -> tuple[list[str], dict[str, float]]:
    """One worker alone and all at once, by turns."""
    rows, ratios = [], []
    with started(options.workers) as workers:
        at_work(workers, portraits[:1], options.resolution)  # they load what they need
        for round_ in range(options.rounds):
            progress(f"round {round_ + 1}: load {os.getloadavg()[0]:.2f}")
            alone, one = _measured(workers[:1], portraits, options.resolution)
            together, each = _measured(workers, portraits, options.resolution)
            ratios.append(alone / together)
            for name, seconds, used in (("1", alone, one), (str(len(workers)), together, each)):
                values = f"{seconds:.2f}", f"{used.user_s:.2f}", f"{used.system_s:.2f}", f"{used.faults:.3g}"
                rows.append((name, *values, f"{used.pushed_off:.3g}"))
    head = "workers", "s", "user s", "system s", "page faults", "times without a processor"
    efficiency = statistics.median(ratios)
    lines = [*table(head, rows), "", f"{options.workers} workers do {efficiency * options.workers:.2f} times as much."]
    return lines, {"workers": options.workers, "efficiency": efficiency}


def _measured(workers: list[Worker], portraits: list[Path], resolution: int) -> tuple[float, Spent]:
    """Seconds for a photo, and what a worker spends on it in the mean."""
    before = [spent(worker.pid) for worker in workers]
    seconds, _ = at_work(workers, portraits, resolution)
    added = [spent(worker.pid).since(then) for worker, then in zip(workers, before, strict=True)]
    share = len(portraits) * len(workers)
    return seconds / len(portraits), Spent(
        *(sum(column) / share for column in zip(*(vars(a).values() for a in added), strict=True))
    )


def memory(options: argparse.Namespace, portraits: list[Path]) -> tuple[list[str], dict[str, float]]:
    """Many workers at once."""
    with started(options.many) as workers:
        _, most = at_work(workers, portraits[:2], MEMORY_SIDE, watch=True)
    text = f"{options.many} workers at {MEMORY_SIDE}² hold {most:.0f} MB together at the highest."
    return ["", text], {"many": options.many, "together_mb": most}


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Lines and figures."""
    portraits = photos(_QUICK_PHOTOS if options.quick else options.photos)
    lines, figures = throughput(options, portraits)
    if options.many and not options.quick:
        more, held = memory(options, portraits)
        lines, figures = lines + more, figures | held
    return lines, figures


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "throughput alone, two photos", jobs=False)
    parser.add_argument("--resolution", type=int, default=1024, help="of throughput")
    parser.add_argument("--photos", type=int, default=4, help="that every worker does")
    parser.add_argument("--rounds", type=int, default=3, help="of one alone and all at once")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="at once")
    parser.add_argument("--many", type=int, default=8, help="workers whose memory is summed; 0: not looked at")
    benchmark(run, parser)
