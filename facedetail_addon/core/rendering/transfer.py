# SPDX-License-Identifier: GPL-3.0-or-later
"""How light from far away reaches a head's skin: precomputed radiance transfer (Sloan, Kautz and Snyder 2002).

Diffuse transfer is the cosine times visibility, projected to spherical harmonics (Green 2003), with an analytic part
that is exact where nothing is in the way. What the surface itself reflects follows the split-sum approximation (Karis
2013): the light around the mirror direction, blurred by the lobe of GGX, times the lobe's directional albedo.
"""

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.spatial import cKDTree

from ..lighting.types import Transfer
from ..skin.types import SkinGloss
from .harmonics import band_index, bands_of, evaluate, fibonacci_sphere, lambert
from .primary_rays import vertex_normals
from .rays import RayScene

_REFLECTED = np.array([  # powers of 1 − cosine by powers of roughness
    [0.0217, 0.0333, -0.0505], [0.1087, -0.3287, 0.2442], [-0.6849, 2.3549, -1.7754], [1.3888, -3.8331, 2.4119],
    [0.1824, -0.6435, 0.7658],
])  # fmt: skip
_MOST_REFLECTED = 0.95
_DIRECTIONS = 384
_TIP = 1e-2  # radians by which normals are tipped for derivatives
_OFFSET_MM = 0.3  # rays start so far above the surface
_MOST_ASKED = 20000  # vertices that rays are shot from
_BLENDED = 3  # of which so many nearest say what the shadows of another are
_NORMAL_MM = 8.0  # how far apart two opposite normals count, so that thin lids and ears keep their own side
_LEAST_GAP_MM = 1e-3
_EVEN = np.sqrt(4 * np.pi)  # first coefficient of an even light of radiance 1
_MOST_SHARE = 2.0  # of a neighbour's light from skin


def light_transfer(
    vertices: np.ndarray,
    triangles: np.ndarray,
    skin_stop: int,
    camera_position: np.ndarray,
    gloss: SkinGloss,
    bands: int,
    directions: int = _DIRECTIONS,
) -> Transfer:
    """Transfer of the skin's vertices (about a second).

    Light that comes to skin from other skin is kept apart (``interreflection``); eyes, teeth and gums only shadow.

    Args:
        vertices: (V, 3) mm, all parts of the posed head. triangles: (T, 3) int of all parts.
        skin_stop: the skin's vertices are the first so many. camera_position: (3,) mm.
        gloss: of the skin's vertices. bands: B.
        directions: how many over the sphere are tried for shadows.
    """
    normals = vertex_normals(vertices[:skin_stop], triangles[(triangles < skin_stop).all(axis=1)])
    hidden, interreflection, free = _shadows(vertices, triangles, normals, bands, directions)
    vector = _free_vector(normals, bands) - hidden
    diffuse = np.einsum("vk,vkb->vb", normals, vector)
    glossy, transmission = _surface(vertices[:skin_stop], normals, camera_position, gloss, free, bands)
    return Transfer(diffuse.astype(np.float32), vector.astype(np.float32), interreflection, glossy, transmission)


def diffuse_light(
    points: np.ndarray,
    normals: np.ndarray,
    vertices: np.ndarray,
    triangles: np.ndarray,
    radiance: np.ndarray,
    skin_light: np.ndarray,
    directions: int = _DIRECTIONS,
) -> np.ndarray:
    """What a white diffuse surface at any points of a head, as on its eyes, would send on, light from skin included.

    Args:
        points: (N, 3) mm. normals: (N, 3) there. vertices, triangles: of all parts of the posed head.
        radiance: (B², 3) of the light. skin_light: (V_skin, 3) what the skin's vertices send on.
        directions: how many over the sphere are tried for shadows.

    Returns:
        (N, 3) float32, not negative.
    """
    bands = bands_of(radiance)
    scene = RayScene(vertices, triangles)
    hidden, interreflection, _ = _cast(scene, points, normals, triangles, len(skin_light), bands, directions)
    diffuse = np.einsum("vk,vkb->vb", normals, _free_vector(normals, bands) - hidden)
    return np.maximum(diffuse @ radiance + interreflection @ skin_light, 0).astype(np.float32)


