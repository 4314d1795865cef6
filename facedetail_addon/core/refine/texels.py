# SPDX-License-Identifier: GPL-3.0-or-later
"""Pigment, specular level and roughness of texels that explain what a photo shows of them: robust Gauss–Newton, its
steps by conjugate gradients.

At every texel: photo = albedo · e^pigment · light · transmission + e^level · reflection(roughness).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import block_diag, csr_matrix

from ..robust import geman_mcclure

ROUNDS, _ITERATIONS = 5, 40
_TICK = 8  # iterations between two looks at whether to go on
_CONVERGED = 1e-4  # of the right-hand side's norm
_GAIN_ROUNDS, _GAIN_SIGMA, _MOST_GAIN = 6, 0.5, 0.95  # of the logarithm of all reflection
_USUAL_GAIN = 0.26  # the same of painted heads whose skin reflects as expected: estimated lamps are too wide
_NORMAL_MEDIAN = 0.6745  # of the absolute value of a standard normal variable
_MOST_DOUBT = 2.0  # times the noise
_FLOOR = 0.01  # linear; differences below this share of display white do not count as relative ones
_OUTLIER = (8.0, 3.0)  # σ at which a texel counts a quarter: brighter than the model, as highlights are, darker
_MOST_ALBEDO = 0.95  # of the surface; something is always left for the skin below
PIGMENT, LEVEL, ROUGHNESS = range(3)
"""Columns of the unknowns."""


@dataclass(frozen=True)
class _Reflection:
    """Of N texels: (N, 3) radiance, (N,) share of all light; and their (N, 3) and (N,) slopes by roughness, that of
    the radiance's logarithm."""

    radiance: np.ndarray
    share: np.ndarray
    log_slope: np.ndarray
    share_slope: np.ndarray


