# SPDX-License-Identifier: GPL-3.0-or-later
"""How high mid-scale form is, and how much pigment differs, before a photo is seen."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags

from ..face_model.model import FACE_REGIONS, FaceModel
from ..geometry.mesh_fields import smooth_field
from ..skin.types import AlbedoBasis
from ..uv.types import Atlas

HEIGHT_SIGMA_MM, _HEIGHT_RANGE_MM = 0.6, 12.0
_PIGMENT_SIGMA, _PIGMENT_RANGE_MM = 0.15, 40.0
_PAINTED_SIGMA = 0.4  # of brows, lids and lips, at least
_LIPS, _LIPS_SHARE = ("mouth",), 0.5  # of the height: they are paint as much as form
_RIM_MM = 4.0  # from eyes and mouth over which heights begin
_RIM_SHARE = 0.1


@dataclass(frozen=True)
class FormPrior:
    """Matérn fields of order 1 over the skin of V vertices.

    Attributes:
        sigma_mm: (V,) of the heights, 0 where none are looked for. range_mm: over which they are correlated.
        pigment_range_mm: the same of the pigment.
    """

    sigma_mm: np.ndarray
    range_mm: float = _HEIGHT_RANGE_MM
    pigment_range_mm: float = _PIGMENT_RANGE_MM

    def pigment_sigma(self, basis: AlbedoBasis) -> np.ndarray:
        """(V,) of the logarithm, besides the statistical albedo."""
        painted = np.maximum(basis.residual_sigma, _PAINTED_SIGMA)
        return np.where(basis.plain, _PIGMENT_SIGMA, painted).astype(np.float64)


def form_prior(model: FaceModel, atlas: Atlas) -> FormPrior:
    """Of a model; ``atlas``: of the same."""
    socket = model.in_region("socket").astype(np.float64)
    near = smooth_field(atlas.laplacian, atlas.areas, socket[:, None], np.ones(len(socket)), _RIM_MM)[:, 0]
    share = (1 - near / 0.5).clip(_RIM_SHARE, 1) * np.where(model.in_region(*_LIPS), _LIPS_SHARE, 1)
    return FormPrior(np.where(model.in_region(*FACE_REGIONS), HEIGHT_SIGMA_MM * share, 0))


def matern_precision(laplacian: csr_matrix, areas: np.ndarray, range_mm: float, sigma: np.ndarray) -> csr_matrix:
    """(N, N) precision of a field with Matérn's covariance of order 1 on a surface (Lindgren et al. 2011, section 2.3).

    Args:
        laplacian: (N, N) of :func:`~..geometry.mesh_fields.mesh_laplacian`. areas: (N,) mm².
        range_mm: where the correlation has fallen to about 0.1. sigma: (N,) standard deviation, positive.
    """
    kappa_squared = 8 / range_mm**2
    root = diags(1 / (np.sqrt(4 * np.pi * kappa_squared) * sigma))
    stiff = (diags(areas * kappa_squared) + laplacian) @ root
    return (stiff.T @ diags(1 / areas) @ stiff).tocsr()
