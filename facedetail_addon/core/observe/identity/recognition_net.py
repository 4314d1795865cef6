# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that tells people apart, as a plain torch module.

The layers are those of dlib's face recognition network (King, dlib-models, CC0), whose weights it loads: a residual
network (He et al., Deep Residual Learning for Image Recognition, 2016) of 29 convolutions with half their usual
channels. Its affine layers, what is left of batch normalisation, are part of the convolutions here.
"""

import torch
from torch import nn
from torch.nn import functional as F

CHIP_PX = 150
DESCRIPTOR = 128
_MEAN = (122.782, 117.001, 104.298)  # sRGB 0..255, of the training pictures
_RANGE = 256.0
_STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Channels, blocks, whether the first block halves the resolution."""


class _Block(nn.Module):
    """ReLU(skip + second(ReLU(first(x)))).

    Where ``halves``, the skip is averaged down. The smaller of both branches is filled up with zeros at the right, at
    the bottom and in the channels.
    """

    def __init__(self, in_channels: int, out_channels: int, halves: bool):
        super().__init__()
        how = {"stride": 2, "padding": 0} if halves else {"stride": 1, "padding": 1}
        self.first = nn.Conv2d(in_channels, out_channels, 3, **how)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.halves = halves

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branch = self.second(F.relu(self.first(x)))
        skip = F.avg_pool2d(x, 2) if self.halves else x
        size = tuple(max(one, other) for one, other in zip(branch.shape[1:], skip.shape[1:], strict=True))
        return F.relu(_filled(branch, size) + _filled(skip, size))


class RecognitionNet(nn.Module):
    """(B, 3, 150, 150) sRGB 0..1 of upright faces to (B, 128) descriptors; people differ by Euclidean distance."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7, stride=2)
        self.stages = nn.ModuleList()
        channels = 32
        for width, blocks, halves in _STAGES:
            first = _Block(channels, width, halves)
            self.stages.append(nn.Sequential(first, *(_Block(width, width, False) for _ in range(blocks - 1))))
            channels = width
        self.describe = nn.Linear(channels, DESCRIPTOR, bias=False)
        self.register_buffer("mean", torch.tensor(_MEAN).reshape(1, 3, 1, 1), persistent=False)

    def features(self, chips: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What each stage sees: (B, 32, 35, 35), (B, 64, 17, 17), (B, 128, 8, 8), (B, 256, 4, 4), (B, 256, 2, 2)."""
        x = F.relu(self.stem((255 * chips - self.mean) / _RANGE))
        x, seen = F.max_pool2d(x, 3, stride=2), []
        for stage in self.stages:
            x = stage(x)
            seen.append(x)
        return tuple(seen)

    def forward(self, chips: torch.Tensor) -> torch.Tensor:
        return self.describe(self.features(chips)[-1].mean(dim=(2, 3)))


def _filled(x: torch.Tensor, size: tuple[int, int, int]) -> torch.Tensor:
    """Zeros behind the last channel, row and column, up to (channels, height, width)."""
    channels, height, width = (wanted - own for wanted, own in zip(size, x.shape[1:], strict=True))
    return F.pad(x, (0, width, 0, height, 0, channels)) if channels or height or width else x
