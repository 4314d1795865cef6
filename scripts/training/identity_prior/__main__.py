# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at portraits, learn the identity prior from them, ship it, and test it on people that it has not seen.

    FACEDETAIL_DATA=… python -m scripts.training.identity_prior [--jobs 2]
    python -m scripts.training.identity_prior --only test      the shipped prior on people that were held out

What was looked at lies in the cache. Learning takes one thread and ten minutes.
"""

import argparse
from pathlib import Path

import numpy as np

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR, register_weights
from facedetail_addon.core.observe.identity.prior import (
    FILE_NAME,
    load_identity_regression,
    save_identity_regression,
)
from facedetail_addon.core.rendering.normals import vertex_normals
from scripts.benchmark.likeness.measure import compare
from scripts.benchmark.likeness.portraits import face_vertices
from scripts.harness import CACHE, data_folder, description, errors_told, whole_file
from scripts.training.identity_prior.learning import at_rest, explained, learn
from scripts.training.identity_prior.portraits import HELD_OUT, LEARNED, Portrait, load_portraits, look_at, models

STAGES = ("look", "learn", "test")


@errors_told()
def main() -> None:
    options = _arguments()
    data, folder = data_folder("the portraits"), CACHE / "identity_prior"
    stages = STAGES if options.only is None else (options.only,)
    if "look" in stages:
        look_at(data, folder, LEARNED + HELD_OUT, options.jobs)
    if "learn" in stages:
        portraits = load_portraits(data, folder, LEARNED)
        regression, _ = learn(portraits, models())
        with whole_file(options.output / FILE_NAME) as unfinished:
            save_identity_regression(unfinished, regression)
        register_weights(options.output / FILE_NAME)
    if "test" in stages:
        portraits = load_portraits(data, folder, HELD_OUT)
        said = load_identity_regression(options.output).alpha(np.array([one.descriptor for one in portraits]))
        free, under = (at_rest(portraits, models(), prior) for prior in (None, said))
        print(
            f"{len(portraits)} photos of people held out: the prior explains {explained(free, said):.3f} of α fitted "
            f"without it, {explained(under, said):.3f} of α fitted under it; RMS of α {_rms(free):.2f} without, "
            f"{_rms(under):.2f} under it, {_rms(said):.2f} of the prior's mean."
        )
        for name, alpha in (("without it", free), ("under it", under)):
            print(f"Two photos of a person, {name}: {_likeness(portraits, alpha)}.")


def _likeness(portraits: list[Portrait], alpha: np.ndarray) -> str:
    """Of the heads of (N, K) α, by both photos of each person."""
    model, kinds = models().model, [str(Path(pattern).parent) for pattern in HELD_OUT]
    by_name = {portrait.name: model.vertices(one) for portrait, one in zip(portraits, alpha, strict=True)}
    people = {Path(name).name for name in by_name}
    pairs = [[f"{kind}/{person}" for kind in kinds] for person in sorted(people)]
    pairs = [pair for pair in pairs if all(name in by_name for name in pair)]
    face, mean = face_vertices(model), model.skin.of(model.mean)
    normals = vertex_normals(mean, model.skin.triangles())[face]
    found = compare(*(np.array([by_name[pair[kind]][face] for pair in pairs]) for kind in (0, 1)), mean[face], normals)
    ratio = found.within_mm / found.between_mm
    return f"within {found.within_mm:.3f}, between {found.between_mm:.3f} mm, {ratio:.3f}, rank-1 {found.rank1:.1%}"


def _rms(alpha: np.ndarray) -> float:
    return float(np.sqrt((alpha**2).mean()))


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes that look at portraits")
    parser.add_argument("--only", choices=STAGES, help="one stage alone")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder of the weights")
    return parser.parse_args()


if __name__ == "__main__":
    main()
