# SPDX-License-Identifier: GPL-3.0-or-later
"""A generator of skin in canonical UV from a latent code, and the code that is fitted to what a photo shows.

After the texture GAN of Gecer et al. (GANFIT, CVPR 2019, sections 3.1 and 3.2): whatever the code, what comes out is
skin, so a code that explains the known texels says what the others look like. Few skins are known, so the code is small
and Gaussian, and begins as the coefficients of their principal components; it has some numbers for what both sides of a
face share and some for how they differ, which change their sign in a mirror. Pictures are sums of colours at growing
sizes, as in StyleGAN2 (Karras et al. 2020): the components' at 64², then what a network adds from 64² to 512².
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..assets.shipped import WEIGHTS_DIR, find_weights
from ..io.networks import load_network
from .texture_net import LARGE, SIDE, convolution

WEIGHTS = "texture_latent.safetensors"
"""Name of the network's file."""
EVEN, ODD = 96, 40
"""Numbers of the code for what both sides of a face share, and for how they differ."""
CODE = EVEN + ODD
FIT_SIDE = 64
"""Texels along each side of the picture that is fitted."""
MODE_STEP, NOISE = 0.05, 0.12
"""Of log albedo: unit of the components as they are kept, and standard deviation of a texel that is fitted."""
CAUTION = 3.0
"""By which the noise of skins that were not learned is larger: their patterns are none of those that were."""
_SEED_SIDE, _SEED = 8, 32  # texels and channels that the code becomes
_WIDTHS = {16: 64, 32: 48, 64: 48, 128: 32, 256: 24}  # channels at each size
_PLACE, _RGB = 3, 3  # channels
_TONE = slice(10, 13)  # of the channels of a generator


class TextureLatent(nn.Module):
    """(B, CHANNELS, 256, 256) of :func:`.texture_net.net_channels` to (B, 3, 512, 512) log albedo beside the tone.

    Attributes:
        pattern: as of :class:`.texture_net.TextureNet`. modes: (CODE, 3, 64, 32), left halves of the components, in
            units of ``MODE_STEP``. doubt: (1, 64, 32), logarithm of a texel's noise in units of ``NOISE``.
        side: texels of what is made, 64 to 512; smaller while it learns.
    """

    def __init__(self) -> None:
        super().__init__()
        self.side = LARGE
        self.register_buffer("pattern", torch.zeros(_RGB, SIDE, SIDE))
        self.register_buffer("place", _places(), persistent=False)
        self.register_buffer("signs", torch.tensor([1.0] * EVEN + [-1.0] * ODD).view(-1, 1, 1, 1), persistent=False)
        self.modes = nn.Parameter(torch.zeros(CODE, _RGB, FIT_SIDE, FIT_SIDE // 2))
        self.doubt = nn.Parameter(torch.zeros(1, FIT_SIDE, FIT_SIDE // 2))
        self.seed = nn.Linear(CODE + 3, _SEED * _SEED_SIDE**2)
        before, steps, colours = _SEED, {}, {}
        for side, width in _WIDTHS.items():
            more = _PLACE + (2 * _RGB if side >= FIT_SIDE else 0) + (side == SIDE)  # and the noise
            steps[str(side)] = convolution(before + more, width)
            if side >= FIT_SIDE:
                colours[str(side)] = _silent(nn.Conv2d(width, _RGB, 1))
            before = width
        self.steps, self.colours = nn.ModuleDict(steps), nn.ModuleDict(colours)
        self.last = _silent(nn.Conv2d(before, 4 * _RGB, 3, padding=1))

    def forward(self, channels: Tensor) -> Tensor:
        return self.decode(self.fit(channels), channels[:, _TONE, 0, 0], channels[:, -1:])

    def fit(self, channels: Tensor) -> Tensor:
        """(B, CODE) most likely codes of what is known, by the components alone (ridge regression)."""
        with torch.autocast("cpu", enabled=False):
            known = channels[:, 3:4].float()
            apart = channels[:, :3].float() - known * self.pattern
            apart, known = (F.avg_pool2d(one, SIDE // FIT_SIDE) for one in (apart, known))
            precision = (-2 * _both_sides(self.doubt, 1)).exp() / (NOISE * (1 if self.training else CAUTION)) ** 2
            modes = self._modes().flatten(1)
            weights = (known * precision).expand(-1, _RGB, -1, -1).flatten(1)
            normal = (modes * weights[:, None]) @ modes.T + torch.eye(CODE)
            return torch.linalg.solve(normal, (apart * precision).flatten(1) @ modes.T)

    def decode(self, code: Tensor, tone: Tensor, noise: Tensor) -> Tensor:
        """(B, 3, side, side) log albedo beside the tone.

        Args:
            code: (B, CODE). tone: (B, 3) as generators are given it. noise: (B, 1, 256, 256) standard normal.
        """
        base = (code @ self._modes().flatten(1)).view(-1, _RGB, FIT_SIDE, FIT_SIDE)
        picture = base + self._pattern(FIT_SIDE)
        x = self.seed(torch.cat([code, tone], dim=1)).view(-1, _SEED, _SEED_SIDE, _SEED_SIDE)
        for side in _WIDTHS:
            if side > self.side:
                break
            parts = [_repeated(x), _shrunk(self.place, side).expand(len(x), -1, -1, -1)]
            if side > FIT_SIDE:
                picture = _smooth(picture) + self._pattern(side) - _smooth(self._pattern(side // 2))
            if side >= FIT_SIDE:
                parts += [picture, self._pattern(side).expand(len(x), -1, -1, -1)]
            x = self.steps[str(side)](torch.cat(parts + ([noise] if side == SIDE else []), dim=1))
            if side >= FIT_SIDE:
                picture = picture + self.colours[str(side)](x)
        if self.side == LARGE:
            picture = _smooth(picture) + F.pixel_shuffle(self.last(x), 2)
        return picture

    def _modes(self) -> Tensor:
        """(CODE, 3, 64, 64)."""
        return MODE_STEP * _both_sides(self.modes, self.signs)

    def _pattern(self, side: int) -> Tensor:
        return _shrunk(self.pattern[None], side)


def load_texture_latent(directory: Path = WEIGHTS_DIR) -> TextureLatent:
    """The network with its weights.

    Raises:
        AssetError: the weight file is missing or damaged.
    """
    return load_network(TextureLatent(), find_weights(WEIGHTS, directory))


def _places() -> Tensor:
    """(1, 3, 256, 256): across, distance from the middle, and down, −1 to 1."""
    rows = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    across, down = rows.expand(SIDE, SIDE), rows[:, None].expand(SIDE, SIDE)
    return torch.stack([across, across.abs(), down])[None].contiguous()


def _both_sides(left: Tensor, signs: Tensor | int) -> Tensor:
    return torch.cat([left, signs * left.flip(-1)], dim=-1)


def _silent(layer: nn.Conv2d) -> nn.Conv2d:
    """With weights of zero, so that nothing is added before something is learned."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _shrunk(picture: Tensor, side: int) -> Tensor:
    return F.avg_pool2d(picture, picture.shape[-1] // side)


def _repeated(picture: Tensor) -> Tensor:
    return F.interpolate(picture, scale_factor=2.0, mode="nearest")


def _smooth(picture: Tensor) -> Tensor:
    return F.interpolate(picture, scale_factor=2.0, mode="bilinear", align_corners=False)
