# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief in millimetres as normals in tangent space.

The canonical UV is not conformal: on the mean head u and v differ from a right angle by 11° on half of the cheeks'
skin and by 29° on half of the chin's (on a tenth of it by more than 29° and 46°), and a texel of the chin is up to 2.5
times as long as wide. Waves that tilt the skin by 28° would be drawn 10° off on the chin and 3° off on the
cheeks without the shear.
"""

import cv2
import numpy as np

from ..face_model.model import FaceModel
from ..rendering.normals import uv_derivatives
from ..uv.types import Atlas
from .types import DetailMaps

_BAND = 64  # rows at a time, to stay in the processor's cache
_ONE = 65535.0  # code of 1
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
    steps = _vertex_steps(model, model.mean if vertices is None else vertices) / np.float32(atlas.resolution)
    out = atlas.picture(steps)
    out.reshape(-1, 3)[atlas.surroundings.outside] = 1, 0, 1
    return out


def normal_map(height_mm: np.ndarray, texel_mm: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Normals of a relief over the smooth surface, from central differences.

    Args:
        height_mm: (R, R) float32 along the smooth normal. texel_mm: (R, R, 3) of :func:`texel_size_mm`.
        covered: (R, R) bool, texels on the skin; outside them and beside their border the map is flat.

    Returns:
        (R, R, 3) uint16, 65535 = 1 and 32768 = 0: x along u, y along v (up), z out of the skin (OpenGL's convention).
    """
    inside = cv2.erode(covered.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    out = np.empty((*height_mm.shape, 3), np.uint16)
    side = height_mm.shape[0]
    for start in range(0, side, _BAND):
        stop = min(start + _BAND, side)
        above, below = max(start - 1, 0), min(stop + 1, side)
        padded = np.pad(height_mm[above:below], ((start == 0, stop == side), (1, 1)), mode="edge")
        slope_t, slope_b = _slopes(padded, texel_mm[start:stop])
        out[start:stop] = _encoded(slope_t, slope_b)
        out[start:stop][~inside[start:stop]] = _FLAT
    return out


def flat_detail(resolution: int) -> DetailMaps:
    """No relief at all, R = ``resolution``."""
    height_mm = np.zeros((resolution, resolution), np.float32)
    normal = np.broadcast_to(_FLAT, (resolution, resolution, 3))
    heights, normals = ([part.copy() for _ in range(3)] for part in (height_mm, normal))
    return DetailMaps(*heights[:2], *normals[:2], heights[2], normals[2], np.ones_like(height_mm))


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
