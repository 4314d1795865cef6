# SPDX-License-Identifier: GPL-3.0-or-later
"""How well light and skin are told apart: on painted heads in known light, on a white ball, and on photos re-rendered.

    FACEDETAIL_DATA=… python scripts/benchmark/appearance.py [--quick] [--jobs 2] [--parts heads photos ball]
        [--cache DIR] [--pictures DIR]

Needs Blender's Python module. Prints Markdown tables and, as the last line, one JSON object.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from facedetail_addon.cli.terminal import stdout_kept_clean
from facedetail_addon.core.errors import FaceDetailError
from scripts.benchmark.appearance.lights import known_lights
from scripts.benchmark.appearance.report import report_balls, report_heads, report_photos
from scripts.benchmark.appearance.settings import PHOTOS, list_photos, load_core

HEADS, LONDON_STEP, WILD = 16, 14, 4
QUICK_HEADS, QUICK_PHOTOS, QUICK_LIGHTS = (6, 10), slice(0, 2), 2  # heads whose skin renders fast
ESTIMATED_LIGHTS = 6
PARTS = ("heads", "photos", "ball")


def main() -> None:
    options = _arguments()
    if "FACEDETAIL_DATA" not in os.environ:
        sys.exit("error: FACEDETAIL_DATA is not set\ntry: set it to the folder that holds london/ and photos/")
    # Processes share the cores already; threads on top of them only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with stdout_kept_clean(discard=True) as stream, tempfile.TemporaryDirectory() as folder:
        try:
            lines, figures = run(options, Path(os.environ["FACEDETAIL_DATA"]), options.cache or Path(folder))
        except FaceDetailError as error:
            sys.exit(f"error: {error.message}\ntry: {error.remedy}")
        print("\n".join([*lines, "", json.dumps(figures)]), file=stream)


def run(options: argparse.Namespace, data: Path, cache: Path) -> tuple[list[str], dict[str, object]]:
    """Measure what was asked for; tables' lines and figures."""
    load_core()  # here, because what a missing file's error says would not survive the way from another process
    for folder in filter(None, (cache, options.pictures)):
        folder.mkdir(parents=True, exist_ok=True)
    began, lines, figures = time.perf_counter(), [], {}
    threads = max(1, (os.cpu_count() or 1) // options.jobs)
    lights = {}
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        if "heads" in options.parts:
            numbers = QUICK_HEADS if options.quick else range(options.heads)
            found = _measured(pool, partial(measure_head, folder=cache, threads=threads), numbers)
            figures["heads"] = report_heads(found, len(numbers), lines)
            lights |= {f"estimated, head {one.number}": one.radiance for one in found}
        if "photos" in options.parts:
            photos = list_photos(data, options.london_step, options.wild)
            if options.quick:
                photos = [photo for photo in photos if photo[0] == PHOTOS][QUICK_PHOTOS]
            found = _measured(pool, partial(measure_photo, threads=threads, keep=options.pictures), photos)
            figures["photos"] = report_photos(found, len(photos), lines)
            lights |= {f"estimated, photo {one.name}": one.radiance for one in found}
        if "ball" in options.parts:
            names = list(lights)[:: max(1, len(lights) // ESTIMATED_LIGHTS)]
            shown = known_lights() | {name: lights[name] for name in names}
            if options.quick:
                shown = {name: shown[name] for name in list(shown)[:QUICK_LIGHTS]}
            found = _measured(pool, partial(measure_ball, threads=threads), list(shown.values()))
            figures["ball"] = report_balls(dict(zip(shown, found, strict=True)), lines)
    figures["seconds"] = round(time.perf_counter() - began, 1)
    return lines, figures


# Only the processes import Blender: it changes sys.path in a way that processes started afterwards cannot live with.


def measure_head(number: int, folder: Path, threads: int) -> object:
    """See :func:`appearance_portraits.measure_portrait`."""
    from scripts.benchmark.appearance.portraits import measure_portrait

    return measure_portrait(number, folder, threads)


def measure_photo(photo: tuple[str, Path], threads: int, keep: Path | None) -> object:
    """See :func:`appearance_photos.measure_photo`."""
    from scripts.benchmark import appearance_photos

    return appearance_photos.measure_photo(photo, threads, keep)


def measure_ball(radiance: np.ndarray, threads: int) -> tuple[float, float]:
    """See :func:`appearance_ball.ball_errors`."""
    from scripts.benchmark.appearance.ball import ball_errors

    return ball_errors(radiance, threads)


def _measured(pool: ProcessPoolExecutor, measure: partial, items: Sequence) -> list:
    """What was found, in the order of the items, without those where nothing was; progress on standard error."""
    found = []
    for done, one in enumerate(pool.map(measure, items), 1):
        print(f"{measure.func.__name__}: {done}/{len(items)}", file=sys.stderr)
        found.append(one)
    return [one for one in found if one is not None]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few of everything: under a minute")
    parser.add_argument("--heads", type=int, default=HEADS, help="painted heads")
    parser.add_argument("--london-step", type=int, default=LONDON_STEP, help="every so many of the London portraits")
    parser.add_argument("--wild", type=int, default=WILD, help="photos in the wild")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--cache", type=Path, help="keep the painted heads' photos here for the next run")
    parser.add_argument("--pictures", type=Path, help="write photo, re-render and baselines of each photo here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
