# SPDX-License-Identifier: GPL-3.0-or-later
"""How well light and skin are told apart: on painted heads in known light, on a white ball, and on photos re-rendered.
And what the albedo of portraits is like where what is seen ends, under highlights, and (``half``) where it was hidden;
``brows`` compares theirs with the photo's.

    FACEDETAIL_DATA=… python -m scripts.benchmark.appearance [--quick] [--jobs 2] [--parts heads photos ball borders]
        [--quality draft standard fine] [--textures statistics generator latent] [--cache DIR] [--pictures DIR]

Needs Blender's Python module. Prints Markdown tables and, as the last line, one JSON object.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from facedetail_addon.settings import Settings, option_of
from scripts.benchmark.appearance.brows import report_brows
from scripts.benchmark.appearance.half_face import list_faces, report_half_face
from scripts.benchmark.appearance.lights import known_lights
from scripts.benchmark.appearance.quality_report import report_ablation, report_qualities
from scripts.benchmark.appearance.report import report_balls, report_borders, report_heads, report_photos
from scripts.benchmark.appearance.settings import PHOTOS, list_by_tone, list_photos, list_portraits, load_models
from scripts.benchmark.appearance.tasks import (
    measure_ablation,
    measure_ball,
    measure_border,
    measure_brows,
    measure_half_face,
    measure_head,
    measure_photo,
    measure_quality,
)
from scripts.harness import benchmark, benchmark_arguments, data_folder, measured, processes

HEADS, LONDON_STEP, WILD = 16, 14, 4
QUICK_HEADS, QUICK_PHOTOS, QUICK_LIGHTS = (6,), slice(0, 1), 2  # a head whose skin renders fast
ESTIMATED_LIGHTS = 6
QUALITIES = option_of(Settings, "quality").values
TEXTURES = option_of(Settings, "texture").values
PARTS = ("heads", "photos", "ball", "borders")
MORE_PARTS = ("quality", "ablation", "half", "brows")
ABLATED = 6  # heads


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """What was asked for; lines and figures."""
    data = data_folder("london/, photos/, wild/, official_portraits/ and synthetic_portraits/")
    load_models()  # here, so that a missing file is told at once
    for folder in filter(None, (options.cache, options.pictures)):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        return _measure(options, data, options.cache or Path(folder))


def _measure(options: argparse.Namespace, data: Path, cache: Path) -> tuple[list[str], dict[str, object]]:
    lines, figures, lights = [], {}, {}

    def share(items: Sequence) -> int:
        """Threads for Cycles in each process, so that all cores work."""
        return max(1, (os.cpu_count() or 1) // min(options.jobs, max(1, len(items))))

    with processes(options.jobs) as pool:
        if "heads" in options.parts:
            numbers = QUICK_HEADS if options.quick else range(options.heads)
            found = measured(pool, partial(measure_head, folder=cache, threads=share(numbers)), numbers)
            figures["heads"] = report_heads(found, len(numbers), lines)
            lights |= {f"estimated, head {one.number}": one.radiance for one in found}
        if "photos" in options.parts:
            photos = list_photos(data, options.london_step, options.wild)
            if options.quick:
                photos = [photo for photo in photos if photo[0] == PHOTOS][QUICK_PHOTOS]
            found = measured(pool, partial(measure_photo, threads=share(photos), keep=options.pictures), photos)
            figures["photos"] = report_photos(found, len(photos), lines)
            lights |= {f"estimated, photo {one.name}": one.radiance for one in found}
        if "quality" in options.parts:
            photos = list_by_tone(data)[:: 6 if options.quick else 1]
            found = measured(pool, partial(measure_quality, qualities=tuple(options.quality)), photos)
            figures["quality"] = report_qualities(found, len(photos), lines)
        if "ablation" in options.parts:
            numbers = range(1 if options.quick else ABLATED)
            found = measured(pool, partial(measure_ablation, folder=cache, threads=share(numbers)), numbers)
            figures["ablation"] = report_ablation(found, lines)
        if "half" in options.parts:
            photos = list_faces(data)[:: 15 if options.quick else 1]
            found = measured(pool, partial(measure_half_face, textures=tuple(options.textures)), photos)
            figures["half"] = report_half_face(found, len(photos), lines)
        if "brows" in options.parts:
            photos = list_faces(data)[:: 15 if options.quick else 1]
            figures["brows"] = report_brows(measured(pool, measure_brows, photos), len(photos), lines)
        if "borders" in options.parts:
            portraits = list_portraits(data)
            portraits = portraits[:: len(portraits) - 1 if options.quick else 1]
            found = measured(pool, measure_border, portraits)
            figures["borders"] = report_borders(found, len(portraits), lines)
        if "ball" in options.parts:
            names = list(lights)[:: max(1, len(lights) // ESTIMATED_LIGHTS)]
            shown = known_lights() | {name: lights[name] for name in names}
            if options.quick:
                shown = {name: shown[name] for name in list(shown)[:QUICK_LIGHTS]}
            found = measured(pool, partial(measure_ball, threads=share(shown)), list(shown.values()))
            figures["ball"] = report_balls(dict(zip(shown, found, strict=True)), lines)
    return lines, figures


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "a few of everything")
    parser.add_argument("--heads", type=int, default=HEADS, help="painted heads")
    parser.add_argument("--london-step", type=int, default=LONDON_STEP, help="every so many of the London portraits")
    parser.add_argument("--wild", type=int, default=WILD, help="photos in the wild")
    parser.add_argument("--parts", nargs="+", choices=PARTS + MORE_PARTS, default=list(PARTS))
    parser.add_argument(
        "--quality", nargs="+", choices=QUALITIES, default=list(QUALITIES), help="of the part of that name"
    )
    parser.add_argument(
        "--textures", nargs="+", choices=TEXTURES, default=list(TEXTURES), help="ways of filling in, of the part half"
    )
    parser.add_argument("--cache", type=Path, help="keep the painted heads' photos here for the next run")
    parser.add_argument("--pictures", type=Path, help="write photo, re-render and baselines of each photo here")
    benchmark(run, parser)
