# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the Deep Facial Detail Net; writes detail_net.safetensors.

    python -m scripts.training.detail_net.make_set
    python -m scripts.training.detail_net [--steps 4000] [--variant light] [--size compact] [--cache FOLDER]

Supervised first, then (``--adapt-steps``) alternating with photos that have no truth, by equations 6 to 10 of Chen et
al. (ICCV 2019): their shading has to come out (L_recon, equations 11 to 14), and relief has to look like relief
(PatchGAN).
A run that was stopped goes on where it was; new heads in the cache are taken up as they come. Curves go to log.jsonl
beside the checkpoint. Every twentieth head is for validation only, and for the amplitude in the end.
"""

import argparse
import json
import os
from pathlib import Path

import torch

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.detail.dfdn import (
    PHOTO_CHANNELS,
    SIZES,
)
from facedetail_addon.core.detail.synthesis import WEIGHTS
from facedetail_addon.core.errors import AssetError
from scripts.harness import CACHE, description, errors_told
from scripts.training.detail_net.batches import Patches
from scripts.training.detail_net.patches import SEED
from scripts.training.detail_net.trainer import BATCH, Trainer, save_weights
from scripts.training.detail_net.validation import calibrate, validate, validation_batch


@errors_told()
def main() -> None:
    options = _arguments()
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    training = Patches("head_*.npz", options.cache, held_out=False)
    validation = Patches("head_*.npz", options.cache, held_out=True)
    if not len(training) or not len(validation):
        raise AssetError(
            f"{options.cache} holds no training set.", "Run python -m scripts.training.detail_net.make_set."
        )
    torch.manual_seed(options.seed)
    trainer = Trainer(options, training)
    fixed = validation_batch(validation)
    trainer.run(training, fixed)
    trainer.network.amplitude.copy_(calibrate(trainer.network, validation, options.variant))
    save_weights(trainer.network, options.output / options.name)
    figures = validate(trainer.network, fixed, options.variant)
    figures["amplitude"] = trainer.network.amplitude.tolist()
    print(json.dumps(figures))


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--steps", type=int, default=4000, help=f"supervised, {BATCH} patches each")
    parser.add_argument("--adapt-steps", type=int, default=0, help="then so many that alternate with photos")
    parser.add_argument("--variant", choices=PHOTO_CHANNELS, default="light", help="what the networks see")
    parser.add_argument("--size", choices=SIZES, default="compact", help="of the networks")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", type=Path, default=CACHE / "detail_net", help="folder of the set and of checkpoints")
    parser.add_argument("--name", default=WEIGHTS, help="file name of the weights")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the weights")
    return parser.parse_args()


if __name__ == "__main__":
    main()
