# SPDX-License-Identifier: GPL-3.0-or-later
"""Train Emotion-Net on FER2013; writes emotion_net.safetensors and prints its confusion matrix.

    FACEDETAIL_DATA=… python -m scripts.training.emotion_net [--epochs 36] [--jobs 2] [--cache FOLDER]
    FACEDETAIL_DATA=… python -m scripts.training.emotion_net --baseline

First every picture is cut anew by the face mesh's landmarks, as photos and renders are in use (pictures in which the
mesh sees no face stay as they are). Then the network is trained on the set's own training split, the epoch with the
best validation accuracy is kept, and the test split is looked at once. A run that was stopped goes on where it was;
another folder for the cache starts a new one. The weights that are validated are a slow running average, which says
little for the first six epochs or so. ``--baseline`` measures instead how far a linear classifier of gradients comes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.observe.expression.emotion_net import (
    WEIGHTS,
    EmotionNet,
    load_emotion_net,
)
from facedetail_addon.core.observe.expression.types import EMOTIONS
from scripts.harness import CACHE, data_folder, description, errors_told
from scripts.training.emotion_net.baseline import report_baseline
from scripts.training.emotion_net.learning import accuracy, confusion_table, predicted, train
from scripts.training.emotion_net.pictures import Split, load_split
from scripts.training.weights import save_network


@errors_told()
def main() -> None:
    options = _arguments()
    archive = data_folder("emotion/fer2013.zip") / "emotion" / "fer2013.zip"
    options.cache.mkdir(parents=True, exist_ok=True)
    splits = {name: load_split(archive, name, options.cache, options.jobs) for name in ("train", "validation", "test")}
    torch.set_num_threads(options.threads)
    if options.baseline:
        report_baseline(splits)
        return
    network = train(splits["train"], splits["validation"], options.epochs, options.cache)
    save_network(network, options.output / WEIGHTS)
    report(load_emotion_net(options.output), splits)


def report(network: EmotionNet, splits: dict[str, Split]) -> None:
    """Accuracy and confusion matrix, as a Markdown table and one JSON object."""
    figures: dict[str, object] = {
        f"{name}_accuracy": round(accuracy(network, splits[name]), 4) for name in ("validation", "test")
    }
    figures["aligned_share"] = round(float(np.mean(np.concatenate([s.aligned for s in splits.values()]))), 4)
    counts = np.bincount(splits["train"].emotion, minlength=len(EMOTIONS))
    always = float((splits["test"].emotion == counts.argmax()).mean())
    figures["always_the_commonest"] = round(always, 4)
    lines, confusion = confusion_table(splits["test"].emotion, predicted(network, splits["test"]))
    print("\n".join([*lines, "", json.dumps(figures | {"confusion": confusion.tolist()})]))


def _arguments() -> argparse.Namespace:
    parser = description(__doc__)
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--jobs", type=int, default=2, help="processes that cut the pictures")
    parser.add_argument("--threads", type=int, default=2, help="threads that train")
    parser.add_argument("--cache", type=Path, default=CACHE / "emotion_net")
    parser.add_argument("--baseline", action="store_true", help="measure a linear baseline and train nothing")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the weights and their index entry")
    return parser.parse_args()


if __name__ == "__main__":
    main()
