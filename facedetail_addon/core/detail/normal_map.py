# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief in millimetres as normals in tangent space.

The canonical UV is not conformal: on the mean head u and v differ from a right angle by 11° on half of the cheeks'
skin and by 29° on half of the chin's (on a tenth of it by more than 29° and 46°), and a texel of the chin is up to 2.5
times as long as wide. Waves that tilt the skin by 28° would be drawn 10° off on the chin and 3° off on the
cheeks without the shear.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from ..face_model.model import FaceModel
from ..rendering.normals import uv_derivatives
from ..uv.types import Atlas
from .types import DetailMaps

_BAND = 64  # rows at a time, to stay in the processor's cache
_ONE = 65535.0  # code of 1
_OUTSIDE = np.array([1, 0, 1], np.float32)  # size of texels that lie on no skin
_FLAT = np.array([32768, 32768, 65535], np.uint16)  # code of the smooth surface's own normal


def texel_size_mm(model: FaceModel, atlas: Atlas, vertices: np.ndarray | None = None) -> np.ndarray:
    """How far one step to the next texel goes on the skin.

    In the plane that touches the skin T is the direction of u, and B is at a right angle to it on the side of v: the
    frame of Blender's Normal Map node.

    Args:
        vertices: (V, 3) mm of the head, all parts or the skin alone; the mean head's by default.

    Returns:
        (R, R, 3) float32 mm: a step along u (to the right), which is along T alone; a step along v (up) along T, which
        is not zero where the layout is sheared; the step along v along B. (1, 0, 1) outside the islands.
    """
    out = atlas.picture(_texel_steps(model, atlas, model.mean if vertices is None else vertices))
    out[~atlas.covered] = _OUTSIDE
    return out


def normal_map(height_mm: np.ndarray, texel_mm: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Normals of a relief over the smooth surface, from central differences.

    Args:
        height_mm: (R, R) float32 along the smooth normal. texel_mm: (R, R, 3) of :func:`texel_size_mm`.
        covered: (R, R) bool, texels on the skin; outside them and beside their border the map is flat.

    Returns:
        (R, R, 3) uint16, 65535 = 1 and 32768 = 0: x along u, y along v (up), z out of the skin (OpenGL's convention).
    """
    inside = _inside(covered)
    out = np.empty((*height_mm.shape, 3), np.uint16)
    for start in range(0, len(height_mm), _BAND):
        rows = slice(start, min(start + _BAND, len(height_mm)))
        _draw(out, height_mm, rows, texel_mm[rows], inside)
    return out


def skin_normals(
    heights_mm: Sequence[np.ndarray], model: FaceModel, atlas: Atlas, vertices: np.ndarray
) -> list[np.ndarray]:
    """:func:`normal_map` of several reliefs of a head's skin, of whose texels few rows have a size at a time.

    Args:
        heights_mm: (R, R) float32 each. model, atlas: of the head. vertices: (V, 3) mm.
    """
    inside = _inside(atlas.covered)
    steps = _texel_steps(model, atlas, vertices)
    out = [np.empty((*height.shape, 3), np.uint16) for height in heights_mm]
    for rows in atlas.bands():
        texel_mm = np.tile(_OUTSIDE, (rows.stop - rows.start, atlas.resolution, 1))
        texel_mm[atlas.covered[rows]] = atlas.texels(steps, rows)
        for height, normal in zip(heights_mm, out, strict=True):
            _draw(normal, height, rows, texel_mm, inside)
    return out


def flat_detail(resolution: int) -> DetailMaps:
    """No relief at all, R = ``resolution``."""
    height_mm = np.zeros((resolution, resolution), np.float32)
    normal = np.broadcast_to(_FLAT, (resolution, resolution, 3))
    heights, normals = ([part.copy() for _ in range(3)] for part in (height_mm, normal))
    return DetailMaps(*heights[:2], *normals[:2], heights[2], normals[2], np.ones_like(height_mm))


def _inside(covered: np.ndarray) -> np.ndarray:
    return cv2.erode(covered.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def _draw(out: np.ndarray, height_mm: np.ndarray, rows: slice, texel_mm: np.ndarray, inside: np.ndarray) -> None:
    """Some rows of a normal map; ``texel_mm``: of these rows alone."""
    above, below = max(rows.start - 1, 0), min(rows.stop + 1, len(height_mm))
    margin = rows.start == 0, rows.stop == len(height_mm)
    padded = np.pad(height_mm[above:below], (margin, (1, 1)), mode="edge")
    out[rows] = _encoded(*_slopes(padded, texel_mm))
    out[rows][~inside[rows]] = _FLAT


def _slopes(padded: np.ndarray, texel_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rise per millimetre along T and B of (h, w) texels, from their heights with a margin of one."""
    right = (padded[1:-1, 2:] - padded[1:-1, :-2]) * np.float32(0.5)
    up = (padded[:-2, 1:-1] - padded[2:, 1:-1]) * np.float32(0.5)
    right /= texel_mm[..., 0]
    up -= right * texel_mm[..., 1]
    up /= texel_mm[..., 2]
    return right, up


def _encoded(slope_t: np.ndarray, slope_b: np.ndarray) -> np.ndarray:
    half = np.float32(_ONE / 2) / np.sqrt(slope_t * slope_t + slope_b * slope_b + 1)
    middle = np.float32(_ONE / 2 + 0.5)  # zero's code, and rounding
    out = np.empty((*half.shape, 3), np.uint16)
    out[..., 0] = middle - slope_t * half
    out[..., 1] = middle - slope_b * half
    out[..., 2] = middle + half
    return out


def _texel_steps(model: FaceModel, atlas: Atlas, vertices: np.ndarray) -> np.ndarray:
    return _vertex_steps(model, vertices) / np.float32(atlas.resolution)


def _vertex_steps(model: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """(V_skin, 3) float32 mm per unit of UV, as :func:`texel_size_mm`: means of the triangles around each vertex."""
    triangles = model.skin.triangles()
    corners = model.skin.of(vertices)[triangles].astype(np.float64)
    along_u, along_v = uv_derivatives(corners, model.skin.uv[model.skin.uv_triangles()])
    step_u = np.linalg.norm(along_u, axis=1)
    along_t = (along_u * along_v).sum(axis=1) / step_u
    along_b = np.linalg.norm(np.cross(along_u, along_v), axis=1) / step_u
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    around = np.repeat(np.stack([step_u, along_t, along_b, np.ones_like(area)]) * area, 3, axis=1)
    sums = np.stack([np.bincount(triangles.ravel(), values, model.skin.stop) for values in around], axis=1)
    return (sums[:, :3] / sums[:, 3:]).astype(np.float32)
