# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the canonical UV relief is predicted, how large texels are there, and which of its waves are fine."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ..face_model.brows import usual_brows
from ..face_model.model import FACE_REGIONS, FaceModel, MeshPart
from ..image import TEXTURE_MM, smoothstep
from ..rendering.normals import uv_derivatives, vertex_normals

SIDE = 2048
"""Texels per side of the canonical UV at which networks work, whatever the texture's resolution."""
TEXEL_MM = TEXTURE_MM / SIDE
"""Nominal side of such a texel on the face."""
VALUE_UNIT = 0.2
"""The networks see logarithms of brightness in this unit."""
BOX = (256, 480, 1792, 1760)
"""x0, y0, x1, y1 of the part of the canonical UV that can have relief, in texels of SIDE."""
FINE_MM = 0.4
"""Standard deviation of the Gaussian between fine and medium relief: waves of 2.1 mm are halved by it."""
COARSE_MM = 2.4
"""That between medium relief and the proxy's shape: waves of 12.8 mm."""
_SOCKET = "socket"  # region inside mouth and eyes
_LIPS_MM = (0.5, 2.5)  # from the line between the lips
_OPENING_MM = (0.8, 3.0)  # from openings: eyes, mouth, nostrils
_LIPS_EDGE_MM, _NOSE_EDGE_MM, _OPENING_EDGE_MM = (4.0, 9.0), (5.0, 10.0), (2.0, 6.0)  # the same for lines
_UNDERSIDE = (0.3, 0.55)  # how far skin looks down, as under chin and brow ridge, where shadows end in edges
_NOSE_BASE, _BEARD_MM = 33, (-8.0, 2.0)  # landmark, and how far below it beards begin
_BEYOND_MM = {"scalp": 14.0, "neck": 14.0, "ears": 4.0}  # how far relief fades out over them
_EDGE_TEXELS = (20.0, 60.0)  # from BOX's border


@dataclass(frozen=True)
class DetailSpace:
    """What no photo changes.

    Attributes:
        allowed: (V_skin,) float32, 1 where skin may have relief, 0 in sockets and away from the face.
        lined: (V_skin,) float32, the same for lines, which must not be taken from the edges of lids, lips and nostrils.
        brows: (V_skin,) float32 mm of :func:`..face_model.brows.usual_brows`.
        beard: (V_skin,) float32, 1 where beards grow, 0 away from there.
        skin: of the model. uv_areas: (T,) float64 of the skin's triangles in texels of SIDE.
    """

    allowed: np.ndarray
    lined: np.ndarray
    brows: np.ndarray
    beard: np.ndarray
    skin: MeshPart
    uv_areas: np.ndarray


def make_detail_space(model: FaceModel) -> DetailSpace:
    """The space of one face model."""
    rest = model.skin.of(model.mean)
    is_face = model.in_region(*FACE_REGIONS)
    away, _ = cKDTree(rest[is_face]).query(rest)
    allowed = is_face.astype(np.float32)
    for name, reach in _BEYOND_MM.items():
        rows = model.in_region(name)
        allowed[rows] = 1 - smoothstep(away[rows], 0, reach)
    inside, lined = model.in_region(_SOCKET), np.ones_like(allowed)
    if inside.any():
        near, _ = cKDTree(rest[inside]).query(rest)
        allowed *= smoothstep(near, *_OPENING_MM)
        lined *= smoothstep(near, *_OPENING_EDGE_MM)
    lips = _from_line_between_lips(model)
    allowed *= smoothstep(lips, *_LIPS_MM) * smoothstep(_inside_box(model), *_EDGE_TEXELS)
    nose = from_lines(model, 12, model.landmarks68.points(model.mean)[31:36])
    below = -vertex_normals(rest, model.skin.triangles())[:, 1]
    lined *= 1 - smoothstep(below, *_UNDERSIDE)
    lined *= allowed * smoothstep(lips, *_LIPS_EDGE_MM) * smoothstep(nose, *_NOSE_EDGE_MM)
    corners = model.skin.uv[model.skin.uv_triangles()].astype(np.float64) * SIDE
    across, up = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.abs(across[:, 0] * up[:, 1] - across[:, 1] * up[:, 0])
    beard = smoothstep(model.landmarks68.points(model.mean)[_NOSE_BASE, 1] - rest[:, 1], *_BEARD_MM)
    brows = usual_brows(model)
    return DetailSpace(allowed.astype(np.float32), lined.astype(np.float32), brows, beard, model.skin, areas)


