# SPDX-License-Identifier: GPL-3.0-or-later
"""The correspondence network: a crop of a head to points of the canonical head, each a 2D Gaussian, and coefficients.

The output and its loss follow Wood et al., *3D face reconstruction with dense landmarks* (ECCV 2022, section 3.1); the
coefficients are those of stage 1 of Lin et al. (CVPR 2020) for our model. The trunk is that of the face mesh network.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from ..landmarks.networks import Stem, blocks_of
from .types import POINTS

INPUT = 256
_TRUNK = "32 32 64/2 64 64 128/2 128 128 128/2 128 128 128/2 128 128"
_GRID, _WIDE, _HIDDEN = 4, 96, 512
_EMBEDDING, _LOCAL = 32, 64
_PATCH = 3  # cells of the early features around each point, of four px of the crop each
_CELL = 4 / INPUT
_FIRST_LOG_SIGMA = -3.0


class Found(NamedTuple):
    """What the network says of B crops, as torch float32.

    Attributes:
        points: (B, P, 2) shares of the crop's side. log_sigma: (B, P), of each coordinate, in the same unit.
        coarse: the same of the first stage, (B, P, 3) with its log sigma last.
        alpha: (B, K), alpha_log_sigma: (B, K). beta: (B, E), beta_log_sigma: (B, E).
        rotation: (B, 3, 3) head frame to camera axes. rotation_log_sigma: (B,) of its entries.
    """

    points: torch.Tensor
    log_sigma: torch.Tensor
    coarse: torch.Tensor
    alpha: torch.Tensor
    alpha_log_sigma: torch.Tensor
    beta: torch.Tensor
    beta_log_sigma: torch.Tensor
    rotation: torch.Tensor
    rotation_log_sigma: torch.Tensor


class CorrespondenceNet(nn.Module):
    """(B, 3, INPUT, INPUT) pictures in 0..1 to :class:`Found`.

    Args:
        points: P. identities: K, expressions: E of the built-in head.
    """

    def __init__(self, points: int = POINTS, identities: int = 50, expressions: int = 53):
        super().__init__()
        self.sizes = (points, identities, expressions)
        self.stem = Stem(16, 3, nn.PReLU(16))
        self.early = blocks_of(16, "16 16 32/2")
        self.trunk = blocks_of(32, _TRUNK)
        self.wide = nn.Sequential(nn.Conv2d(128, _WIDE, 1), nn.PReLU(_WIDE))
        self.hidden = nn.Sequential(nn.Linear(_WIDE * _GRID * _GRID, _HIDDEN), nn.PReLU(_HIDDEN))
        self.places = nn.Linear(_HIDDEN, 3 * points)
        self.coefficients = nn.Linear(_HIDDEN, 2 * (identities + expressions) + 7)
        self.embedding = nn.Parameter(torch.randn(points, _EMBEDDING) * 0.3)
        self.local = nn.Sequential(nn.Linear(32 * _PATCH**2 + _EMBEDDING + 1, _LOCAL), nn.ReLU())
        self.step = nn.Parameter(torch.zeros(points, 3, _LOCAL))

    def forward(self, pictures: torch.Tensor) -> Found:
        """Raises RuntimeError for pictures of another shape."""
        return self.read(*self.look(pictures))

    def look(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Early features (B, 32, 64, 64) and what the trunk makes of them, (B, 128, 4, 4)."""
        early = self.early(self.stem(pictures))
        return early, self.trunk(early)

    def read(self, early: torch.Tensor, deep: torch.Tensor) -> Found:
        """The answer from both."""
        hidden = self.hidden(self.wide(deep).flatten(1))  # (B, 512)
        coarse = self.places(hidden).reshape(len(hidden), -1, 3)
        start = coarse[..., :2] + 0.5
        log_sigma = coarse[..., 2] + _FIRST_LOG_SIGMA
        step = self._refine(early, start.detach(), log_sigma.detach())
        values = self.coefficients(hidden)
        k, e = self.sizes[1:]
        alpha, alpha_sigma, beta, beta_sigma, turn = values.split([k, k, e, e, 7], dim=1)
        return Found(
            points=start + step[..., :2] * log_sigma.detach().exp()[..., None],
            log_sigma=log_sigma + step[..., 2],
            coarse=torch.cat([start, log_sigma[..., None]], 2),
            alpha=alpha, alpha_log_sigma=alpha_sigma, beta=beta, beta_log_sigma=beta_sigma - 1.5,
            rotation=_rotation(turn[:, :6]), rotation_log_sigma=turn[:, 6] - 2.0,
        )  # fmt: skip

    def _refine(self, early: torch.Tensor, start: torch.Tensor, log_sigma: torch.Tensor) -> torch.Tensor:
        """(B, P, 3) what the picture around each point says: a step in units of sigma, and a change of log sigma."""
        batch, count = start.shape[:2]
        reach = torch.arange(_PATCH, device=start.device, dtype=start.dtype) - (_PATCH - 1) / 2
        around = torch.stack(torch.meshgrid(reach, reach, indexing="xy"), -1).reshape(1, 1, -1, 2) * _CELL
        at = (start[:, :, None] + around) * 2 - 1  # (B, P, 9, 2)
        looked = F.grid_sample(early, at, align_corners=False)  # (B, 32, P, 9)
        looked = looked.permute(0, 2, 1, 3).reshape(batch, count, -1)
        who = self.embedding[None].expand(batch, -1, -1)
        seen = self.local(torch.cat([looked, who, log_sigma[..., None]], 2))  # (B, P, 64)
        return torch.einsum("bpc,pdc->bpd", seen, self.step)


def _rotation(six: torch.Tensor) -> torch.Tensor:
    """(B, 6) to (B, 3, 3), by Gram and Schmidt (Zhou et al., CVPR 2019), about the upright view."""
    upright = six.new_tensor([1.0, 0, 0, 0, -1.0, 0])
    first, second = (six + upright).reshape(-1, 2, 3).unbind(1)
    x = F.normalize(first, dim=1)
    y = F.normalize(second - (x * second).sum(1, keepdim=True) * x, dim=1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], 1)
