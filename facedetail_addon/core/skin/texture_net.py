# SPDX-License-Identifier: GPL-3.0-or-later
"""A generator of skin in canonical UV: what the photo does not show, from what it shows.

After the texture GAN of Gecer et al. (GANFIT, CVPR 2019, section 3.1), but conditioned on the known texels and their
mask instead of a latent code (:mod:`.texture_latent` has one): what is seen must stay. A U-Net
(Ronneberger et al. 2015) says how this person's skin differs from the mean pattern of all skins.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..assets.shipped import WEIGHTS_DIR, find_weights
from ..io.networks import load_network, one_thread

WEIGHTS = "texture_net.safetensors"
"""Name of the network's file."""
SIDE, LARGE = 256, 512
"""Texels along each side of what the network sees, and of what it makes."""
CHANNELS = 14
_WIDTHS = (32, 48, 64, 96, 128)  # of the levels, from 128² on
_FINE = 16  # channels at 256²
_GROUPS = 8
_MOST_LOG = 1.5  # of albedo beside the tone, that the network sees
_FLOOR = 0.004  # linear, so that logarithms stay finite


class TextureNet(nn.Module):
    """(B, CHANNELS, 256, 256) of :func:`net_channels` to (B, 3, 512, 512) log albedo beside the person's tone.

    Attributes:
        pattern: (3, 256, 256), the mean of log albedo beside the tone, of all skins that it has learned from.
    """

    def __init__(self) -> None:
        super().__init__()
        first, *others = _WIDTHS
        steps = list(zip(_WIDTHS[:-1], others, strict=True))
        self.register_buffer("pattern", torch.zeros(3, SIDE, SIDE))
        self.stem = nn.Sequential(convolution(CHANNELS, first, 4, 2), convolution(first, first))
        self.down = nn.ModuleList(
            nn.Sequential(convolution(wide, deep, stride=2), convolution(deep, deep)) for wide, deep in steps
        )
        self.up = nn.ModuleList(convolution(wide + deep, wide) for wide, deep in steps)
        self.grow = nn.Sequential(nn.Conv2d(first, 4 * _FINE, 3, padding=1), nn.PixelShuffle(2))
        self.fine = convolution(_FINE + CHANNELS, _FINE)
        self.last = nn.Conv2d(_FINE, 12, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, channels: Tensor) -> Tensor:
        x = self.stem(channels)
        bridges = [x]
        for step in self.down:
            x = step(x)
            bridges.append(x)
        for bridge, step in zip(bridges[-2::-1], reversed(self.up), strict=True):
            x = step(torch.cat([bridge, F.interpolate(x, scale_factor=2.0, mode="nearest")], dim=1))
        x = self.last(self.fine(torch.cat([self.grow(x), channels], dim=1)))
        return F.pixel_shuffle(x, 2) + enlarged(self.pattern)


def convolution(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """One layer of such networks: normalised and not linear."""
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, (kernel - 1) // 2, bias=False),
        nn.GroupNorm(_GROUPS, after),
        nn.SiLU(True),
    )


def enlarged(pattern: Tensor) -> Tensor:
    """(3, 256, 256) to (1, 3, 512, 512)."""
    return F.interpolate(pattern[None], size=(LARGE, LARGE), mode="bilinear", align_corners=False)


def net_channels(beside_tone: np.ndarray, known: np.ndarray, tone: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(CHANNELS, 256, 256) float32 that the network sees: the known skin, and that of the mirrored place.

    Args:
        beside_tone: (256, 256, 3) log albedo less tone; counts only where known. known: (256, 256) in [0, 1].
        tone: (3,) logarithm of the plain skin's albedo. noise: (256, 256) standard normal, from which pores come.
    """
    rows = np.linspace(-1, 1, SIDE, dtype=np.float32)
    seen = beside_tone.clip(-_MOST_LOG, _MOST_LOG) * known[..., None]
    across, down = np.broadcast_to(np.abs(rows), (SIDE, SIDE)), np.broadcast_to(rows[:, None], (SIDE, SIDE))
    tones = [np.full((SIDE, SIDE), (value + 1.5) / 1.5, np.float32) for value in tone]
    both = np.concatenate([seen, known[..., None]], axis=-1)
    both = np.concatenate([both, both[:, ::-1]], axis=-1).transpose(2, 0, 1)
    return np.stack([*both, across, down, *tones, noise]).astype(np.float32)


def load_texture_net(directory: Path = WEIGHTS_DIR) -> TextureNet:
    """The network with its weights.

    Raises:
        AssetError: the weight file is missing or damaged.
    """
    return load_network(TextureNet(), find_weights(WEIGHTS, directory))


def generate_skin(albedo: np.ndarray, known: np.ndarray, tone: np.ndarray, network: TextureNet) -> np.ndarray:
    """The whole skin of a person of whom a part is known; the same each time.

    Args:
        albedo: (R, R, 3) float32 linear in canonical UV. known: (R, R) in [0, 1], where it is this person's skin.
        tone: (3,) linear, of plain skin.

    Returns:
        (512, 512, 3) float32 linear; near to what is known there, but not the same.
    """
    log_tone = np.log(np.maximum(tone, _FLOOR)).astype(np.float32)
    size = (SIDE, SIDE)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(albedo * known[..., None], size, interpolation=cv2.INTER_AREA)
    colour /= np.maximum(weight, 1e-3)[..., None]
    beside = np.log(np.maximum(colour, _FLOOR)) - log_tone
    noise = np.random.default_rng(0).standard_normal(size, np.float32)
    channels = net_channels(beside.astype(np.float32), weight, log_tone, noise)
    with one_thread():
        batch = torch.from_numpy(channels)[None].contiguous(memory_format=torch.channels_last)
        out = network(batch)[0].permute(1, 2, 0).numpy()
    return np.exp(np.minimum(out + log_tone, 0)).astype(np.float32)
