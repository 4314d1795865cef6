# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads in external disguises whose true place on the built-in head is known, vertex by vertex."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial import Delaunay, cKDTree
from scipy.spatial.transform import Rotation

from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel, MeshPart
from facedetail_addon.core.geometry.nearest import ClosestPoints
from facedetail_addon.core.model_import.correspondence import Correspondence
from facedetail_addon.core.model_import.external import NO_ALBEDO, UNKNOWN, ExternalModel
from facedetail_addon.core.model_import.importers.read import read_external_model
from facedetail_addon.core.model_import.surface import Surface
from facedetail_addon.core.model_import.uv_folds import links, membrane
from facedetail_addon.core.model_import.uv_transfer import outside_of_openings
from facedetail_addon.core.rendering.normals import vertex_normals

MASK_REGIONS = (*FACE_REGIONS, "socket")
_SAMPLES = 9000
_WARP_MM, _WARP_REACH_MM, _WARP_CENTRES = 2.0, 30.0, 14
_HEAD_CENTRE = np.array([0.0, 10.0, 10.0])
_KIT_FILE = Path("models") / "ict_facekit.npz"
_SAME_MM = 0.5


@dataclass(frozen=True)
class KnownHead:
    """An external head and the truth about it.

    Attributes:
        model: the head. place: (V_skin, 3) mm, the point of the built-in mean head that each skin vertex is.
        known: (V_skin,) bool, where that is certain. face: (V_skin,) bool, on the face, without ears, neck and scalp.
    """

    model: ExternalModel
    place: np.ndarray
    known: np.ndarray
    face: np.ndarray


def errors_mm(head: KnownHead, builtin: FaceModel, found: Correspondence) -> np.ndarray:
    """(V_skin,) how far from its true place on the mean head each vertex was put; NaN where that is not known or where
    the correspondence knows of none.
    """
    put = found.on_builtin @ builtin.skin.of(builtin.mean)
    error = np.linalg.norm(put - head.place, axis=1)
    return np.where(head.known & found.layout.matched, error, np.nan)


def another_person(builtin: FaceModel, seed: int) -> np.ndarray:
    """(V_skin, 3) mm: random identity, warped by what no identity mode of the built-in head can do."""
    rng = np.random.default_rng(seed)
    shape = builtin.vertices(rng.normal(0, 1, len(builtin.identity_basis)))[: builtin.skin.stop]
    return (shape + _warp(shape, rng)).astype(np.float32)


def reordered(builtin: FaceModel, seed: int) -> KnownHead:
    """The built-in skin in another order of vertices, of another person, larger, turned and moved."""
    rng = np.random.default_rng(seed)
    vertices = another_person(builtin, seed)
    order = rng.permutation(len(vertices))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    faces = place[builtin.skin.faces][rng.permutation(len(builtin.skin.faces))]
    turn = Rotation.from_euler("xyz", [6, -10, 4], degrees=True).as_matrix()
    moved = (1.06 * vertices[order] @ turn.T + [12, -30, 40]).astype(np.float32)
    return _known(builtin, moved, faces, order)


def remeshed(builtin: FaceModel, seed: int, samples: int = _SAMPLES) -> KnownHead:
    """Another person on triangles of their own: random points of the canonical UV, none of them a built-in vertex."""
    rng = np.random.default_rng(seed)
    uv, uv_triangles, triangles = builtin.skin.uv, builtin.skin.uv_triangles(), builtin.skin.triangles()
    flat = ClosestPoints(np.column_stack([uv, np.zeros(len(uv))]), uv_triangles)
    points = _spread_points(flat, rng, samples)
    closest = flat.query(points)
    inside = closest.distance < 1e-6
    points, corners, weights = points[inside], triangles[closest.triangle[inside]], closest.weights[inside]
    found = Delaunay(points[:, :2]).simplices
    centres = points[found].mean(axis=1)
    # Delaunay also closes bays of the layout; across the cut at the back nothing is closed.
    found = found[flat.query(centres).distance < 1e-6]
    sides = np.linalg.norm(points[found] - points[np.roll(found, 1, axis=1)], axis=2)
    found = found[sides.max(axis=1) < 4 * np.median(sides)]
    used, numbered = np.unique(found, return_inverse=True)
    corners, weights = corners[used], weights[used]
    faces = np.column_stack([numbered.reshape(-1, 3), np.full(len(found), UNKNOWN)])
    vertices = np.einsum("nkc,nk->nc", another_person(builtin, seed)[corners], weights).astype(np.float32)
    place = np.einsum("nkc,nk->nc", builtin.mean[corners], weights)
    outside = outside_of_openings(builtin)[corners].all(axis=1)
    region = builtin.region[corners[np.arange(len(corners)), weights.argmax(axis=1)]]
    return KnownHead(
        _external("remeshed", vertices, faces, None), place, outside, _named(builtin, region, FACE_REGIONS)
    )


