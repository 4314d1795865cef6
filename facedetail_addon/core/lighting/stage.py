# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo's light as lamps of a light stage: non-negative least squares in the skin colour that is known by then."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.sparse.csgraph import laplacian

from ..colour import LUMINANCE
from ..rendering.normals import vertex_normals
from ..rendering.rays import RayScene
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
_PAINTED = 0.7  # what the colour in which the skin is painted counts, beside the photo's own
_DARK_FLOOR = 0.02  # of the light's level; differences below do not count as relative ones
_OUTLIER = (4.0, 6.0)  # standard deviations at which a vertex counts half: brighter than the model, darker
_NORMAL_MEDIAN = 0.6745  # of the absolute value of a standard normal variable
_LEAST_WEIGHT = 1.0  # independent measurements; below this there is nothing to estimate from
# In units of the light's level, as costs against misfits of one standard deviation: of a lamp, of the squared
# difference to each neighbour, and of the square of a colour that is not that of the light as a whole.
_SPARSE, _SMOOTH, _TINT = 2.0, 2.0, 40.0
_LEAST_LAMP = 0.01  # of the light's level; a weaker lamp is none
_NEIGHBOURS = 0.7, 0.99  # cosines between lamps that are neighbours
_LEAST_LEVEL = 1e-4  # of the light


def estimate_stage(
    unwrapped: UnwrappedPhoto,
    light: LightEstimate,
    transfer: Transfer,
    basis: AlbedoBasis,
    atlas: Atlas,
    vertices: np.ndarray,
    triangles: np.ndarray,
    scene: RayScene | None = None,
    bare: np.ndarray | None = None,
) -> LightStage:
    """The lamps that make the skin of a head look as in its photo (0.3 s).

    Skin colour, gloss and light from skin to skin are those of the light by harmonics. The skin is painted in that
    light, too, and a head in the light of the stage is to look like the photo as well: so the lamps explain a mean of
    the photo's colours and of those that harmonics make. Each lamp costs a little, so that few shine; where the photo
    cannot tell, as behind the head, they are like their neighbours. Where no skin is seen there is even light alone.

    Args:
        unwrapped: what the photo shows. light: the estimate by harmonics. transfer, basis, atlas: as it had them.
        vertices: (V, 3) mm, all parts of the posed head, the skin's first. triangles: (T, 3) int of all parts.
        scene: of the same mesh, where there is one already. bare: of :func:`.estimate.estimate_light`.
    """
    basis = basis.grey() if light.monochrome else basis
    samples = _fewer(skin_samples(unwrapped, basis, atlas, bare))
    if samples.weight.sum() < _LEAST_WEIGHT:
        even = (light.radiance[0].clip(0) / _UNIFORM).astype(np.float32)
        return LightStage(np.zeros((COUNT, 3), np.float32), even)
    problem = _problem(samples, light, transfer, basis, vertices, triangles, scene)
    strength = _solve(problem)
    strength[:COUNT][strength[:COUNT].max(axis=1) < _LEAST_LAMP * problem.level] = 0
    return LightStage((strength[:COUNT] / FACING).astype(np.float32), strength[COUNT].astype(np.float32))


@dataclass(frozen=True)
class _StageProblem:
    """What the rounds need, of N vertices.

    Attributes:
        samples: the vertices. wanted: (N, 3) linear colours that are to be explained.
        model: (N, 3) colours by harmonics. rest: (N, 3) the part of the colours that is explained already: gloss and
            light from skin.
        albedo: (N, 3), as far as the surface lets light through. design: (N, 21) what white skin shows of each lamp and
            of even light.
        level: what white skin shows of the light in the mean. tint: (3,) unit vector, the whole light's colour.
    """

    samples: SkinSamples
    wanted: np.ndarray
    model: np.ndarray
    rest: np.ndarray
    albedo: np.ndarray
    design: np.ndarray
    level: float
    tint: np.ndarray


