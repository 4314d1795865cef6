# SPDX-License-Identifier: GPL-3.0-or-later
"""The discriminator of the detail networks' training."""

import torch
from torch import Tensor, nn

from facedetail_addon.core.detail.dfdn import HEIGHT_UNIT_MM

_LEAK = 0.2  # slope of the activation below zero, as in the networks


class PatchGAN(nn.Module):
    """Judges relief patch by patch beside the photo (Isola 2017)."""

    def __init__(self, channels: int, widths: tuple[int, ...] = (24, 48, 96)):
        super().__init__()
        layers: list[nn.Module] = []
        before = channels + 1
        for width in widths:
            layers += [nn.Conv2d(before, width, 4, 2, 1), nn.LeakyReLU(_LEAK)]
            before = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 4, 1, 1))

    def forward(self, photo: Tensor, relief: Tensor) -> Tensor:  # (B, C, 256, 256), (B, 1, 256, 256) mm
        return self.layers(torch.cat([photo, relief / HEIGHT_UNIT_MM], dim=1))  # (B, 1, 31, 31)
