# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of wrinkles and pores is found: on photos of known skin, on skin that has none, and on photos of people,
the lined regions of lined faces apart; and what becomes of relief when photos are made worse.

    FACEDETAIL_DATA=… python -m scripts.benchmark.detail [--quick] [--jobs 2] [--parts skin photos lined worse]
        [--people NAME …] [--pictures DIR]

Prints Markdown tables and, as the last line, one JSON object. Only the photos of people need FACEDETAIL_DATA.
"""

import argparse
from functools import partial
from pathlib import Path

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.detail.synthesis import load_detail_net
from scripts.benchmark.detail.heads import measure_head
from scripts.benchmark.detail.lined import list_lined, measure_lined, quick
from scripts.benchmark.detail.lined_report import report_lined
from scripts.benchmark.detail.portraits import list_portraits, measure_portrait
from scripts.benchmark.detail.report import report_false, report_portraits, report_skin
from scripts.benchmark.detail.worse import list_faces, measure_worse, report_worse
from scripts.harness import benchmark, benchmark_arguments, data_folder, measured, processes

HEADS, SKINS = 8, 3
QUICK_HEADS, QUICK_SKINS, QUICK_PHOTOS = 1, 1, 1
PARTS = SKIN, PHOTOS, LINED, WORSE = ("skin", "photos", "lined", "worse")


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """What was asked for; lines and figures."""
    load_detail_net(options.weights)  # here, so that a missing file is told at once
    portraits = list_portraits(data_folder("london/, photos/ and wild/")) if PHOTOS in options.parts else []
    faces = (
        list_lined(data_folder("synthetic_portraits/ and official_portraits/"), options.people)
        if LINED in options.parts
        else []
    )
    worse = list_faces(data_folder("synthetic_portraits/ and official_portraits/")) if WORSE in options.parts else []
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    heads, skins = (QUICK_HEADS, QUICK_SKINS) if options.quick else (options.heads, options.skins)
    given = {"weights": options.weights, "keep": options.pictures}
    lines, figures = [], {}
    with processes(options.jobs) as pool:
        if SKIN in options.parts:
            found = measured(pool, partial(measure_head, heads=heads, photos=skins, **given), range(heads))
            figures["skin"] = report_skin([one for errors, _ in found for one in errors], heads * skins, lines)
            figures["flat"] = report_false([one for _, false in found for one in false], lines)
        if PHOTOS in options.parts:
            portraits = portraits[:QUICK_PHOTOS] if options.quick else portraits
            found = measured(pool, partial(measure_portrait, **given), portraits)
            figures["photos"] = report_portraits(found, len(portraits), lines)
        if LINED in options.parts:
            faces = quick(faces) if options.quick else faces
            figures["lined"] = report_lined(measured(pool, partial(measure_lined, **given), faces), len(faces), lines)
        if WORSE in options.parts:
            worse = worse[:1] + worse[-1:] if options.quick else worse
            found = measured(pool, partial(measure_worse, weights=options.weights), worse)
            figures["worse"] = report_worse(found, len(worse), lines)
    return lines, figures


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "one head, one photo and two lined faces")
    parser.add_argument("--heads", type=int, default=HEADS, help="with known skin")
    parser.add_argument("--skins", type=int, default=SKINS, help="of each head, in different light")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--people", nargs="+", metavar="NAME", help="only these lined faces, by their photos' names")
    parser.add_argument("--pictures", type=Path, help="write pictures of each photo and its relief here")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS_DIR, help="folder with detail_net.safetensors and its index.json"
    )
    benchmark(run, parser)
