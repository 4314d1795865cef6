# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the landmarker: time per photo, detection rate, and agreement with itself on mirrored and turned photos.

    FACEDETAIL_DATA=… python -m scripts.benchmark.landmarks [--quick]

Self-consistency: a photo and its mirror image (or the photo turned by 90°) should give the same 68 points once mapped
back; the median distance is given in per cent of the face's width and in photo pixels. ``--quick`` takes every eighth
photo. A second table has drawn heads turned by 0 to 90 degrees, for which the truth is known. The last line is JSON.
"""

import argparse
import time

import cv2
import numpy as np
from skimage.data import astronaut

from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from scripts.harness import benchmark, benchmark_arguments, data_folder_if_set, progress, table
from scripts.training.heads.painter import make_painter
from scripts.training.heads.picture import render_head
from scripts.training.heads.samples import PoseRange, sample_head

# iBUG point that takes each point's place in a mirrored face.
MIRRORED = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
     41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
)  # fmt: skip
COLUMNS = (
    "photos",
    "found",
    "ms, median",
    "ms, fastest",
    "mirrored, % of width",
    "mirrored, px",
    "turned 90°, % of width",
)

YAW_COLUMNS = ("yaw, degrees", "heads", "found", "yaw read, median", "error of its 68 points, % of width")
YAWS = (0, 30, 45, 60, 70, 75, 80, 90)


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every set of photos; lines and figures."""
    landmarker = MeshLandmarker.load()
    landmarker.find(astronaut())
    figures, rows = {}, []
    for name, photos in photo_sets(options.quick).items():
        f = figures[name] = measure(landmarker, photos)
        shown = (f[key] for key in ("median_ms", "fastest_ms", "mirror_percent", "mirror_px", "turned_percent"))
        rows.append([name, f"{f['found']} of {f['photos']}", *shown])
        progress(f"{name}: done")
    figures["yaw"] = turned_heads(landmarker, heads=2 if options.quick else 8)
    rows_by_yaw = [[yaw, *f.values()] for yaw, f in figures["yaw"].items()]
    return [*table(COLUMNS, rows), "", *table(YAW_COLUMNS, rows_by_yaw)], figures


def photo_sets(quick: bool) -> dict[str, list[np.ndarray]]:
    """RGB photos by name of the set."""
    step = 8 if quick else 1
    sets = {"astronaut, 512 px": [astronaut()]}
    data = data_folder_if_set()
    if data is not None:
        for name, pattern in (("wild, 350 px", "wild/*.jpg"), ("london, 1350 px", "london/*/*.jpg")):
            paths = sorted(data.glob(pattern))[::step]
            sets[name] = [np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1]) for path in paths]
    return sets


def turned_heads(landmarker: MeshLandmarker, heads: int) -> dict[str, dict[str, object]]:
    """Drawn heads, turned to both sides: how many are found, and how well, by yaw.

    Points are compared with those of the head that the camera sees or would see through the skin, at its 68 landmarks;
    the width is the front view's.
    """
    model = load_named_model(BUILTIN)
    painter = make_painter(model)
    figures = {}
    for yaw in YAWS:
        found, read, errors = 0, [], []
        for number in range(heads):
            rng = np.random.default_rng([number, 1])
            sample = sample_head(rng, model, 512, PoseRange(neutral_share=1.0), yaw * (1 if number % 2 else -1))
            vertices = model.vertices(sample.alpha, sample.beta)
            picture, _ = render_head(painter, vertices, sample.camera, rng)
            faces = landmarker.find(np.pad(picture, ((128, 128), (128, 128), (0, 0)), mode="edge"))
            marks = model.landmarks68.points(vertices)
            if not faces:
                continue
            found += 1
            read.append(abs(faces[0].yaw_deg))
            depth = (marks @ sample.camera.rotation[2] + sample.camera.translation[2]).mean()
            width = np.ptp(marks[:, 0]) * sample.camera.focal_px / depth
            gap = np.linalg.norm(faces[0].sparse_px - 128 - sample.camera.project(marks), axis=1)
            errors.append(100 * float(np.median(gap)) / width)
        figures[str(yaw)] = {
            "heads": heads,
            "found": found,
            "read_deg": round(float(np.median(read)), 1) if read else None,
            "error_percent": round(float(np.median(errors)), 2) if errors else None,
        }
        progress(f"yaw {yaw}: done")
    return figures


def measure(landmarker: MeshLandmarker, photos: list[np.ndarray]) -> dict[str, float]:
    """Figures of one set."""
    found, mirrored, turned, mirrored_px, seconds = 0, [], [], [], []
    for photo in photos:
        start = time.perf_counter()
        faces = landmarker.find(photo)
        seconds.append(time.perf_counter() - start)
        if not faces:
            continue
        found += 1
        points = faces[0].sparse_px
        width = np.ptp(points[:, 0])
        flipped = landmarker.find(photo[:, ::-1])
        if flipped:
            back = flipped[0].sparse_px[MIRRORED] * [-1, 1] + [photo.shape[1], 0]
            distance = float(np.median(np.linalg.norm(back - points, axis=1)))
            mirrored_px.append(distance)
            mirrored.append(100 * distance / width)
        quarter = landmarker.find(np.rot90(photo))
        if quarter:
            back = np.stack([photo.shape[1] - quarter[0].sparse_px[:, 1], quarter[0].sparse_px[:, 0]], axis=1)
            turned.append(100 * float(np.median(np.linalg.norm(back - points, axis=1))) / width)
    return {
        "photos": len(photos),
        "found": found,
        "median_ms": round(1000 * float(np.median(seconds)), 1),
        "fastest_ms": round(1000 * min(seconds), 1),
        "mirror_percent": round(float(np.median(mirrored)), 2),
        "mirror_px": round(float(np.median(mirrored_px)), 2),
        "turned_percent": round(float(np.median(turned)), 2),
    }


if __name__ == "__main__":
    benchmark(run, benchmark_arguments(__doc__, "every eighth photo", jobs=False))
