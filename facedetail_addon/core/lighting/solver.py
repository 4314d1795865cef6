# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and skin colour together: robust Gauss–Newton over the light's coefficients and γ.

The problem is bilinear, and solving for one after the other creeps along the valley where brighter light and darker
skin look alike.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

from ..colour import LUMINANCE
from ..rendering.environment import nonnegative
from ..rendering.shade import reflected, shading_floor
from ..rendering.types import Transfer
from ..skin.types import AlbedoBasis
from .prior import LightPrior

# Round by round, how many times wider than in the end a vertex may be off: who is darker or lighter than the mean is
# no outlier.
_TOLERANCES = (20.0, 20.0, 10.0, 6.0, 4.0, 2.5, 1.6, 1.0)
_LAST_ROUNDS = 4  # after the noise was measured
_GAMMA_ROUNDS = 3  # of Gauss–Newton for γ alone
_NORMAL_MEDIAN = 0.6745  # of the absolute value of a standard normal variable
_DARK_FLOOR = 0.02  # linear; differences below this share of display white do not count as relative ones
_OUTLIER = (2.0, 3.0)  # standard deviations at which a vertex counts half: brighter than the model, darker
_DARKEST = 1e-3  # of the mean: few bands of lights that are darker somewhere have a hole where their lamp shines
_STEPS = (1.0, 0.5, 0.25, 0.1)  # shares of a Gauss–Newton step that are tried
_RANGE_PENALTY = 20.0  # how much more it costs to leave the range of people than to leave their mean
_LEAST_WEIGHT = 1.0  # independent measurements; below this there is nothing to estimate from


@dataclass(frozen=True)
class SkinSamples:
    """Vertices that count.

    Attributes:
        rows: (N,) int, which of the skin's. colour: (N, 3) float64 linear, seen. weight: (N,) independent measurements
            that each stands for. noise: (N,) float64 standard deviation of the logarithm.
    """

    rows: np.ndarray
    colour: np.ndarray
    weight: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True)
class LightProblem:
    """The least-squares problem of one photo.

    Attributes:
        samples: N vertices. basis: of their albedo. prior: of the light. diffuse: (V, B²) transfer of the whole skin.
        modes: (G, N, 3) of the basis, at the samples; and of the transfer there:
        transmission: (N, 1). gloss: (N, B²) float64. interreflection: (N, V) sparse.
    """

    samples: SkinSamples
    basis: AlbedoBasis
    prior: LightPrior
    diffuse: np.ndarray
    modes: np.ndarray
    transmission: np.ndarray
    gloss: np.ndarray
    interreflection: csr_matrix

    @property
    def count(self) -> int:
        """B²."""
        return self.diffuse.shape[1]


def light_problem(samples: SkinSamples, transfer: Transfer, basis: AlbedoBasis, prior: LightPrior) -> LightProblem:
    """Gather what the rounds need."""
    rows = samples.rows
    return LightProblem(
        samples, basis, prior, transfer.diffuse, basis.modes[:, rows], transfer.transmission[rows][:, None],
        transfer.gloss[rows].astype(np.float64), transfer.interreflection[rows],
    )  # fmt: skip


def solve_light(problem: LightProblem) -> tuple[np.ndarray, np.ndarray]:
    """The most likely light (B², 3) float32, non-negative, and γ (G,); the prior's where too little is seen."""
    radiance = problem.prior.start
    gamma = np.zeros(len(problem.modes), np.float32)
    enough = problem.samples.weight.sum() >= _LEAST_WEIGHT
    if enough:
        gamma = _solve_gamma(problem, radiance, np.zeros(len(problem.modes)), _TOLERANCES[0])
        for tolerance in _TOLERANCES:
            radiance, gamma = _step(problem, radiance, gamma, tolerance)
        problem = _with_measured_noise(problem, radiance, gamma)
        for _ in range(_LAST_ROUNDS):
            radiance, gamma = _step(problem, radiance, gamma, 1.0)
    radiance = nonnegative(radiance.astype(np.float32), _DARKEST).reshape(problem.count, 3)
    return radiance, _solve_gamma(problem, radiance, gamma, 1.0) if enough else gamma


