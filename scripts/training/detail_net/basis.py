# SPDX-License-Identifier: GPL-3.0-or-later
"""The basis of medium relief, and PDIM's beginning as the projection onto it."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facedetail_addon.core.detail.dfdn import (
    BASIS_SIDE,
    COEFFICIENTS,
    PDIM,
)
from scripts.training.detail_net.batches import Patches
from scripts.training.detail_net.losses import HEIGHT_MM
from scripts.training.detail_net.patches import STEP_MM

_HINT_NOISE_MM = 0.02  # what PDIM's projection begins with as the error of its first feature map
_WRINKLED = 0.3  # share of patches with the most medium relief, from which the basis is made
_BASIS_PATCHES = 6000


@torch.no_grad()
def begin_with_projection(pdim: PDIM, basis: Tensor) -> None:
    """PDIM's fully connected layers begin as the projection of its first feature map onto the basis.

    Coefficients c of heights h = Bᵀ c with noise have the posterior mean (B Bᵀ + s² I)⁻¹ B h. Its positive and negative
    parts pass the ReLUs side by side; other units begin at random, and without a say. From random layers alone PDIM
    stays far worse than its own feature map.

    Args:
        pdim: to be changed. basis: (64, 64, 64) mm per σ.
    """
    side = round((pdim.connected[0].in_features / pdim.features_out) ** 0.5)
    small = functional.adaptive_avg_pool2d(basis[:, None], min(side, BASIS_SIDE)).flatten(1).double()
    system = small @ small.T + _HINT_NOISE_MM**2 * torch.eye(COEFFICIENTS, dtype=torch.float64)
    projection = (HEIGHT_MM * torch.linalg.solve(system, small)).reshape(COEFFICIENTS, 1, min(side, BASIS_SIDE), -1)
    grow = side // projection.shape[2]
    projection = projection.repeat_interleave(grow, 2).repeat_interleave(grow, 3).flatten(1).float() / grow**2
    first, *between, last = [layer for layer in pdim.connected if isinstance(layer, nn.Linear)]
    both = 2 * COEFFICIENTS
    for layer in (first, *between, last):
        layer.weight[:both] = 0
        layer.bias[:both] = 0
    first.weight[:both, : projection.shape[1]] = torch.cat([projection, -projection])
    for layer in between:
        layer.weight[:both, :both] = torch.eye(both)
    last.weight[:, :both] = torch.cat([torch.eye(COEFFICIENTS), -torch.eye(COEFFICIENTS)], dim=1)


def pca_basis(patches: Patches, rng: np.random.Generator) -> np.ndarray:
    """(64, 64, 64) float32 mm per σ: principal components of wrinkled patches, mirrored, turned and of both signs.

    With both signs the mean is zero.
    """
    picked = rng.permutation(len(patches))[: 3 * _BASIS_PATCHES]
    arrays = patches.take(picked)
    heights = arrays["medium"].astype(np.float32) * STEP_MM * (arrays["mask"] > 200)
    energy = (heights**2).mean(axis=(1, 2))
    heights = heights[energy >= np.quantile(energy, 1 - _WRINKLED)][:_BASIS_PATCHES]
    turned = [np.rot90(part, k, (1, 2)) for part in (heights, heights[..., ::-1]) for k in range(4)]
    flat = np.concatenate(turned).reshape(-1, BASIS_SIDE**2)
    spectrum, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    strongest = np.argsort(spectrum)[::-1][:COEFFICIENTS]
    scaled = vectors[:, strongest] * np.sqrt(np.maximum(spectrum[strongest], 0))
    return np.ascontiguousarray(scaled.T.reshape(COEFFICIENTS, BASIS_SIDE, BASIS_SIDE), np.float32)
