# SPDX-License-Identifier: GPL-3.0-or-later
"""Mid-scale form from shading: bags, folds, cheeks and jowls, which no mode of identity has.

Stage II of Dib et al. (2021) for heights along the normals, by Gauss–Newton with sparse matrices: a vertex' colour is
albedo · pigment · shading, and heights turn the normals that shading asks. Both unknown fields, the heights and the
pigment's logarithm, are random fields with Matérn's covariance; for the heights that is a thin shell with membrane and
bending stiffness (Lindgren, Rue and Lindström 2011). The priors and, a little, the colour tell paint from form.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import bmat, csr_matrix, diags
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ..colour import LUMINANCE
from ..face_model.model import FaceModel
from ..fit.types import HeadFit, PoseFit
from ..geometry.gradients import surface_gradient
from ..geometry.mesh_fields import smooth_field
from ..lighting.types import LightEstimate
from ..notices import Notice
from ..observe.masks.types import PhotoMasks
from ..rendering.normals import vertex_normals
from ..rendering.types import Transfer
from ..robust import geman_mcclure
from ..skin.types import AlbedoBasis
from ..uv.types import Atlas, UnwrappedPhoto
from .prior import HEIGHT_SIGMA_MM, FormPrior, matern_precision
from .visible import clear_skin

_FLOOR = 0.02  # linear; differences below this share of display white do not count as relative ones
_LEAST_SHADING = 0.02  # of the median
_NOISE = 0.06  # of the colour's logarithm
_PATCH_MM2 = 6.0  # of skin that says as much as one independent measurement
_OUTLIER = (1.5, 3.0)  # σ of noise and pigment at which a vertex counts a quarter: brighter than the model, darker
_RINGS = 6  # of vertices around what is seen, over which heights run out
_EYES_MM = 25.0  # from the eyeballs, farther than lids are moved
_LEAST_VERTICES, _MOST_RESIDUAL = 500, 0.6  # of the skin; of light and albedo, beyond which they are not trusted
_LEAST_AGREEMENT, _EVEN = 0.3, 1e-3  # of photo and model, below which no face is seen; of log luminance
_GLOSS_NOISE = 0.8  # of the share of a colour that is taken for the surface's own reflection
_FADE_MM, _LEAST_FADE = 5.0, 0.1  # towards what is not seen
_OUTLIER_SIGMA = 0.12  # of log luminance, besides the noise
_HELD_SHARE, _HELD_MM = 0.15, 3.0  # of the skin that decides whether there is form, in squares of this side
_LEAST_GAIN = 0.015  # of the misfit there; portraits have 2 to 22 %, clipped skin and two lights less
_MOST_RMS = 2.0  # of heights in units of their prior's σ; two coloured lights ask for four
_NORMAL_MEDIAN, _MOST_DOUBT = 0.6745, 3.0  # of the absolute value of a normal variable; times the noise
_PIGMENT = np.array([0.55, 1.0, 1.25])  # how much melanin and blood change the logarithms of red, green and blue


@dataclass(frozen=True)
class Form:
    """Heights of the skin over a fitted head.

    Attributes:
        height_mm: (V_skin,) float32 along the vertex normals, positive outwards; 0 where nothing is known.
        explained: what share of the variance of log luminance that light and albedo had left over they explain.
    """

    height_mm: np.ndarray
    explained: float


def find_form(
    pose: PoseFit,
    unwrapped: UnwrappedPhoto,
    transfer: Transfer,
    light: LightEstimate,
    basis: AlbedoBasis,
    masks: PhotoMasks | None,
    model: FaceModel,
    atlas: Atlas,
    prior: FormPrior,
) -> Form:
    """The heights that explain a photo's shading; none where too little skin is seen, or light explains it badly.

    Squares of the skin that the first round does not look at decide, too: where heights explain them no better than
    pigment alone, there are none.

    Args:
        pose: of the head in the photo. unwrapped, transfer, light: of that pose. basis: that ``light.gamma`` is of.
        masks: of the photo; hair is left alone. atlas, prior: of the model.
    """
    basis = basis.grey() if light.monochrome else basis
    confidence = clear_skin(unwrapped, basis, masks, pose, model)
    out = np.zeros(model.skin.stop, np.float32)
    too_little = np.count_nonzero(confidence) < _LEAST_VERTICES or light.residual > _MOST_RESIDUAL
    if too_little or _agreement(unwrapped, light, basis, confidence) < _LEAST_AGREEMENT:
        return Form(out, 0.0)
    problem = _problem(pose, unwrapped, transfer, light, basis, confidence, model, atlas, prior).doubted()
    height, pigment, gain = _first_round(problem, held_back(problem.vertices[problem.rows], pose))
    if gain < _LEAST_GAIN or problem.incredible(height):
        return Form(out, 0.0)
    height, pigment = problem.step(height, pigment)
    explained = problem.explained(height, pigment)
    if explained > 0:
        out[problem.rows] = height
    return Form(out, explained)


def notices(head: HeadFit, model: FaceModel) -> tuple[Notice, ...]:
    """A notice with code ``no_form`` where a refined head has no mid-scale form."""
    raised = (head.vertices_neutral != model.vertices(head.alpha, scale=head.scale)).any(axis=1)
    if raised[model.skin.rows][_away_from_eyes(model)].any():
        return ()
    text = "The photo's shading tells nothing of folds, bags and cheeks, which stay smooth."
    return (Notice("no_form", f"{text} Softer light, a larger face or less in front of it would help."),)


def _away_from_eyes(model: FaceModel) -> np.ndarray:
    """(V_skin,) bool: where no eyelid moves the skin."""
    skin, away = model.skin.of(model.mean), np.ones(model.skin.stop, bool)
    for part in model.eyes.values():
        away &= cKDTree(part.of(model.mean)).query(skin)[0] > _EYES_MM
    return away


def held_back(points: np.ndarray, pose: PoseFit) -> np.ndarray:
    """(N,) bool of (N, 3) posed points: those in squares of the picture, drawn at random but always the same."""
    camera = pose.perspective
    plane = points @ camera.rotation[:2].T
    cell = np.floor((plane - plane.min(axis=0)) / _HELD_MM).astype(int)
    drawn = np.random.default_rng(0).random(cell.max(axis=0) + 1) < _HELD_SHARE
    return drawn[cell[:, 0], cell[:, 1]]


def _first_round(problem: "_Problem", held: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """(N,) heights and pigment of a step that does not look at the held-back vertices, and by what share heights
    explain these better than pigment alone does."""
    nothing = np.zeros(len(problem.rows))
    shown = replace(problem, weight=problem.weight * ~held)
    height, pigment = shown.step(nothing, nothing)
    flat = shown.painted()
    judge = replace(problem, weight=problem.weight * held)
    before = judge.misfit(nothing, flat)
    return height, pigment, 1 - judge.misfit(height, pigment) / before if before > 0 else 0.0


def _agreement(unwrapped: UnwrappedPhoto, light: LightEstimate, basis: AlbedoBasis, confidence: np.ndarray) -> float:
    """Correlation of the photo's and the model's log luminance where skin is seen."""
    seen = confidence > 0
    model = basis.albedo(light.gamma)[seen] * light.shading[seen] + light.gloss[seen]
    logs = [np.log(colour.clip(0) @ LUMINANCE + _FLOOR) for colour in (unwrapped.vertex_color[seen], model)]
    if min(values.std() for values in logs) < _EVEN:
        return 0.0
    return float(np.corrcoef(*logs)[0, 1])


def with_form(head: HeadFit, form: Form, model: FaceModel) -> HeadFit:
    """The head with the heights on it; ``head`` itself where there are none.

    Along the normals of the head at rest, in its poses too: so expressions stay what they are beside it.
    """
    if not form.height_mm.any():
        return head
    skin = model.skin
    raised = np.zeros_like(head.vertices_neutral)
    raised[skin.rows] = vertex_normals(skin.of(head.vertices_neutral), skin.triangles()) * form.height_mm[:, None]
    poses = tuple(replace(pose, vertices=pose.vertices + raised) for pose in head.poses)
    return replace(head, vertices_neutral=head.vertices_neutral + raised, poses=poses)


@dataclass(frozen=True)
class _Problem:
    """N vertices that heights are looked for on; those of the whole skin are V.

    Attributes:
        rows: (N,). vertices: (V, 3) mm, posed, without heights. normals: (V, 3). triangles: (T, 3).
        light: (V, 3, 3) light vectors over π that reach the camera, the channel last. rest: (V, 3) light from skin.
        albedo, gloss, colour: (N, 3). weight: (N,) measurements over σ² of noise. sigma: (N,) of noise and pigment.
        height_precision, pigment_precision: (N, N) sparse. by_pigment: (3,) of log colour.
    """

    rows: np.ndarray
    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    light: np.ndarray
    rest: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray
    colour: np.ndarray
    weight: np.ndarray
    sigma: np.ndarray
    height_precision: csr_matrix
    pigment_precision: csr_matrix
    by_pigment: np.ndarray

    def step(self, height: np.ndarray, pigment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One step of Gauss–Newton for both fields, (N,) each."""
        vertices = self._raised(height)
        residual, diffuse, total, albedo = self._model(vertices, pigment)
        gradients = [part[self.rows][:, self.rows] for part in surface_gradient(vertices, self.triangles)]
        weight = self._robust(residual)
        normal = bmat([[self.height_precision, None], [None, self.pigment_precision]], format="csc")
        right = -(normal @ np.append(height, pigment))
        for channel in range(3):
            # A height tips the normal against its gradient.
            turned = albedo[:, channel] / total[:, channel]
            by_height = sum(
                diags(-turned * self.light[self.rows, axis, channel]) @ gradients[axis] for axis in range(3)
            )
            by_pigment = diags(self.by_pigment[channel] * diffuse[:, channel] / total[:, channel])
            rows = bmat([[by_height, by_pigment]], format="csr")
            weighted = rows.T @ diags(weight)
            normal = normal + weighted @ rows
            right = right + weighted @ residual[:, channel]
        change_height, change_pigment = np.split(_solved(normal, right), 2)
        return height + change_height, pigment + change_pigment

    def doubted(self) -> "_Problem":
        """The same with the noise that is measured: where light explains a photo badly, as dark skin that shines, it
        says less, and less of it is an outlier. Errors go together, so that it says less by the noise, not its square.
        """
        seen = self.weight > 0
        luminance = self._model(self.vertices, np.zeros(len(self.rows)))[0][seen] @ LUMINANCE
        spread = float(np.median(np.abs(luminance) / self.sigma[seen])) / _NORMAL_MEDIAN
        spread = min(max(1.0, spread), _MOST_DOUBT)
        return replace(self, sigma=self.sigma * spread, weight=self.weight / spread)

    def painted(self) -> np.ndarray:
        """(N,) pigment where there are no heights: the same step without them."""
        nothing = np.zeros(len(self.rows))
        residual, diffuse, total, _ = self._model(self.vertices, nothing)
        weight = self._robust(residual)
        slopes = self.by_pigment * diffuse / total
        normal = self.pigment_precision + diags(weight * (slopes**2).sum(axis=1))
        return _solved(normal, weight * (slopes * residual).sum(axis=1))

    def misfit(self, height: np.ndarray, pigment: np.ndarray) -> float:
        """How badly luminance is explained, 0 to 1: what share of the vertices are outliers, more or less."""
        luminance = self._model(self._raised(height), pigment)[0] @ LUMINANCE
        robust = geman_mcclure(luminance / (self.sigma * np.where(luminance > 0, *_OUTLIER)))
        return float(np.average(1 - np.sqrt(robust), weights=self.weight)) if self.weight.any() else 0.0

    def incredible(self, height: np.ndarray) -> bool:
        """Whether heights are far beyond what faces have."""
        return float(np.average(height**2, weights=self.weight)) > (_MOST_RMS * HEIGHT_SIGMA_MM) ** 2

    def _robust(self, residual: np.ndarray) -> np.ndarray:
        """(N,) weights of a channel."""
        luminance = residual @ LUMINANCE
        return self.weight / 3 * geman_mcclure(luminance / (self.sigma * np.where(luminance > 0, *_OUTLIER)))

    def explained(self, height: np.ndarray, pigment: np.ndarray) -> float:
        """Share of the variance of the luminance residual that the heights take away, pigment left as it is."""
        before = self._model(self._raised(np.zeros_like(height)), pigment)[0] @ LUMINANCE
        after = self._model(self._raised(height), pigment)[0] @ LUMINANCE
        return float(
            1 - np.average(after**2, weights=self.weight) / max(np.average(before**2, weights=self.weight), 1e-9)
        )

    def _raised(self, height: np.ndarray) -> np.ndarray:
        out = self.vertices.copy()
        out[self.rows] += self.normals[self.rows] * height[:, None]
        return out

    def _model(self, vertices: np.ndarray, pigment: np.ndarray) -> tuple[np.ndarray, ...]:
        """(N, 3) each: log photo − log model, the model's diffuse part, the whole of it with the floor, the albedo."""
        normals = vertex_normals(vertices.astype(np.float32), self.triangles)[self.rows].astype(np.float64)
        shading = np.einsum("nk,nkc->nc", normals, self.light[self.rows]) + self.rest[self.rows]
        shading = np.maximum(shading, _LEAST_SHADING * np.median(shading).clip(1e-3))
        albedo = self.albedo * np.exp(pigment[:, None] * self.by_pigment)
        diffuse = albedo * shading
        total = diffuse + self.gloss + _FLOOR
        return np.log(self.colour.clip(0) + _FLOOR) - np.log(total), diffuse, total, albedo


