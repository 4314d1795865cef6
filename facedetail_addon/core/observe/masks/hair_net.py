# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that finds hair, as a plain torch module.

The layers are those of MediaPipe's ``hair_segmentation`` (Apache-2.0), whose weights it loads: an ENet (Paszke et al.
2016) with depthwise convolutions, whose decoder puts features back where the encoder's pooling took them from
(Tkachenka et al., Real-time Hair Segmentation and Recoloring on Mobile GPUs, 2019).
"""

import torch
from torch import nn
from torch.nn import functional as F

HAIR_INPUT = 512


def _regular(channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
        nn.Conv2d(channels, channels, 1),
        nn.PReLU(channels),
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
        nn.PReLU(channels),
    ]


def _dilated(channels: int, step: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, channels, 3, padding=step, dilation=step), nn.PReLU(channels)]


def _wide(channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, 5, padding=2, groups=channels),
        nn.Conv2d(channels, channels, 1),
        nn.PReLU(channels),
    ]


class _Bottleneck(nn.Module):
    """PReLU(skip + expand(core(squeeze(x)))); the skip is projected where the channels change."""

    def __init__(self, in_channels: int, inner: int, out_channels: int, core: list[nn.Module]):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, inner, 1), nn.PReLU(inner), *core, nn.Conv2d(inner, out_channels, 1)
        )
        self.skip = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)
        self.activation = nn.PReLU(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.branch(x) + self.skip(x))


class _Down(nn.Module):
    """A bottleneck that halves the resolution; tells from where its maxima came."""

    def __init__(self, in_channels: int, inner: int, out_channels: int):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, inner, 2, stride=2), nn.PReLU(inner), *_regular(inner),
            nn.Conv2d(inner, out_channels, 1),
        )  # fmt: skip
        self.skip = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)
        self.activation = nn.PReLU(out_channels)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pooled, places = F.max_pool2d(x, 2, return_indices=True)
        return self.activation(self.branch(x) + self.skip(pooled)), places


class _Up(nn.Module):
    """A bottleneck that doubles the resolution; its skip goes to the places that the pooling took."""

    def __init__(self, in_channels: int, inner: int, out_channels: int):
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(in_channels, inner, 1), nn.PReLU(inner))
        self.enlarge = nn.ConvTranspose2d(inner, inner, 3, stride=2)
        self.inner_activation = nn.PReLU(inner)
        self.skip = nn.Conv2d(in_channels, out_channels, 1)
        self.expand = nn.Conv2d(inner, out_channels, 1)
        self.activation = nn.PReLU(out_channels)

    def forward(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        inner = self.enlarge(self.squeeze(x))[:, :, :-1, :-1]  # as TensorFlow crops it: at the right and the bottom
        branch = self.expand(self.inner_activation(inner))
        return self.activation(branch + _unpooled(self.skip(x), places))


def _unpooled(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """(B, C, 2H, 2W) with (B, C, H, W) values at the places that 2 × 2 maxima came from, zero elsewhere.

    As torch's own ``max_unpool2d``, which loads a computer algebra system first: 0.4 s and 60 MB.
    """
    *kept, height, width = values.shape
    flat = torch.zeros(*kept, 4 * height * width, dtype=values.dtype)
    return flat.scatter_(-1, places.flatten(2), values.flatten(2)).reshape(*kept, 2 * height, 2 * width)


class HairNet(nn.Module):
    """(B, 3, 512, 512) sRGB in 0..1 to (B, 2, 512, 512) logits of anything else and of hair."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(4, 8, 2, stride=2), nn.PReLU(8), nn.Conv2d(8, 32, 2, stride=2), nn.PReLU(32)
        )
        self.down1 = _Down(32, 16, 64)  # 64²
        self.stage1 = nn.Sequential(*(_Bottleneck(64, 16, 64, _regular(16)) for _ in range(2)))
        self.down2 = _Down(64, 32, 128)  # 32²
        self.stage2 = nn.Sequential(*(_Bottleneck(128, 16, 128, _regular(16)) for _ in range(4)))
        self.down3 = _Down(128, 16, 128)  # 16²
        cores = [_regular(8), _dilated(8, 2), _wide(8), _dilated(8, 4), _regular(8), _dilated(8, 8)]
        cores += [_regular(8), _dilated(8, 2), _wide(8), _dilated(8, 4), _regular(8), _dilated(8, 8)]
        self.stage3 = nn.Sequential(
            *(_Bottleneck(128, 8, 128, core) for core in cores), _Bottleneck(128, 4, 128, _dilated(4, 1))
        )
        self.up3 = _Up(128, 8, 128)
        self.join2 = _Bottleneck(256, 8, 128, _dilated(8, 1))
        self.up2 = _Up(128, 8, 64)
        self.join1 = _Bottleneck(128, 4, 64, _dilated(4, 1))
        self.up1 = _Up(64, 4, 32)
        self.join0 = _Bottleneck(32, 4, 32, _dilated(4, 1))
        self.mask = nn.Sequential(
            nn.ConvTranspose2d(32, 8, 2, stride=2), nn.PReLU(8), nn.ConvTranspose2d(8, 2, 2, stride=2)
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        no_earlier_mask = F.pad(pictures, (0, 0, 0, 0, 0, 1))  # the network was made for films
        early1, places1 = self.down1(self.stem(no_earlier_mask))
        early2, places2 = self.down2(self.stage1(early1))
        deep, places3 = self.down3(self.stage2(early2))
        x = self.up3(self.stage3(deep), places3)
        x = self.up2(self.join2(torch.cat([x, early2], 1)), places2)
        x = self.up1(self.join1(torch.cat([x, early1], 1)), places1)
        return self.mask(self.join0(x))
