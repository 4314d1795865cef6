# SPDX-License-Identifier: GPL-3.0-or-later
"""Irises and whites as Cycles shows them in the photo's estimated light, beside the photo's own.

    FACEDETAIL_DATA=DIR python -m scripts.benchmark.rendered_eyes [--quick]

Ten people who do not exist, dark brown to blue and grey. The picture of the built scene is measured just as the photo
is (``eyes/sampling.py``, without dividing by a light). Prints a Markdown table of the logarithms of luminance over the
photo's, and as the last line one JSON object. A minute a person on one core.
"""

import argparse
import tempfile
from pathlib import Path

import bpy
import cv2
import numpy as np

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.eyes.sampling import EyeSample, sample_eye
from facedetail_addon.core.face_model.eyeball import fit_eyeball, seen_front
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.landmarks.mesh_points import EYES
from facedetail_addon.core.pipeline import reconstruct
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.scene.build.scene import build_scene
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.harness import benchmark, benchmark_arguments, data_folder, progress, table

PEOPLE = (
    "female-2", "female-88", "male-7", "female-9", "female-36", "female-48", "female-59", "male-74", "male-32",
    "female-68",
)  # fmt: skip
SETTINGS = Settings(resolution=1024, detail=NO_DETAIL)
_SAMPLES = 10
_MARGIN = 0.15  # of the eyes' extent in the photo, rendered around them


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every portrait; lines and figures."""
    folder = data_folder("synthetic_portraits") / "synthetic_portraits"
    models, rows = Models.load(SETTINGS), []
    for name in PEOPLE[:2] if options.quick else PEOPLE:
        found = reconstruct(folder / f"{name}.jpg", models, SETTINGS, lambda text, done: None)
        rendered = in_photo_light(found, models)
        for side in models.model.eyes:
            pictures = (found.maps["photo"], rendered)
            photo, scene = (sampled(found, models, side, picture) for picture in pictures)
            if photo is None or scene is None or photo.iris is None or scene.iris is None:
                continue
            rows.append((name, side, ratio(photo.iris, scene.iris), ratio(photo.white, scene.white)))
        progress(name)
    iris, white = (np.array([row[which] for row in rows], np.float64) for which in (2, 3))
    lines = table(
        ("portrait", "eye", "iris, log", "white, log"), [(*row[:2], f"{row[2]:.3f}", f"{row[3]:.3f}") for row in rows]
    )
    return lines, {
        "eyes": len(rows),
        "iris_of_photo_median": round(float(np.exp(np.nanmedian(iris))), 3),
        "white_of_photo_median": round(float(np.exp(np.nanmedian(white))), 3),
        "iris_rms_log": round(float(np.sqrt(np.nanmean(iris**2))), 3),
    }


def ratio(photo: np.ndarray | None, scene: np.ndarray | None) -> float:
    """Logarithm of the luminance in the scene over that in the photo; NaN where one is not seen."""
    if photo is None or scene is None:
        return float("nan")
    return float(np.log(scene @ LUMINANCE) - np.log(photo @ LUMINANCE))


def sampled(found: Reconstruction, models: Models, side: str, picture: np.ndarray) -> EyeSample | None:
    """What a picture in the photo's frame, (H, W, 3) uint8, shows of one eye, light included."""
    observation, pose = found.record.observation, found.record.pose
    vertices = models.model.eyes[side].of(pose.vertices)
    eye = fit_eyeball(models.model.eyes[side], vertices)
    points, _ = seen_front(eye, vertices)
    lids, iris = (observation.landmarks.mesh_px[list(which), :2] for which in EYES[side])
    return sample_eye(picture, lids, iris, eye, pose.perspective, points, np.ones((len(points), 3), np.float32))


def in_photo_light(found: Reconstruction, models: Models) -> np.ndarray:
    """(H, W, 3) uint8: the scene through the photo's camera, rendered around the eyes alone and black elsewhere."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    build_scene(found, models.model, scene=scene)
    height, width = found.maps["photo"].shape[:2]
    eyes = found.record.observation.landmarks.mesh_px[[index for which in EYES.values() for index in which[0]], :2]
    low, high = eyes.min(axis=0), eyes.max(axis=0)
    margin = _MARGIN * (high - low).max()
    low, high = (low - margin) / (width, height), (high + margin) / (width, height)
    render = scene.render
    render.engine, render.use_border, render.use_crop_to_border = "CYCLES", True, False
    render.border_min_x, render.border_max_x = low[0], high[0]
    render.border_min_y, render.border_max_y = 1 - high[1], 1 - low[1]
    render.resolution_percentage = 100
    render.image_settings.file_format = "PNG"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", _SAMPLES, 0
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "eyes.png")
        render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)


if __name__ == "__main__":
    benchmark(run, benchmark_arguments(__doc__, "two portraits only", jobs=False))
