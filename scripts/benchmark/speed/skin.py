# SPDX-License-Identifier: GPL-3.0-or-later
"""How long painting the skin takes, function by function.

    python -m scripts.benchmark.speed.skin PHOTO… [--resolution 2048] [--beside CHECKOUT]

Milliseconds of processor time of one thread that each function of the skin's room takes of painting one photo, medians
over photos and repetitions; without relief. With ``--beside`` another checkout of this project does the same in turn.
What is made once for many photos is made before. The last line is JSON.
"""

import argparse
import cProfile
import json
import os
import pstats
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WHOLE = "make_skin_maps"
_REPEATS = 3
_ROOMS = ("skin", "uv", "geometry")  # of the core, whose functions are told apart
_LEAST_MS = 5.0


def measure(photos: list[Path], resolution: int) -> dict[str, float]:
    """Milliseconds by function, of the checkout that is imported."""
    from facedetail_addon.core.models import Models
    from facedetail_addon.core.pipeline import illuminate, paint, reconstruct
    from facedetail_addon.settings import NO_DETAIL, Settings

    settings = Settings(resolution=resolution, detail=NO_DETAIL)
    models, spent = Models.load(settings), []
    for photo in photos:
        record = reconstruct(photo, models, settings, lambda _text, _done: None).record
        light = illuminate(record.observation, record.pose, models, settings)
        for _ in range(_REPEATS):
            profile = cProfile.Profile(time.process_time)
            profile.runcall(paint, record.observation, record.pose, light, models)
            spent.append(_by_function(profile))
    names = set().union(*spent)
    return {name: statistics.median(one.get(name, 0.0) for one in spent) for name in names}


def _by_function(profile: cProfile.Profile) -> dict[str, float]:
    out: dict[str, float] = {}
    for (path, _, name), (_, _, _, cumulative, _) in pstats.Stats(profile).stats.items():
        parts = Path(path).parts
        if "core" in parts and parts[parts.index("core") + 1] in _ROOMS and not name.startswith("<"):
            label = name if name == WHOLE else f"{Path(path).stem}.{name}"
            out[label] = out.get(label, 0.0) + 1000 * cumulative
    return out


def _in_checkout(root: Path, photos: list[Path], resolution: int) -> dict[str, float]:
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--here", *map(str, photos), "--resolution", str(resolution)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--resolution", type=int, default=2048)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    photos = [photo.resolve() for photo in options.photos]
    if options.here:
        print(json.dumps(measure(photos, options.resolution)), flush=True)
        os._exit(0)
    roots = [ROOT] if options.beside is None else [options.beside.resolve(), ROOT]
    found = [[_in_checkout(root, [photo], options.resolution) for root in roots] for photo in photos]
    names = set().union(*(one for turn in found for one in turn))
    figures = {
        name: [round(statistics.median(turn[k].get(name, 0.0) for turn in found), 1) for k in range(len(roots))]
        for name in names
    }
    for name, values in sorted(figures.items(), key=lambda item: -max(item[1])):
        if max(values) >= _LEAST_MS:
            print(f"{name:40}", *(f"{value:9.1f}" for value in values))
    print(json.dumps({"photos": len(photos), "resolution": options.resolution, WHOLE: figures[WHOLE]}))


if __name__ == "__main__":
    main()
