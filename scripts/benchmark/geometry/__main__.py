# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the proxy head comes to the true one: synthetic photos of heads with known shape, NoW protocol.

    FACEDETAIL_DATA=… python -m scripts.benchmark.geometry [--quick] [--heads 50] [--dressed 10] [--assets DIR]
    FACEDETAIL_DATA=… python -m scripts.benchmark.geometry --fairness [--heads 8]

Prints Markdown tables and, as the last line, one JSON object. With ``--assets``, the user's folder, every installed
face model is fitted to the same heads. The true heads are ICT-FaceKit's: models made from the kit have an advantage.
Dense: 478 points and what was measured of them; sparse: the 68 of iBUG, here the face mesh's. These heads are bare and
fitted by landmarks alone. Dressed heads wear real skin, hair and glasses, in 640 px photos of any light up to profile;
they go through the pipeline. Slope error: differences in height along the normals, of forms of 10 to 100 mm, as RMS
slopes. Found: where the landmarker finds the face; only those count.

``--fairness`` asks instead whether the skin matters. Each drawn head is fitted in 18 held-out skins of synthetic
portraits, one for every sex, age (18–34, 35–54, 55+) and third of skin tone, at 0° and 25°. Shape, expression, pose,
light, clothes and camera's noise have the same seeds in all of them, so a gap between groups is the skin's, not the
shape's: what differs is only the picture on the skin. It says nothing of shapes that go with sex or age. Pictures are
exposed for the head they show. σ: by how much the gap differs between heads; another 40 people would differ, too, and
the largest of three groups is ahead of the smallest by about one σ even where nothing is behind it.
"""

import argparse
import resource
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import skimage.data

from facedetail_addon.core.assets.shipped import find_weights
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.model_file import load_face_model
from facedetail_addon.core.model_import.gaze import with_gaze_motion
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from scripts.benchmark.geometry.candidates import DENSE, builtin_candidate, installed_candidates
from scripts.benchmark.geometry.dressed import (
    QUICK_YAWS,
    ROWS,
    SKINS,
    YAWS,
    joined,
    load_studio,
    measure_dressed,
    product,
)
from scripts.benchmark.geometry.fairness import HEADS as FAIR_HEADS
from scripts.benchmark.geometry.fairness import QUICK_HEADS as QUICK_FAIR_HEADS
from scripts.benchmark.geometry.fairness import measure_fairness
from scripts.benchmark.geometry.measure import OUR_FIT, Tools, measure_view
from scripts.benchmark.geometry.slopes import slope_ruler
from scripts.benchmark.reference_heads import load_reference_heads
from scripts.harness import benchmark, benchmark_arguments, data_folder, progress, table
from scripts.training.correspondence.skins import make_skins
from scripts.training.heads.painter import make_painter

STAGES = ("stage (on a 512 px photo)", "seconds", "peak memory so far, MB")
QUICK_HEADS = 3
HEADS = 50
ADVANTAGE = "The true heads are ICT-FaceKit's: the built-in head and others made from the kit have an advantage."


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every view; lines and figures."""
    data = data_folder("models/ict_facekit.npz")
    if options.make_skins:
        make_skins(data, SKINS, options.make_skins)
    tools, stages = _load(data, options.calibration, options.assets)
    if options.fairness:
        heads = FAIR_HEADS if options.heads is None else options.heads
        return measure_fairness(tools, data, QUICK_FAIR_HEADS if options.quick else heads)
    heads = HEADS if options.heads is None else options.heads
    heads = min(heads, QUICK_HEADS) if options.quick else heads
    dressed = min(options.dressed, QUICK_HEADS) if options.quick else options.dressed
    figures: dict[str, object] = {"stages": stages}
    lines = _bare(tools, (0, 25) if options.quick else (0, 25, 45), heads, figures) if heads else []
    if dressed:
        figures["dressed"] = {}
        lines += ["", *_dressed(tools, data, QUICK_YAWS if options.quick else YAWS, dressed, figures["dressed"])]
    figures |= {"peak_memory_mb": peak_memory_mb(), "heads": heads, "dressed_heads": dressed}
    lines += ["", *table(STAGES, [(name, stage["seconds"], stage["peak_mb"]) for name, stage in stages.items()])]
    counts = f"{heads} bare and {dressed} dressed heads per view"
    return [*lines, "", ADVANTAGE, "", f"{counts}; peak memory of the benchmark {peak_memory_mb()} MB."], figures


