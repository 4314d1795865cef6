# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo's light as lamps of a light stage: non-negative least squares in the skin colour that is known by then."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.sparse.csgraph import laplacian

from ..colour import LUMINANCE
from ..rendering.normals import vertex_normals
from ..rendering.stage import COUNT, FACING, LightStage, lamp_directions, stage_transfer
from ..rendering.types import Transfer
from ..skin.types import AlbedoBasis
from ..uv.types import Atlas, UnwrappedPhoto
from .estimate import skin_samples
from .solver import SkinSamples
from .types import LightEstimate

_UNIFORM = np.sqrt(4 * np.pi)  # first coefficient of an even light of radiance 1
_MOST_ROWS = 4000  # vertices that rays are shot from
_ROUNDS = 8
_DARK_FLOOR = 0.02  # relative to the light's level; differences below do not count as relative ones
_OUTLIER = (4.0, 6.0)  # standard deviations at which a vertex counts half: brighter than the model, darker
_LEAST_WEIGHT = 1.0  # independent measurements; below this there is nothing to estimate from
_SPARSE, _SMOOTH, _TINT = 2.5, 2.0, 60.0  # costs of a lamp, of differences to its neighbours, of its own colour
_LEAST_LAMP = 2e-3  # of the light's level; a weaker lamp is none
_NEIGHBOUR = 0.7  # cosine between neighbours and more


def estimate_stage(
    unwrapped: UnwrappedPhoto,
    light: LightEstimate,
    transfer: Transfer,
    basis: AlbedoBasis,
    atlas: Atlas,
    vertices: np.ndarray,
    triangles: np.ndarray,
) -> LightStage:
    """The lamps that make the skin of a head look as in its photo (0.3 s).

    The skin's colour, its gloss and the light from skin to skin are those of the light by harmonics. Each lamp costs a
    little, so that few shine; where the photo cannot tell, as behind the head, they are like their neighbours. Where no
    skin is seen there is even light alone.

    Args:
        unwrapped: what the photo shows. light: the estimate by harmonics. transfer, basis, atlas: as it had them.
        vertices: (V, 3) mm, all parts of the posed head, the skin's first. triangles: (T, 3) int of all parts.
    """
    basis = basis.grey() if light.monochrome else basis
    samples = _fewer(skin_samples(unwrapped, basis, atlas))
    even = (light.radiance[0].clip(0) / _UNIFORM).astype(np.float32)
    if samples.weight.sum() < _LEAST_WEIGHT:
        return LightStage(np.zeros((COUNT, 3), np.float32), even)
    problem = _problem(samples, light, transfer, basis, vertices, triangles)
    strength = _solve(problem, np.vstack([np.zeros((COUNT, 3)), even]))
    strength[strength < _LEAST_LAMP * problem.level] = 0
    radiance = (strength[:COUNT] / FACING).astype(np.float32)
    return LightStage(radiance, strength[COUNT].astype(np.float32))


@dataclass(frozen=True)
class _StageProblem:
    """What the rounds need, of N vertices.

    Attributes:
        samples: the vertices. design: (N, 21) what white skin shows of each lamp and of even light.
        albedo: (N, 3), without what the surface reflects. rest: (N, 3) of the colour that is explained already: gloss
            and light from skin. start: (N, 3) the colour by harmonics. level: of the light, what white skin shows.
        tint: (3,) of the whole light, mean 1.
    """

    samples: SkinSamples
    design: np.ndarray
    albedo: np.ndarray
    rest: np.ndarray
    start: np.ndarray
    level: float
    tint: np.ndarray


