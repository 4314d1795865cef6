# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the fitted expression comes to the true one: by landmarks, by the expression dictionary, by both.

    FACEDETAIL_DATA=… python -m scripts.benchmark.expression [--quick] [--jobs 2]
        [--sources landmarks prior prior+landmarks] [--parts heads pairs photos]

Prints Markdown tables and, as the last line, one JSON object.
"""

import argparse
from functools import partial

from facedetail_addon.core.observe.expression.emotion_net import load_emotion_net
from facedetail_addon.settings import EXPRESSION_SOURCES, LANDMARKS
from scripts.benchmark.expression.measure import (
    Errors,
    Look,
    PairErrors,
    load_tools,
    measure_head,
    measure_pair,
    settings_of,
)
from scripts.benchmark.expression.photos import PhotoEmotions, list_photos, measure_photo
from scripts.benchmark.expression.report import report_heads, report_looks, report_pairs, report_photos
from scripts.harness import benchmark, benchmark_arguments, data_folder, measured, processes

HEADS, PAIRS = 200, 60
QUICK_HEADS, QUICK_PAIRS, QUICK_PHOTOS = 6, 4, 12
PARTS = ("heads", "pairs", "photos")


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """What was asked for; lines and figures."""
    data = data_folder("models/ict_facekit.npz, london/ and wild/")
    sources = tuple(sorted({LANDMARKS, *options.sources}, key=(LANDMARKS, *EXPRESSION_SOURCES).index))
    heads, pairs, photos = range(options.heads), range(options.pairs), list_photos(data)
    if options.quick:
        heads, pairs = range(QUICK_HEADS), range(QUICK_PAIRS)
        photos = photos[:: max(1, len(photos) // QUICK_PHOTOS)]
    work = {
        "heads": (partial(measure_head, sources=sources, data=data), heads, report_heads),
        "pairs": (partial(measure_pair, sources=sources, data=data), pairs, report_pairs),
        "photos": (partial(measure_photo, sources=sources), photos, report_photos),
    }
    load_tools(sources)  # here, so that a missing file is told at once
    load_emotion_net()
    figures, lines, looks = {}, [], {}
    with processes(options.jobs) as pool:
        for part in options.parts:
            measure, items, report = work[part]
            found = measured(pool, measure, items)
            figures[part] = report(found, settings_of(sources, part == "pairs"), lines)
            figures[part]["missed"] = len(items) - len(found)
            looks[part] = _looks(found)
    figures["reading"] = report_looks(looks, lines)
    return lines, figures


def _looks(found: list[Errors | PairErrors | PhotoEmotions]) -> list[Look]:
    pictures = [member for one in found for member in (one.members if isinstance(one, PairErrors) else (one,))]
    return [picture.look for picture in pictures if picture.look is not None]


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "a few of everything")
    parser.add_argument("--heads", type=int, default=HEADS, help="held-out heads")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="ambiguous pairs")
    parser.add_argument("--sources", nargs="+", choices=EXPRESSION_SOURCES, default=list(EXPRESSION_SOURCES))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    benchmark(run, parser)