@dataclass(frozen=True)
class TexelProblem:
    """N texels of skin.

    Attributes:
        colour: (N, 3) linear, of the photo. diffuse: (N, 3) painted albedo · light. weight: (N,) measurements over σ².
        sigma: (N,) of the colour's logarithm. clipped: (N,) bool, whether the photo only says that it is no darker.
        tint: (3,) how much pigment changes the logarithms of red, green and blue.
        nodes: (K,) roughnesses, evenly spaced. reflection: (K, N, 3) log radiance that is reflected at the expected
            level. share: (K, N) of all light that is.
        roughness: (N,) that is expected. lowest, highest: (N, 3) of the unknowns.
        precision: three (N, N) sparse, of the unknowns' priors.
        common: logarithm of the level over the expected that all texels have in common; ``reflection`` has it already.
    """

    colour: np.ndarray
    diffuse: np.ndarray
    weight: np.ndarray
    sigma: np.ndarray
    clipped: np.ndarray
    tint: np.ndarray
    nodes: np.ndarray
    reflection: np.ndarray
    share: np.ndarray
    roughness: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    precision: tuple[csr_matrix, csr_matrix, csr_matrix]
    common: float = 0.0

    def brighter(self) -> "TexelProblem":
        """The same with reflection as much stronger as all texels together want it, never weaker.

        What is estimated from diffuse light makes lamps too wide and their images too weak. What goes beyond that is
        the skin's: unknowns count from there.
        """
        problem, gain = self, 0.0
        for _ in range(_GAIN_ROUNDS):
            residual, jacobian = problem.linearised(np.zeros((len(self.colour), 3)))
            slope = jacobian[:, :, LEVEL]
            weighted = slope * problem._robust(residual)[:, None]
            right = float((weighted * residual).sum()) - gain / _GAIN_SIGMA**2
            gain += right / (float((weighted * slope).sum()) + 1 / _GAIN_SIGMA**2)
            gain = float(np.clip(gain, 0, _MOST_GAIN))
            problem = replace(self, reflection=self.reflection + gain)
        common = max(gain - _USUAL_GAIN, 0.0)
        shift = np.zeros(3)
        shift[LEVEL] = common
        lowest, highest = np.minimum(self.lowest - shift, 0), np.maximum(self.highest - shift, 0)
        return replace(problem, lowest=lowest, highest=highest, common=common)

    def doubted(self) -> "TexelProblem":
        """The same with the noise that is measured: where light and paint explain a photo badly, it says less."""
        residual, _ = self.linearised(np.zeros((len(self.colour), 3)))
        seen = self.weight > 0
        if not seen.any():
            return self
        misfit = float(np.median(np.abs(residual.mean(axis=1)[seen]) / self.sigma[seen])) / _NORMAL_MEDIAN
        spread = min(max(1.0, misfit), _MOST_DOUBT)
        return replace(self, sigma=self.sigma * spread, weight=self.weight / spread**2)

    def solve(self, going_on: Callable[[float], None] = lambda done: None) -> np.ndarray:
        """(N, 3) unknowns: pigment, logarithm of the level over the expected and ``common``, roughness beyond the
        expected.

        Args:
            going_on: called every few hundredths of a second with the fraction done; what it raises stops the work.
        """
        values = np.zeros((len(self.colour), 3))
        priors = block_diag(self.precision, format="csr")
        own = priors.diagonal().reshape(3, -1).T
        for number in range(ROUNDS):
            going_on(number / ROUNDS)
            residual, jacobian = self.linearised(values)
            weight = self._robust(residual)
            weighted = jacobian * weight[:, None, None]
            curvature = np.stack([(weighted * jacobian[:, :, k, None]).sum(axis=1) for k in range(3)], axis=2)
            going_on(number / ROUNDS)
            right = (weighted * residual[..., None]).sum(axis=1) - (priors @ values.T.ravel()).reshape(3, -1).T
            inverse = _inverse(curvature + own[:, :, None] * np.eye(3))

            def times(x: np.ndarray, curvature: np.ndarray = curvature) -> np.ndarray:
                return (priors @ x.T.ravel()).reshape(3, -1).T + _product(curvature, x)

            def tick(iteration: int, number: int = number) -> None:
                going_on((number + iteration / _ITERATIONS) / ROUNDS)

            values = values + _conjugate_gradients(times, right, inverse, tick)
            values = values.clip(self.lowest, self.highest)
        return values

    def model(self, values: np.ndarray) -> np.ndarray:
        """(N, 3) linear colours."""
        at = self._reflection(values)
        return self._below(values) * self._left(at.share) + at.radiance

    def linearised(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) log photo − log model, and (N, 3, 3) how log model changes, the unknown last."""
        at, below = self._reflection(values), self._below(values)
        diffuse = below * self._left(at.share)
        total = diffuse + at.radiance + _FLOOR
        lost = below / (1 - self._expected_share())[:, None]
        by_level = at.radiance - lost * (at.share * (at.share < _MOST_ALBEDO))[:, None]
        by_roughness = at.radiance * at.log_slope - lost * at.share_slope[:, None]
        jacobian = np.stack([diffuse * self.tint, by_level, by_roughness], axis=2)
        return np.log(self.colour + _FLOOR) - np.log(total), jacobian / total[..., None]

    def _below(self, values: np.ndarray) -> np.ndarray:
        return self.diffuse * np.exp(values[:, :1] * self.tint)

    def _reflection(self, values: np.ndarray) -> "_Reflection":
        step = self.nodes[1] - self.nodes[0]
        at = ((self.roughness + values[:, ROUGHNESS] - self.nodes[0]) / step).clip(0, len(self.nodes) - 1.001)
        low, texel = at.astype(int), np.arange(len(at))
        below, share = self.reflection[low, texel], self.share[low, texel]
        rise, more = self.reflection[low + 1, texel] - below, self.share[low + 1, texel] - share
        level = np.exp(values[:, LEVEL])
        return _Reflection(
            radiance=np.exp(below + (at - low)[:, None] * rise) * level[:, None],
            share=((share + (at - low) * more) * level).clip(0, _MOST_ALBEDO),
            log_slope=rise / step,
            share_slope=more * level / step,
        )

    def _expected_share(self) -> np.ndarray:
        return self._reflection(np.zeros((len(self.colour), 3))).share

    def _left(self, share: np.ndarray) -> np.ndarray:
        """(N, 1) of the diffuse light, beside what the expected reflection leaves."""
        return ((1 - share) / (1 - self._expected_share()))[:, None]

    def _robust(self, residual: np.ndarray) -> np.ndarray:
        """(N,) weights of a channel; a clipped texel counts only while the model is darker."""
        luminance = residual.mean(axis=1)
        weight = self.weight / 3 * geman_mcclure(luminance / (self.sigma * np.where(luminance > 0, *_OUTLIER)))
        return np.where(self.clipped & (luminance < 0), 0, weight)


def _product(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(N, 3, 3) times (N, 3). Written out, as the inverse is: libraries' loops depend on where arrays lie in memory."""
    return matrices[:, :, 0] * vectors[:, :1] + matrices[:, :, 1] * vectors[:, 1:2] + matrices[:, :, 2] * vectors[:, 2:]


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """Of (N, 3, 3) symmetric positive matrices."""
    first, second, third = (matrices[:, row] for row in range(3))
    rows = [np.cross(second, third), np.cross(third, first), np.cross(first, second)]
    return np.stack(rows, axis=2) / (first * rows[0]).sum(axis=1)[:, None, None]


def _conjugate_gradients(
    times: Callable[[np.ndarray], np.ndarray],
    right: np.ndarray,
    inverse: np.ndarray,
    tick: Callable[[int], None],
) -> np.ndarray:
    """(N, 3) solution of times(x) = right, with (N, 3, 3) blocks as preconditioner."""
    x, residual = np.zeros_like(right), right.copy()
    towards = _product(inverse, residual)
    direction, product = towards.copy(), float((residual * towards).sum())
    enough = _CONVERGED**2 * product
    for iteration in range(_ITERATIONS):
        if iteration % _TICK == 0:
            tick(iteration)
        if product <= enough or product == 0:
            break
        moved = times(direction)
        length = product / float((direction * moved).sum())
        x += length * direction
        residual -= length * moved
        towards = _product(inverse, residual)
        product, before = float((residual * towards).sum()), product
        direction = towards + product / before * direction
    return x