def _problem(
    samples: SkinSamples,
    light: LightEstimate,
    transfer: Transfer,
    basis: AlbedoBasis,
    vertices: np.ndarray,
    triangles: np.ndarray,
) -> _StageProblem:
    rows, skin_stop = samples.rows, len(transfer.diffuse)
    normals = vertex_normals(vertices[:skin_stop], triangles[(triangles < skin_stop).all(axis=1)])
    lamps = stage_transfer(vertices[rows], normals[rows], vertices, triangles) / FACING
    sky = transfer.diffuse[rows, :1] * _UNIFORM
    albedo = basis.albedo(light.gamma)
    reflected = albedo[rows] * transfer.transmission[rows, None]
    bounced = reflected * (transfer.interreflection[rows] @ (albedo * light.shading))
    level = float(np.average(light.shading[rows] @ LUMINANCE, weights=samples.weight))
    tint = light.radiance[0].clip(1e-6)
    return _StageProblem(
        samples=samples,
        design=np.hstack([lamps, sky]).astype(np.float64),
        albedo=reflected.astype(np.float64),
        rest=(light.gloss[rows] + bounced).astype(np.float64),
        start=(albedo[rows] * light.shading[rows] + light.gloss[rows]).astype(np.float64),
        level=level,
        tint=(tint / tint.mean()).astype(np.float64),
    )


def _solve(problem: _StageProblem, strength: np.ndarray) -> np.ndarray:
    """(21, 3) what white surfaces show of each lamp and of even light, by iteratively reweighted least squares."""
    model = problem.start
    prior, linear = _prior(problem)
    for _ in range(_ROUNDS):
        weight = _weights(problem, model)
        normal, right = prior.copy(), -linear
        for channel in range(3):
            rows = problem.design * (problem.albedo[:, channel] * weight[:, channel])[:, None]
            missing = (problem.samples.colour[:, channel] - problem.rest[:, channel]) * weight[:, channel]
            normal[channel::3, channel::3] += rows.T @ rows
            right[channel::3] += rows.T @ missing
        root = np.linalg.cholesky(normal)
        strength = nnls(root.T, np.linalg.solve(root, right))[0].reshape(-1, 3)
        model = problem.albedo * (problem.design @ strength) + problem.rest
    return strength


def _weights(problem: _StageProblem, model: np.ndarray) -> np.ndarray:
    """(N, 3) square roots of robust weights (Geman and McClure) of relative differences."""
    samples = problem.samples
    floor = _DARK_FLOOR * problem.level
    residual = np.log((samples.colour + floor) / (model + floor)) @ LUMINANCE / samples.noise
    spread = max(1.0, float(np.median(np.abs(residual))) / 0.6745)
    residual = residual / spread
    robust = 1 / (1 + (residual / np.where(residual > 0, *_OUTLIER)) ** 2)
    return (np.sqrt(samples.weight) * robust / (samples.noise * spread))[:, None] / (model + floor)


def _prior(problem: _StageProblem) -> tuple[np.ndarray, np.ndarray]:
    """(63, 63) precision and (63,) costs of the strengths, channels innermost."""
    size = COUNT + 1
    directions = lamp_directions()
    cosines = directions @ directions.T
    smooth = np.zeros((size, size))
    smooth[:COUNT, :COUNT] = laplacian(((cosines > _NEIGHBOUR) & (cosines < 0.99)).astype(float))
    # What of the three channels is not of the tint of the whole light.
    colour = problem.tint / np.linalg.norm(problem.tint)
    own = np.eye(3) - np.outer(colour, colour)
    precision = np.kron(smooth, np.eye(3)) * _SMOOTH + np.kron(np.eye(size), own) * _TINT
    precision += 1e-6 * np.eye(3 * size)
    cost = np.repeat(np.append(np.full(COUNT, _SPARSE), 0.0), 3) * np.tile(LUMINANCE, size)
    return precision / problem.level**2, cost / problem.level


def _fewer(samples: SkinSamples) -> SkinSamples:
    count = len(samples.rows)
    if count <= _MOST_ROWS:
        return samples
    chosen = np.sort(np.random.default_rng(0).choice(count, _MOST_ROWS, replace=False))
    return SkinSamples(
        samples.rows[chosen], samples.colour[chosen], samples.weight[chosen] * (count / _MOST_ROWS),
        samples.noise[chosen],
    )  # fmt: skip
