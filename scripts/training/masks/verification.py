# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the shipped segmentation networks with the originals in TensorFlow Lite's interpreter (``--verify``)."""

from pathlib import Path

import cv2
import numpy as np
import torch

from facedetail_addon.core.io.networks import one_thread
from facedetail_addon.core.observe.masks.hair_net import HAIR_INPUT
from facedetail_addon.core.observe.masks.networks import MaskNetworks
from facedetail_addon.core.observe.masks.person_net import PERSON_INPUT
from scripts.harness import table
from scripts.training.tflite import interpret

LIMIT = 1e-2  # of a probability


def verify(person_path: Path, hair_path: Path, photos: list[Path]) -> int:
    """Print the largest differences of probabilities on photos and scikit-image's astronaut; 1 beyond the limit."""
    person, hair = person_path.read_bytes(), hair_path.read_bytes()
    networks, differences = MaskNetworks.load(), []
    for picture in _pictures(photos):
        wide, small = (
            cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)[None] / 255
            for side in (HAIR_INPUT, PERSON_INPUT)
        )
        with one_thread():
            ours_person = networks.person(torch.from_numpy(small).permute(0, 3, 1, 2))[0, 0].numpy()
            ours_hair = networks.hair(torch.from_numpy(wide).permute(0, 3, 1, 2)).softmax(1)[0, 1].numpy()
        theirs_person = interpret(person, [small])[0][0, :, :, 0]
        logits = interpret(hair, [np.pad(wide, ((0, 0), (0, 0), (0, 0), (0, 1)))])[0][0]
        theirs_hair = torch.from_numpy(logits).softmax(-1)[..., 1].numpy()
        differences.append([np.abs(ours_person - theirs_person), np.abs(ours_hair - theirs_hair)])
    worst = [max(difference.max() for difference in one) for one in zip(*differences, strict=True)]
    usual = [np.mean([difference.mean() for difference in one]) for one in zip(*differences, strict=True)]
    rows = [(n, f"{w:.2g}", f"{u:.2g}", LIMIT) for n, w, u in zip(("person", "hair"), worst, usual, strict=True)]
    print(f"{len(differences)} photos")
    print("\n".join(table(("probability", "largest difference", "mean difference", "limit"), rows)))
    return int(max(worst) > LIMIT)


def _pictures(photos: list[Path]) -> list[np.ndarray]:
    from skimage.data import astronaut

    pictures = [astronaut()]
    for path in photos:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise SystemExit(f"error: {path} is not a readable picture")
        pictures.append(np.ascontiguousarray(picture[:, :, ::-1]))
    return pictures
