# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that tells people from the background, as a plain torch module.

The layers are those of MediaPipe's ``selfie_segmentation`` (Apache-2.0), whose weights it loads: a small MobileNetV3
(Howard et al. 2019) and a decoder that asks, at every resolution, how much of the finer features to trust.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ...io.networks import pad_same

PERSON_INPUT = 256


class _Gate(nn.Module):
    """Squeeze and excite: a factor in 0..1 for each channel, from the channels' means."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))


class _Inverted(nn.Module):
    """Expand, depthwise, gate, project; the input is added where its shape allows."""

    def __init__(
        self, in_channels: int, inner: int, out_channels: int, kernel: int, stride: int, gate: int, act: nn.Module
    ):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.residual = stride == 1 and in_channels == out_channels
        self.expand = nn.Conv2d(in_channels, inner, 1)
        self.depthwise = nn.Conv2d(inner, inner, kernel, stride, groups=inner)
        self.gate = _Gate(inner, gate) if gate else None
        self.project = nn.Conv2d(inner, out_channels, 1)
        self.act = act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.act(self.expand(x))
        inner = self.act(self.depthwise(pad_same(inner, self.kernel, self.stride)))
        if self.gate is not None:
            inner = inner * self.gate(inner)
        out = self.project(inner)
        return x + out if self.residual else out


class _Finer(nn.Module):
    """Coarse features at twice the resolution, joined with the finer ones of the encoder."""

    def __init__(self, coarse: int, fine: int):
        super().__init__()
        self.narrow = nn.Conv2d(coarse, fine, 1)
        self.gate = _Gate(fine, fine)
        self.mix = nn.Conv2d(fine, fine, 1)
        self.depthwise = nn.Conv2d(fine, fine, 3, padding=1, groups=fine)

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        coarse = self.narrow(F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False))
        mixed = F.relu(self.mix(fine * self.gate(fine + coarse) + coarse))
        return mixed + F.relu(self.depthwise(mixed))


class PersonNet(nn.Module):
    """(B, 3, 256, 256) sRGB in 0..1 to (B, 1, 256, 256) probabilities that a pixel shows a person."""

    def __init__(self):
        super().__init__()
        relu, swish = nn.ReLU(), nn.Hardswish()
        self.stem = nn.Conv2d(3, 16, 3, stride=2)  # 128²
        self.shallow = _Inverted(16, 16, 16, 3, 2, gate=8, act=relu)  # 64²
        self.middle = nn.Sequential(  # 32²
            _Inverted(16, 72, 24, 3, 2, gate=0, act=relu), _Inverted(24, 88, 24, 3, 1, gate=0, act=relu)
        )
        self.deep = nn.Sequential(  # 16²
            _Inverted(24, 96, 32, 5, 2, gate=24, act=swish),
            _Inverted(32, 128, 32, 5, 1, gate=32, act=swish),
            _Inverted(32, 128, 32, 5, 1, gate=32, act=swish),
            _Inverted(32, 96, 32, 5, 1, gate=24, act=swish),
            _Inverted(32, 96, 32, 5, 1, gate=24, act=swish),
        )
        self.wide = nn.Conv2d(32, 128, 1)
        self.wide_gate = nn.Conv2d(32, 128, 1)
        self.finer = nn.ModuleList([_Finer(128, 24), _Finer(24, 16), _Finer(16, 16)])
        self.mask = nn.ConvTranspose2d(16, 1, 2, stride=2)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        stem = F.hardswish(self.stem(pad_same(pictures, 3, 2)))
        shallow = self.shallow(stem)
        middle = self.middle(shallow)
        deep = self.deep(middle)
        x = F.relu(self.wide(deep)) * torch.sigmoid(self.wide_gate(deep.mean((2, 3), keepdim=True)))
        for finer, features in zip(self.finer, (middle, shallow, stem), strict=True):
            x = finer(x, features)
        return torch.sigmoid(self.mask(x))
