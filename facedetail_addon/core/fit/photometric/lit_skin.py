# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of skin in a light, and the light, albedo and pigment that suit a photo best for a given shape."""

from dataclasses import dataclass

import numpy as np

from ...colour import LUMINANCE
from ...rendering.shade import reflected

_FLOOR = 0.02  # linear; differences below this share of display white do not count as relative ones
_LEAST_SHADING = 0.02  # of the median
_OUTLIER = (2.0, 3.0)  # σ at which a vertex counts a quarter: brighter than the model, darker
_LIGHT_SIGMA = 2.0  # of the light's coefficients, in units of its mean radiance's
_STEPS = 2


@dataclass(frozen=True)
class Shaded:
    """The model of N vertices' colours, (N, 3) each unless said otherwise.

    Attributes:
        residual: log photo − log model. robust: (N,) what a vertex counts (Geman and McClure).
        albedo: of the skin. total: albedo · shading + gloss + floor.
        light: (N, 3, 3) light vectors over π that reach the camera, head frame, the channel last.
        design: (N, 3, Q) float32, how log model changes with the nuisances.
    """

    residual: np.ndarray
    robust: np.ndarray
    albedo: np.ndarray
    total: np.ndarray
    light: np.ndarray
    design: np.ndarray


@dataclass(frozen=True)
class LitSkin:
    """N vertices of the skin in one photo's light: B² harmonics, G modes of albedo, P of pigment.

    The nuisances are Q = G + 3 B² + P numbers, 0 where the first estimate of light and skin was right.

    Attributes:
        sigma: (N,) of the colour's logarithm. weight: (N,) independent measurements over σ².
        mean: (N, 3) log albedo. modes: (N, 3, G). pigment: (N, P).
        diffuse: (N, B²), vector: (N, 3, B²), gloss: (N, B²), transmission: (N, 1) of the transfer.
        bounce: (N, 3) light from skin to skin over π, which stays.
        radiance: (B², 3), gamma: (G,) of the first estimate.
    """

    sigma: np.ndarray
    weight: np.ndarray
    mean: np.ndarray
    modes: np.ndarray
    pigment: np.ndarray
    diffuse: np.ndarray
    vector: np.ndarray
    gloss: np.ndarray
    transmission: np.ndarray
    bounce: np.ndarray
    radiance: np.ndarray
    gamma: np.ndarray

    def suited(self, colour: np.ndarray, normals: np.ndarray) -> Shaded:
        """The model with the nuisances that suit a shape best.

        Args:
            colour: (N, 3) linear, of the photo. normals: (N, 3) unit.
        """
        precision, start = self._prior()
        nuisances = np.zeros(len(precision))
        for _ in range(_STEPS):
            shaded = self._shaded(colour, normals, nuisances)
            quadratic, right = self.gram(shaded, shaded.design), self.gram(shaded, shaded.design, shaded.residual)
            change = np.linalg.solve(quadratic + np.diag(precision), right - precision * (nuisances + start))
            nuisances = nuisances + change
        return self._shaded(colour, normals, nuisances)

    def eliminated(self, shaded: Shaded, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations of M other unknowns about a suited model, the nuisances eliminated (Schur complement).

        Args:
            rows: (N, 3, M) float32, how log model − log photo changes with the unknowns.

        Returns:
            (M, M) matrix and (M,) right-hand side for changes of the unknowns.
        """
        across = self.gram(shaded, rows, shaded.design)
        nuisances = self.gram(shaded, shaded.design) + np.diag(self._prior()[0])
        # The nuisances are at their best: their own right-hand side has vanished.
        kept = np.linalg.solve(nuisances, across.T)
        return self.gram(shaded, rows) - across @ kept, self.gram(shaded, rows, shaded.residual)

    def gram(self, shaded: Shaded, one: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
        """Weighted products over vertices and channels: (M, M) or (M, R) of (N, 3, M) and (N, 3[, R]), float64."""
        root = np.sqrt(self.weight * shaded.robust / 3).astype(np.float32)
        left = (one * root[:, None, None]).reshape(-1, one.shape[2])
        if other is None:
            return (left.T @ left).astype(np.float64)
        right = (other.astype(np.float32).reshape(*one.shape[:2], -1) * root[:, None, None]).reshape(len(left), -1)
        product = (left.T @ right).astype(np.float64)
        return product[:, 0] if other.ndim == 2 else product

    def floored(self, colour: np.ndarray) -> np.ndarray:
        """What logarithms are taken of."""
        return colour.clip(0) + _FLOOR

    def _prior(self) -> tuple[np.ndarray, np.ndarray]:
        """(Q,) precisions, and how far from the prior's mean the first estimate is."""
        bands, modes = self.radiance.shape[0], len(self.gamma)
        light = 1 / (_LIGHT_SIGMA * max(float(np.abs(self.radiance[0]).mean()), 1e-4)) ** 2
        precision = np.concatenate([np.ones(modes), np.full(3 * bands, light), np.ones(self.pigment.shape[1])])
        return precision, np.append(self.gamma, np.zeros(len(precision) - modes))

    def _shaded(self, colour: np.ndarray, normals: np.ndarray, nuisances: np.ndarray) -> Shaded:
        bands, modes = self.radiance.shape[0], len(self.gamma)
        gamma, light, pigment = np.split(nuisances, [modes, modes + 3 * bands])
        radiance = self.radiance + light.reshape(3, bands).T
        added = (self.pigment @ pigment.astype(np.float32))[:, None]
        albedo = np.exp(np.minimum(self.mean + self.modes @ (self.gamma + gamma) + added, 0))
        vector = (self.vector @ radiance) * self.transmission[:, :, None]
        shading = np.einsum("nk,nkc->nc", normals, vector) + self.transmission * self.bounce
        shading = np.maximum(shading, _LEAST_SHADING * np.median(shading).clip(1e-3))
        gloss = np.maximum(self.gloss @ radiance, 0)
        total = reflected(albedo, shading, gloss) + _FLOOR
        residual = np.log(self.floored(colour)) - np.log(total)
        luminance = residual @ LUMINANCE
        robust = 1 / (1 + (luminance / (self.sigma * np.where(luminance > 0, *_OUTLIER))) ** 2) ** 2
        share = albedo * shading / total
        by_light = (albedo * self.transmission / total)[..., None] * self.diffuse[:, None]
        by_light += self.gloss[:, None] / total[..., None]
        design = np.zeros((*total.shape, len(nuisances)), np.float32)
        design[..., :modes] = share[..., None] * self.modes
        for channel in range(3):
            start = modes + channel * bands
            design[:, channel, start : start + bands] = by_light[:, channel]
        design[..., modes + 3 * bands :] = share[..., None] * self.pigment[:, None]
        return Shaded(residual, robust, albedo, total, vector, design)
