# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a detail network has come on heads that it does not learn from, and the factors it ends with."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from facedetail_addon.core.detail.dfdn import (
    BASIS_SIDE,
    DFDN,
    slopes,
)
from facedetail_addon.core.detail.space import TEXEL_MM, split_bands
from scripts.training.detail_net.batches import Batch, Patches, make_batch

_AMPLITUDES = (0.5, 3.0)
_VALIDATION, _PART = 256, 16  # patches looked at, and at once


def validation_batch(held_out: Patches) -> Batch:
    """Patches evenly picked from those of held-out heads, always the same."""
    picked = np.linspace(0, len(held_out) - 1, min(len(held_out), _VALIDATION)).astype(int)
    return make_batch(held_out.take(picked), None)


@torch.no_grad()
def validate(network: DFDN, fixed: Batch, variant: str) -> dict[str, float]:
    """Correlations with the truth over the mask, and the relief found on skin that has none (root mean square, mm)."""
    medium, total = _found(network, fixed, variant)
    sure = fixed.mask > 0.7
    flat = (fixed.total.abs().amax(dim=(1, 2, 3)) < 1e-3)[:, None, None, None] & sure
    small = functional.adaptive_avg_pool2d(medium, BASIS_SIDE)
    small_sure = functional.adaptive_avg_pool2d(fixed.mask, BASIS_SIDE) > 0.7
    found, true = (torch.cat([s[sure] for s in slopes(t, TEXEL_MM)]) for t in (total, fixed.total))
    return {
        "medium": _correlation(small[small_sure], fixed.medium[small_sure]),
        "total": _correlation(total[sure], fixed.total[sure]),
        "slopes": _correlation(found, true),
        "gain": float(found.std() / true.std()),
        "rmse_mm": float((total - fixed.total)[sure].square().mean().sqrt()),
        "zero_mm": float(fixed.total[sure].square().mean().sqrt()),
        "flat_mm": float(total[flat].square().mean().sqrt()) if flat.any() else 0.0,
    }


def calibrate(network: DFDN, held_out: Patches, variant: str) -> Tensor:
    """(2,) factors that bring found medium and fine relief nearest to the true ones in least squares."""
    products = np.zeros((2, 2))
    for start in range(0, len(held_out), _VALIDATION):
        batch = make_batch(held_out.take(np.arange(start, min(start + _VALIDATION, len(held_out)))), None)
        _, total = _found(network, batch, variant)
        sure = (batch.mask > 0.7)[:, 0].numpy()
        for found, true, where in zip(total[:, 0].numpy(), batch.total[:, 0].numpy(), sure, strict=True):
            for band, (one, other) in enumerate(zip(split_bands(found), split_bands(true), strict=True)):
                products[band] += [(one * other)[where].sum(), (one * one)[where].sum()]
    return torch.from_numpy(products[:, 0] / np.maximum(products[:, 1], 1e-12)).float().clamp(*_AMPLITUDES)


@torch.no_grad()
def _found(network: DFDN, batch: Batch, variant: str) -> tuple[Tensor, Tensor]:
    """(B, 1, 256, 256) mm each: PDIM's relief, and both modules' together."""
    network.eval()
    given, noise = batch.channels(variant), torch.zeros_like(batch.mask)
    medium, total = [], []
    for part in range(0, len(given), _PART):
        with torch.autocast("cpu", torch.bfloat16):
            inferred, refined = network(given[part : part + _PART], noise[part : part + _PART])
        medium.append(inferred.float())
        total.append(inferred.float() + refined.float())
    return torch.cat(medium), torch.cat(total)


def _correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])