def _solved(normal: csr_matrix, right: np.ndarray) -> np.ndarray:
    """Of a symmetric positive matrix, in an order that keeps it so: much faster than with pivots."""
    factor = splu(normal.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return factor.solve(right)


def _problem(
    pose: PoseFit, unwrapped: UnwrappedPhoto, transfer: Transfer, light: LightEstimate, basis: AlbedoBasis,
    confidence: np.ndarray, model: FaceModel, atlas: Atlas, prior: FormPrior,
) -> _Problem:  # fmt: skip
    vertices, triangles = model.skin.of(pose.vertices), model.skin.triangles()
    normals = vertex_normals(vertices, triangles)
    transmission = transfer.transmission[:, None].astype(np.float64)
    vector = np.einsum("vkb,bc->vkc", transfer.vector, light.radiance) * transmission[:, :, None]
    direct = np.einsum("vk,vkc->vc", normals, vector)
    rows = _around(confidence > 0, triangles, prior.sigma_mm > 0)
    albedo = basis.albedo(light.gamma).astype(np.float64)
    laplacian = atlas.laplacian.tocsr()[rows][:, rows]
    laplacian = laplacian - diags(np.asarray(laplacian.sum(axis=1)).ravel())  # no flow over the border
    areas = atlas.areas[rows]
    # Heights run out towards what is not seen, so that they end without an edge.
    inside = smooth_field(
        atlas.laplacian, atlas.areas, (confidence > 0)[:, None].astype(np.float64), np.ones(len(confidence)), _FADE_MM
    )[rows, 0]
    height_sigma = prior.sigma_mm[rows] * (2 * inside - 1).clip(_LEAST_FADE, 1)
    pigment_sigma = prior.pigment_sigma(basis)[rows]
    colour, gloss = unwrapped.vertex_color[rows].astype(np.float64), light.gloss[rows].astype(np.float64)
    shine = (gloss @ LUMINANCE) / (colour @ LUMINANCE + _FLOOR)
    noise = np.hypot(_NOISE, _GLOSS_NOISE * shine)
    return _Problem(
        rows=rows,
        vertices=vertices.astype(np.float64),
        normals=normals.astype(np.float64),
        triangles=triangles,
        light=vector,
        rest=np.maximum(light.shading - direct, 0),
        albedo=albedo[rows],
        gloss=gloss,
        colour=colour,
        weight=confidence[rows] * areas / _PATCH_MM2 / noise**2,
        sigma=np.hypot(_OUTLIER_SIGMA, noise),
        height_precision=matern_precision(laplacian, areas, prior.range_mm, height_sigma),
        pigment_precision=matern_precision(laplacian, areas, prior.pigment_range_mm, pigment_sigma),
        by_pigment=np.ones(3) if light.monochrome else _PIGMENT / (_PIGMENT @ LUMINANCE),
    )


def _around(seen: np.ndarray, triangles: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """(N,) vertices that are seen or near to it."""
    edges = triangles[:, [1, 2, 0]].ravel(), triangles.ravel()
    neighbours = csr_matrix((np.ones(triangles.size, np.float32), edges), shape=(len(seen), len(seen)))
    reached = seen.astype(np.float32)
    for _ in range(_RINGS):
        reached = np.minimum(reached + neighbours @ reached + neighbours.T @ reached, 1)
    return np.flatnonzero((reached > 0) & allowed)
