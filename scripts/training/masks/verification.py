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
from scripts.training.verification_pictures import verification_pictures

LIMIT = 1e-2  # of a probability
# So many pixels may differ by more: on flat ground two values of a pooling window agree to rounding, and which of them
# is the larger decides where the decoder puts features back.
SHARE = 1e-4


def verify(person_path: Path, hair_path: Path, photos: list[Path]) -> int:
    """Print how far probabilities differ on photos and scikit-image's astronaut; 1 where too many do, else 0."""
    person, hair = person_path.read_bytes(), hair_path.read_bytes()
    networks, differences = MaskNetworks.load(), []
    for picture in verification_pictures(photos):
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
        differences.append((np.abs(ours_person - theirs_person).ravel(), np.abs(ours_hair - theirs_hair).ravel()))
    rows, shares = [], []
    for name, each in zip(("person", "hair"), zip(*differences, strict=True), strict=True):
        difference = np.concatenate(each)
        shares.append((difference > LIMIT).mean())
        rows.append((name, f"{difference.max():.2g}", f"{difference.mean():.2g}", f"{shares[-1]:.2g}", f"{SHARE:g}"))
    print(f"{len(differences)} photos\n")
    print("\n".join(table(("probability", "largest difference", "mean", f"share beyond {LIMIT:g}", "limit"), rows)))
    return int(max(shares) > SHARE)
