# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the training set and learn; both go on where they were stopped.

    FACEDETAIL_DATA=… python -m scripts.training.correspondence [--pieces 80] [--steps 20000] [--only skins|draw|learn]

Skins, pieces, checkpoints and the network that came of them lie in the cache.
"""

import argparse

import torch

from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from scripts.harness import CACHE, data_folder, description, errors_told, progress, whole_file
from scripts.training.correspondence.dataset import load_chunk, make_chunks
from scripts.training.correspondence.learning import errors_of, new_network, train
from scripts.training.correspondence.skins import make_skins

STAGES = ("skins", "draw", "learn")
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
        for path in sorted((root / "test").glob("[0-9]*.npz")):
            found = errors_of(network.eval(), load_chunk(path))
            progress(f"{path.name}: {100 * found['distance'].mean():.2f} % of the crop's side")


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--pieces", type=int, default=80, help="of the training set")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--jobs", type=int, default=2, help="processes that draw")
    parser.add_argument("--only", choices=STAGES, help="one stage alone; pieces that are drawn meanwhile are taken in")
    parser.add_argument("--begin", help="weights to begin with, a network.pt")
    return parser.parse_args()


if __name__ == "__main__":
    main()
