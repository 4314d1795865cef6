# SPDX-License-Identifier: GPL-3.0-or-later
"""The depth of wrinkles and folds from the photo itself: heights along lines whose shading is the photo's brightness.

Shape from shading (Horn 1970) by Gauss–Newton on the texels around lines, from coarse to fine. Slopes along a line
cost much, so that grooves do not break into beads where the light is frontal and dark says steep, but not which way;
a groove is what it begins with. Where no line is seen there are no unknowns: what is left over is paint.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import csr_matrix, diags

from ..image import blurred, smoothstep
from ..robust import geman_mcclure
from .line_ends import tapered
from .line_view import LEAST_MASK, STEP_MM, LineView, light_fields, shrunk
from .lines import mean_nearby
from .relief_shading import OCCLUSION, OCCLUSION_MM, ReliefLight

_LEVELS = {4: 4, 2: 4, 1: 2}  # rounds of Gauss–Newton by how much coarser a level is than the finest
_ITERATIONS = 40  # of conjugate gradients in each round
_CONVERGED = 1e-4  # of the residual's energy
_LINED = (0.4, 0.75)  # mean likelihood of a face's ridges: smooth and lined faces
_NOISE, _OUTLIER = (0.06, 0.04), 1.0  # of log luminance, on these; the residual at which a texel counts a quarter
_FLAT_SIGMA, _SLOPE_SIGMA = 0.03, (0.8, 1.2)  # across lines that are not there, and that are certain, on these
_STRAIGHT = 100.0  # how much more a slope costs along a coherent line
_HEIGHT_SIGMA_MM, _BEND_SIGMA = 0.5, 0.7  # mm; slope per mm at certain lines
_RAISED_SIGMA_MM = 0.2  # the first, of skin above its surroundings: folds are steps, which must not become ropes
_FIRST_MM = 1.0  # depth of the groove to begin with, per unit of log luminance
_GROOVE_SIGMAS_MM = (0.15, 1.15)  # of the difference of Gaussians that it has
_DARK_SIGMAS_MM, _DARK = (0.4, 2.2), (0.01, 0.05)  # of the same for lines' dark; log luminance at which it is one
_WALL_MM, _WALL_SOFT_MM = 1.5, 0.5  # beside the dark that heights may change, and how softly that ends
_LEAST_LIKELIHOOD = 0.02  # of texels that have an unknown
_FADE = (0.0, 0.4)  # of the mask, over which heights are held at 0
_HELD = 1e2  # per mm², of heights where the mask is 0


@dataclass(frozen=True)
class LineRelief:
    """Relief of lines over BOX, (H, W) float32 on texels of SIDE.

    Attributes:
        height_mm: along the smooth normal. likelihood: 0 where no line is seen, and the relief is 0.
        hairy: 1 where a beard grows.
    """

    height_mm: np.ndarray
    likelihood: np.ndarray
    hairy: np.ndarray


def carve_lines(view: LineView, likelihood: np.ndarray) -> LineRelief:
    """The heights that explain a photo's lines (about a second).

    Args:
        view: of the photo. likelihood: (h, w) float32 of its texels, 0 where no line is, 1 where one is certain.
    """
    grooves = likelihood * _beside_dark(view)
    lines = [view.lines.across_cos, view.lines.across_sin, view.lines.coherence, grooves]
    fields = [view.luminance, view.mask, *light_fields(view.light), *lines]
    height = _groove(view.luminance, view.mask, STEP_MM) * grooves
    noise, steepest = _trust(view, likelihood)
    for level, rounds in _LEVELS.items():
        problem = _problem(shrunk(fields, level), STEP_MM * level, noise, steepest)
        way = cv2.INTER_AREA if problem.shape < height.shape else cv2.INTER_LINEAR
        height = problem.solve(cv2.resize(height, problem.shape[::-1], interpolation=way), rounds)
    height *= smoothstep(view.mask, 0, 0.5) * tapered(likelihood, view.lines)
    size = view.shape[::-1]
    return LineRelief(
        cv2.resize(height, size, interpolation=cv2.INTER_CUBIC),
        cv2.resize(likelihood, size, interpolation=cv2.INTER_LINEAR),
        cv2.resize(view.hairy, size, interpolation=cv2.INTER_LINEAR),
    )


def _trust(view: LineView, likelihood: np.ndarray) -> tuple[float, float]:
    """Noise of log luminance, and how steep certain lines are: where most ridges of a face are lines, faint ones are
    told from skin without any, and its contrast is form."""
    ridges = view.ridges()
    lined = float(smoothstep(likelihood[ridges].mean(), *_LINED)) if ridges.any() else 0.0
    noise, steepest = (smooth + (much - smooth) * lined for smooth, much in (_NOISE, _SLOPE_SIGMA))
    return noise, steepest


_VALUE, _MASK, _LIGHT, _COS, _SIN, _COHERENCE, _LIKELIHOOD = 0, 1, slice(2, 8), *range(8, 12)


@dataclass(frozen=True)
class _Problem:
    """N texels with unknown heights.

    Attributes:
        shape: of the map. active: (h, w) bool. light: of these texels. luminance, mask: (N,).
        right, down: differences. around: slopes by which the surroundings rise. prior: (N, N).
        noise: of the luminance. stencils: that the differences are of.
    """

    shape: tuple[int, int]
    active: np.ndarray
    light: ReliefLight
    luminance: np.ndarray
    mask: np.ndarray
    right: "_Sum"
    down: "_Sum"
    around: tuple["_Sum", ...]
    prior: csr_matrix
    noise: float
    stencils: "_Stencils"

    def solve(self, start: np.ndarray, rounds: int) -> np.ndarray:
        """(h, w) mm from (h, w) mm."""
        height = start[self.active]
        if len(height):
            for _ in range(rounds):
                height = height + self._step(height)
        out = np.zeros(self.shape, np.float32)
        out[self.active] = height
        return out

    def _step(self, height: np.ndarray) -> np.ndarray:
        shading, by_x, by_y = self.light.log_shading(self.right.matrix @ height, self.down.matrix @ height)
        factors = by_x[:, None] * self.right.factors + by_y[:, None] * self.down.factors
        residual = self.luminance - shading
        for rises in self.around:
            rise = rises.matrix @ height
            dark = (rise > 0) * np.float32(OCCLUSION)
            residual += dark * rise
            factors -= dark[:, None] * rises.factors
        rows = self.stencils.matrix(factors)
        weight = self.mask / np.float32(self.noise**2) * geman_mcclure(residual / np.float32(_OUTLIER))
        raised = (height > 0) * np.float32(_RAISED_SIGMA_MM**-2 - _HEIGHT_SIGMA_MM**-2)

        def normal(x: np.ndarray) -> np.ndarray:
            return rows.T @ (weight * (rows @ x)) + self.prior @ x + raised * x

        squares = self.stencils.matrix(factors * factors)
        diagonal = squares.T @ weight + self.prior.diagonal() + raised
        return _conjugate_gradients(
            normal, diagonal, rows.T @ (weight * residual) - self.prior @ height - raised * height
        )


def _problem(fields: np.ndarray, texel_mm: float, noise: float, steepest: float) -> _Problem:
    """Of (h, w, 12) fields; ``noise``: of log luminance, ``steepest``: usual slope across lines that are certain."""
    mask, likelihood = fields[..., _MASK], fields[..., _LIKELIHOOD]
    near = cv2.dilate((likelihood > _LEAST_LIKELIHOOD).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    active = near & (mask > LEAST_MASK)
    away = [max(1, round(away_mm / texel_mm)) for away_mm in OCCLUSION_MM]
    cross = [(0, 1), (0, -1), (1, 0), (-1, 0)]
    stencils = _Stencils(active, [(0, 0), *((y * far, x * far) for far in sorted({1, *away}) for y, x in cross)])
    step, square = 0.5 / texel_mm, 1 / texel_mm**2
    right = stencils.sum({(0, 1): step, (0, -1): -step})
    down = stencils.sum({(1, 0): step, (-1, 0): -step})
    laplacian = stencils.sum({(0, 0): -4 * square, **dict.fromkeys(cross, square)}).matrix
    around = []
    for far in away:
        share = 1 / (far * texel_mm)
        around.append(stencils.sum({(0, 0): -share, **{(y * far, x * far): share / 4 for y, x in cross}}))
    at = fields[active]
    across = np.float32(1) / np.float32(_FLAT_SIGMA + (steepest - _FLAT_SIGMA) * at[:, _LIKELIHOOD]) ** 2
    along = across * (1 + _STRAIGHT * at[:, _COHERENCE] ** 2)
    length = np.maximum(np.hypot(at[:, _COS], at[:, _SIN]), 1e-6)
    mean, half = (across + along) / 2, (across - along) / 2
    turn = half * at[:, _SIN] / length
    right_, down_ = right.matrix, down.matrix
    twisted = right_.T @ diags(turn) @ down_
    held = _HEIGHT_SIGMA_MM**-2 + _HELD * (1 - smoothstep(at[:, _MASK], *_FADE))
    bend = across * np.float32((steepest / _BEND_SIGMA) ** 2)
    prior = (
        right_.T @ diags(mean + half * at[:, _COS] / length) @ right_
        + down_.T @ diags(mean - half * at[:, _COS] / length) @ down_
        + twisted + twisted.T + diags(held.astype(np.float32)) + laplacian.T @ diags(bend) @ laplacian
    )  # fmt: skip
    light = ReliefLight(*np.moveaxis(at[:, _LIGHT], -1, 0))
    found = active, light, at[:, _VALUE], at[:, _MASK]
    return _Problem(mask.shape, *found, right, down, tuple(around), prior.tocsr(), noise, stencils)


@dataclass(frozen=True)
class _Sum:
    """A sum over neighbours: (K,) float32 factors of all that there are, and the (N, N) matrix of those that count."""

    factors: np.ndarray
    matrix: csr_matrix


class _Stencils:
    """Sums over K neighbours of N texels that are active; others are 0. Beyond the map its border goes on.

    Args:
        active: (h, w) bool. offsets: of the neighbours, rows down and columns to the right.
    """

    def __init__(self, active: np.ndarray, offsets: list[tuple[int, int]]):
        index = np.full(active.shape, -1, np.int32)
        rows, columns = np.nonzero(active)
        own = np.arange(len(rows), dtype=np.int32)
        index[active] = own
        high, wide = active.shape
        self._offsets = offsets
        found = [index[(rows + y).clip(0, high - 1), (columns + x).clip(0, wide - 1)] for y, x in offsets]
        self._there = np.stack([other >= 0 for other in found], axis=1).astype(np.float32)
        self._columns = np.stack([np.where(other >= 0, other, own) for other in found], axis=1)

    def sum(self, terms: dict[tuple[int, int], float]) -> _Sum:
        """Of factors by offset."""
        factors = np.float32([terms.get(offset, 0) for offset in self._offsets])
        used = np.flatnonzero(factors)
        return _Sum(factors, self._matrix(factors[used] * self._there[:, used], self._columns[:, used]))

    def matrix(self, factors: np.ndarray) -> csr_matrix:
        """(N, N) of (N, K) float32 factors of every texel's own."""
        return self._matrix(factors * self._there, self._columns)

    @staticmethod
    def _matrix(values: np.ndarray, columns: np.ndarray) -> csr_matrix:
        count, width = values.shape
        pointer = np.arange(0, count * width + 1, width, dtype=np.int32)
        return csr_matrix((values.ravel(), columns.ravel(), pointer), shape=(count, count))