def _problem(
    samples: SkinSamples,
    light: LightEstimate,
    transfer: Transfer,
    basis: AlbedoBasis,
    vertices: np.ndarray,
    triangles: np.ndarray,
    scene: RayScene | None,
) -> _StageProblem:
    rows, skin_stop = samples.rows, len(transfer.diffuse)
    normals = vertex_normals(vertices[:skin_stop], triangles[(triangles < skin_stop).all(axis=1)])
    lamps = stage_transfer(vertices[rows], normals[rows], vertices, triangles, scene) / FACING
    even = transfer.diffuse[rows, :1] * _UNIFORM
    albedo = basis.albedo(light.gamma)
    seen = albedo[rows] * transfer.transmission[rows, None]
    model = albedo[rows] * light.shading[rows] + light.gloss[rows]
    level = float(np.average(light.shading[rows] @ LUMINANCE, weights=samples.weight))
    tint = light.radiance[0].astype(np.float64).clip(_LEAST_LEVEL)
    return _StageProblem(
        samples=samples,
        wanted=(1 - _PAINTED) * samples.colour + _PAINTED * model,
        model=model,
        rest=light.gloss[rows] + seen * (transfer.interreflection[rows] @ (albedo * light.shading)),
        albedo=seen,
        design=np.hstack([lamps, even]).astype(np.float64),
        level=max(level, _LEAST_LEVEL),
        tint=tint / np.linalg.norm(tint),
    )


def _solve(problem: _StageProblem) -> np.ndarray:
    """(21, 3) what white surfaces show that face each lamp, and of even light: iteratively reweighted least squares."""
    model = problem.model
    precision, cost = _prior(problem)
    for _ in range(_ROUNDS):
        weight = _weights(problem, model)
        normal, right = precision.copy(), -cost
        for channel in range(3):
            rows = problem.design * (problem.albedo[:, channel] * weight[:, channel])[:, None]
            normal[channel::3, channel::3] += rows.T @ rows
            right[channel::3] += rows.T @ ((problem.wanted - problem.rest)[:, channel] * weight[:, channel])
        root = np.linalg.cholesky(normal)
        strength = nnls(root.T, np.linalg.solve(root, right))[0].reshape(-1, 3)
        model = problem.albedo * (problem.design @ strength) + problem.rest
    return strength


def _weights(problem: _StageProblem, model: np.ndarray) -> np.ndarray:
    """(N, 3) square roots of the weights of differences: relative ones, which count less where they are large (Geman
    and McClure), and all less where the model explains little."""
    samples, floor = problem.samples, _DARK_FLOOR * problem.level
    residual = np.log((problem.wanted + floor) / (model + floor)) @ LUMINANCE / samples.noise
    spread = max(1.0, float(np.median(np.abs(residual))) / _NORMAL_MEDIAN)
    robust = 1 / (1 + (residual / spread / np.where(residual > 0, *_OUTLIER)) ** 2)
    return (np.sqrt(samples.weight) * robust / (samples.noise * spread))[:, None] / (model + floor)


def _prior(problem: _StageProblem) -> tuple[np.ndarray, np.ndarray]:
    """(63, 63) precision and (63,) costs of the strengths, channels innermost."""
    size = COUNT + 1
    directions = lamp_directions()
    cosines = directions @ directions.T
    smooth = np.zeros((size, size))
    smooth[:COUNT, :COUNT] = laplacian(((cosines > _NEIGHBOURS[0]) & (cosines < _NEIGHBOURS[1])).astype(float))
    of_other_colours = np.eye(3) - np.outer(problem.tint, problem.tint)
    precision = _SMOOTH * np.kron(smooth, np.eye(3)) + _TINT * np.kron(np.eye(size), of_other_colours)
    precision += 1e-6 * np.eye(3 * size)  # for lamps that nothing is known of
    cost = np.repeat(np.append(np.full(COUNT, _SPARSE / 3), 0.0), 3)
    return precision / problem.level**2, cost / problem.level


def _fewer(samples: SkinSamples) -> SkinSamples:
    """At most ``_MOST_ROWS`` of them, which count for the others."""
    count = len(samples.rows)
    if count <= _MOST_ROWS:
        return samples
    chosen = np.sort(np.random.default_rng(0).choice(count, _MOST_ROWS, replace=False))
    weight = samples.weight[chosen] * (count / _MOST_ROWS)
    return SkinSamples(
        samples.rows[chosen], samples.colour[chosen], weight, samples.noise[chosen], samples.plain[chosen]
    )
