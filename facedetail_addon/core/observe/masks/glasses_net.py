# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that finds glasses: a small U-Net (Ronneberger et al. 2015) that looks at the band of the eyes."""

import torch
from torch import Tensor, nn
from torch.nn import functional

GLASSES_WIDE, GLASSES_HIGH = 256, 128
"""px of what it sees."""
WIDTHS = (12, 20, 32, 48, 64)
"""Channels of the levels, whose pixels are 2, 4, 8, 16 and 32 times as wide."""


class GlassesNet(nn.Module):
    """(B, 3, 128, 256) sRGB in 0..1 to (B, 1, 128, 256) logits of frames and dark lenses, and (B,) of any glasses."""

    def __init__(self) -> None:
        super().__init__()
        first, *others = WIDTHS
        steps = list(zip(WIDTHS[:-1], others, strict=True))
        self.stem = nn.Sequential(_convolution(3, first, 4, 2), _convolution(first, first))
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(wide, deep, stride=2), _convolution(deep, deep)) for wide, deep in steps
        )
        self.up = nn.ModuleList(_convolution(wide + deep, wide) for wide, deep in steps)
        self.head = nn.Sequential(_convolution(first, first), nn.Conv2d(first, 4, 3, padding=1), nn.PixelShuffle(2))
        self.any = nn.Linear(2 * (WIDTHS[-1] + WIDTHS[-2]), 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        mean = pictures.mean((1, 2, 3), keepdim=True)
        spread = pictures.std((1, 2, 3), keepdim=True) + 0.02
        x = self.stem((pictures - mean) / spread)
        bridges = [x]
        for step in self.down:
            x = step(x)
            bridges.append(x)
        pooled = [part for deep in bridges[-2:] for part in (deep.mean((2, 3)), deep.amax((2, 3)))]
        for bridge, step in zip(bridges[-2::-1], reversed(self.up), strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = step(torch.cat([bridge, x], dim=1))
        return self.head(x), self.any(torch.cat(pooled, dim=1))[:, 0]


def _convolution(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, (kernel - 1) // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)
    )
