# SPDX-License-Identifier: GPL-3.0-or-later
"""How one person's skin reflects, texel by texel: stage III of Dib et al. (2021) under the light that is known by then.

Pigment, specular level and roughness are to explain the photo together (robustly), stay near what is painted and
expected (consistency), be smooth, and alike on both sides of the face. Where the photo says nothing of gloss, in shade
or unseen, level and roughness stay as expected.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags

from ..colour import LUMINANCE, to_linear, to_srgb8
from ..face_model.model import FaceModel
from ..fit.types import PoseFit
from ..geometry.mesh_fields import smooth_field
from ..image import enlarged_rows, pad_islands, smoothstep
from ..lighting.types import LightEstimate
from ..rendering.lobes import lamp_reflection, sky_reflection, sky_visibility
from ..rendering.normals import vertex_normals
from ..rendering.stage import LightStage
from ..rendering.types import SkinGloss, Transfer
from ..skin.types import SkinMaps
from ..uv.types import Atlas, UnwrappedPhoto
from .texels import LEVEL, PIGMENT, ROUGHNESS, TexelProblem
from .types import ALL_TERMS, Reflectance, ReflectanceTerms

SIDE = 256
"""Texels per side of what is solved for."""
_OILY_BORDER_MM = 10.0
_OILY_BEYOND = 0.5  # of the shine that all of a face has in common, on ears, neck and scalp: sebum is the face's
_LAMPS = 0.5  # what the stage's lamps count beside the harmonics, which know no narrow highlight
_NODES = np.linspace(0.25, 0.70, 6)  # roughnesses that are tried; also the range
_LEVELS = (0.2, 1.0)  # range of the specular level
_SIGMA = (0.06, 0.3, 0.05)  # of pigment and level (logarithms) and of roughness about what is expected
_RANGE_MM = (8.0, 20.0, 30.0)  # over which they are alike
_MIRRORED = 0.5  # how much a side counts for the other, beside what it is expected to be
_NOISE = 0.08  # of the colour's logarithm, besides shape and light that are off
_PATCH_MM2 = 200.0  # of skin that says as much as one independent measurement
_FACE_MM2 = 2.56  # of a texel of SIDE, about
_CONFIDENT = (0.05, 0.4)  # confidence at which the photo begins to count, and counts fully
_DARK = (0.1, 0.35)  # shading relative to its median, below which nothing shines
_CLIPPED = 250  # 8-bit value
_LEAST_REFLECTION = 1e-5
_PIGMENT = np.array([0.55, 1.0, 1.25])  # how much melanin and blood change the logarithms of red, green and blue
_PIGMENTS = (-0.15, 0.03)  # range of its logarithm: what is much brighter than painted is a highlight
_RANGE = (0.004, 0.95)  # of albedo, linear


def find_reflectance(
    pose: PoseFit,
    unwrapped: UnwrappedPhoto,
    transfer: Transfer,
    light: LightEstimate,
    stage: LightStage,
    skin: SkinMaps,
    gloss: SkinGloss,
    bare: np.ndarray,
    model: FaceModel,
    atlas: Atlas,
    relief_shading: np.ndarray,
    terms: ReflectanceTerms = ALL_TERMS,
    going_on: Callable[[float], None] = lambda done: None,
) -> Reflectance:
    """Level, roughness and a change of pigment that explain a photo beside what was painted (a few seconds).

    Args:
        pose: of the head. unwrapped, transfer, light, stage, skin: of that pose; maps have R texels per side.
        gloss: how skin is expected to reflect. bare: (V_skin,) float32 in [0, 1], where it is bare skin.
        atlas: of the model, with SIDE texels. relief_shading: (R, R) float32 factor by which relief changes the light.
        going_on: called every few hundredths of a second with the fraction done; what it raises stops the work.
    """
    normals = vertex_normals(model.skin.of(pose.vertices), model.skin.triangles())
    reflection, share = _reflection(pose, normals, transfer, light, stage, model)
    going_on(0.02)
    oily = np.where(model.in_region("ears", "neck", "scalp"), _OILY_BEYOND, 1.0)[:, None]
    oily = smooth_field(atlas.laplacian, atlas.areas, oily, np.ones(len(oily)), _OILY_BORDER_MM)
    expected = np.column_stack([gloss.roughness, gloss.specular, bare, oily]).astype(np.float32)
    places = np.flatnonzero(atlas.covered)
    per_texel = atlas.texels(np.column_stack([expected, light.shading]).astype(np.float32)).astype(np.float64)
    roughness, level, bare_texel, oily = per_texel[:, :4].T
    reflected = np.stack([atlas.texels(one) for one in reflection]).astype(np.float64)
    shares = np.stack([atlas.texels(one[:, None])[:, 0] for one in share]).astype(np.float64)
    going_on(0.05)
    seen, relief, albedo = _small(unwrapped, relief_shading, skin, going_on)
    colour, confidence, clipped = seen[..., :3], seen[..., 3], seen[..., 4]
    shading = per_texel[:, 4:]
    if skin.creases is not None:
        creases = cv2.resize(skin.creases, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        shading = shading * np.exp(creases.reshape(-1, 3)[places])
    lit = shading @ LUMINANCE
    lit = smoothstep(lit / np.median(lit[confidence.ravel()[places] > 0.1]), *_DARK) if confidence.any() else 0 * lit
    weight = smoothstep(confidence.ravel()[places], *_CONFIDENT) * bare_texel * lit * _FACE_MM2 / _PATCH_MM2
    tint = np.ones(3) if light.monochrome else _PIGMENT / (_PIGMENT @ LUMINANCE)
    problem = TexelProblem(
        colour=colour.reshape(-1, 3)[places].astype(np.float64),
        diffuse=albedo.reshape(-1, 3)[places] * shading * relief.reshape(-1, 1)[places],
        weight=terms.photo * weight / _NOISE**2,
        sigma=np.full(len(places), _NOISE),
        clipped=clipped.ravel()[places] > 0.2,
        tint=tint,
        nodes=_NODES,
        reflection=np.log(np.maximum(reflected * (2 * level)[:, None], _LEAST_REFLECTION)),
        share=shares * (2 * level),
        roughness=roughness,
        lowest=np.column_stack([np.full(len(places), _PIGMENTS[0]), np.log(_LEVELS[0] / level), _NODES[0] - roughness]),
        highest=np.column_stack(
            [np.full(len(places), _PIGMENTS[1]), np.log(_LEVELS[1] / level), _NODES[-1] - roughness]
        ),
        precision=_priors(atlas.covered, weight > 0, terms, going_on),
    )
    going_on(0.15)
    problem = problem.brighter()
    going_on(0.15)
    problem = problem.doubted()
    values = problem.solve(lambda done: going_on(0.15 + 0.85 * done))
    by_level = problem.linearised(values)[1][:, :, LEVEL]
    return Reflectance(
        pigment=_map(values[:, PIGMENT, None] * tint, places),
        specular=_map((level * np.exp(values[:, LEVEL] + problem.common * bare_texel * oily)).clip(*_LEVELS), places),
        roughness=_map(roughness + values[:, ROUGHNESS], places),
        told=_map(_told((by_level**2).mean(axis=1) * problem.weight), places),
    )


def with_reflectance(
    skin: SkinMaps, found: Reflectance, atlas: Atlas, going_on: Callable[[float], None] = lambda done: None
) -> SkinMaps:
    """The skin's maps with what was found; ``atlas``: of R texels, as the maps are."""
    side = atlas.resolution
    albedo, gloss = skin.albedo.copy(), np.zeros((side, side, 3), np.uint8)
    covered, filled = atlas.covered, _filled(found)
    for rows in atlas.bands():
        going_on(rows.start / side)
        here = covered[rows]
        change, both = (enlarged_rows(one, rows, side)[here] for one in filled)
        some = np.abs(change).max(axis=1) > 1e-3
        at = np.flatnonzero(here.ravel())[some]
        flat = albedo[rows].reshape(-1, 3)
        flat[at] = to_srgb8((to_linear(flat[at]) * np.exp(change[some])).clip(*_RANGE))
        gloss[rows][here, :2] = np.round(both.clip(0, 1) * 255).astype(np.uint8)
    pad_islands(albedo, atlas.surroundings)
    pad_islands(gloss, atlas.surroundings)
    roughness, specular = (np.ascontiguousarray(gloss[..., number]) for number in range(2))
    return replace(skin, albedo=albedo, roughness=roughness, specular=specular)


