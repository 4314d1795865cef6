# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs the detail networks that their training set was made in another way than the product's photos are.

    python -m scripts.benchmark.detail.drift [--quick] [--jobs 2] [--heads 10] [--photos 3]

The shipped networks learned from photos whose heads were fitted by landmarks alone; the product fits them with the
expression prior, too. And all photos of one head in one pose share one light transfer. The same photos of the training
set are looked at in each way: how far are the inputs from the product's, and the relief that is found from the
product's and from the true one? Prints Markdown tables and, as the last line, one JSON object.
"""

import argparse
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.settings import LANDMARKS
from scripts.benchmark.detail.heads import load_net, load_studio, relief_of
from scripts.benchmark.errors import rms
from scripts.harness import benchmark, benchmark_arguments, measured, processes, table
from scripts.training.detail_net.patches import SEED
from scripts.training.skin.folds import random_person
from scripts.training.skin.relief import make_relief
from scripts.training.studio.photos import Example, look_at_known, pose_head, random_size, take_photo
from scripts.training.studio.studio import SETTINGS

HEADS, PHOTOS = 10, 3
QUICK_HEADS, QUICK_PHOTOS = 2, 1
SHARED, AS_TRAINED = "one transfer for all photos of a head", "as the training set was: landmarks alone, one transfer"
CHANNELS = tuple(field.name for field in fields(DetailInputs))
_SURE = 0.7  # of the mask
_LEAST_TEXELS = 20_000  # 8 cm²


@dataclass(frozen=True)
class Apart:
    """One photo in another way against the product's, over the texels that both are sure of; mean squares.

    Attributes:
        way: SHARED or AS_TRAINED.
        channels: (C, 2) of the difference and of the product's own, in the order of CHANNELS.
        relief: of the difference between both reliefs, and of the product's, mm².
        errors: against the true relief where each way sees it: the product's, the other's, of no relief at all, mm².
    """

    way: str
    channels: np.ndarray
    relief: tuple[float, float]
    errors: tuple[float, float, float]


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Every head; lines and figures."""
    load_net(options.weights)  # here, so that a missing file is told at once
    heads, photos = (QUICK_HEADS, QUICK_PHOTOS) if options.quick else (options.heads, options.photos)
    with processes(options.jobs) as pool:
        work = partial(measure_head, photos=photos, weights=options.weights)
        found = [one for head in measured(pool, work, range(heads)) for one in head]
    figures: dict[str, object] = {}
    for way in (AS_TRAINED, SHARED):
        if own := [one for one in found if one.way == way]:
            figures[way] = _figures(own)
    return _lines(figures), figures


def measure_head(number: int, photos: int, weights: Path) -> list[Apart]:
    """Photos of one head of the training set, in each way."""
    studio, net = load_studio(), load_net(weights)
    rng = np.random.default_rng((SEED, number))
    shot = pose_head(studio, rng, random_size(rng))
    first: dict[str, Example] = {}
    out = []
    for _ in range(photos):
        relief = make_relief(studio.skin, random_person(rng, shot.beta), rng)
        photo = take_photo(studio, shot, relief, rng)
        product = look_at_known(studio, photo, relief, shot)
        if product is None:
            break
        by_landmarks = replace(SETTINGS, expression=LANDMARKS)
        shared = {way: first[way].found.light.transfer for way in first}
        ways = {AS_TRAINED: look_at_known(studio, photo, relief, shot, shared.get(AS_TRAINED), by_landmarks)}
        if SHARED in shared:
            ways[SHARED] = look_at_known(studio, photo, relief, shot, shared[SHARED])
        first = first or {AS_TRAINED: ways[AS_TRAINED], SHARED: product}
        reliefs = {way: relief_of(one.found, one.found.inputs, studio, net) for way, one in ways.items()}
        ours = relief_of(product.found, product.found.inputs, studio, net)
        apart = (_apart(way, product, one, ours, reliefs[way]) for way, one in ways.items())
        out += [one for one in apart if one is not None]
    return out


def _apart(way: str, product: Example, other: Example, ours: np.ndarray, theirs: np.ndarray) -> Apart | None:
    """None where the photo shows too little skin."""
    where = np.minimum(product.found.inputs.mask * product.valid, other.found.inputs.mask * other.valid) > _SURE
    if where.sum() < _LEAST_TEXELS:
        return None
    channels = []
    for name in CHANNELS:
        own, another = (getattr(one.found.inputs, name) for one in (product, other))
        seen = (own > 0) | (another > 0) if name == "mask" else where
        channels.append((rms((own - another)[seen]) ** 2, rms(own[seen]) ** 2))
    truth, other_truth = (one.medium + one.fine for one in (product, other))
    errors = (rms((ours - truth)[where]), rms((theirs - other_truth)[where]), rms(truth[where]))
    return Apart(
        way=way,
        channels=np.array(channels),
        relief=(rms((ours - theirs)[where]) ** 2, rms(ours[where]) ** 2),
        errors=tuple(error**2 for error in errors),
    )


def _figures(found: list[Apart]) -> dict[str, object]:
    """Root mean squares over photos."""
    difference, own = np.sqrt(np.mean([one.channels for one in found], axis=0)).T
    relief, ours = np.sqrt(np.mean([one.relief for one in found], axis=0))
    product, other, nothing = np.sqrt(np.mean([one.errors for one in found], axis=0))
    millimetres = {
        "difference_mm": relief, "product_mm": ours, "error_product_mm": product, "error_mm": other,
        "error_without_mm": nothing,
    }  # fmt: skip
    return {
        "photos": len(found),
        "inputs": dict(zip(CHANNELS, (difference / own).round(3).tolist(), strict=True)),
        "relief": {name: round(float(value), 4) for name, value in millimetres.items()},
    }


def _lines(figures: dict[str, dict]) -> list[str]:
    inputs, reliefs = [], []
    for way, row in figures.items():
        inputs.append((way, row["photos"], *(f"{value:.1%}" for value in row["inputs"].values())))
        reliefs.append((way, *row["relief"].values()))
    title = "**Inputs: RMS difference from the product's, of the channel's own RMS**"
    columns = ("relief, RMS in mm", "difference", "product's", "error, product", "error, this way", "error, no relief")
    return [title, "", *table(("inputs", "photos", *CHANNELS), inputs), "", *table(columns, reliefs)]


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "two photos")
    parser.add_argument("--heads", type=int, default=HEADS, help="of the training set, the first ones")
    parser.add_argument("--photos", type=int, default=PHOTOS, help="of each head")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS_DIR, help="folder with detail_net.safetensors and its index.json"
    )
    benchmark(run, parser)
