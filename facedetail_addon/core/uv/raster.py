# SPDX-License-Identifier: GPL-3.0-or-later
"""Which triangle of a mesh lies under each texel of its UV layout."""

import cv2
import numpy as np

from ..face_model.model import Layout, MeshPart
from .types import UVRaster

_SHIFT = 8  # OpenCV draws with this many fractional bits
_MAX_STEPS = 16  # how many triangles a texel may walk from the one that was drawn on it
_CHUNK = 1 << 15  # texels weighed at a time, to stay in the processor's cache
_TOLERANCE = 1e-4  # weights this little below zero count as inside


def rasterise_uv(model_part: MeshPart | Layout, resolution: int) -> UVRaster:
    """Draw a part's triangles into its UV layout.

    Conservative: every texel that a triangle touches is covered, and a few that one nearly touches. Exact: a texel
    whose centre lies in a triangle of its island gets that triangle. Triangles are drawn with OpenCV first, edges
    included; texels that a neighbour painted over then walk across the shared edges to the triangle that holds their
    centre.

    Args:
        model_part: a part, or another mesh, whose UV lies in [0, 1]²; what lies outside is cut off.
        resolution: R, texels per side.
    """
    texels = _texel_coordinates(model_part.uv, resolution)
    uv_triangles = model_part.uv_triangles()
    triangle = np.full((resolution, resolution), -1, np.int32)
    fixed = np.round((texels - 0.5) * (1 << _SHIFT)).astype(np.int32)[uv_triangles]
    for index, corners in enumerate(fixed):
        cv2.fillConvexPoly(triangle, corners, index, cv2.LINE_8, _SHIFT)
    _add_touched(triangle, texels, uv_triangles)
    flat = np.flatnonzero(triangle >= 0)
    rows = np.repeat(np.arange(resolution), np.count_nonzero(triangle >= 0, axis=1))
    x, y = (flat - rows * resolution).astype(np.float32) + np.float32(0.5), rows.astype(np.float32) + np.float32(0.5)
    index, weights = _walk(triangle.ravel()[flat], x, y, texels, uv_triangles)
    triangle.ravel()[flat] = index
    outside = np.flatnonzero(_smallest(weights) < 0)
    centers = np.stack([x[outside], y[outside]], axis=1)
    weights[outside], _ = _nearest_weights(texels[uv_triangles[index[outside]]], centers)
    return UVRaster.of(triangle, weights)


