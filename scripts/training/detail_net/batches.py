# SPDX-License-Identifier: GPL-3.0-or-later
"""The training set of the detail networks in memory, and batches of it as the networks take them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from facedetail_addon.core.detail.dfdn import PATCH, level_channel
from scripts.training.detail_net.patches import HELD_OUT, LIMIT, STEP_MM


class Patches:
    """Patches of many heads in memory, as bytes."""

    def __init__(self, pattern: str, folder: Path, held_out: bool):
        self._pattern, self._folder, self._held_out = pattern, folder, held_out
        self._files: set[str] = set()
        self._arrays: list[dict[str, np.ndarray]] = []
        self._index: list[tuple[int, int]] = []
        self.refresh()

    def __len__(self) -> int:
        return len(self._index)

    def refresh(self) -> None:
        """Take up files that have come since."""
        for path in sorted(self._folder.glob(self._pattern)):
            number = int(path.stem.split("_")[1])
            if path.name in self._files or (number % HELD_OUT == HELD_OUT - 1) != self._held_out:
                continue
            self._files.add(path.name)
            with np.load(path, allow_pickle=False) as arrays:
                if int(arrays["count"]):
                    held = {key: arrays[key] for key in arrays.files if key != "count"}
                    self._index += [(len(self._arrays), k) for k in range(int(arrays["count"]))]
                    self._arrays.append(held)

    def take(self, picked: np.ndarray) -> dict[str, np.ndarray]:
        """Stacked arrays of some patches."""
        places = [self._index[i] for i in picked]
        return {key: np.stack([self._arrays[f][key][k] for f, k in places]) for key in self._arrays[0]}


@dataclass(frozen=True)
class Batch:
    """Decoded patches.

    Attributes:
        photo: (B, 6, 256, 256) channels of the variant ``light``. level: (B, 1, 256, 256) HSV value.
        mask: (B, 1, 256, 256) skin whose relief is known. medium: (B, 1, 64, 64) mm. total: (B, 1, 256, 256) mm.
    """

    photo: Tensor
    level: Tensor
    mask: Tensor
    medium: Tensor
    total: Tensor

    def channels(self, variant: str) -> Tensor:
        """What the networks of a variant see; the paper's: patch minus its mean, times two."""
        if variant == "light":
            return self.photo
        return level_channel(self.level)


def make_batch(arrays: dict[str, np.ndarray], rng: np.random.Generator | None) -> Batch:
    """Decode patches; with ``rng`` each is mirrored and turned at random, its light with it."""
    bytes_of = {key: torch.from_numpy(value) for key, value in arrays.items()}
    light = functional.interpolate(bytes_of["light"].float(), size=(PATCH, PATCH), mode="bilinear", align_corners=False)
    mask = bytes_of["mask"].float()[:, None] / 255
    mask = functional.interpolate(mask, size=(PATCH, PATCH), mode="bilinear", align_corners=False)
    value, chroma = (bytes_of[key].float()[:, None] * (LIMIT / 127) for key in ("value", "chroma"))
    medium = bytes_of["medium"].float()[:, None] * STEP_MM
    total = functional.interpolate(medium, size=(PATCH, PATCH), mode="bicubic", antialias=True)
    total = total + bytes_of["fine"].float()[:, None] * STEP_MM
    photo = torch.cat([value, chroma, light, mask], dim=1)
    level = bytes_of["level"].float()[:, None] / 255
    pieces = [photo, level, mask, medium, total]
    if rng is not None:
        pieces = _turned(pieces, rng)
    return Batch(*(piece.contiguous(memory_format=torch.channels_last) for piece in pieces))


def _turned(pieces: list[Tensor], rng: np.random.Generator) -> list[Tensor]:
    """Eight symmetries of the square, one per patch; light_x and light_y (channels 2, 3) are a vector."""
    out: list[list[Tensor]] = [[] for _ in pieces]
    for number in range(len(pieces[0])):
        flip, turns = rng.random() < 0.5, int(rng.integers(4))
        for slot, piece in enumerate(pieces):
            one = piece[number]
            if slot == 0:
                x, y = one[2], one[3]
                if flip:
                    x = -x
                for _ in range(turns):  # a quarter turn as torch.rot90: right becomes up
                    x, y = y, -x
                one = torch.cat([one[:2], x[None], y[None], one[4:]])
            if flip:
                one = one.flip(-1)
            out[slot].append(torch.rot90(one, turns, (-2, -1)))
    return [torch.stack(slot) for slot in out]