def relative_residual(
    samples: SkinSamples, basis: AlbedoBasis, gamma: np.ndarray, shading: np.ndarray, gloss: np.ndarray
) -> float:
    """Median relative difference between photo and model where plain skin is seen.

    Args:
        gamma: (G,). shading, gloss: (V_skin, 3).
    """
    plain = basis.plain[samples.rows] & (samples.weight > 0)
    rows = samples.rows[plain]
    if len(rows) == 0:
        return 0.0
    model = reflected(basis.albedo(gamma)[rows], shading[rows], gloss[rows])
    off = np.abs(samples.colour[plain] - model) @ LUMINANCE / (model @ LUMINANCE + _DARK_FLOOR)
    return float(np.median(off))


def _with_measured_noise(problem: LightProblem, radiance: np.ndarray, gamma: np.ndarray) -> LightProblem:
    """Hair, make-up and a shape that is off make some photos agree worse with any skin: they say less, then."""
    samples = problem.samples
    residual = _linearised(problem, _shading_transfer(problem, gamma), radiance, gamma, 1.0).residual
    misfit = float(np.median(np.abs(residual @ LUMINANCE) / samples.noise)) / _NORMAL_MEDIAN
    return replace(problem, samples=replace(samples, noise=samples.noise * max(1.0, misfit)))


def _solve_gamma(problem: LightProblem, radiance: np.ndarray, gamma: np.ndarray, tolerance: float) -> np.ndarray:
    """(G,) γ in a light that is given."""
    for _ in range(_GAMMA_ROUNDS):
        at = _linearised(problem, _shading_transfer(problem, gamma), radiance, gamma, tolerance)
        model = np.exp(-at.residual) * (problem.samples.colour + _DARK_FLOOR) - _DARK_FLOOR
        diffuse = (model - problem.gloss @ radiance).clip(0)
        jacobian = (problem.modes * (diffuse * at.inverse * at.weight)).reshape(len(gamma), -1)
        gradient, curvature = _gamma_prior(problem.basis, gamma)
        right = jacobian @ (at.residual * at.weight).ravel() - gradient
        gamma = gamma + np.linalg.solve(jacobian @ jacobian.T + np.diag(curvature), right)
    return gamma


def _shading_transfer(problem: LightProblem, gamma: np.ndarray) -> np.ndarray:
    """(N, 3, B²) shading per coefficient and channel; of the light between skin of this colour one bounce will do."""
    albedo = problem.basis.albedo(gamma)
    out = np.empty((len(problem.samples.rows), 3, problem.count))
    for channel in range(3):
        bounced = problem.interreflection @ (albedo[:, channel, None] * problem.diffuse)
        out[:, channel] = (problem.diffuse[problem.samples.rows] + bounced) * problem.transmission
    return out


@dataclass(frozen=True)
class _Linearised:
    """The model at some light and γ.

    Attributes:
        albedo: (N, 3). residual: (N, 3) of logarithms. inverse: (N, 3) 1 / (model + floor).
        weight: (N, 1) square roots of robust weights (Geman and McClure).
    """

    albedo: np.ndarray
    residual: np.ndarray
    inverse: np.ndarray
    weight: np.ndarray


def _linearised(
    problem: LightProblem, transfer: np.ndarray, radiance: np.ndarray, gamma: np.ndarray, tolerance: float
) -> _Linearised:
    samples = problem.samples
    albedo = problem.basis.albedo(gamma)[samples.rows]
    shading = np.einsum("ncb,bc->nc", transfer, radiance)
    gloss = np.maximum(problem.gloss @ radiance, 0)
    model = reflected(albedo, np.maximum(shading, shading_floor(shading)), gloss)
    residual = np.log((samples.colour + _DARK_FLOOR) / (model + _DARK_FLOOR))
    robust = 1 / (1 + _relative_to_cutoff(samples, residual, tolerance) ** 2)
    weight = np.sqrt(samples.weight) * robust / samples.noise
    return _Linearised(albedo, residual, 1 / (model + _DARK_FLOOR), weight[:, None])


def _relative_to_cutoff(samples: SkinSamples, residual: np.ndarray, tolerance: float) -> np.ndarray:
    """(N,) residual of luminance, 1 where a sample counts half."""
    off = residual @ LUMINANCE / samples.noise
    return off / (tolerance * np.where(off > 0, *_OUTLIER))