def _bare(tools: Tools, yaws: tuple[int, ...], heads: int, figures: dict[str, object]) -> list[str]:
    """The views of bare heads; figures are added to those there."""
    rows = []
    for yaw in yaws:
        errors, posed, seconds = measure_view(tools, yaw, heads)
        progress(f"yaw {yaw}° done")
        figures[f"yaw{yaw}"] = {name: _summary(values) for name, values in errors.items()}
        rows += [(f"{yaw}°", name, *figures[f"yaw{yaw}"][name].values()) for name in errors]
        rows += [(f"{yaw}°", f"{name}, posed, 68 landmarks to their own", "", far, "") for name, far in posed.items()]
        figures[f"yaw{yaw}"]["posed expression"] = {"mean": posed[OUR_FIT]}
        figures[f"yaw{yaw}"] |= {"posed": posed, "seconds": seconds}
    figures["models"] = _costs(tools, figures[f"yaw{yaws[0]}"]["seconds"])
    return [*table(("yaw", "head", "median mm", "mean mm", "std mm"), rows), "", *_costs_table(figures["models"])]


def _dressed(tools: Tools, data: Path, yaws: tuple[int, ...], heads: int, figures: dict[str, object]) -> list[str]:
    """The views of dressed heads, each and all together; figures are added to those there."""
    studio = load_studio(tools.reference, tools.builtin.model, data)
    models = product(tools.builtin)
    ruler = slope_ruler(tools.builtin.model, tools.reference, models.atlas)
    views = {}
    for yaw in yaws:
        views[f"{yaw}°"] = measure_dressed(tools, studio, models, ruler, yaw, heads)
        progress(f"dressed, yaw {yaw}° done")
    views["all"] = joined(list(views.values()))
    rows = []
    for at, view in views.items():
        found = {name: view.row(name) for name in ROWS}
        figures[at.replace("°", "")] = {"found": view.found, "heads": view.heads} | found
        for name, row in found.items():
            size = None if row["size_error"] is None else f"{100 * row['size_error']:.1f}"
            rows.append((at, name, f"{view.found} of {view.heads}", row["mean"], size, row["slope_error_deg"]))
    figures["skins"] = len(studio.skins.names)
    columns = ("yaw, dressed", "head", "found", "mean mm", "size error, median %", "slope error 10–100 mm, degrees")
    return table(columns, rows)


def _load(data: Path, calibration_path: Path | None, assets: Path | None) -> tuple[Tools, dict[str, dict[str, float]]]:
    """Load everything; time and peak memory of the stages before the large ground truth is loaded."""
    stages: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(name: str):
        began = time.perf_counter()
        yield
        stages[name] = {"seconds": round(time.perf_counter() - began, 3), "peak_mb": peak_memory_mb()}

    with stage("load face model and calibration"):
        model = load_face_model(find_weights("face_model.npz"))
        calibration = load_calibration(calibration_path)
    with stage("load landmarker"):
        landmarker = MeshLandmarker.load()
    photo = skimage.data.astronaut()
    landmarker.find(photo)
    with stage("find landmarks"):
        (face, *_) = landmarker.find(photo)
    builtin = builtin_candidate(model, calibration)
    with stage("fit"):
        builtin.fit(DENSE, face, photo.shape[1::-1])
    installed = tuple(installed_candidates(assets, builtin, landmarker.find)) if assets else ()
    reference = with_gaze_motion(load_reference_heads(data))
    return Tools(reference, make_painter(reference), landmarker, builtin, installed), stages


def _costs(tools: Tools, fit_seconds: dict[str, float]) -> dict[str, dict[str, float | None]]:
    """What each model costs, by its name."""
    out: dict[str, dict[str, float | None]] = {}
    for row, (candidate, method) in tools.fits().items():
        costs = out.setdefault(candidate.name, dict(candidate.costs))
        costs[f"{method} fit seconds"] = fit_seconds[row]
    return out


def _costs_table(models: dict[str, dict[str, float | None]]) -> list[str]:
    columns = list(next(iter(models.values())))
    rows = (
        (name, *("" if costs[column] is None else f"{costs[column]:g}" for column in columns))
        for name, costs in models.items()
    )
    return table(("model", *columns), rows)


def peak_memory_mb() -> int:
    """Largest resident memory of this process so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _summary(per_head: list[np.ndarray]) -> dict[str, float]:
    joined = np.concatenate(per_head)
    values = {"median": np.median(joined), "mean": joined.mean(), "std": joined.std()}
    return {name: round(float(value), 3) for name, value in values.items()}


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "three heads, two views of each kind", jobs=False)
    parser.add_argument(
        "--heads",
        type=int,
        help=f"bare heads per view, {HEADS} by default, 0 for none; with --fairness, shapes per view, {FAIR_HEADS}",
    )
    parser.add_argument("--dressed", type=int, default=10, help="dressed heads per view, 0 for none")
    parser.add_argument("--fairness", action="store_true", help="only compare skins: sex, age and tone")
    parser.add_argument(
        "--make-skins",
        type=int,
        metavar="JOBS",
        default=0,
        help="first paint the skins that are missing, in so many processes",
    )
    parser.add_argument("--calibration", type=Path, help="another landmark_calibration.npz than the shipped one")
    parser.add_argument("--assets", type=Path, help="the user's folder: its installed face models are measured too")
    benchmark(run, parser)