def _reflection(
    pose: PoseFit, normals: np.ndarray, transfer: Transfer, light: LightEstimate, stage: LightStage, model: FaceModel
) -> tuple[np.ndarray, np.ndarray]:
    """(K, V, 3) radiance and (K, V) share that the skin reflects at the nodes' roughness and a level of 0.5."""
    points, camera = model.skin.of(pose.vertices), pose.perspective.position()
    visibility = sky_visibility(transfer.diffuse)
    sharp, share = lamp_reflection(points, normals, camera, visibility, stage, _NODES)
    soft = sky_reflection(points, normals, camera, visibility, light.radiance, _NODES)
    return _LAMPS * sharp + (1 - _LAMPS) * soft, share


def _small(
    unwrapped: UnwrappedPhoto, relief_shading: np.ndarray, skin: SkinMaps, going_on: Callable[[float], None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The photo's linear colour, confidence and clipped share, (S, S, 5); relief's factor; painted albedo; float32."""
    side, step = unwrapped.confidence.shape[0], max(1, unwrapped.confidence.shape[0] // SIDE)
    seen, relief, albedo = (np.zeros((SIDE, SIDE, depth), np.float32) for depth in (5, 1, 3))
    rows_at_once = max(1, 128 // step)
    for start in range(0, SIDE, rows_at_once):
        going_on(0.05 + 0.1 * start / SIDE)
        large = slice(start * step, min(start + rows_at_once, SIDE) * step)
        part = slice(start, min(start + rows_at_once, SIDE))
        weight = unwrapped.confidence[large]
        colour = unwrapped.color[large]
        clipped = (colour.max(axis=2) >= _CLIPPED).astype(np.float32)
        many = np.dstack([to_linear(colour) * weight[..., None], weight, clipped * weight])
        many = cv2.resize(many, (SIDE, part.stop - part.start), interpolation=cv2.INTER_AREA)
        many[..., [0, 1, 2, 4]] /= np.maximum(many[..., 3:4], 1e-4)
        seen[part] = many
        size = (SIDE, part.stop - part.start)
        relief[part, :, 0] = cv2.resize(relief_shading[large], size, interpolation=cv2.INTER_AREA)
        albedo[part] = cv2.resize(to_linear(skin.albedo[large]), size, interpolation=cv2.INTER_AREA)
    assert side >= SIDE
    return seen, relief, albedo


def _priors(
    covered: np.ndarray, seen: np.ndarray, terms: ReflectanceTerms, going_on: Callable[[float], None]
) -> tuple[csr_matrix, ...]:
    """Three (N, N) precisions: fields that are near to nothing and smooth; level and roughness also symmetric."""
    count = int(covered.sum())
    number = np.full(covered.shape, -1)
    number[covered] = np.arange(count)
    edges = [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]
    pairs = np.concatenate([np.column_stack([one.ravel(), other.ravel()]) for one, other in edges])
    beside = _differences(pairs[(pairs >= 0).all(axis=1)], count)
    going_on(0.15)
    mirror = np.column_stack([number.ravel(), number[:, ::-1].ravel()])
    mirror = mirror[(mirror >= 0).all(axis=1) & (mirror[:, 0] < mirror[:, 1])]
    across = _differences(mirror[seen[mirror].all(axis=1)], count)
    out = []
    for column, (sigma, reach) in enumerate(zip(_SIGMA, _RANGE_MM, strict=True)):
        stiff = 1 / (2 * np.pi * sigma**2)
        own = stiff * _FACE_MM2 / reach**2
        going_on(0.15)
        alike = terms.symmetry * _MIRRORED * own if column != PIGMENT else 0.0
        out.append(
            (
                diags(np.full(count, terms.consistency * own + 1e-9))
                + terms.smoothness * stiff * beside
                + alike * across
            ).tocsr()
        )
    return tuple(out)


def _differences(pairs: np.ndarray, count: int) -> csr_matrix:
    """(N, N) matrix of the sum of squared differences of (M, 2) pairs."""
    one, other = pairs.T
    value = np.ones(len(pairs))
    rows, columns = np.concatenate([one, other, one, other]), np.concatenate([one, other, other, one])
    return coo_matrix((np.concatenate([value, value, -value, -value]), (rows, columns)), (count, count)).tocsr()


def _told(information: np.ndarray) -> np.ndarray:
    """(N,) in [0, 1): what a patch of texels says of the level, beside its prior."""
    prior = _FACE_MM2 / (2 * np.pi * _SIGMA[LEVEL] ** 2 * _RANGE_MM[LEVEL] ** 2)
    return information / (information + prior)


def _map(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(N[, C]) of the covered texels to (S, S[, C]) float32, 0 elsewhere."""
    out = np.zeros((SIDE * SIDE, *values.shape[1:]), np.float32)
    out[places] = values
    return out.reshape(SIDE, SIDE, *values.shape[1:])


def _filled(found: Reflectance) -> tuple[np.ndarray, np.ndarray]:
    """Pigment (S, S, 3), and roughness and level (S, S, 2), continued beyond the island."""
    inside = found.roughness > 0
    _, labels = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, np.int64)
    nearest[labels[inside]] = np.flatnonzero(inside)
    at = nearest[labels]
    both = np.dstack([found.roughness, found.specular])
    return tuple(one.reshape(SIDE * SIDE, -1)[at] for one in (found.pigment, both))
