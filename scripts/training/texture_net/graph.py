# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator of skin as a graph convolutional network on the skin's vertices, after Lin et al. (CVPR 2020).

Its layers are Chebyshev convolutions of order 6 (Defferrard et al. 2016; Lin et al., section 3.2). A decoder makes
colours from what all known vertices say together, a refiner from what known vertices nearby say, and a combiner
merges both. It takes and gives textures as :class:`TextureNet` does, so both learn alike. It does not ship.
"""

import numpy as np
import torch
from scipy.sparse import csr_matrix, diags
from torch import Tensor, nn
from torch.nn import functional as F

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.skin.texture_net import CHANNELS, LARGE, SIDE, enlarged
from facedetail_addon.core.uv.types import Atlas

ORDER = 6
_WIDTH, _CODE = 24, 32  # channels of vertices, and of the code of all together
_REFINED = 3  # residual layers
_MOST_EIGENVALUE = 2.0  # of a normalised Laplacian


class ChebyshevConvolution(nn.Module):
    """Σ_k T_k(L̃) x W_k of (V, C) signals on a graph, for k below ``ORDER``."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.weights = nn.Linear(ORDER * before, after)

    def forward(self, signal: Tensor, laplacian: Tensor) -> Tensor:
        terms = [signal, laplacian @ signal]
        for _ in range(2, ORDER):
            terms.append(2 * (laplacian @ terms[-1]) - terms[-2])
        return self.weights(torch.cat(terms, dim=1))


class TextureGraph(nn.Module):
    """(B, CHANNELS, 256, 256) of :func:`net_channels` to (B, 3, 512, 512) log albedo beside the tone.

    Args:
        model: on whose skin the graph is. atlas: of that model, of ``LARGE`` texels.

    Attributes:
        pattern: as of :class:`TextureNet`.
    """

    def __init__(self, model: FaceModel, atlas: Atlas):
        super().__init__()
        triangles, count = model.skin.triangles(), model.skin.stop
        uv = model.skin.vertex_uv().astype(np.float32)
        rest = model.skin.of(model.mean)
        place = (rest - rest.mean(axis=0)) / np.abs(rest - rest.mean(axis=0)).max()
        place[:, 0] = np.abs(place[:, 0])
        self.register_buffer("pattern", torch.zeros(3, SIDE, SIDE))
        self.laplacian = _to_torch(scaled_laplacian(triangles, count))
        self.texels = _to_torch(atlas.raster.interpolation(triangles, count))
        self.covered = torch.from_numpy(np.flatnonzero(atlas.covered))
        self.at = torch.from_numpy(np.column_stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]]))[None, None]
        self.place = torch.from_numpy(place.astype(np.float32))
        entry = CHANNELS + 6  # with the pattern and the place
        self.first = ChebyshevConvolution(entry, _WIDTH)
        self.code = nn.Sequential(nn.Linear(2 * _WIDTH + 1, _CODE), nn.SiLU(), nn.Linear(_CODE, _CODE), nn.SiLU())
        self.decoder = ChebyshevConvolution(_CODE + 3, _WIDTH)
        self.refiner = nn.ModuleList(ChebyshevConvolution(_WIDTH, _WIDTH) for _ in range(_REFINED))
        self.combiner = ChebyshevConvolution(2 * _WIDTH, _WIDTH)
        self.last = nn.Linear(_WIDTH, 3)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, channels: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):  # sparse products are not made in less than single precision
            pattern = self.pattern[None].expand(len(channels), -1, -1, -1)
            at = self.at.expand(len(channels), -1, -1, -1)
            entry = F.grid_sample(torch.cat([channels, pattern], dim=1).float(), at, align_corners=False)[:, :, 0]
            out = channels.new_zeros(len(channels), LARGE * LARGE, 3, dtype=torch.float32)
            out[:, self.covered] = torch.stack([self.texels @ self._on_vertices(one.T) for one in entry])
            return out.reshape(-1, LARGE, LARGE, 3).permute(0, 3, 1, 2) + enlarged(self.pattern)

    def _on_vertices(self, entry: Tensor) -> Tensor:
        """(V, C) to (V, 3)."""
        known = entry[:, 3:4]
        near = F.silu(self.first(torch.cat([entry, self.place], dim=1), self.laplacian))
        share = known.mean(dim=0)
        mean = (near * known).mean(dim=0) / (share + 1e-3)
        code = self.code(torch.cat([mean, near.mean(dim=0), share]))
        far = torch.cat([code.expand(len(entry), -1), self.place], dim=1)
        far = F.silu(self.decoder(far, self.laplacian))
        for layer in self.refiner:
            near = near + F.silu(layer(near, self.laplacian))
        return self.last(F.silu(self.combiner(torch.cat([near, far], dim=1), self.laplacian)))


def scaled_laplacian(triangles: np.ndarray, count: int) -> csr_matrix:
    """(V, V) float32: the normalised Laplacian of the graph of edges, with eigenvalues from −1 to 1."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    adjacency = csr_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    adjacency.data[:] = 1
    degree = np.asarray(adjacency.sum(axis=1)).ravel()
    scale = diags(1 / np.sqrt(np.maximum(degree, 1)))
    normalised = diags((degree > 0).astype(float)) - scale @ adjacency @ scale
    return csr_matrix(2 / _MOST_EIGENVALUE * normalised - diags(np.ones(count)), dtype=np.float32)


def _to_torch(matrix: csr_matrix) -> Tensor:
    parts = matrix.tocoo()
    places = torch.from_numpy(np.stack([parts.row, parts.col]).astype(np.int64))
    return torch.sparse_coo_tensor(
        places, torch.from_numpy(parts.data.astype(np.float32)), parts.shape, check_invariants=True
    ).coalesce()
