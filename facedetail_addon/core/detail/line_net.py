# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that tells which dark lines are form: wrinkles and folds, not paint, hair, frames, shine or wrong light.

A small U-Net (Ronneberger et al. 2015) that sees per texel what the ridge filter sees, what it finds, and how the
photo's light answers to slopes.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..assets.shipped import WEIGHTS_DIR, find_weights
from ..image import smoothstep
from ..io.networks import load_network, one_thread
from .line_view import LineView

WEIGHTS = "line_net.safetensors"
"""Name of the network's file."""
CHANNELS = 19
WIDTHS = (24, 40, 56, 56)
"""Channels of the levels, whose texels are 2, 4, 8 and 16 times as wide as a view's."""
MULTIPLE = 16
"""Sides of what the network sees are multiples of this."""
_LOG_UNIT, _SHADING_UNIT, _MOST = 0.1, 0.2, 4.0  # of logarithms, and beyond how many units they are cut off
_RESPONSE_UNIT = 0.03  # of the ridge filter's response
_LEAST_MM, _MOST_MM = 0.4, 10.0  # resolvable sizes between which they are told apart
_SEEN_RESPONSE = (0.001, 0.006)  # of the ridge filter: from where on a line may be, and is what the network says
_USUAL_FORM, _USUAL_SHARE = 0.48, 0.01  # form of ridges where there are none, and the share of skin it weighs as
_RIDGED = 0.6  # of the share of skin that ridges cover, added to their mean form
_SMOOTH_FACE, _LINED_FACE = 0.605, 0.7  # that sum
_TIMID, _BOLD = 1.25, 0.5  # powers of the likelihood on these


class LineNet(nn.Module):
    """(B, CHANNELS, h, w) of :func:`net_channels` to (B, 1, h, w) logits of form; h and w are multiples of MULTIPLE."""

    def __init__(self) -> None:
        super().__init__()
        first, *others = WIDTHS
        self.stem = nn.Sequential(_convolution(CHANNELS, first, 4, 2), _convolution(first, first))
        steps = list(zip(WIDTHS[:-1], others, strict=True))
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(wide, deep, stride=2), _convolution(deep, deep)) for wide, deep in steps
        )
        self.up = nn.ModuleList(_convolution(wide + deep, wide) for wide, deep in steps)
        self.head = nn.Sequential(_convolution(first, first), nn.Conv2d(first, 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, channels: Tensor) -> Tensor:
        x = self.stem(channels)
        bridges = [x]
        for step in self.down:
            x = step(x)
            bridges.append(x)
        for bridge, step in zip(bridges[-2::-1], reversed(self.up), strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = step(torch.cat([bridge, x], dim=1))
        return self.head(x)


def _convolution(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, (kernel - 1) // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)
    )


def load_line_net(directory: Path = WEIGHTS_DIR) -> LineNet:
    """The network with its weights.

    Raises:
        AssetError: the weight file is missing or damaged.
    """
    return load_network(LineNet(), find_weights(WEIGHTS, directory))


def form_likelihood(view: LineView, net: LineNet) -> np.ndarray:
    """(h, w) float32: 0 where no line of form is seen, 1 where one is certain (half a second).

    Args:
        view: of a photo. net: with its weights.
    """
    high, wide = view.mask.shape
    below, beside = (-size % MULTIPLE for size in (high, wide))
    with one_thread():
        batch = functional.pad(torch.from_numpy(net_channels(view))[None], (0, beside, 0, below))
        logits = net(batch.contiguous(memory_format=torch.channels_last))
        form = torch.sigmoid(logits)[0, 0, :high, :wide].numpy()
    return form ** boldness(form, view) * smoothstep(view.lines.response, *_SEEN_RESPONSE)


def boldness(form: np.ndarray, view: LineView) -> float:
    """The power of the (h, w) likelihood: below 1 on lined faces, above on smooth ones, whose shine has edges too.

    One crop of skin does not tell which of both it is from; all ridges of a face together do.
    """
    ridges = view.ridges()
    skin, count = float(view.bare().sum()) + 1, float(ridges.sum())
    mean = (float(form[ridges].sum()) + _USUAL_FORM * _USUAL_SHARE * skin) / (count + _USUAL_SHARE * skin)
    lined = smoothstep(mean + _RIDGED * count / skin, _SMOOTH_FACE, _LINED_FACE)
    return float(_TIMID + (_BOLD - _TIMID) * lined)


def net_channels(view: LineView) -> np.ndarray:
    """(CHANNELS, h, w) float32 that the network sees."""
    lines, light = view.lines, view.light
    rows, columns = (np.linspace(-1, 1, size, dtype=np.float32) for size in view.mask.shape)
    out = np.empty((*view.mask.shape, CHANNELS), np.float32)  # as the network reads it
    out[..., 0] = (view.luminance / _LOG_UNIT).clip(-_MOST, _MOST)
    out[..., 1] = (view.hue / _LOG_UNIT).clip(-_MOST, _MOST)
    out[..., 2] = (view.shading / _SHADING_UNIT).clip(-_MOST, _MOST)
    for channel, part in enumerate((view.mask, view.skin, view.lined, view.beard, view.hairy), 3):
        out[..., channel] = part
    out[..., 8] = np.log2(view.resolvable_mm.clip(_LEAST_MM, _MOST_MM) / _LEAST_MM) / 2
    out[..., 9], out[..., 10], out[..., 11] = light.by_x, light.by_y, light.direct
    out[..., 12] = np.log1p(lines.response / _RESPONSE_UNIT)
    out[..., 13] = lines.greying.clip(-1, 1)
    out[..., 14] = lines.likelihood
    out[..., 15], out[..., 16] = lines.across_cos * lines.coherence, lines.across_sin * lines.coherence
    out[..., 17], out[..., 18] = np.abs(columns), rows[:, None]
    return np.moveaxis(out, -1, 0)
