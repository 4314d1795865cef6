# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two checkouts of this repository make the same results, number by number, and how far they are apart.

    FACEDETAIL_DATA=… python -m scripts.compare_checkouts OLD NEW --output DIR [--resolution 2048] [--reuse]

Each checkout's own command line reconstructs the astronaut, two portraits of ``london/``, ``official_portraits/`` and
``synthetic_portraits/`` each, among them dark and lined ones, two photos of ``wild/`` and, with the ICT-FaceKit that it
imports itself, one portrait again; every map, mesh and figure of the results is compared.
OLD and NEW are folders. Results go to ``DIR/old`` and ``DIR/new``; ``--reuse`` takes those that are there already.
Seconds are not compared. A value that was renamed is compared under its new name, and what is new is listed. The exit
status is 1 where anything differs; the last line is JSON.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from facedetail_addon.core.io.exr import read_exr
from facedetail_addon.core.io.images import read_png
from scripts.harness import data_folder, description, errors_told

RENAMED = {"own_beta": "native_beta"}
NOT_COMPARED = {"stage_seconds", "format_version"}
IMPORTED = "imported"
BUILTIN = "builtin"
QUANTILES = (0.99, 0.999)


@dataclass(frozen=True)
class Difference:
    """What differs.

    Attributes:
        largest: by how much at most, in the file's own units; infinite where shapes or kinds differ.
        share: of the values, that differ. quantiles: below which 99 % and 99.9 % of all values' differences are.
    """

    what: str
    largest: float = np.inf
    share: float = 1.0
    quantiles: tuple[float, float] = (np.inf, np.inf)


def photos() -> dict[str, list[Path]]:
    """The photos by face model."""
    folder = data_folder("london/, official_portraits/, synthetic_portraits/, wild/ and models/")
    astronaut = Path(data.__file__).parent / "astronaut.png"
    london = sorted(folder.glob("london/neutral/*.jpg"))
    wild = sorted(folder.glob("wild/*.jpg"))
    others = [folder / "official_portraits" / f"{number}.jpg" for number in ("08", "17")]
    others += [folder / "synthetic_portraits" / f"{name}.jpg" for name in ("female-9", "male-42")]
    return {BUILTIN: [astronaut, london[0], london[40], *others, wild[0], wild[7]], IMPORTED: [london[20]]}


def reconstruct(checkout: Path, output: Path, resolution: int) -> None:
    """Every photo by a checkout's own command line."""
    facekit = data_folder("models/") / "models" / "ict_facekit.npz"
    for model, files in photos().items():
        command = [sys.executable, "-m", "facedetail_addon", "reconstruct", *map(str, files), "--quiet"]
        command += [
            "--output",
            str(output / model),
            "--assets",
            str(output / "assets"),
            "--resolution",
            str(resolution),
        ]
        if model == IMPORTED:
            command += ["--model", str(facekit)]
        # A face that is not found is the same in both; anything else has been written to standard error.
        subprocess.run(command, cwd=checkout, stdout=subprocess.DEVNULL, check=False)


def differences(old: Path, new: Path) -> Iterator[Difference]:
    """Of two result folders."""
    names = {path.name for path in old.iterdir()}
    for name in sorted(names):
        if not (new / name).exists():
            yield Difference(f"{name} is gone")
        elif name.endswith(".json"):
            yield from _records(json.loads((old / name).read_text()), json.loads((new / name).read_text()), name)
        elif name.endswith(".npz"):
            before, after = np.load(old / name), np.load(new / name)
            for key in before.files:
                yield from _arrays(before[key], after[key], f"{name} {key}")
        else:
            yield from _arrays(_values(old / name), _values(new / name), name)
    for name in sorted({path.name for path in new.iterdir()} - names):
        print(f"  new: {name}")


def _values(path: Path) -> np.ndarray:
    if path.suffix == ".png":
        return read_png(path)
    if path.suffix == ".exr":
        height, width = read_png(path.with_name("albedo.png")).shape[:2]
        return read_exr(path, (height, width))
    if path.suffix == ".hdr":
        return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return np.frombuffer(path.read_bytes(), np.uint8)


def _records(before: object, after: object, where: str) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in NOT_COMPARED:
                continue
            renamed = key if key in after else RENAMED.get(key, key)
            if renamed not in after:
                yield Difference(f"{where} {key} is gone")
            else:
                yield from _records(value, after[renamed], f"{where} {key}")
        new = set(after) - set(before) - {RENAMED.get(key) for key in before}
        for key in sorted(new):
            print(f"  new: {where} {key}")
        return
    if _is_numeric(before) and _is_numeric(after):
        yield from _arrays(np.array(before, np.float64), np.array(after, np.float64), where)
    elif before != after:
        yield Difference(f"{where}: {before!r:.60} is {after!r:.60}")


def _is_numeric(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_is_numeric, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arrays(before: np.ndarray, after: np.ndarray, what: str) -> Iterator[Difference]:
    if before.shape != after.shape or before.dtype != after.dtype:
        yield Difference(f"{what}: {before.shape} {before.dtype} is {after.shape} {after.dtype}")
    elif not np.array_equal(before, after):
        apart = np.abs(before.astype(np.float64) - after.astype(np.float64))
        yield Difference(
            what, float(apart.max()), float((apart > 0).mean()), tuple(np.quantile(apart, QUANTILES).tolist())
        )


@errors_told()
def main() -> None:
    parser = description(__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--resolution", type=int, default=2048)
    parser.add_argument("--reuse", action="store_true", help="take results that are there already")
    arguments = parser.parse_args()
    for name in ("old", "new"):
        folder = arguments.output / name
        if not (arguments.reuse and folder.exists()):
            reconstruct(getattr(arguments, name).resolve(), folder.resolve(), arguments.resolution)
    found: dict[str, list[Difference]] = {}
    for record in sorted((arguments.output / "old").glob("*/*/reconstruction.json")):
        place = record.parent.relative_to(arguments.output / "old")
        print(place)
        if not (arguments.output / "new" / place).is_dir():
            found[str(place)] = [Difference("the whole result is gone")]
        else:
            found[str(place)] = list(differences(record.parent, arguments.output / "new" / place))
        for difference in found[str(place)]:
            most, rarely = difference.quantiles
            print(
                f"  differs: {difference.what}, {difference.share:.2%} of values, 99 % by at most {most:.3g}, "
                f"99.9 % by {rarely:.3g}, all by {difference.largest:.3g}"
            )
    figures = {
        place: {item.what: [item.largest, item.share, *item.quantiles] for item in items}
        for place, items in found.items()
    }
    print(json.dumps({"results": len(found), "different": sum(map(bool, found.values())), "figures": figures}))
    sys.exit(1 if not found or any(found.values()) else 0)


if __name__ == "__main__":
    main()
