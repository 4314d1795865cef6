# SPDX-License-Identifier: GPL-3.0-or-later
"""The Deep Facial Detail Net of Chen et al. (ICCV 2019), section 4: PDIM infers what is medium, PDRM refines it.

PDIM turns a patch of the photo and noise into coefficients of a PCA basis of relief patches; PDRM turns the photo and
that relief into what the basis cannot say. Both read, beside the photo's brightness, how the photo's light would change
it with the slope of the relief (``light``): with brightness alone a dark line is a groove in any light. The paper's own
input, the value channel alone, is the variant ``value``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .space import TEXEL_MM, VALUE_UNIT

PATCH = 256
"""Texels per side of a patch."""
COEFFICIENTS = 64
"""Of the PCA basis."""
BASIS_SIDE = 64
"""Samples per side of the basis' patches."""
PHOTO_CHANNELS = {"light": 6, "value": 1}
"""Channels of the photo: value, chroma, light_x, light_y, direct_fraction and mask; or the HSV value alone."""
MOST_MM = 1.0
"""PDRM's relief lies within ± this."""
HEIGHT_UNIT_MM = 0.1
"""The networks see relief in this unit."""
_LEAK = 0.2  # slope of the activation below zero


@dataclass(frozen=True)
class Size:
    """How large the networks are.

    Attributes:
        infer: channels of PDIM's eight levels. features, pooled: channels of its output, and the side to which these
            are averaged before the fully connected layers.
        refine: channels of PDRM's six levels.
    """

    infer: tuple[int, ...]
    features: int
    pooled: int
    refine: tuple[int, ...]


SIZES = {
    "compact": Size((12, 24, 48, 96, 96, 96, 96, 96), 2, 32, (24, 48, 80, 112, 112, 112)),
    "paper": Size((64, 128, 256, 512, 512, 512, 512, 512), 1, 256, (64, 128, 256, 512, 512, 512)),
}
"""What ships, and the sizes of the paper."""


class UNet(nn.Module):
    """Encoder and decoder with a bridge at each level (Ronneberger 2015; as in pix2pix, Isola 2017).

    Kernels 4×4, stride 2, padding 1, LeakyReLU; no activation at the end.
    """

    def __init__(self, channels_in: int, channels_out: int, widths: tuple[int, ...]):
        super().__init__()
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        last = len(widths) - 1
        for level, width in enumerate(widths):
            before = widths[level - 1] if level else channels_in
            norm = nn.BatchNorm2d(width) if 0 < level < last else nn.Identity()
            self.down.append(nn.Sequential(nn.Conv2d(before, width, 4, 2, 1), norm))
            joined = width if level == last else 2 * width
            after = widths[level - 1] if level else channels_out
            norm = nn.BatchNorm2d(after) if level else nn.Identity()
            self.up.append(nn.Sequential(nn.ConvTranspose2d(joined, after, 4, 2, 1), norm))

    def forward(self, x: Tensor) -> Tensor:  # (B, C, 256, 256)
        bridges = []
        for step in self.down:
            x = functional.leaky_relu(step(x), _LEAK)  # (B, widths[level], 256 / 2^(level + 1), …)
            bridges.append(x)
        for level in reversed(range(len(self.up))):
            x = self.up[level](x if level == len(self.up) - 1 else torch.cat([x, bridges[level]], dim=1))
            if level:
                x = functional.leaky_relu(x, _LEAK)
        return x  # (B, channels_out, 256, 256)