def _free_vector(normals: np.ndarray, bands: int) -> np.ndarray:
    """(V, 3, B²) light vector where nothing is in the way.

    Along the normal it is the irradiance, across it the irradiance's derivative: light at the horizon gives nothing, so
    that its limit does not count.
    """
    factors = lambert(bands)
    out = normals[:, :, None] * (evaluate(normals, bands) * factors)[:, None].astype(np.float64)
    side = np.cross(normals, np.eye(3)[np.abs(normals).argmin(axis=1)])
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    for tangent in (side, np.cross(normals, side)):
        ahead, behind = (evaluate(_unit(normals + sign * _TIP * tangent), bands).astype(np.float64) for sign in (1, -1))
        out += tangent[:, :, None] * ((ahead - behind) * factors / (2 * _TIP))[:, None]
    return out


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _shadows(
    vertices: np.ndarray, triangles: np.ndarray, normals: np.ndarray, bands: int, directions: int
) -> tuple[np.ndarray, csr_matrix, np.ndarray]:
    """(V, 3, B²) light vector that the head takes away, (V, V) light it sends instead, (V,) free share of the sky.

    Of a dense mesh's vertices some are asked; between them shadows change little. Light from skin to skin is that of
    the nearest of them, as much as is hidden of the sky.
    """
    scene, skin_stop = RayScene(vertices, triangles), len(normals)
    if skin_stop <= _MOST_ASKED:
        return _cast(scene, vertices[:skin_stop], normals, triangles, skin_stop, bands, directions)
    asked = np.sort(np.random.default_rng(0).choice(skin_stop, _MOST_ASKED, replace=False))
    hidden, interreflection, free = _cast(
        scene, vertices[asked], normals[asked], triangles, skin_stop, bands, directions
    )
    place = np.concatenate([vertices[:skin_stop], normals * _NORMAL_MM], axis=1)
    gap, near = cKDTree(place[asked]).query(place, k=_BLENDED)
    weights = 1 / np.maximum(gap, _LEAST_GAP_MM) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    blended = np.zeros((skin_stop, 3, bands**2))
    for some, weight in zip(near.T, weights.T, strict=True):
        blended += weight[:, None, None] * hidden[some]
    there = np.einsum("vc,vc->v", normals[asked], hidden[:, :, 0])[near[:, 0]] * _EVEN
    found = np.einsum("vc,vc->v", normals, blended[:, :, 0]) * _EVEN
    taken = found.clip(0, np.maximum(there, 1))  # neighbours across a fold can say less than nothing, or more than all
    blended[:, :, 0] += normals * ((taken - found) / _EVEN)[:, None]
    share = np.divide(taken, there, out=np.zeros(skin_stop), where=there > 0).clip(0, _MOST_SHARE)
    return blended, (diags(share.astype(np.float32)) @ interreflection[near[:, 0]]).tocsr(), (1 - taken).clip(0, 1)


