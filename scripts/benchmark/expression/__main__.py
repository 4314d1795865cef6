# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the fitted expression comes to the true one: by landmarks, by the expression dictionary, by both.

    FACEDETAIL_DATA=… python scripts/benchmark/expression.py [--quick] [--jobs 2]
        [--sources landmarks prior prior+landmarks] [--parts heads pairs photos]

Prints Markdown tables and, as the last line, one JSON object.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from facedetail_addon.core.errors import FaceDetailError
from facedetail_addon.core.observe.expression.emotion_net import load_emotion_net
from facedetail_addon.core.observe.expression.types import (
    EMOTIONS,
    EXPRESSION_SOURCES,
    LANDMARKS,
    PRIOR_AND_LANDMARKS,
)
from scripts.benchmark.expression.measure import (
    AMBIGUOUS_TOGETHER,
    CHEEKS_AND_FOLDS,
    PARTNER,
    SAME_PRICE,
    WHOLE_FACE,
    Errors,
    Look,
    PairErrors,
    load_tools,
    load_truth,
    measure_head,
    measure_pair,
    settings_of,
)
from scripts.benchmark.expression.photos import (
    PhotoEmotions,
    agreement,
    list_photos,
    load_emotion_tools,
    measure_photo,
)
from scripts.benchmark.expression.sets import REGIONS

HEADS, PAIRS = 200, 60
QUICK_HEADS, QUICK_PAIRS, QUICK_PHOTOS = 6, 4, 12
CHUNK = 10
AREAS = (*REGIONS, CHEEKS_AND_FOLDS, AMBIGUOUS_TOGETHER, WHOLE_FACE)
PARTS = ("heads", "pairs", "photos")


