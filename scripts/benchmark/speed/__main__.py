# SPDX-License-Identifier: GPL-3.0-or-later
"""How long FaceDetail takes, how much memory, and for how long it holds Blender's main thread.

    FACEDETAIL_DATA=… python -m scripts.benchmark.speed [--quick]

One photo at draft, standard and fine: seconds with a cold and a warm worker and of each stage; memory at the highest of
the worker and of Blender's process; the scene's building steps, each of which Blender waits for; reading the result
in a thread, and the longest that the main thread had to wait for it meanwhile; *Adjust Last Operation*. Then a contact
sheet, the import of the ICT-FaceKit, and four photos by one worker and by two. Steps, and what is called ``cpu``, are
processor time; all else is the clock, which other work on the machine makes longer. Without FACEDETAIL_DATA the photo
is scikit-image's and there is no import. ``--quick``: draft alone. The last line is JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.benchmark.speed.pairs import photos
from scripts.harness import benchmark, benchmark_arguments, data_folder_if_set, progress, table

QUALITIES = {"draft": 1024, "standard": 2048, "fine": 4096}
BLOCK_LIMIT_MS = 50
ROWS = {
    "cold_s": "cold worker, s", "warm_s": "warm worker, s", "worker_mb": "worker's memory, MB",
    "blender_mb": "Blender's memory, MB", "steps": "building steps", "building_s": "building, cpu s",
    "step_largest_ms": "largest step, cpu ms", "step_99_ms": "99th percentile, cpu ms",
    "loading_s": "reading the result, s", "loading_block_ms": "longest wait meanwhile, ms",
    "loading_block_cpu_ms": "longest wait meanwhile, cpu ms",
    "redo_s": "adjusting, s", "redo_cpu_s": "adjusting, cpu s",
}  # fmt: skip
ONCE = {
    "sheet_s": "contact sheet at the standard height, s", "import_s": "import of the ICT-FaceKit, s",
    "import_mb": "import: worker's memory, MB", "jobs1_s": "4 photos, draft, one worker, s",
    "jobs2_s": "4 photos, draft, two workers, s",
}  # fmt: skip


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every quality, and what is measured once; lines and figures."""
    portraits, figures = photos(4), {}
    for name in ("draft",) if options.quick else QUALITIES:
        sheet = ["--sheet"] if name == "standard" else []
        figures[name] = measured_apart("photo", portraits[:1], "--resolution", str(QUALITIES[name]), *sheet)
        progress(f"{name}: done")
    once = {} if options.quick else _once(portraits, figures["standard"].pop("sheet_s"))
    lines = _quality_table(figures)
    if once:
        lines += ["", *table(("", ""), [(label, f"{once[key]:.4g}") for key, label in ONCE.items() if key in once])]
    blocks = [found[key] for found in figures.values() for key in ("step_largest_ms", "loading_block_cpu_ms")]
    told = f"Longest block of the main thread: {max(blocks):.0f} ms (wanted: {BLOCK_LIMIT_MS})."
    return [*lines, "", told], {**figures, **once}


def measured_apart(part: str, inputs: list[Path], *options: str) -> dict:
    """The figures of a process of its own, in a folder that is removed."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "scripts.benchmark.speed.measure", part, *map(str, inputs)]
        done = subprocess.run([*command, "--output", output, *options], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _once(portraits: list[Path], sheet_s: float) -> dict[str, float]:
    figures, folder = {"sheet_s": sheet_s}, data_folder_if_set()
    if folder and (kit := folder / "models" / "ict_facekit.npz").exists():
        figures |= measured_apart("import", [kit])
    if len(portraits) > 1:
        for jobs in ("1", "2"):
            figures |= measured_apart("batch", portraits, "--resolution", str(QUALITIES["draft"]), "--jobs", jobs)
    return figures


def _quality_table(figures: dict[str, dict]) -> list[str]:
    rows = [
        (label, *("–" if found[key] is None else f"{found[key]:.4g}" for found in figures.values()))
        for key, label in ROWS.items()
    ]
    rows += [
        (f"stage: {stage}, s", *(f"{found['stages_s'][stage]:.3g}" for found in figures.values()))
        for stage in next(iter(figures.values()))["stages_s"]
    ]
    return table(("", *figures), rows)


if __name__ == "__main__":
    benchmark(run, benchmark_arguments(__doc__, "draft alone", jobs=False))
