# SPDX-License-Identifier: GPL-3.0-or-later
"""Coefficients of the albedo basis that come nearest to a portrait's skin."""

from dataclasses import dataclass

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.skin.basis import at_vertices, load_basis
from scripts.training.correspondence.skins import Skins

_DARKEST = 0.004  # linear
_NOISE = 0.1  # of log albedo, beside which γ's own distribution counts


@dataclass(frozen=True)
class SkinColours:
    """γ of N skins, and how it follows a tint.

    Attributes:
        own: (N, G) float32, σ units. of_tint: (G, 3) float32, of logarithms of the tint.
    """

    own: np.ndarray
    of_tint: np.ndarray

    @classmethod
    def of(cls, skins: Skins, model: FaceModel) -> "SkinColours":
        """Least squares over plain skin, with the basis' own prior."""
        basis = load_basis(model)
        rows = np.flatnonzero(basis.plain & (basis.known > 0.5))
        modes = basis.modes[:, rows].reshape(len(basis.modes), -1).astype(np.float64)
        independent = len(rows) * 3 / 200  # measurements: colours of neighbours are alike
        share = independent / modes.shape[1] / _NOISE**2
        solve = np.linalg.solve(modes @ modes.T * share + np.eye(len(modes)), modes * share)
        own = []
        for index in range(len(skins.names)):
            seen = np.log(np.maximum(at_vertices(skins.linear(index), model)[rows], _DARKEST))
            own.append(solve @ (seen - basis.mean[rows]).ravel())
        of_tint = solve.reshape(len(modes), -1, 3).sum(1)
        return cls(np.float32(own), of_tint.astype(np.float32))

    def gamma(self, skin: int, tint: np.ndarray) -> np.ndarray:
        """(G,) float32 of one skin under (3,) factors."""
        return self.own[skin] + self.of_tint @ np.log(tint)
