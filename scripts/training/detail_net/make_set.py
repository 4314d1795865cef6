# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the supervised training set of the detail networks: patches of synthetic photos with known relief.

    python -m scripts.training.detail_net.make_set [--heads 600] [--photos 4] [--jobs 2] [--cache FOLDER]
    FACEDETAIL_DATA=… python -m scripts.training.detail_net.make_set --real 160 [--jobs 2] [--cache FOLDER]

One file per head; those that are there already are kept, so a run that was stopped goes on. A photo takes about four
seconds of one core. ``--real`` adds patches of real photos, whose relief nobody knows.
"""

import argparse
import os
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.observe.photo import read_photo
from scripts.harness import CACHE, data_folder, description, errors_told, measured, processes, whole_file
from scripts.training.detail_net.patches import PATCH, SEED, encode
from scripts.training.studio.photos import look, make_examples
from scripts.training.studio.studio import Studio, open_studio

_PATCHES = 12  # per photo
_LEAST = 0.4  # of a patch shows skin


@errors_told()
def main() -> None:
    options = _arguments()
    options.cache.mkdir(parents=True, exist_ok=True)
    if options.real:
        tasks, make = real_photos(options.real), make_photo_file
    else:
        numbers = range(options.first, options.first + options.heads)
        tasks = [(number, options.photos) for number in numbers if not head_file(options.cache, number).is_file()]
        make = make_head_file
    with processes(options.jobs) as pool:
        counts = measured(pool, partial(make, options.cache), tasks)
    print(f"{sum(counts)} patches in {len(tasks)} new files of {options.cache}")


def real_photos(count: int) -> list[tuple[int, Path]]:
    """Half portraits of london/, half pictures of wild/, evenly picked, with numbers."""
    data = data_folder("london/ and wild/")
    out: list[Path] = []
    for pattern in ("london/*/*.jpg", "wild/*.jpg"):
        every = sorted(data.glob(pattern))
        out += [every[i] for i in np.linspace(0, len(every) - 1, count // 2).astype(int)]
    return list(enumerate(out))


def head_file(cache: Path, number: int) -> Path:
    """Where the patches of a head lie."""
    return cache / f"head_{number:05d}.npz"


def make_head_file(cache: Path, task: tuple[int, int]) -> int:
    """Photograph one head and keep its patches; how many.

    Args:
        task: number of the head, and how many photos.
    """
    number, photos = task
    rng = np.random.default_rng((SEED, number))
    arrays: list[dict[str, np.ndarray]] = []
    for example in make_examples(_studio(), rng, photos):
        mask = example.found.inputs.mask * example.valid
        for window in _windows(mask, rng):
            arrays.append(encode(example.found.inputs, mask, example.medium, example.fine, window))
    return _keep(head_file(cache, number), arrays)


def make_photo_file(cache: Path, task: tuple[int, Path]) -> int:
    """Keep patches of a real photo, with relief 0; how many.

    Args:
        task: number and file of the photo.
    """
    number, photo = task
    found = look(_studio(), read_photo(photo))
    arrays: list[dict[str, np.ndarray]] = []
    if found is not None:
        mask = found.inputs.mask
        for window in _windows(mask, np.random.default_rng((SEED, number))):
            arrays.append(encode(found.inputs, mask, np.zeros_like(mask), np.zeros_like(mask), window))
    return _keep(cache / f"photo_{number:05d}.npz", arrays)


def _keep(path: Path, arrays: list[dict[str, np.ndarray]]) -> int:
    """Write patches, whole or not at all; how many."""
    stacked = {key: np.stack([a[key] for a in arrays]) for key in arrays[0]} if arrays else {}
    with whole_file(path) as unfinished:
        np.savez(unfinished, count=np.int32(len(arrays)), **stacked)
    return len(arrays)


def _windows(mask: np.ndarray, rng: np.random.Generator) -> list[tuple[slice, slice]]:
    """Patches that show enough skin."""
    share = cv2.boxFilter(mask, -1, (PATCH, PATCH), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    height, width = mask.shape
    rows, columns = np.nonzero(share[: height - PATCH + 1, : width - PATCH + 1] > _LEAST)
    if len(rows) == 0:
        return []
    picked = rng.integers(len(rows), size=_PATCHES)
    corners = [(int(rows[i]), int(columns[i])) for i in picked]
    return [(slice(y, y + PATCH), slice(x, x + PATCH)) for y, x in corners]


@cache
def _studio() -> Studio:
    """Loaded once per process."""
    return open_studio()


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--heads", type=int, default=600, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first head")
    parser.add_argument("--photos", type=int, default=4, help="of each head, with different skin and light")
    parser.add_argument("--real", type=int, default=0, help="make so many files of real photos instead")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--cache", type=Path, default=CACHE / "detail_net", help="folder of the set")
    return parser.parse_args()


if __name__ == "__main__":
    main()
