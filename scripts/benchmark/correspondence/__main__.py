# SPDX-License-Identifier: GPL-3.0-or-later
"""How well external heads are matched to the built-in head, on heads whose true correspondence is known.

    FACEDETAIL_DATA=… python -m scripts.benchmark.correspondence [--quick] [--people 4]

Prints a Markdown table and, as the last line, one JSON object. Residual: closest-point distance of the external skin to
the registered built-in skin. Matched: the share of vertices known to be on it that found it; the rest are filled in
and not counted. Error: how far from its true place on the built-in mean head a vertex was put. Folds:
triangles of the canonical UV that are turned over or flat. Without FACEDETAIL_DATA the ICT-FaceKit is left out.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.model_import.adapt import adapt
from facedetail_addon.core.model_import.correspondence import correspond
from facedetail_addon.core.model_import.mean_landmarks import FindFaces
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from scripts.benchmark.correspondence import known_heads
from scripts.benchmark.correspondence.known_heads import KnownHead, errors_mm, kit_head, without_landmarks
from scripts.harness import benchmark, benchmark_arguments, data_folder_if_set, progress, table

COLUMNS = {
    "vertices": "vertices", "matched": "matched %", "residual_mm": "residual mm", "folds": "folds",
    "face_median_mm": "face, median mm", "face_95_mm": "face, 95 % mm", "head_median_mm": "head, median mm",
    "head_95_mm": "head, 95 % mm", "seconds": "seconds",
}  # fmt: skip
MADE_UP = ("reordered", "remeshed", "mask")


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every row; lines and figures."""
    builtin, find = load_named_model(BUILTIN), MeshLandmarker.load().find
    figures = {}
    for name, makers in cases(builtin, data_folder_if_set(), 1 if options.quick else options.people).items():
        people = [measure(make(), builtin, find) for make in makers]
        # Means over people, but every fold counts.
        row = {key: float(np.mean([person[key] for person in people])) for key in COLUMNS}
        row["folds"] = sum(person["folds"] for person in people)
        figures[name] = {key: round(value, 3) for key, value in row.items()}
        progress(f"{name}: done")
    rows = ((name, *(f"{row[key]:g}" for key in COLUMNS)) for name, row in figures.items())
    return table(("head", *COLUMNS.values()), rows), figures


def cases(builtin: FaceModel, data: Path | None, people: int) -> dict[str, list[Callable[[], KnownHead]]]:
    """What to match, by the name of its row; heads are made when they are called for."""
    found = {name: [partial(getattr(known_heads, name), builtin, seed) for seed in range(people)] for name in MADE_UP}
    found["mask, landmarks found"] = [partial(_unmarked, make) for make in found["mask"]]
    if data is not None:
        found["ICT-FaceKit, average"] = [partial(kit_head, builtin, data, None)]
        found["ICT-FaceKit, people"] = [partial(kit_head, builtin, data, seed) for seed in range(people)]
        found["ICT-FaceKit, people, landmarks found"] = [
            partial(_unmarked, make) for make in found["ICT-FaceKit, people"]
        ]
    return found


def measure(head: KnownHead, builtin: FaceModel, find: FindFaces) -> dict[str, float]:
    """Figures of one head."""
    start = time.perf_counter()
    found = correspond(head.model, builtin, find)
    adapt(head.model, builtin, found)
    seconds = time.perf_counter() - start
    layout, error = found.layout, errors_mm(head, builtin, found)
    face, whole = error[head.face & ~np.isnan(error)], error[~np.isnan(error)]
    return {
        "vertices": head.model.skin.stop,
        "matched": 100 * float(layout.matched[head.known].mean()),
        "residual_mm": float(layout.distance[layout.matched].mean()),
        "folds": layout.folds,
        "face_median_mm": float(np.median(face)),
        "face_95_mm": float(np.percentile(face, 95)),
        "head_median_mm": float(np.median(whole)),
        "head_95_mm": float(np.percentile(whole, 95)),
        "seconds": seconds,
    }


def _unmarked(make: Callable[[], KnownHead]) -> KnownHead:
    return without_landmarks(make())


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "one person per row", jobs=False)
    parser.add_argument("--people", type=int, default=4, help="different heads per row")
    benchmark(run, parser)