def _cast(
    scene: RayScene,
    points: np.ndarray,
    normals: np.ndarray,
    triangles: np.ndarray,
    skin_stop: int,
    bands: int,
    directions: int,
) -> tuple[np.ndarray, csr_matrix, np.ndarray]:
    """What :func:`_shadows` gives, of N points of the skin; their bounce is (N, V)."""
    tried = fibonacci_sphere(directions).astype(np.float32)
    harmonics = evaluate(tried, bands)
    cosines = normals @ tried.T
    origins = points + normals * np.float32(_OFFSET_MM)
    share = np.float32(4 / directions)  # 4π / count, over the π of irradiance / π
    blocked = np.zeros((len(points), directions), np.float32)
    free = np.ones(len(points))
    on_skin = (triangles < skin_stop).all(axis=1)
    parts = []
    for number, direction in enumerate(tried):
        above = np.flatnonzero(cosines[:, number] > 0)
        hits = scene.cast(origins[above], np.broadcast_to(direction, (len(above), 3)))
        hit = np.flatnonzero(hits.triangle >= 0)
        rows = above[hit]
        weight = cosines[rows, number] * share
        blocked[rows, number] = share
        free[rows] -= weight
        skin = on_skin[hits.triangle[hit]]
        some = hit[skin]
        parts.append((np.repeat(rows[skin], 3), triangles[hits.triangle[some]].ravel(),
                      (hits.barycentric[some] * weight[skin, None]).ravel()))  # fmt: skip
    rows, columns, weights = (np.concatenate(values) for values in zip(*parts, strict=True))
    interreflection = csr_matrix((weights.astype(np.float32), (rows, columns)), shape=(len(points), skin_stop))
    hidden = np.stack([blocked @ (harmonics * tried[:, axis, None]) for axis in range(3)], axis=1)
    return hidden, interreflection, free.clip(0, 1)


def _surface(
    points: np.ndarray, normals: np.ndarray, camera_position: np.ndarray, gloss: SkinGloss, free: np.ndarray, bands: int
) -> tuple[np.ndarray, np.ndarray]:
    """(V, B²) reflection to the camera and (V,) share of the diffuse light that it leaves."""
    view = camera_position - points
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    cosine = (normals * view).sum(axis=1)
    facing = cosine.clip(0.02, 1).astype(np.float32)
    mirror = 2 * cosine[:, None] * normals - view
    mirror /= np.maximum(np.linalg.norm(mirror, axis=1, keepdims=True), 1e-9)
    albedo = directional_albedo(facing, gloss.roughness, gloss.specular)
    lobe = lobe_factors(gloss.roughness, bands)
    seen = np.where(cosine > 0, specular_occlusion(facing, free, gloss.roughness), 0)
    glossy = evaluate(mirror, bands) * lobe * (albedo * seen)[:, None]
    return glossy.astype(np.float32), (1 - albedo).astype(np.float32)


def directional_albedo(cosine: np.ndarray, roughness: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Share of even light that the skin's surface reflects.

    Integrals of GGX with Smith's shadowing and the exact Fresnel reflection at the index 1.4, fitted to 2 % (9 % at
    most) for roughness 0.2 to 0.8.

    Args:
        cosine: between normal and view. roughness: GGX with α = roughness². level: Blender's Specular IOR Level, which
            scales the reflection; 0.5 is that of the index.
    """
    away = np.power.outer(1 - cosine, np.arange(5))
    rough = np.power.outer(np.clip(roughness, 0.2, 0.8), np.arange(3))
    integral = np.einsum("...i,ij,...j->...", away, _REFLECTED, rough)
    return (2 * level * integral).clip(0, _MOST_REFLECTED)


def lobe_factors(roughness: np.ndarray, bands: int) -> np.ndarray:
    """(V, B²) how far the lobe of GGX, α = roughness², blurs each band of light around the mirror direction.

    exp(−0.65 α l^1.4), fitted to integrals of the lobe. (Ramamoorthi and Hanrahan 2002 have a Gaussian in l for
    facets of Beckmann's kind; GGX has longer tails.)
    """
    band = band_index(bands)
    return np.exp(-0.65 * np.square(roughness)[:, None] * band**1.4).astype(np.float32)


def specular_occlusion(cosine: np.ndarray, free: np.ndarray, roughness: np.ndarray) -> np.ndarray:
    """(V,) share of the reflected light that the head itself does not hide: Lagarde and de Rousiers (2014), 4.10.2."""
    return ((cosine + free) ** np.exp2(-16 * roughness - 1) - 1 + free).clip(0, 1)