def _step(
    problem: LightProblem, radiance: np.ndarray, gamma: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """One step of Gauss–Newton for all unknowns, as far as the cost falls; and where positive light forbids it as a
    whole, one for the light's level and tint, which never do, together with γ."""
    problem = replace(problem, prior=problem.prior.near(radiance))
    whole = np.eye(3 * problem.count)
    radiance, gamma, share = _step_along(problem, whole, radiance, gamma, tolerance)
    if share < 1:
        channels = (radiance[:, :, None] * np.eye(3)).reshape(-1, 3)
        radiance, gamma, _ = _step_along(problem, channels, radiance, gamma, tolerance)
    return radiance, gamma


def _step_along(
    problem: LightProblem, lights: np.ndarray, radiance: np.ndarray, gamma: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """The step in some of the light's directions, (3·B², D), and in γ; and which share of it was taken."""
    transfer = _shading_transfer(problem, gamma)
    normal, right = _normal_equations(problem, transfer, radiance, gamma, tolerance)
    count = lights.shape[1]
    free = np.zeros((len(normal), count + len(gamma)))
    free[: len(lights), :count], free[len(lights) :, count:] = lights, np.eye(len(gamma))
    step = free @ np.linalg.solve(free.T @ normal @ free, free.T @ right)
    change = step[: len(lights)].reshape(radiance.shape)
    before = _cost(problem, transfer, radiance, gamma, tolerance)
    for share in _STEPS:
        light = nonnegative((radiance + share * change).astype(np.float32), _DARKEST).astype(np.float64)
        skin = gamma + share * step[len(lights) :]
        if _cost(problem, transfer, light, skin, tolerance) < before:
            return light, skin, share
    return radiance, gamma, 0.0


def _normal_equations(
    problem: LightProblem, transfer: np.ndarray, radiance: np.ndarray, gamma: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and right-hand side for changes of the 3·B² light coefficients (channels innermost) and γ."""
    at = _linearised(problem, transfer, radiance, gamma, tolerance)
    shading = np.einsum("ncb,bc->nc", transfer, radiance).clip(0)
    count, modes = problem.count, len(gamma)
    normal = np.zeros((3 * count + modes, 3 * count + modes))
    right = np.zeros(3 * count + modes)
    for channel in range(3):
        scale = at.weight * at.inverse[:, channel, None]
        by_light = (at.albedo[:, channel, None] * transfer[:, channel] + problem.gloss) * scale
        by_gamma = (at.albedo[:, channel] * shading[:, channel])[:, None] * problem.modes[:, :, channel].T * scale
        jacobian = np.concatenate([by_light, by_gamma], axis=1)
        places = np.concatenate([np.arange(count) * 3 + channel, 3 * count + np.arange(modes)])
        normal[np.ix_(places, places)] += jacobian.T @ jacobian
        right[places] += jacobian.T @ (at.residual[:, channel] * at.weight[:, 0])
    normal[: 3 * count, : 3 * count] += problem.prior.precision
    right[: 3 * count] += problem.prior.information - problem.prior.precision @ radiance.ravel()
    gradient, curvature = _gamma_prior(problem.basis, gamma)
    normal[3 * count :, 3 * count :] += np.diag(curvature)
    right[3 * count :] -= gradient
    return normal, right


def _cost(
    problem: LightProblem, transfer: np.ndarray, radiance: np.ndarray, gamma: np.ndarray, tolerance: float
) -> float:
    """What the steps minimise: robust misfit (Geman and McClure), γ's prior and the light's."""
    samples, light = problem.samples, radiance.ravel()
    residual = _linearised(problem, transfer, radiance, gamma, tolerance).residual
    squares = (residual**2).sum(axis=1) / samples.noise**2
    return float(
        (samples.weight * squares / (1 + _relative_to_cutoff(samples, residual, tolerance) ** 2)).sum()
        + gamma @ gamma
        + _RANGE_PENALTY * (_out_of_range(problem.basis, gamma) ** 2).sum()
        + light @ problem.prior.precision @ light
        - 2 * problem.prior.information @ light
    )


def _gamma_prior(basis: AlbedoBasis, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(G,) half the gradient of γ's cost, and half its second derivative."""
    beyond = _out_of_range(basis, gamma)
    return gamma + _RANGE_PENALTY * beyond, 1 + _RANGE_PENALTY * (beyond != 0)


def _out_of_range(basis: AlbedoBasis, gamma: np.ndarray) -> np.ndarray:
    """(G,) how far γ lies outside the range of people; a normal distribution knows no palest skin."""
    return gamma - gamma.clip(basis.lowest, basis.highest)
