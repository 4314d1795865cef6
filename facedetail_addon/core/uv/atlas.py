# SPDX-License-Identifier: GPL-3.0-or-later
"""What texture work needs of a face model, made once for many photos."""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from ..face_model.model import FaceModel, PointEmbedding
from ..geometry.mesh_fields import fill_reducing_order, mesh_laplacian, vertex_areas
from ..geometry.nearest import closest_weights
from ..rendering.normals import vertex_normals
from .raster import rasterise_uv
from .types import Atlas, UVRaster

_NORMAL_MM = 8.0  # how far apart two opposite normals count, so that thin lids and lips keep their own side
_SAME_MM = 0.1  # a vertex this near is the counterpart itself
_CANDIDATES = 2  # nearest vertices whose triangles are tried


def make_atlas(model: FaceModel, resolution: int) -> Atlas:
    """The canonical UV of a model with R = ``resolution`` texels per side (half a second at 2048)."""
    return atlas_with(rasterise_uv(model.skin, resolution), model)


def atlas_with(raster: UVRaster, model: FaceModel) -> Atlas:
    """The canonical UV of a model whose skin has been drawn."""
    triangles = model.skin.triangles()
    rest = model.skin.of(model.mean)
    laplacian = mesh_laplacian(rest, triangles)
    return Atlas(
        raster=raster,
        triangles=triangles,
        mirror=mirror_embedding(model),
        laplacian=laplacian,
        areas=vertex_areas(rest, triangles),
        order=fill_reducing_order(laplacian),
    )


def coarser(atlas: Atlas, model: FaceModel, resolution: int) -> Atlas:
    """The same atlas of a model with other texels."""
    same = atlas.resolution == resolution
    return atlas if same else replace(atlas, raster=rasterise_uv(model.skin, resolution))


def mirror_embedding(model: FaceModel) -> PointEmbedding:
    """The mirrored place of every skin vertex, on the skin's surface.

    Found on the mean head, which is symmetric about x = 0: the mirrored vertex is looked up by position and normal,
    then projected to the nearest triangle around what was found. Neither topology nor UV need be symmetric.

    Returns:
        For each of the V skin vertices three skin vertices and their weights.
    """
    stop = model.skin.stop
    triangles = model.skin.triangles()
    mean = model.mean[:stop].astype(np.float64)
    normals = vertex_normals(mean, triangles)
    flip = np.array([-1.0, 1.0, 1.0])
    tree = cKDTree(np.concatenate([mean, normals * _NORMAL_MM], axis=1))
    gap, nearest = tree.query(np.concatenate([mean * flip, normals * flip * _NORMAL_MM], axis=1), k=_CANDIDATES)
    corners = np.repeat(nearest[:, :1], 3, axis=1).astype(np.int32)
    weights = np.tile(np.float32([1, 0, 0]), (stop, 1))
    between = np.flatnonzero(gap[:, 0] > _SAME_MM)
    if len(between):
        projected = _project((mean * flip)[between], nearest[between], mean, triangles)
        corners[between], weights[between] = projected.vertices, projected.weights
    return PointEmbedding(corners, weights)


def _project(points: np.ndarray, nearest: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> PointEmbedding:
    """The closest points to (N, 3) ``points`` on the triangles around their (N, C) nearest vertices."""
    order = np.argsort(triangles.ravel(), kind="stable")
    first = np.searchsorted(triangles.ravel()[order], np.arange(len(vertices) + 1))
    valence = int(np.diff(first).max())
    best = np.full(len(points), np.inf)
    corners = np.repeat(nearest[:, :1], 3, axis=1).astype(np.int32)
    weights = np.tile(np.float32([1, 0, 0]), (len(points), 1))
    for candidate in range(nearest.shape[1]):
        for slot in range(valence):
            entry = first[nearest[:, candidate]] + slot
            rows = np.flatnonzero(entry < first[nearest[:, candidate] + 1])
            tried = triangles[order[entry[rows]] // 3]
            tried_weights = closest_weights(points[rows], vertices[tried])
            gap = np.einsum("nkc,nk->nc", vertices[tried], tried_weights) - points[rows]
            distance = (gap**2).sum(axis=1)
            closer = distance < best[rows]
            rows = rows[closer]
            best[rows], corners[rows], weights[rows] = distance[closer], tried[closer], tried_weights[closer]
    return PointEmbedding(corners, weights)