def _conjugate_gradients(
    normal: Callable[[np.ndarray], np.ndarray], diagonal: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """A few steps towards the solution of a positive definite system, preconditioned by the diagonal."""
    scale = 1 / diagonal
    out, left = np.zeros_like(right), right.astype(np.float32)
    preconditioned = scale * left
    direction, energy = preconditioned, float(left @ preconditioned)
    first = energy
    for _ in range(_ITERATIONS):
        if energy <= _CONVERGED * first:
            break
        image = normal(direction)
        step = np.float32(energy / float(direction @ image))
        out = out + step * direction
        left = left - step * image
        preconditioned = scale * left
        before, energy = energy, float(left @ preconditioned)
        direction = preconditioned + np.float32(energy / before) * direction
    return out


def _beside_dark(view: LineView) -> np.ndarray:
    """(h, w) float32 in [0, 1]: in the dark of lines and on the walls beside it. Farther off, where the filter that
    looks for lines still answers, heights would rise into ropes that end with the line."""
    narrow, wide = (mean_nearby(view.luminance, view.mask, sigma / STEP_MM) for sigma in _DARK_SIGMAS_MM)
    reach = 2 * round(_WALL_MM / STEP_MM) + 1
    around = cv2.dilate(smoothstep(wide - narrow, *_DARK), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach,) * 2))
    return blurred(around, _WALL_SOFT_MM / STEP_MM)


def _groove(luminance: np.ndarray, mask: np.ndarray, texel_mm: float) -> np.ndarray:
    """(h, w) mm to begin with: dark is deep."""
    narrow, wide = (mean_nearby(luminance, mask, sigma / texel_mm) for sigma in _GROOVE_SIGMAS_MM)
    return _FIRST_MM * (narrow - wide)