class PDIM(nn.Module):
    """Partial detail inference: (B, C, 256, 256) photo channels and (B, 1, 256, 256) noise to (B, 64) coefficients."""

    def __init__(self, channels: int, size: Size):
        super().__init__()
        self.features_out = size.features
        self.unet = UNet(channels + 1, size.features, size.infer)
        self.pool = nn.AvgPool2d(PATCH // size.pooled)
        widths = (size.features * size.pooled**2, 2048, 1024, 512, COEFFICIENTS)
        layers: list[nn.Module] = []
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.connected = nn.Sequential(*layers[:-1])

    def features(self, photo: Tensor, noise: Tensor) -> Tensor:
        return self.unet(torch.cat([photo, noise], dim=1))  # (B, features, 256, 256)

    def forward(self, photo: Tensor, noise: Tensor) -> Tensor:
        return self.coefficients(self.features(photo, noise))

    def coefficients(self, features: Tensor) -> Tensor:
        return self.connected(self.pool(features).flatten(1))  # (B, 64)


class PDRM(nn.Module):
    """Partial detail refinement: photo channels, PDIM's relief and the shading that it leaves over, to relief in mm."""

    def __init__(self, channels: int, size: Size):
        super().__init__()
        self.unet = UNet(channels + (1 if channels == 1 else 2), 1, size.refine)

    def forward(self, photo: Tensor, medium: Tensor) -> Tensor:  # (B, C, 256, 256), (B, 1, 256, 256) mm
        given = [photo, medium / HEIGHT_UNIT_MM]
        if photo.shape[1] > 1:
            given.append(photo[:, :1] - shading_change(medium, photo[:, 2:4]))
        return MOST_MM * torch.tanh(self.unet(torch.cat(given, dim=1)))  # (B, 1, 256, 256) mm


class DFDN(nn.Module):
    """Both modules, the basis, and ``amplitude``: factors for medium and fine relief, measured on known skin.

    What networks are unsure of they make small; ``amplitude`` makes up for it on average.

    Args:
        variant: of the photo's channels, a key of PHOTO_CHANNELS. size: a key of SIZES.
    """

    def __init__(self, variant: str = "light", size: str = "compact"):
        super().__init__()
        self.variant, self.size = variant, size
        self.pdim = PDIM(PHOTO_CHANNELS[variant], SIZES[size])
        self.pdrm = PDRM(PHOTO_CHANNELS[variant], SIZES[size])
        self.register_buffer("basis", torch.zeros(COEFFICIENTS, BASIS_SIDE, BASIS_SIDE))
        self.register_buffer("amplitude", torch.ones(2))

    def infer(self, photo: Tensor, noise: Tensor) -> Tensor:
        """(B, 1, 256, 256) mm: the patch that PDIM's coefficients stand for."""
        return self.patch(self.pdim(photo, noise))

    def patch(self, coefficients: Tensor) -> Tensor:
        """(B, 64) coefficients to (B, 1, 256, 256) mm."""
        with torch.autocast("cpu", enabled=False):
            small = torch.einsum("bk,khw->bhw", coefficients.float(), self.basis)[:, None]
        # Without antialias torch's cubic does not keep even slopes: off by 14 %, in a grid of the samples.
        return functional.interpolate(small, size=(PATCH, PATCH), mode="bicubic", antialias=True)

    def forward(self, photo: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """What PDIM infers and what PDRM adds, (B, 1, 256, 256) mm each."""
        medium = self.infer(photo, noise)
        return medium, self.pdrm(photo, medium.to(photo.dtype))


def level_channel(level: Tensor) -> Tensor:
    """(B, 1, H, W) HSV values to what the variant ``value`` sees: less their mean, times two (the paper's input)."""
    return 2 * (level - level.mean(dim=(2, 3), keepdim=True))


def slopes(relief: Tensor, texel: float) -> tuple[Tensor, Tensor]:
    """Rise to the right and downwards of (B, 1, H, W) heights: differences over ± 1 texel, ``texel`` wide."""
    padded = functional.pad(relief, (1, 1, 1, 1), mode="replicate")
    right = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / (2 * texel)
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / (2 * texel)
    return right, down


def shading_change(relief: Tensor, light: Tensor) -> Tensor:
    """(B, 1, H, W) change of the value channel by a relief in mm under (B, 2, H, W) light channels, in its units."""
    right, down = slopes(relief, TEXEL_MM)
    return (light[:, :1] * right + light[:, 1:] * down) / VALUE_UNIT
