# SPDX-License-Identifier: GPL-3.0-or-later
"""Where fitted eyes aim on portraits whose sitters look into the camera: degrees past it.

    FACEDETAIL_DATA=DIR python -m scripts.benchmark.gaze [--quick] [--jobs 2]

Prints a Markdown table and, as the last line, one JSON object.
"""

import argparse
from functools import cache
from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.eyeball import FULL_GAZE_DEG
from facedetail_addon.core.fit.types import PoseFit
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.pipeline import fit, observe, refine
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.harness import benchmark, benchmark_arguments, data_folder, measured, processes, table

SETTINGS = Settings(resolution=512, detail=NO_DETAIL)


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every portrait; lines and figures."""
    photos = sorted((data_folder("london/") / "london" / "neutral").glob("*.jpg"))
    with processes(options.jobs) as pool:
        errors = np.array(measured(pool, measure_portrait, photos[:: 8 if options.quick else 1]))
    rows = [
        (name, f"{column.mean():+.1f}", f"{column.std():.1f}")
        for name, column in zip(("up", "to the subject's left"), errors.T, strict=True)
    ]
    figures = {
        "portraits": len(errors),
        "mean_deg": errors.mean(0).round(2).tolist(),
        "std_deg": errors.std(0).round(2).tolist(),
    }
    return table(("direction", "mean, degrees", "standard deviation"), rows), figures


@cache
def load_models() -> Models:
    """Once per process."""
    return Models.load(SETTINGS)


def measure_portrait(path: Path) -> tuple[float, float]:
    """See :func:`past_camera`."""
    models = load_models()
    observations = (observe(read_photo(path), models, SETTINGS),)
    head = refine(observations, fit(observations, models, SETTINGS), models, SETTINGS)
    return past_camera(head.pose, models.model.expression_names, models.model.part("eye_left").start)


def past_camera(pose: PoseFit, names: tuple[str, ...], eye_vertex: int) -> tuple[float, float]:
    """Degrees by which both eyes together aim above the camera and to its subject's-left side."""
    weight = dict(zip(names, pose.beta.tolist(), strict=True))
    up = np.mean([weight[f"eyeLookUp{s}"] - weight[f"eyeLookDown{s}"] for s in ("Left", "Right")])
    left = (
        weight["eyeLookOutLeft"] - weight["eyeLookInLeft"] + weight["eyeLookInRight"] - weight["eyeLookOutRight"]
    ) / 2
    towards = pose.perspective.position() - pose.vertices[eye_vertex] * [0, 1, 1]
    elevation = np.degrees(np.arctan2(towards[1], np.hypot(towards[0], towards[2])))
    azimuth = np.degrees(np.arctan2(towards[0], towards[2]))
    return float(FULL_GAZE_DEG * up - elevation), float(FULL_GAZE_DEG * left - azimuth)


if __name__ == "__main__":
    benchmark(run, benchmark_arguments(__doc__, "every eighth portrait only"))
