# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical UV: one island for the skin, the face large in it, cut along the back of the head only.

Blender unwraps a stand-in of the head: mouth a little open, sockets replaced by flat membranes so that they take little
room, and a sphere inversion in front of the face, which magnifies the face without shearing it.
"""

import numpy as np
from scipy.sparse import diags
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from .surface import neighbours

INVERSION_CENTRE = np.array([0.0, 10.0, 460.0])
MARGIN = 0.012
SQUEEZE_FROM, SQUEEZE = 0.33, 1.4
SEAM_TOP_Z = -20.0


def membranes(points: np.ndarray, faces: np.ndarray, socket: np.ndarray) -> np.ndarray:
    """Socket vertices moved onto the soap film (uniform Laplacian) that their margins span."""
    count = len(points)
    adjacency = neighbours(faces, count)
    laplacian = (diags(np.asarray(adjacency.sum(axis=1)).ravel()) - adjacency).tocsr()
    rim = np.zeros(count, bool)
    rim[adjacency @ (~socket) > 0] = True
    free = np.flatnonzero(socket & ~rim)
    fixed = np.setdiff1d(np.arange(count), free)
    out = points.copy()
    out[free] = spsolve(laplacian[free][:, free].tocsc(), -laplacian[free][:, fixed] @ points[fixed])
    return out


def unwrap(
    points: np.ndarray, opened: np.ndarray, faces: np.ndarray, socket: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The canonical UV of the skin.

    Args:
        points: (V, 3) mm neutral, symmetric in x. opened: (V, 3) the same with the mouth open.
        faces: (F, 4). socket: (V,) bool.

    Returns:
        (U, 2) float32 positions, symmetric about u = 0.5, and (F, 4) indices into them.
    """
    flat = membranes(opened, faces, socket)
    offset = flat - INVERSION_CENTRE
    stand_in = offset * (300.0**2 / (offset**2).sum(axis=1, keepdims=True)) * [1, 1, -1]
    corner_uv = _blender_unwrap(stand_in, faces, _seam_edges(points, faces))
    uv, face_uv = _split_corners(corner_uv, faces)
    uv = _upright(uv, face_uv, faces, points)
    return _fit_square(_symmetrise(uv, face_uv, faces, points)).astype(np.float32), face_uv


def _seam_edges(points: np.ndarray, faces: np.ndarray) -> set[tuple[int, int]]:
    middle = np.abs(points[:, 0]) < 1e-4
    edges = np.sort(np.concatenate([faces[:, [i, (i + 1) % 4]] for i in range(4)]), axis=1)
    edges = np.unique(edges[middle[edges].all(axis=1)], axis=0)
    back = points[edges][:, :, 2].max(axis=1) < SEAM_TOP_Z
    return set(map(tuple, edges[back].tolist()))


def _blender_unwrap(points: np.ndarray, faces: np.ndarray, seams: set[tuple[int, int]]) -> np.ndarray:
    """(F, 4, 2) UV per corner."""
    import bpy

    mesh = bpy.data.meshes.new("skin")
    mesh.from_pydata(points.tolist(), [], faces.tolist())
    for edge in mesh.edges:
        edge.use_seam = tuple(sorted(edge.vertices)) in seams
    mesh.uv_layers.new(name="canonical")
    thing = bpy.data.objects.new("skin", mesh)
    bpy.context.collection.objects.link(thing)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = thing
    thing.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.uv.unwrap(method="MINIMUM_STRETCH", fill_holes=True, iterations=30, no_flip=True, margin=0.0)
    bpy.ops.object.mode_set(mode="OBJECT")
    values = np.zeros(len(faces) * 8, np.float32)
    mesh.uv_layers[0].uv.foreach_get("vector", values)
    bpy.data.objects.remove(thing)
    return values.reshape(-1, 4, 2).astype(float)


def _split_corners(corner_uv: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unite corners of one vertex at one place: (U, 2) and (F, 4)."""
    key = np.concatenate([faces.reshape(-1, 1), np.round(corner_uv.reshape(-1, 2) * 1e5)], axis=1)
    _, first, index = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return corner_uv.reshape(-1, 2)[first], index.reshape(faces.shape).astype(np.int32)


def _upright(uv: np.ndarray, face_uv: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Turn so that the front midline runs upwards in v, subject's left at larger u."""
    vertex_of = np.zeros(len(uv), int)
    vertex_of[face_uv] = faces
    p = points[vertex_of]
    front = (p[:, 2] > 60) & (np.abs(p[:, 0]) < 40)
    design = np.concatenate([p[front][:, :2] - p[front][:, :2].mean(axis=0)], axis=1)
    target = uv[front] - uv[front].mean(axis=0)
    linear = np.linalg.lstsq(design, target, rcond=None)[0]
    u_svd, _, vt = np.linalg.svd(linear)
    return (uv - uv[front].mean(axis=0)) @ (u_svd @ vt).T


def _symmetrise(uv: np.ndarray, face_uv: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Average with the mirror image; seam vertices are told apart by the side their faces lie on."""
    side = np.zeros(len(uv))
    side[face_uv] = np.sign(points[faces][:, :, 0].mean(axis=1))[:, None]
    vertex_of = np.zeros(len(uv), int)
    vertex_of[face_uv] = faces
    p = points[vertex_of]
    double = np.bincount(vertex_of, minlength=len(points))[vertex_of] > 1
    key = np.concatenate([p, (1000 * side * double)[:, None]], axis=1)
    distance, partner = cKDTree(key).query(key * [-1, 1, 1, -1])
    if distance.max() > 0.1:
        raise ValueError("the skin is not symmetric")
    return 0.5 * (uv + uv[partner] * [-1, 1])


def _fit_square(uv: np.ndarray) -> np.ndarray:
    """Scale into the unit square; the outermost back of the head gives some width to the face."""
    x = uv[:, 0] / np.ptp(uv[:, 0])
    beyond = np.maximum(np.abs(x) - SQUEEZE_FROM, 0)
    uv = np.stack([(x - np.sign(x) * SQUEEZE * beyond**2) * np.ptp(uv[:, 0]), uv[:, 1]], axis=1)
    low, high = uv.min(axis=0), uv.max(axis=0)
    scale = (1 - 2 * MARGIN) / (high - low).max()
    return (uv - (low + high) / 2) * scale + 0.5
