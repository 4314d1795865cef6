# SPDX-License-Identifier: GPL-3.0-or-later
"""How the stages' seconds grow with the texture's side, the photo's pixels and the triangles of the face model.

    FACEDETAIL_DATA=… python -m scripts.benchmark.speed.exponents [--rounds 3] [--quick]

One photo, not refined, in a warm process; medians of the rounds. An exponent is the slope of log seconds over log size
between the smallest and the largest: 0 costs the same whatever the size, 1 doubles with it; of the side, 2 is all
texels. Stages below 0.05 s at the largest are left out. Triangles are those of the built-in head and of the
ICT-FaceKit, which is imported into a folder that is removed. ``--quick``: the texture's side alone, two sizes. The last
line is JSON.
"""

import argparse
import math
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2

from facedetail_addon.core.face_model.library import load_named_calibration, load_named_model
from facedetail_addon.core.model_import.install import install_model
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.pipeline import reconstruct
from facedetail_addon.settings import BUILTIN, DRAFT, Settings
from scripts.harness import benchmark, benchmark_arguments, data_folder, progress, table

SETTINGS = Settings(resolution=1024, quality=DRAFT)
SIDES, QUICK_SIDES = (512, 1024, 2048, 4096), (512, 1024)
PHOTO_SIDES = (500, 1000, 2000, 4000)
_LEAST_S = 0.05


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """A table of exponents, and of the seconds at every size."""
    rows, figures = [], {}
    for axis, sizes in _axes(options):
        found = {}
        for size, models, settings, photo in sizes:
            found[size] = _seconds(models, settings, photo, options.rounds)
            progress(f"{axis} {size}: {sum(found[size].values()):.2f} s")
        figures[axis] = {str(size): seconds for size, seconds in found.items()}
        first, last = min(found), max(found)
        for stage in ("all", *found[last]):
            small, large = (sum(found[at].values()) if stage == "all" else found[at][stage] for at in (first, last))
            if large >= _LEAST_S:
                slope = math.log(max(large, 1e-4) / max(small, 1e-4)) / math.log(last / first)
                rows.append((axis, stage, f"{small:.2f}", f"{large:.2f}", f"{slope:.2f}"))
    return table(("size", "stage", "smallest, s", "largest, s", "exponent"), rows), figures


def _axes(options: argparse.Namespace) -> Iterator[tuple[str, Iterator[tuple[int, Models, Settings, Path]]]]:
    folder = data_folder("portraits (london/neutral) and models (ict_facekit.npz)")
    photo = sorted(folder.glob("london/neutral/*.jpg"))[0]
    yield "texture side", _by_side(QUICK_SIDES if options.quick else SIDES, photo)
    if not options.quick:
        with tempfile.TemporaryDirectory() as scratch:
            yield "photo pixels", _by_pixels(photo, Path(scratch))
            yield "triangles", _by_triangles(folder / "models" / "ict_facekit.npz", photo, Path(scratch))


def _by_side(sides: tuple[int, ...], photo: Path) -> Iterator[tuple[int, Models, Settings, Path]]:
    for side in sides:
        settings = replace(SETTINGS, resolution=side)
        yield side, Models.load(settings), settings, photo


def _by_pixels(photo: Path, scratch: Path) -> Iterator[tuple[int, Models, Settings, Path]]:
    models, picture = Models.load(SETTINGS), cv2.imread(str(photo))
    for side in PHOTO_SIDES:
        scale = side / max(picture.shape[:2])
        resized = cv2.resize(
            picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
        path = scratch / f"{side}.png"
        cv2.imwrite(str(path), resized)
        yield resized.shape[0] * resized.shape[1], models, SETTINGS, path


def _by_triangles(source: Path, photo: Path, scratch: Path) -> Iterator[tuple[int, Models, Settings, Path]]:
    builtin, calibration = load_named_model(BUILTIN), load_named_calibration(BUILTIN)
    name = install_model(source, scratch, builtin, calibration, MeshLandmarker.load().find, lambda *_: None).id
    for model in (BUILTIN, name):
        settings = replace(SETTINGS, face_model=model)
        models = Models.load(settings, scratch)
        yield len(models.model.solid_triangles()), models, settings, photo


def _seconds(models: Models, settings: Settings, photo: Path, rounds: int) -> dict[str, float]:
    """Medians by stage; the first run only warms up."""
    runs = [reconstruct(photo, models, settings, lambda *_: None).record.stage_seconds for _ in range(rounds + 1)][1:]
    return {stage: statistics.median(each[stage] for each in runs) for stage in runs[0]}


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "the texture's side alone, two sizes", jobs=False)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each size")
    benchmark(run, parser)
