# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of wrinkles and pores is found: on photos of known skin, on skin that has none, and on photos of people.

    FACEDETAIL_DATA=… python scripts/benchmark/detail.py [--quick] [--jobs 2] [--parts skin photos] [--pictures DIR]

Prints Markdown tables and, as the last line, one JSON object. Only the photos of people need FACEDETAIL_DATA.
"""

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: threads of several processes only wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2

from facedetail_addon.cli.terminal import stdout_kept_clean
from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.detail.synthesis import load_detail_net
from facedetail_addon.core.errors import FaceDetailError
from scripts.benchmark.detail.heads import measure_head
from scripts.benchmark.detail.portraits import list_portraits, measure_portrait
from scripts.benchmark.detail.report import report_false, report_portraits, report_skin

HEADS, SKINS = 8, 3
QUICK_HEADS, QUICK_SKINS, QUICK_PHOTOS = 1, 1, 1
PARTS = SKIN, PHOTOS = ("skin", "photos")


def main() -> None:
    options = _arguments()
    if PHOTOS in options.parts and "FACEDETAIL_DATA" not in os.environ:
        sys.exit("error: FACEDETAIL_DATA is not set\ntry: set it to the folder that holds london/, photos/ and wild/")
    with stdout_kept_clean(discard=True) as stream:
        try:
            lines, figures = run(options)
        except FaceDetailError as error:
            sys.exit(f"error: {error.message}\ntry: {error.remedy}")
        print("\n".join([*lines, "", json.dumps(figures)]), file=stream)


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Measure what was asked for; tables' lines and figures."""
    load_detail_net(options.weights)  # here, because an error's remedy would not survive the way from another process
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    began, lines, figures = time.perf_counter(), [], {}
    heads, skins = (QUICK_HEADS, QUICK_SKINS) if options.quick else (options.heads, options.skins)
    given = {"weights": options.weights, "keep": options.pictures}
    with ProcessPoolExecutor(
        options.jobs, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        if SKIN in options.parts:
            found = _measured(pool, partial(measure_head, heads=heads, photos=skins, **given), range(heads))
            figures["skin"] = report_skin([one for errors, _ in found for one in errors], heads * skins, lines)
            figures["flat"] = report_false([one for _, false in found for one in false], lines)
        if PHOTOS in options.parts:
            portraits = list_portraits(Path(os.environ["FACEDETAIL_DATA"]))
            if options.quick:
                portraits = portraits[:QUICK_PHOTOS]
            found = _measured(pool, partial(measure_portrait, **given), portraits)
            figures["photos"] = report_portraits([one for one in found if one is not None], len(portraits), lines)
    figures["seconds"] = round(time.perf_counter() - began, 1)
    return lines, figures


def _measured(pool: ProcessPoolExecutor, measure: partial, items: Sequence) -> list:
    """What was found, in the order of the items; progress on standard error."""
    found = []
    for one in pool.map(measure, items):
        found.append(one)
        print(f"{measure.func.__name__}: {len(found)}/{len(items)}", file=sys.stderr)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one head and one photo: under a minute")
    parser.add_argument("--heads", type=int, default=HEADS, help="with known skin")
    parser.add_argument("--skins", type=int, default=SKINS, help="of each head, in different light")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--pictures", type=Path, help="write pictures of each photo and its relief here")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS_DIR, help="folder with detail_net.safetensors and its index.json"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
