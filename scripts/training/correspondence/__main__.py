# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the training set, learn, measure and ship; what was stopped goes on.

    FACEDETAIL_DATA=… python -m scripts.training.correspondence [--pieces 80] [--steps 20000]
    python -m scripts.training.correspondence --only ship      the cache's network.pt as it is now, and its points
    python -m scripts.training.correspondence --only test      what the shipped network finds in the held-out pieces

Skins, pieces, checkpoints and the network that came of them lie in the cache.
"""

import argparse
from pathlib import Path

import torch

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.observe.correspondence.finder import CorrespondenceFinder
from scripts.harness import CACHE, data_folder, description, errors_told, whole_file
from scripts.training.correspondence.dataset import make_chunks
from scripts.training.correspondence.evaluation import error_table
from scripts.training.correspondence.learning import new_network, train
from scripts.training.correspondence.shipping import ship
from scripts.training.correspondence.skins import make_skins

STAGES = ("skins", "draw", "learn", "ship", "test")
TEST_PIECES = 2


@errors_told()
def main() -> None:
    options = _arguments()
    root, stages = CACHE / "correspondence", STAGES if options.only is None else (options.only,)
    if "skins" in stages:
        make_skins(data_folder("the portraits"), root / "skins", options.jobs)
    if "draw" in stages:
        make_chunks(root / "test", root / "skins", TEST_PIECES, options.jobs, held_out=True)
        make_chunks(root / "train", root / "skins", options.pieces, options.jobs)
    if "learn" in stages:
        torch.set_num_threads(1)
        model = load_named_model(BUILTIN)
        network = new_network(len(model.identity_basis), len(model.expression_basis))
        if options.begin:
            network.load_state_dict(torch.load(options.begin, weights_only=True))
        network = train(root / "train", root, network, options.steps)
        with whole_file(root / "network.pt") as unfinished:
            torch.save(network.state_dict(), unfinished)
    if "ship" in stages:
        ship(root / "network.pt", load_named_model(BUILTIN), load_calibration(), options.output)
    if "test" in stages:
        print("\n".join(error_table(CorrespondenceFinder.load(options.output).network, root / "test")))


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--pieces", type=int, default=80, help="of the training set")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--jobs", type=int, default=2, help="processes that draw")
    parser.add_argument("--only", choices=STAGES, help="one stage alone; pieces that are drawn meanwhile are taken in")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the weights")
    parser.add_argument("--begin", help="weights to begin with, a network.pt")
    return parser.parse_args()


if __name__ == "__main__":
    main()
