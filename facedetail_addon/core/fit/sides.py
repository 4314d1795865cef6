# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sides of a head, each with an identity of its own where somebody shapes one by hand."""

import numpy as np
from scipy.spatial import cKDTree

from ..face_model.model import FaceModel
from .equations import NormalEquations

MIRRORED = np.array([-1.0, 1.0, 1.0])
"""What becomes of a movement on the other side."""
_SAME_MM, _STRIDE = 2.0, 7  # vertices that are each other's mirror images, and of how many one is looked at
_ACROSS_MM = 12.0  # from the middle, to where a vertex belongs to one side alone


def left_shares(mean: np.ndarray) -> np.ndarray:
    """(V,) float64: how much each vertex of a (V, 3) mm head belongs to its left side, smooth across the middle."""
    along = np.clip((mean[:, 0].astype(np.float64) + _ACROSS_MM) / (2 * _ACROSS_MM), 0, 1)
    return along**2 * (3 - 2 * along)


def mirrored_identity(model: FaceModel) -> np.ndarray:
    """(K, K) float64: M α does to the right side of the head what α does to its left."""
    rest, basis = model.skin.of(model.mean).astype(np.float64), model.skin.of(model.identity_basis)
    away, across = cKDTree(rest).query(rest * MIRRORED)
    left = np.flatnonzero((away < _SAME_MM) & (rest[:, 0] > _ACROSS_MM))[::_STRIDE]
    if len(left) < len(basis):
        return np.eye(len(basis))
    there = basis[:, across[left]].reshape(len(basis), -1).T.astype(np.float64)
    here = (basis[:, left] * MIRRORED).reshape(len(basis), -1).T.astype(np.float64)
    return np.linalg.lstsq(there, here, rcond=None)[0]


def sided(equations: NormalEquations, modes: int) -> NormalEquations:
    """Equations of (α, others) as equations of (left α, right α, others).

    Each side is told half of what the head was told. So a change of both is as dear as the head's own, and a change of
    one side says nothing of the other.
    """
    quadratic, linear = equations.quadratic, equations.linear
    alpha, rest = slice(0, modes), slice(modes, None)
    none = np.zeros((modes, modes))
    own, beside = quadratic[alpha, alpha] / 2, quadratic[alpha, rest] / 2
    full = np.block([[own, none, beside], [none, own, beside], [beside.T, beside.T, quadratic[rest, rest]]])
    return NormalEquations(full, np.concatenate([linear[alpha] / 2, linear[alpha] / 2, linear[rest]]))
