# SPDX-License-Identifier: GPL-3.0-or-later
"""How long FaceDetail takes, how much memory, and for how long it holds Blender's main thread.

    FACEDETAIL_DATA=… python scripts/benchmark/speed.py [--quick]

One photo at draft, standard and fine: seconds with a cold and a warm worker and of each stage; memory at the highest of
the worker and of Blender's process; the scene's building steps, each of which Blender waits for; reading the result
in a thread, and the longest that the main thread had to wait for it meanwhile; *Adjust Last Operation*. Then a contact
sheet, the import of the ICT-FaceKit, and four photos by one worker and by two. Steps, and what is called ``cpu``, are
processor time; all else is the clock, which other work on the machine makes longer. Without FACEDETAIL_DATA the photo
is scikit-image's and there is no import. ``--quick``: draft alone. The last line is JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from skimage import data

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
MEASURE = Path(__file__).with_name("speed_measure.py")


def measured(part: str, inputs: list[Path], *options: str) -> dict:
    """The figures of a process of its own, in a folder that is removed."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, str(MEASURE), part, *map(str, inputs), "--output", output, *options]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout.splitlines()[-1])


def photos() -> list[Path]:
    """Portraits, the first of which is measured alone."""
    directory = os.environ.get("FACEDETAIL_DATA")
    found = sorted(Path(directory).glob("london/neutral/*.jpg"))[:4] if directory else []
    return found or [Path(data.__file__).parent / "astronaut.png"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="draft alone")
    quick = parser.parse_args().quick
    portraits, figures = photos(), {}
    for name in ("draft",) if quick else QUALITIES:
        sheet = ["--sheet"] if name == "standard" else []
        figures[name] = measured("photo", portraits[:1], "--resolution", str(QUALITIES[name]), *sheet)
    _print_table(figures)
    once = {} if quick else _once(portraits, figures["standard"].pop("sheet_s"))
    if once:
        print("\n| | |\n|---|---|")
        for key in filter(once.__contains__, ONCE):
            print(f"| {ONCE[key]} | {once[key]:.4g} |")
    blocks = [found[key] for found in figures.values() for key in ("step_largest_ms", "loading_block_cpu_ms")]
    print(f"\nLongest block of the main thread: {max(blocks):.0f} ms (wanted: {BLOCK_LIMIT_MS}).")
    print(json.dumps({**figures, **once}))


def _once(portraits: list[Path], sheet_s: float) -> dict[str, float]:
    figures = {"sheet_s": sheet_s}
    directory = os.environ.get("FACEDETAIL_DATA")
    if directory and (kit := Path(directory, "models/ict_facekit.npz")).exists():
        figures |= measured("import", [kit])
    if len(portraits) > 1:
        for jobs in ("1", "2"):
            figures |= measured("batch", portraits, "--resolution", str(QUALITIES["draft"]), "--jobs", jobs)
    return figures


def _print_table(figures: dict[str, dict]) -> None:
    print(f"| | {' | '.join(figures)} |\n|{'---|' * (len(figures) + 1)}")
    for key, label in ROWS.items():
        cells = ["–" if found[key] is None else f"{found[key]:.4g}" for found in figures.values()]
        print(f"| {label} | {' | '.join(cells)} |")
    for stage in next(iter(figures.values()))["stages_s"]:
        cells = [f"{found['stages_s'][stage]:.3g}" for found in figures.values()]
        print(f"| stage: {stage}, s | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