def mask(builtin: FaceModel, seed: int) -> KnownHead:
    """Only a face, like Basel's: skin over the eyes, no bag behind the lips, nothing beside and behind."""
    head = another_person(builtin, seed)
    triangles = builtin.skin.triangles()
    socket = ~outside_of_openings(builtin)
    middle = builtin.skin.of(builtin.mean)
    over_eyes = socket & (middle[:, 1] > 15)
    film = membrane(head, over_eyes, links(middle, triangles), evened=False).astype(np.float32)
    kept = _named(builtin, builtin.region, MASK_REGIONS) & ~(socket & ~over_eyes)
    faces = builtin.skin.faces[kept[builtin.skin.faces].all(axis=1)]
    used, numbered = np.unique(faces, return_inverse=True)
    return _known(builtin, film[used], numbered.reshape(faces.shape), used)


def kit_head(builtin: FaceModel, data: Path, seed: int | None) -> KnownHead:
    """ICT-FaceKit as it comes, or another person of its 100 modes; its vertices' places are known where its average and
    the built-in one, which was made from it, are one surface.
    """
    kit = read_external_model(data / _KIT_FILE, lambda text, done: None)
    stop = kit.skin.stop
    rest = kit.neutral[:stop].astype(np.float64)
    triangles = builtin.skin.triangles()
    outside = outside_of_openings(builtin)[triangles].all(axis=1)
    closest = Surface(builtin.mean, triangles[outside]).match(rest, vertex_normals(rest, kit.skin.triangles()))
    corners = triangles[outside][closest.triangle]
    region = builtin.region[corners[np.arange(stop), closest.weights.argmax(axis=1)]]
    if seed is not None:
        alpha = np.random.default_rng(seed).normal(0, 1, len(kit.identity_basis))
        kit = replace(kit, mean=(kit.mean + np.tensordot(alpha, kit.identity_basis, 1)).astype(np.float32))
    known = (closest.distance < _SAME_MM) & ~closest.on_border & (closest.facing > 0.5)
    return KnownHead(kit, closest.position, known, _named(builtin, region, FACE_REGIONS))


def without_landmarks(head: KnownHead) -> KnownHead:
    """The same head from a file that names no landmarks."""
    return replace(head, model=replace(head.model, landmarks68=None))


def _known(builtin: FaceModel, vertices: np.ndarray, faces: np.ndarray, of: np.ndarray) -> KnownHead:
    """A head whose vertices are built-in vertices, ``of`` says which."""
    place = builtin.landmarks68
    heaviest = place.vertices[np.arange(len(place.vertices)), place.weights.argmax(axis=1)]
    numbered = np.full(builtin.skin.stop, UNKNOWN)
    numbered[of] = np.arange(len(of))
    return KnownHead(
        model=_external("disguised", vertices, faces, numbered[heaviest].astype(np.int32)),
        place=builtin.mean[of],
        known=outside_of_openings(builtin)[of],
        face=_named(builtin, builtin.region[of], FACE_REGIONS),
    )


def _external(name: str, vertices: np.ndarray, faces: np.ndarray, landmarks68: np.ndarray | None) -> ExternalModel:
    """A model of one skin, with one mode of identity that makes it larger and one expression of either sign."""
    faces = np.ascontiguousarray(faces, np.int32)
    skin = MeshPart(
        "skin", 0, len(vertices), faces, np.zeros((0, 2), np.float32), np.full_like(faces, UNKNOWN),
        np.zeros(len(faces), np.uint8), ("skin",),
    )  # fmt: skip
    growth = 0.03 * (vertices - vertices.mean(axis=0))
    return ExternalModel(
        name=name, source_sha256="0" * 64, licence="", mean=vertices, expression_mean=np.zeros_like(vertices),
        identity_basis=growth[None], expression_basis=np.float32(0.1) * growth[None],
        expression_names=("expression_00",), expression_signed=True,
        albedo_mean=None, albedo_basis=None, albedo_space=NO_ALBEDO, parts=(skin,), landmarks68=landmarks68,
    )  # fmt: skip


def _warp(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(V, 3) mm smooth bumps and hollows about a few centres, seen from the middle of the head."""
    centres = points[rng.choice(len(points), _WARP_CENTRES, replace=False)]
    away = np.linalg.norm(points[:, None] - centres, axis=2)
    height = np.exp(-0.5 * (away / _WARP_REACH_MM) ** 2) @ rng.normal(0, _WARP_MM, _WARP_CENTRES)
    outwards = points - _HEAD_CENTRE
    return height[:, None] * outwards / np.linalg.norm(outwards, axis=1, keepdims=True)


def _spread_points(flat: ClosestPoints, rng: np.random.Generator, count: int) -> np.ndarray:
    """(N, 3) points in the layout, as dense as the mesh of the head and with no two too near."""
    corners = flat.vertices[flat.triangles]
    triangle = rng.integers(0, len(corners), 3 * count)
    weights = rng.dirichlet([1, 1, 1], len(triangle))
    points = np.einsum("nkc,nk->nc", corners[triangle], weights)
    size = np.sqrt(np.linalg.norm(np.cross(*(corners[:, k] - corners[:, 0] for k in (1, 2))), axis=1))
    gap, _ = cKDTree(points[:, :2]).query(points[:, :2], k=2)
    return points[gap[:, 1] > 0.3 * size[triangle]][:count]


def _named(builtin: FaceModel, region: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    return np.isin(region, [builtin.region_names.index(name) for name in names])
