# SPDX-License-Identifier: GPL-3.0-or-later
"""Gather photos of people and drawn heads, learn which dark lines are form, and ship; what was stopped goes on.

    FACEDETAIL_DATA=… python -m scripts.training.line_net [--heads 8] [--steps 1500]
    python -m scripts.training.line_net --only learn --sources drawn      without what is guessed of people
    python -m scripts.training.line_net --only ship                       the cache's network.pt as it is now

Photos' channels, samples, checkpoints and the network that came of them lie in the cache. One thread.
"""

import argparse
from pathlib import Path

import cv2
import torch

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.detail.line_net import WEIGHTS, LineNet
from facedetail_addon.core.detail.space import BOX
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.models import Models
from scripts.benchmark.detail.regions import lined_regions
from scripts.harness import CACHE, data_folder, description, errors_told, whole_file
from scripts.training.line_net.heads import make_heads
from scripts.training.line_net.learning import train
from scripts.training.line_net.people import LINED, YOUNG, photos
from scripts.training.line_net.portraits import SETTINGS, make_portraits, portrait_path
from scripts.training.line_net.samples import DRAWN, OLD, YOUTH, Places, prepare
from scripts.training.skin.space import landmark_texels
from scripts.training.studio.studio import open_studio
from scripts.training.weights import save_network

STAGES = ("portraits", "heads", "samples", "learn", "ship")
_PEOPLE = {OLD: LINED, YOUTH: YOUNG}


@errors_told()
def main() -> None:
    options = _arguments()
    root, stages = CACHE / "line_net", STAGES if options.only is None else (options.only,)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if "portraits" in stages:
        data, models = data_folder("the portraits"), Models.load(SETTINGS)
        for people in _PEOPLE.values():
            make_portraits(root / "portraits", photos(data, people), models)
    if "heads" in stages:
        make_heads(root / "heads", options.heads, open_studio(), Models.load(SETTINGS))
    if "samples" in stages:
        _prepare(root, data_folder("the portraits"))
    if "learn" in stages:
        network = train(root / "samples", root, options.steps, tuple(options.sources), options.begin)
        with whole_file(root / "network.pt") as unfinished:
            torch.save(network.state_dict(), unfinished)
    if "ship" in stages:
        _ship(root / "network.pt", options.output)


def _prepare(root: Path, data: Path) -> None:
    shape = BOX[3] - BOX[1], BOX[2] - BOX[0]
    marks = landmark_texels(load_named_model(BUILTIN))
    places = Places(marks, lined_regions(marks, shape))
    for source, people in _PEOPLE.items():
        found = [portrait_path(root / "portraits", photo) for photo in photos(data, people)]
        prepare(source, [path for path in found if path.exists()], root / "samples", places)
    prepare(DRAWN, sorted((root / "heads").glob("[0-9]*.npz")), root / "samples", places)


def _ship(trained: Path, folder: Path) -> None:
    network = LineNet()
    try:
        network.load_state_dict(torch.load(trained, weights_only=True, map_location="cpu"))
    except (OSError, RuntimeError) as error:
        raise AssetError(f"{trained} holds no network that can ship: {error}.", "Train it first.") from error
    save_network(network, folder / WEIGHTS)


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--heads", type=int, default=8, help="that are drawn, four photos of each")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--sources", nargs="+", choices=(DRAWN, OLD, YOUTH), default=[DRAWN, OLD, YOUTH])
    parser.add_argument("--begin", type=Path, help="weights to begin with, a network.pt")
    parser.add_argument("--only", choices=STAGES, help="one stage alone")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the weights")
    return parser.parse_args()


if __name__ == "__main__":
    main()
