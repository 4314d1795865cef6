# SPDX-License-Identifier: GPL-3.0-or-later
"""What the room measures, each in a process of its own, so that one's memory is not another's.

python -m scripts.benchmark.speed.measure photo|import|batch … (called by the benchmark; prints one JSON object)
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from facedetail_addon.core.result.files import read_record
from facedetail_addon.jobs.job import Job, Loaded, import_job, load_result, reconstruct_job
from facedetail_addon.jobs.runner import Worker
from facedetail_addon.jobs.tasks import SAVING
from facedetail_addon.paths import site_directories
from facedetail_addon.settings import Settings

_TICK_S = 0.005
_REDOS = 3


def photo(photo: Path, output: Path, resolution: int, sheet: bool) -> dict[str, object]:
    """One photo cold and warm, its loading and building in Blender, redo, and on demand a contact sheet."""
    import bpy

    import facedetail_addon

    bpy.ops.wm.read_factory_settings(use_empty=True)
    facedetail_addon.register()
    try:
        from facedetail_addon import session

        worker = session.current().worker
        begun = time.perf_counter()
        job = reconstruct_job(worker, photo, output, output / "assets", Settings(resolution=resolution))
        found, gap, saving_s = _watched(job)
        stages = read_record(output / photo.stem).stage_seconds
        figures = {
            "cold_s": time.perf_counter() - begun,
            "stages_s": stages | {"saving": saving_s},
            "watching_block_ms": gap,
            **_loading(output / photo.stem, output / "assets"),
            **_building(found),
        }
        figures |= _redo(photo, output, resolution)
        figures |= {"worker_mb": _peak_mb(worker.pid), "blender_mb": _own_peak_mb()}
        if sheet:
            figures["sheet_s"] = _sheet_seconds()
        return figures
    finally:
        facedetail_addon.unregister()


def import_model(source: Path, output: Path) -> dict[str, object]:
    """A face model imported by the worker."""
    worker = Worker(site_directories(sys.path))
    try:
        begun = time.perf_counter()
        found, gap, _ = _watched(import_job(worker, source, output / "assets"))
        return {
            "import_s": time.perf_counter() - begun,
            "import_mb": _peak_mb(worker.pid),
            "import_block_ms": gap,
            "vertices": found.vertices,
        }
    finally:
        worker.close()


def batch(photos: list[Path], output: Path, resolution: int, jobs: int) -> dict[str, object]:
    """The command line on several photos."""
    command = [sys.executable, "-m", "facedetail_addon", "reconstruct", *map(str, photos), "--quiet"]
    command += ["--output", str(output), "--jobs", str(jobs), "--resolution", str(resolution)]
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {f"jobs{jobs}_s": time.perf_counter() - begun}


def _watched(job: Job) -> tuple[object, float, float]:
    """The result, the largest block in cpu ms of a thread that looks as Blender's timer does, and seconds of saving."""
    largest, found, saving = 0.0, None, []
    while found is None:
        before = time.process_time()
        found = job.step()
        time.sleep(_TICK_S)
        largest = max(largest, time.process_time() - before)
        if job.stage == SAVING:
            saving.append(time.perf_counter())
    return found, 1000 * largest, saving[-1] - saving[0] if saving else 0.0


def _loading(folder: Path, assets: Path) -> dict[str, float]:
    """A result read in a thread while this one ticks.

    Processor time of the process between two ticks is what the loading thread has worked meanwhile. On a machine with
    other work that is a fairer measure of how long the interpreter was held than the clock, which is given too.
    """
    loaded: list[Loaded] = []
    thread = threading.Thread(target=lambda: loaded.append(load_result(folder, assets)))
    begun, largest, largest_cpu = time.perf_counter(), 0.0, 0.0
    thread.start()
    while thread.is_alive():
        before, cpu = time.perf_counter(), time.process_time()
        time.sleep(_TICK_S)
        largest = max(largest, time.perf_counter() - before - _TICK_S)
        largest_cpu = max(largest_cpu, time.process_time() - cpu)
    return {
        "loading_s": time.perf_counter() - begun,
        "loading_block_ms": 1000 * largest,
        "loading_block_cpu_ms": 1000 * largest_cpu,
    }


def _building(found: Loaded) -> dict[str, float]:
    """Its steps as the operator takes them, in processor time of this thread."""
    from facedetail_addon.scene.build.scene import build_steps

    steps, spent = build_steps(found.record, found.model, found.pictures), []
    while True:
        before = time.thread_time()
        ended = next(steps, None) is None and steps.gi_frame is None
        spent.append(1000 * (time.thread_time() - before))
        if ended:
            break
    ordered = sorted(spent)
    return {
        "steps": len(spent),
        "step_largest_ms": ordered[-1],
        "step_99_ms": ordered[int(0.99 * (len(ordered) - 1))],
        "building_s": sum(spent) / 1000,
    }


def _redo(photo: Path, output: Path, resolution: int) -> dict[str, float]:
    """The operator on the warm worker, then *Adjust Last Operation* with other strengths: undo, rebuild, evaluate."""
    import bpy

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.ed.undo_push(message="before")
    begun = time.perf_counter()
    bpy.ops.facedetail.reconstruct(
        "EXEC_DEFAULT", True, filepath=str(photo), output=str(output), resolution=str(resolution)
    )
    warm_s = time.perf_counter() - begun
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    spent, spent_cpu = [], []
    for number in range(_REDOS):
        bpy.context.window_manager.operators[-1].properties.relief_strength = 0.5 + 0.1 * number
        before, cpu = time.perf_counter(), time.process_time()
        with bpy.context.temp_override(window=window, area=area, region=region):
            bpy.ops.ed.undo_redo("EXEC_DEFAULT", True)
        spent.append(time.perf_counter() - before)
        spent_cpu.append(time.process_time() - cpu)
    return {"warm_s": warm_s, "redo_s": statistics.median(spent), "redo_cpu_s": statistics.median(spent_cpu)}


def _sheet_seconds() -> float:
    import bpy

    from facedetail_addon.scene.lookdev.pictures import Lookdev, sheet_steps
    from facedetail_addon.scene.steps import run_through

    root = next(item for item in bpy.data.objects if item.type == "EMPTY")
    begun = time.perf_counter()
    run_through(sheet_steps(root.name, Lookdev()))
    return time.perf_counter() - begun


def _own_peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def _peak_mb(pid: int) -> float | None:
    """Of another process; None where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("photo", "import", "batch"))
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--resolution", type=int, default=2048)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--sheet", action="store_true")
    options = parser.parse_args()
    first = options.inputs[0]
    if options.part == "photo":
        figures = photo(first, options.output, options.resolution, options.sheet)
    elif options.part == "import":
        figures = import_model(first, options.output)
    else:
        figures = batch(options.inputs, options.output, options.resolution, options.jobs)
    print(json.dumps(figures), flush=True)
    os._exit(0)  # Blender's module may wait for itself in C's exit handlers


if __name__ == "__main__":
    main()