def _from_line_between_lips(model: FaceModel) -> np.ndarray:
    """(V_skin,) mm on the mean head from where the lips meet, landmarks 61 to 68; the socket begins further in."""
    inner = model.landmarks68.points(model.mean)[[*range(60, 68), 60]]
    return from_lines(model, 12, inner)


def from_lines(model: FaceModel, steps: int, *lines: np.ndarray) -> np.ndarray:
    """(V_skin,) mm on the mean head from the nearest of lines through (N, 3) points, so many steps between two."""
    share = np.linspace(0, 1, steps + 1)[:, None, None]
    points = [line[:-1] * (1 - share) + line[1:] * share for line in lines]
    away, _ = cKDTree(np.concatenate(points, axis=1).reshape(-1, 3)).query(model.skin.of(model.mean))
    return away


def _inside_box(model: FaceModel) -> np.ndarray:
    """(V_skin,) texels of SIDE to the nearest border of BOX; below 0 outside."""
    uv = model.skin.vertex_uv()
    column, row = uv[:, 0] * SIDE, (1 - uv[:, 1]) * SIDE
    x0, y0, x1, y1 = BOX
    return np.minimum.reduce([column - x0, x1 - column, row - y0, y1 - row])


def box_at(side: int) -> tuple[slice, slice]:
    """Rows and columns of BOX in a texture of so many texels per side."""
    x0, y0, x1, y1 = (edge * side // SIDE for edge in BOX)
    return slice(y0, y1), slice(x0, x1)


def texel_gradients(vertices: np.ndarray, space: DetailSpace) -> tuple[np.ndarray, np.ndarray]:
    """Gradient on the skin of something that grows by 1 with each texel (of SIDE) to the right, and down.

    In the skin's own metric: Σ g⁻¹[i, j] eⱼ, with e the steps of :func:`texel_vectors` and g their products. The
    gradient of a relief h is ∂h/∂x times the one plus ∂h/∂y times the other, and its normal is tipped by minus that.

    Args:
        vertices: (V_skin, 3) mm, posed.

    Returns:
        two (V_skin, 3) float64 per mm.
    """
    right, down = texel_vectors(vertices, space)
    a, b, c = (right**2).sum(1), (right * down).sum(1), (down**2).sum(1)
    area = np.maximum(a * c - b * b, 1e-8)[:, None]
    return (c[:, None] * right - b[:, None] * down) / area, (a[:, None] * down - b[:, None] * right) / area


def texel_vectors(vertices: np.ndarray, space: DetailSpace) -> tuple[np.ndarray, np.ndarray]:
    """How far one goes on the skin by a step of one texel (of SIDE) to the right, and one down.

    Args:
        vertices: (V_skin, 3) mm, posed.

    Returns:
        two (V_skin, 3) float64 mm; means over the triangles around a vertex.
    """
    triangles, out = space.skin.triangles(), []
    uv = space.skin.uv[space.skin.uv_triangles()]
    right, up = (step / SIDE for step in uv_derivatives(vertices[triangles], uv))
    weight = space.uv_areas[:, None]
    for step in (right, -up):
        total = np.zeros((len(vertices), 4))
        values = np.concatenate([step * weight, weight], axis=1)
        for corner in range(3):
            for axis in range(4):
                total[:, axis] += np.bincount(triangles[:, corner], values[:, axis], minlength=len(vertices))
        out.append(total[:, :3] / np.maximum(total[:, 3:], 1e-9))
    return out[0], out[1]


def split_bands(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) mm on texels of TEXEL_MM to its medium and its fine part, float32."""
    smooth = cv2.GaussianBlur(height, (0, 0), FINE_MM / TEXEL_MM, borderType=cv2.BORDER_REPLICATE)
    coarse = cv2.GaussianBlur(height, (0, 0), COARSE_MM / TEXEL_MM, borderType=cv2.BORDER_REPLICATE)
    return smooth - coarse, height - smooth
