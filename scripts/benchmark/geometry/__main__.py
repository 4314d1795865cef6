# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the proxy head comes to the true one: synthetic photos of heads with known shape, NoW protocol.

    FACEDETAIL_DATA=… python -m scripts.benchmark.geometry [--quick] [--heads 50] [--assets DIR]

Prints a Markdown table and, as the last line, one JSON object. With ``--assets``, the user's folder, every installed
face model is fitted to the same heads. The true heads are ICT-FaceKit's: models made from the kit have an advantage.
Dense: 478 points and what was measured of them; sparse: the 68 of iBUG, here the face mesh's.
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
from scripts.benchmark.geometry.measure import OUR_FIT, Tools, measure_view
from scripts.benchmark.reference_heads import load_reference_heads
from scripts.harness import benchmark, benchmark_arguments, data_folder, progress, table
from scripts.training.heads.painter import make_painter

STAGES = ("stage (on a 512 px photo)", "seconds", "peak memory so far, MB")
ADVANTAGE = "The true heads are ICT-FaceKit's: the built-in head and others made from the kit have an advantage."


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every view; lines and figures."""
    tools, stages = _load(data_folder("models/ict_facekit.npz"), options.calibration, options.assets)
    yaws = (0, 25) if options.quick else (0, 25, 45)
    heads = min(options.heads, 3) if options.quick else options.heads
    figures: dict[str, object] = {"stages": stages}
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
    figures["peak_memory_mb"], figures["heads"] = peak_memory_mb(), heads
    lines = table(("yaw", "head", "median mm", "mean mm", "std mm"), rows)
    lines += ["", *table(STAGES, [(name, stage["seconds"], stage["peak_mb"]) for name, stage in stages.items()])]
    lines += ["", *_costs_table(figures["models"]), "", ADVANTAGE]
    return [*lines, "", f"{heads} heads per view; peak memory of the benchmark itself {peak_memory_mb()} MB."], figures


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
    parser = benchmark_arguments(__doc__, "three heads, two views", jobs=False)
    parser.add_argument("--heads", type=int, default=50, help="heads per view")
    parser.add_argument("--calibration", type=Path, help="another landmark_calibration.npz than the shipped one")
    parser.add_argument("--assets", type=Path, help="the user's folder: its installed face models are measured too")
    benchmark(run, parser)
