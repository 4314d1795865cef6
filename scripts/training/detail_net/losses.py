# SPDX-License-Identifier: GPL-3.0-or-later
"""What the detail networks are to bring down."""

import torch
from torch import Tensor
from torch.nn import functional

from facedetail_addon.core.detail.dfdn import (
    BASIS_SIDE,
    shading_change,
    slopes,
)
from facedetail_addon.core.detail.space import TEXEL_MM
from scripts.training.detail_net.batches import Batch

HEIGHT_MM, _SLOPE = 0.05, 0.1  # units of the losses
_BEND = 12.0  # of Huber's loss; with 1, folds count so little that they are left out, with 5 half of their depth
_MEDIUM_SHARE, _SLOPE_SHARE, HINT_SHARE = 1.0, 1.0, 1.0


def supervised_loss(medium: Tensor, total: Tensor, batch: Batch) -> Tensor:
    """Huber's loss of PDIM's heights, and of the sum's heights and slopes, over the mask."""
    small = functional.adaptive_avg_pool2d(batch.mask, BASIS_SIDE)
    inferred = functional.adaptive_avg_pool2d(medium, BASIS_SIDE)
    loss = _MEDIUM_SHARE * _masked(_huber((inferred - batch.medium) / HEIGHT_MM), small)
    loss = loss + _masked(_huber((total - batch.total) / HEIGHT_MM), batch.mask)
    for found, true in zip(slopes(total, TEXEL_MM), slopes(batch.total, TEXEL_MM), strict=True):
        loss = loss + _SLOPE_SHARE * _masked(_huber((found - true) / _SLOPE), batch.mask)
    return loss


def hint_loss(features: Tensor, batch: Batch) -> Tensor:
    """PDIM's first feature map should be the medium relief, so that its layers learn from every texel.

    From 64 coefficients of a whole patch alone they hardly learn; see :func:`begin_with_projection`.
    """
    first = functional.adaptive_avg_pool2d(features[:, :1], BASIS_SIDE)
    small = functional.adaptive_avg_pool2d(batch.mask, BASIS_SIDE)
    return _masked(_huber(first - batch.medium / HEIGHT_MM), small)


def reconstruction_loss(total: Tensor, batch: Batch) -> Tensor:
    """|I − albedo ⊙ S(N_fine)| in logarithms, to first order in the slopes (equations 11 to 14)."""
    left = batch.photo[:, :1] - shading_change(total, batch.photo[:, 2:4])
    return _masked(left.abs(), batch.mask)


def _huber(x: Tensor) -> Tensor:
    return functional.huber_loss(x, torch.zeros_like(x), reduction="none", delta=_BEND)


def _masked(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1.0)