def main() -> None:
    options = _arguments()
    if "FACEDETAIL_DATA" not in os.environ:
        sys.exit("error: FACEDETAIL_DATA is not set\ntry: set it to the folder that holds models/ict_facekit.npz")
    data = Path(os.environ["FACEDETAIL_DATA"])
    # Processes share the cores already; threads on top of them only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sources = tuple(sorted({LANDMARKS, *options.sources}, key=(LANDMARKS, *EXPRESSION_SOURCES).index))
    work = {"heads": range(options.heads), "pairs": range(options.pairs), "photos": list_photos(data)}
    if options.quick:
        photos = work["photos"][:: max(1, len(work["photos"]) // QUICK_PHOTOS)]
        work = {"heads": range(QUICK_HEADS), "pairs": range(QUICK_PAIRS), "photos": photos}
    began, figures, lines, looks = time.perf_counter(), {}, [], {}
    report = {"heads": report_heads, "pairs": report_pairs, "photos": report_photos}
    try:
        # Here, because what a missing file's error says would not survive the way from another process.
        load_tools(sources)
        if "photos" in options.parts:
            load_emotion_net()
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            for part in options.parts:
                found = list(_measured(pool, part, list(work[part]), sources, data))
                figures[part] = report[part](found, settings_of(sources, part == "pairs"), lines)
                figures[part]["missed"] = len(work[part]) - len(found)
                looks[part] = _looks(found)
    except FaceDetailError as error:
        sys.exit(f"error: {error.message}\ntry: {error.remedy}")
    figures["reading"] = report_looks(looks, lines)
    figures["seconds"] = round(time.perf_counter() - began, 1)
    print("\n".join([*lines, "", json.dumps(figures)]))


def measure_chunk(job: tuple[str, list], sources: tuple[str, ...], data: Path) -> list:
    """What some heads, pairs or photos give; None for those without a face."""
    torch.set_num_threads(1)
    part, items = job
    if part == "photos":
        emotions = load_emotion_tools(sources)
        return [measure_photo(photo, emotions) for photo in items]
    tools, truth = load_tools(sources), load_truth(data)
    measure = {"heads": measure_head, "pairs": measure_pair}[part]
    return [measure(number, tools, truth) for number in items]


def report_heads(found: list[Errors], settings: tuple[str, ...], lines: list[str]) -> dict[str, object]:
    """Tables of errors by area, with gains of prior+landmarks; in ``expression`` the neutral face's error is the mean
    size of the true motion."""
    errors = {kind: np.array([getattr(head, kind) for head in found]) for kind in ("expression", "posed")}
    titles = {"expression": "motion from neutral to posed", "posed": "posed heads, aligned by a similarity of the face"}
    for kind, title in titles.items():
        _error_table(f"{len(found)} held-out heads, {title}: mean error in mm", errors[kind], settings, lines)
    return {kind: _area_figures(values, settings) for kind, values in errors.items()}


def report_pairs(found: list[PairErrors], settings: tuple[str, ...], lines: list[str]) -> dict[str, object]:
    """Tables over the members of the ambiguous pairs, and over their differences."""
    members = {
        kind: np.array([getattr(head, kind) for pair in found for head in pair.members])
        for kind in ("expression", "posed")
    }
    members["difference"] = np.array([pair.difference for pair in found])
    sizes = {
        name: round(float(np.mean([getattr(pair, name) for pair in found])), 3)
        for name in ("landmark_rms_mm", "difference_mm", "found_landmark_mm")
    }
    title = (
        f"{len(found)} ambiguous pairs: 68 landmarks {sizes['landmark_rms_mm']} mm (rms) apart, eye bags, cheeks and "
        f"folds {sizes['difference_mm']} mm (mean), the 478 found landmarks {sizes['found_landmark_mm']} mm (rms)"
    )
    lines += ["", f"**{title}**"]
    titles = {"expression": "motion", "posed": "posed heads", "difference": "motion from one of the pair to the other"}
    for kind, name in titles.items():
        _error_table(f"Pairs, {name}: mean error in mm", members[kind], settings, lines)
    return {**sizes, **{kind: _area_figures(values, settings) for kind, values in members.items()}}


def report_photos(found: list[PhotoEmotions], settings: tuple[str, ...], lines: list[str]) -> dict[str, object]:
    """How well the emotions of photos and fitted heads agree, by group; all photos and those not neutral."""
    figures: dict[str, object] = {}
    neutral = EMOTIONS.index("neutral")
    lines += ["", "**Photos: emotion of the photo and of a plain render of the fitted head**", ""]
    lines += ["| photos | count | expression | same emotion | probability of the photo's | divergence, bits |"]
    lines += ["|---|---|---|---|---|---|"]
    for group in dict.fromkeys(one.group for one in found):
        own = [one for one in found if one.group == group]
        for name, chosen in ((group, own), (f"{group}, not neutral", [p for p in own if p.photo.argmax() != neutral])):
            if not chosen:
                continue
            photos, heads = np.array([p.photo for p in chosen]), np.array([p.heads for p in chosen])
            rows = {setting: agreement(photos, heads[:, place]) for place, setting in enumerate(settings)}
            figures[name] = {"count": len(chosen), **rows}
            for setting, row in rows.items():
                shown = (f"{row['top1']:.1%}", row["probability"], row["divergence"])
                lines.append(f"| {name} | {len(chosen)} | {setting} | " + " | ".join(map(str, shown)) + " |")
    return figures


def report_looks(looks: dict[str, list[Look]], lines: list[str]) -> dict[str, object]:
    """Seconds of reading, and how far pictures are from the dictionary."""
    figures: dict[str, object] = {}
    for part, own in looks.items():
        if own:
            figures[part] = {
                "median_seconds": round(float(np.median([look.seconds for look in own])), 4),
                "median_look_up_seconds": round(float(np.median([look.look_up_seconds for look in own])), 4),
                "distance": round(float(np.median([look.distance for look in own])), 3),
            }
    if figures:
        title = "**Reading: median seconds and distance to the nearest entry (held-out renders made like photos: 1)**"
        lines += ["", title, "", "| pictures | reading, s | look-up, s | distance |", "|---|---|---|---|"]
        lines += [f"| {part} | " + " | ".join(map(str, row.values())) + " |" for part, row in figures.items()]
    return figures


def _measured(
    pool: ProcessPoolExecutor, part: str, items: list, sources: tuple[str, ...], data: Path
) -> Iterator[Errors | PairErrors | PhotoEmotions]:
    """What was found, in the order of the items, with progress on standard error."""
    chunks = [(part, items[start : start + CHUNK]) for start in range(0, len(items), CHUNK)]
    for done, found in enumerate(pool.map(partial(measure_chunk, sources=sources, data=data), chunks), 1):
        print(f"{part}: {done}/{len(chunks)}", file=sys.stderr)
        yield from (one for one in found if one is not None)


def _looks(found: list[Errors | PairErrors | PhotoEmotions]) -> list[Look]:
    pictures = [member for one in found for member in (one.members if isinstance(one, PairErrors) else (one,))]
    return [picture.look for picture in pictures if picture.look is not None]


def _area_figures(values: np.ndarray, settings: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Means of (N, settings, areas) by setting and area, and the gains of :func:`_gains`."""
    means = {setting: _by_area(row) for setting, row in zip(settings, values.mean(0), strict=True)}
    gains = _gains(values, settings)
    return means | {f"{kind} over {b}": _by_area(row) for b, both in gains.items() for kind, row in both.items()}


def _by_area(row: np.ndarray) -> dict[str, float]:
    return {area: round(float(value), 3) for area, value in zip(AREAS, row, strict=True)}


def _gains(values: np.ndarray, settings: tuple[str, ...]) -> dict[str, dict[str, np.ndarray]]:
    """By how much prior and landmarks together beat other settings, as a share of their error, with the standard error
    of that share (of paired differences); empty without that source."""
    if PRIOR_AND_LANDMARKS not in settings:
        return {}
    both, gains = values[:, settings.index(PRIOR_AND_LANDMARKS)], {}
    for baseline in (name for name in (LANDMARKS, SAME_PRICE, PARTNER) if name in settings):
        base = values[:, settings.index(baseline)]
        mean = base.mean(0)
        unsure = (base - both).std(0, ddof=1) / np.sqrt(len(values)) / mean
        gains[baseline] = {"gain": 1 - both.mean(0) / mean, "standard error of gain": unsure}
    return gains


def _error_table(title: str, values: np.ndarray, settings: tuple[str, ...], lines: list[str]) -> None:
    gains = _gains(values, settings)
    head = ["area", *settings, *(f"gain over {baseline}" for baseline in gains)]
    lines += ["", f"**{title}**", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for place, area in enumerate(AREAS):
        cells = [area, *(f"{value:.2f}" for value in values[:, :, place].mean(0))]
        cells += [f"{g['gain'][place]:+.1%} ± {g['standard error of gain'][place]:.1%}" for g in gains.values()]
        lines.append("| " + " | ".join(cells) + " |")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few of everything: under a minute")
    parser.add_argument("--heads", type=int, default=HEADS, help="held-out heads")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="ambiguous pairs")
    parser.add_argument("--sources", nargs="+", choices=EXPRESSION_SOURCES, default=list(EXPRESSION_SOURCES))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
