# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a second a head follows pins while one of them is dragged.

    python -m scripts.benchmark.speed.refits RESULT_FOLDER

The head of a result folder with 1, 4, 8, 16 and 32 pins spread over its landmarks, of which the last is dragged by
10 mm, and by 50 mm, which no head can follow: refits a second with all vertices of the posed head, and the longest of
them in milliseconds; seconds to prepare. All is processor time of one thread. The last line is JSON.
"""

import argparse
import json
import time
from pathlib import Path

from facedetail_addon.core.face_model.library import BUILTIN, load_named_calibration
from facedetail_addon.core.fit.pinned import PinnedStart, prepare_pins, refit
from facedetail_addon.core.fit.pins import PinnedEdit
from facedetail_addon.core.fit.prepared import prepare
from facedetail_addon.jobs.job import load_result
from scripts.benchmark.pins import pin_on_landmark

COUNTS = (1, 4, 8, 16, 32)
STEPS = 60
DRAGS_MM = (10.0, 50.0)


def measure(start: PinnedStart, count: int, drag_mm: float) -> dict[str, float]:
    """Refits a second, and the longest."""
    camera, marks = start.cameras[0], start.automatic.pose.landmarks68_mm
    px = camera.project(marks.astype(float))
    pins = [pin_on_landmark(start.surface, number, px[number]) for number in range(0, 68, 68 // count)][:count]
    step_px = drag_mm / STEPS / 2**0.5 * camera.focal_px / camera.translation[2]
    points, took = refit(start, PinnedEdit(tuple(pins))).points, []
    for _ in range(STEPS):
        pins[-1] = pins[-1].moved((pins[-1].px[0] + step_px, pins[-1].px[1] + step_px))
        began = time.thread_time()
        refit(start, PinnedEdit(tuple(pins)), points).posed(0)
        took.append(time.thread_time() - began)
    return {"a_second": round(STEPS / sum(took), 1), "longest_ms": round(1000 * max(took), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    found = load_result(parser.parse_args().folder, Path())
    if found.record.face_model != BUILTIN:
        raise SystemExit("error: only results of the built-in head are measured")
    began = time.thread_time()
    prepared = prepare(found.model, load_named_calibration(BUILTIN))
    loaded = time.thread_time()
    record = found.record
    start = prepare_pins(record.observations, record.automatic, prepared, record.expression_source)
    figures: dict[str, object] = {
        "prepare_model_s": round(loaded - began, 3), "prepare_fit_s": round(time.thread_time() - loaded, 3)
    }  # fmt: skip
    for drag in DRAGS_MM:
        figures |= {f"{count} pins, {drag:g} mm": measure(start, count, drag) for count in COUNTS}
    for name, value in figures.items():
        print(f"{name:24} {value}")
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
