# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of skin in a light, and the light, albedo and pigment that suit a photo best for a given shape."""

from dataclasses import dataclass

import numpy as np

from ...colour import LUMINANCE
from ...rendering.shade import reflected
from ...robust import geman_mcclure
from ..equations import NormalEquations

_FLOOR = 0.02  # linear; differences below this share of display white do not count as relative ones
_LEAST_SHADING = 0.02  # of the median
_OUTLIER = (2.0, 3.0)  # σ at which a vertex counts a quarter: brighter than the model, darker
_LIGHT_SIGMA = 2.0  # of the light's coefficients, in units of its mean radiance's
_STEPS = 8  # of Gauss and Newton until the nuisances have settled


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
class Eliminated:
    """A linear problem of M unknowns and Q nuisances without the nuisances, which follow from the others.

    Attributes:
        equations: of the M unknowns. offset: (Q,), slope: (Q, M) of what the nuisances are for them.
    """

    equations: NormalEquations
    offset: np.ndarray
    slope: np.ndarray

    def at(self, values: np.ndarray) -> np.ndarray:
        """(Q,) nuisances that suit (M,) unknowns best, by back-substitution."""
        return self.offset - self.slope @ values


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

    @property
    def first(self) -> np.ndarray:
        """(Q,) nuisances of the first estimate."""
        return np.zeros(len(self.gamma) + self.radiance.size + self.pigment.shape[1])

    def without_pigment(self, nuisances: np.ndarray) -> np.ndarray:
        """(Q,) the same light and albedo on skin that the basis explains."""
        kept = len(self.gamma) + self.radiance.size
        return np.append(nuisances[:kept], np.zeros(self.pigment.shape[1]))

    def suited(self, colour: np.ndarray, normals: np.ndarray) -> Shaded:
        """The model with the nuisances that suit a shape best.

        Args:
            colour: (N, 3) linear, of the photo. normals: (N, 3) unit.
        """
        nuisances = self.first
        for _ in range(_STEPS):
            shaded = self.shaded(colour, normals, nuisances)
            nuisances = nuisances + np.linalg.solve(*self.own_equations(shaded, nuisances))
        return self.shaded(colour, normals, nuisances)

    def shaded(self, colour: np.ndarray, normals: np.ndarray, nuisances: np.ndarray) -> Shaded:
        """The model with given nuisances.

        Args:
            colour: (N, 3) linear, of the photo. normals: (N, 3) unit. nuisances: (Q,).
        """
        bands, modes = self.radiance.shape[0], len(self.gamma)
        gamma, light, pigment = np.split(nuisances, [modes, modes + 3 * bands])
        radiance = self.radiance + light.reshape(3, bands).T
        added = (self.pigment @ pigment.astype(np.float32))[:, None]
        albedo = np.exp(np.minimum(self.mean + self.modes @ (self.gamma + gamma) + added, 0))
        vector = (self.vector @ radiance) * self.transmission[:, :, None]
        shading = np.einsum("nk,nkc->nc", normals, vector) + self.transmission * self.bounce
        least = _LEAST_SHADING * np.median(shading).clip(1e-3)
        lit, shading = shading > least, np.maximum(shading, least)
        gloss = self.gloss @ radiance
        shiny, gloss = gloss > 0, np.maximum(gloss, 0)
        total = reflected(albedo, shading, gloss) + _FLOOR
        residual = np.log(self.floored(colour)) - np.log(total)
        luminance = residual @ LUMINANCE
        robust = geman_mcclure(luminance / (self.sigma * np.where(luminance > 0, *_OUTLIER)))
        share = albedo * shading / total
        by_light = (lit * albedo * self.transmission / total)[..., None] * self.diffuse[:, None]
        by_light += (shiny / total)[..., None] * self.gloss[:, None]
        design = np.zeros((*total.shape, len(nuisances)), np.float32)
        design[..., :modes] = share[..., None] * self.modes
        for channel in range(3):
            start = modes + channel * bands
            design[:, channel, start : start + bands] = by_light[:, channel]
        design[..., modes + 3 * bands :] = share[..., None] * self.pigment[:, None]
        return Shaded(residual, robust, albedo, total, vector * lit[:, None], design)

    def eliminated(self, shaded: Shaded, rows: np.ndarray, nuisances: np.ndarray, values: np.ndarray) -> "Eliminated":
        """One joint step of the nuisances and M other unknowns, the nuisances eliminated (Schur complement).

        Args:
            shaded: with (Q,) ``nuisances``. rows: (N, 3, M) float32, how log model − log photo changes with the
                unknowns, which are (M,) ``values``.
        """
        across = self.gram(shaded, rows, shaded.design)
        own, right = self.own_equations(shaded, nuisances)
        solved = np.linalg.solve(own, np.column_stack([across.T, right]))
        slope, step = solved[:, :-1], solved[:, -1]
        quadratic = self.gram(shaded, rows) - across @ slope
        linear = self.gram(shaded, rows, shaded.residual) - across @ step
        equations = NormalEquations(quadratic, linear + quadratic @ values)
        return Eliminated(equations, nuisances + step + slope @ values, slope)

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

    def own_equations(self, shaded: Shaded, nuisances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(Q, Q) matrix and (Q,) right-hand side for changes of the nuisances, their prior among them."""
        precision, start = self._prior()
        quadratic = self.gram(shaded, shaded.design) + np.diag(precision)
        return quadratic, self.gram(shaded, shaded.design, shaded.residual) - precision * (nuisances + start)

    def _prior(self) -> tuple[np.ndarray, np.ndarray]:
        """(Q,) precisions, and how far from the prior's mean the first estimate is."""
        bands, modes = self.radiance.shape[0], len(self.gamma)
        light = 1 / (_LIGHT_SIGMA * max(float(np.abs(self.radiance[0]).mean()), 1e-4)) ** 2
        precision = np.concatenate([np.ones(modes), np.full(3 * bands, light), np.ones(self.pigment.shape[1])])
        return precision, np.append(self.gamma, np.zeros(len(precision) - modes))