def _add_touched(triangle: np.ndarray, texels: np.ndarray, uv_triangles: np.ndarray) -> None:
    """Cover in place the texels beside covered ones whose square a triangle there reaches, or nearly reaches."""
    side = triangle.shape[0]
    empty = triangle < 0
    border = np.flatnonzero(empty & (cv2.dilate((~empty).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0))
    rows, columns = border // side, border % side
    centers = np.stack([columns, rows], axis=1) + 0.5
    nearest = np.full(len(border), 0.5)  # squared: half a texel's diagonal
    index = np.full(len(border), -1, np.int32)
    for down, right in [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]:
        there = triangle[(rows + down).clip(0, side - 1), (columns + right).clip(0, side - 1)]
        found = np.flatnonzero(there >= 0)
        _, distance = _nearest_weights(texels[uv_triangles[there[found]]], centers[found])
        closer = distance <= nearest[found]
        found = found[closer]
        nearest[found], index[found] = distance[closer], there[found]
    triangle.ravel()[border] = index


def _texel_coordinates(uv: np.ndarray, resolution: int) -> np.ndarray:
    """(U, 2) UV to float64 texels, x right and y down; the first texel's centre is (0.5, 0.5)."""
    return np.stack([uv[:, 0], 1 - uv[:, 1].astype(np.float64)], axis=1) * resolution


def _walk(
    index: np.ndarray, x: np.ndarray, y: np.ndarray, texels: np.ndarray, uv_triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Move each texel to the triangle that holds its centre; (N,) triangles and (N, 3) weights, negative if outside."""
    planes = _barycentric_planes(texels, uv_triangles)
    neighbours = _neighbours(uv_triangles)
    weights = np.empty((len(index), 3), np.float32)
    for start in range(0, len(index), _CHUNK):
        part = slice(start, start + _CHUNK)
        weights[part] = _weights(planes, index[part], x[part], y[part])
    smallest = _smallest(weights)
    todo = np.flatnonzero(smallest < -_TOLERANCE)
    at, at_weights = index[todo], weights[todo]
    for _ in range(_MAX_STEPS):
        outward = np.where((neighbours[at] >= 0) & (at_weights < 0), at_weights, 0)
        edge = outward.argmin(axis=1)
        moving = outward[np.arange(len(at)), edge] < 0
        todo, at = todo[moving], neighbours[at[moving], edge[moving]]
        at_weights = _weights(planes, at, x[todo], y[todo])
        at_smallest = _smallest(at_weights)
        better = at_smallest > smallest[todo]
        rows = todo[better]
        index[rows], weights[rows], smallest[rows] = at[better], at_weights[better], at_smallest[better]
        onward = at_smallest < -_TOLERANCE
        todo, at, at_weights = todo[onward], at[onward], at_weights[onward]
        if len(todo) == 0:
            break
    return index, weights


def _smallest(weights: np.ndarray) -> np.ndarray:
    return np.minimum(np.minimum(weights[:, 0], weights[:, 1]), weights[:, 2])


def _barycentric_planes(texels: np.ndarray, uv_triangles: np.ndarray) -> np.ndarray:
    """(T, 6) float32: at a point p the second corner weighs row[:3] · (p, 1), the third row[3:] · (p, 1)."""
    corners = texels[uv_triangles]
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)[:, None]
    second = np.stack([edge2[:, 1], -edge2[:, 0]], axis=1) / area
    third = np.stack([-edge1[:, 1], edge1[:, 0]], axis=1) / area
    offset = [-(gradient * corners[:, 0]).sum(axis=1, keepdims=True) for gradient in (second, third)]
    return np.concatenate([second, offset[0], third, offset[1]], axis=1).astype(np.float32)


def _weights(planes: np.ndarray, index: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    plane = planes[index]
    out = np.empty((len(index), 3), np.float32)
    out[:, 1] = plane[:, 0] * x + plane[:, 1] * y + plane[:, 2]
    out[:, 2] = plane[:, 3] * x + plane[:, 4] * y + plane[:, 5]
    out[:, 0] = 1 - out[:, 1] - out[:, 2]
    return out


def _nearest_weights(corners: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3, 2) triangles, (N, 2) points outside: (N, 3) weights of the nearest point of the edges, (N,) distance²."""
    best = np.full(len(points), np.inf)
    out = np.zeros((len(points), 3), np.float32)
    for start, end in ((0, 1), (1, 2), (2, 0)):
        edge = corners[:, end] - corners[:, start]
        along = ((points - corners[:, start]) * edge).sum(axis=1) / np.maximum((edge**2).sum(axis=1), 1e-12)
        along = along.clip(0, 1)
        distance = ((corners[:, start] + along[:, None] * edge - points) ** 2).sum(axis=1)
        closer = distance < best
        best[closer] = distance[closer]
        out[closer] = 0
        out[closer, start], out[closer, end] = 1 - along[closer], along[closer]
    return out, best


def _neighbours(uv_triangles: np.ndarray) -> np.ndarray:
    """(T, 3) int32: the triangle across the edge opposite each corner in the UV layout, −1 at a border."""
    count = len(uv_triangles)
    edges = np.sort(np.concatenate([uv_triangles[:, [1, 2]], uv_triangles[:, [2, 0]], uv_triangles[:, [0, 1]]]), axis=1)
    key = edges[:, 0].astype(np.int64) * (int(uv_triangles.max()) + 1) + edges[:, 1]
    order = np.argsort(key, kind="stable")
    shared = np.flatnonzero(key[order][1:] == key[order][:-1])
    first, second = order[shared], order[shared + 1]
    out = np.full(3 * count, -1, np.int32)
    out[first], out[second] = second % count, first % count
    return out.reshape(3, count).T.copy()
