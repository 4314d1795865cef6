# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels of the preview: which point of the head each one shows, and from their colours a picture."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ..face_model.model import FaceModel, MeshPart
from ..geometry.camera import PerspectiveCamera
from ..rendering.primary_rays import interpolate, trace_image
from ..rendering.rays import Hits

_SUPERSAMPLING = 2  # rays per pixel along each axis
_GROUND, _GROUND_CENTRE, _GROUND_FALL = 0.17, 0.19, 1.6  # sRGB at the border, added in the middle, how fast it fades
_LEAST_SPACING = 1.3  # texels between pixels, from which on a texture is averaged down


@dataclass(frozen=True)
class Frame:
    """A head through a camera, with H·W pixels, supersampled, of which N show the head.

    Attributes:
        model: the head's. vertices: (V, 3) mm, posed. camera: that sees them.
        box_px: the part of the camera's picture that is shown, x0, y0, x1, y1 in px. size: (W, H).
        triangles: (T, 3) of all solid parts, indices into all vertices.
        part: (T,) index of the triangle's solid part, 0 = skin. material: (T,) name of its material.
        shown: (H·W,) bool. hits: of the N.
    """

    model: FaceModel
    vertices: np.ndarray
    camera: PerspectiveCamera
    box_px: tuple[float, float, float, float]
    size: tuple[int, int]
    triangles: np.ndarray
    part: np.ndarray
    material: np.ndarray
    shown: np.ndarray
    hits: Hits

    @cached_property
    def pixel_part(self) -> np.ndarray:
        """(N,) index of the part that each pixel shows."""
        return self.part[self.hits.triangle]

    @cached_property
    def skin_uv(self) -> np.ndarray:
        """(H, W, 2) float32 canonical UV of the pixels that show skin, NaN elsewhere."""
        on_skin = self.pixel_part == 0
        skin = self.model.skin
        corners = skin.uv[skin.uv_triangles()[self.hits.triangle[on_skin]]]
        width, height = self.size
        image = np.full((width * height, 2), np.nan, np.float32)
        uv = np.einsum("nkc,nk->nc", corners, self.hits.barycentric[on_skin])
        image[np.flatnonzero(self.shown)[on_skin]] = uv
        return image.reshape(height, width, 2)

    @cached_property
    def uv_step(self) -> float:
        """How far apart the UV of pixels side by side are, in the median; NaN where none are."""
        steps = np.abs(np.diff(self.skin_uv, axis=1)).max(axis=2)
        return np.nanmedian(steps) if np.isfinite(steps).any() else np.nan

    def interpolate(self, values: np.ndarray, which: np.ndarray | None = None) -> np.ndarray:
        """(V, C) values of the vertices to (N, C) of the pixels, or of those that ``which``, (N,) bool, picks."""
        hits = self.hits
        if which is not None:
            hits = Hits(hits.triangle[which], hits.barycentric[which], hits.distance[which])
        return interpolate(hits, self.triangles, values)

    def shown_vertices(self) -> np.ndarray:
        """(M,) int: vertices of the triangles that pixels show."""
        return np.unique(self.triangles[np.unique(self.hits.triangle)])

    def pixel_positions(self, points_px: np.ndarray) -> np.ndarray:
        """(N, 2) px of the camera's picture to pixels of this one, the first pixel's centre at 0 as in OpenCV."""
        low = np.array(self.box_px[:2])
        scale = np.array(self.size) / (np.array(self.box_px[2:]) - low)
        return ((points_px - low) * scale - 0.5).clip(-1e5, 1e5)


def trace_frame(
    vertices: np.ndarray,
    model: FaceModel,
    camera: PerspectiveCamera,
    size: tuple[int, int],
    box_px: tuple[float, float, float, float],
) -> Frame:
    """Look at a posed head, (V, 3) mm, for a picture of (width, height) pixels of a part of the camera's picture."""
    fine = (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING)
    solid = model.solid_parts
    triangles = np.concatenate([part.triangles() + part.start for part in solid])
    part = np.repeat(np.arange(len(solid)), [len(part.triangles()) for part in solid])
    material = np.concatenate([_triangle_materials(part) for part in solid])
    hits = trace_image(vertices, triangles, camera, fine, box_px)
    shown = hits.triangle >= 0
    hits = Hits(hits.triangle[shown], hits.barycentric[shown], hits.distance[shown])
    return Frame(model, vertices, camera, box_px, fine, triangles, part, material, shown, hits)


def _triangle_materials(part: MeshPart) -> np.ndarray:
    quads = part.faces[:, 3] >= 0
    return np.array(part.materials)[np.concatenate([part.face_material, part.face_material[quads]])]


def sample_texture(texture: np.ndarray, frame: Frame) -> np.ndarray:
    """(N_skin, 3) float32 0..1 at the pixels that show skin, from an integer texture averaged down to their spacing."""
    pixel = np.flatnonzero(frame.shown)[frame.pixel_part == 0]
    full = np.iinfo(texture.dtype).max
    spacing = frame.uv_step * texture.shape[0]
    if spacing > _LEAST_SPACING:
        side = max(64, int(texture.shape[0] / spacing))
        texture = cv2.resize(texture, (side, side), interpolation=cv2.INTER_AREA)
    side = texture.shape[0]
    at = frame.skin_uv.copy()
    at[..., 1] = 1 - at[..., 1]
    at = np.nan_to_num(at * side - 0.5, nan=-10).astype(np.float32)
    out = cv2.remap(texture, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(-1, 3)[pixel].astype(np.float32) / np.float32(full)


def compose(frame: Frame, colour: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8: (N, 3) sRGB 0..1 of the pixels over a soft neutral ground, averaged down."""
    width, height = frame.size
    x, y = (np.arange(width) + 0.5) / width - 0.5, (np.arange(height) + 0.5) / height - 0.42
    fall = np.exp(-_GROUND_FALL * (x[None] ** 2 + y[:, None] ** 2)).astype(np.float32)
    image = np.repeat((_GROUND + _GROUND_CENTRE * fall)[..., None], 3, axis=2)
    image.reshape(-1, 3)[frame.shown] = colour
    return average_down((image.clip(0, 1) * 255 + 0.5).astype(np.uint8))


def average_down(fine: np.ndarray) -> np.ndarray:
    """A supersampled picture, (H, W, 3) uint8, to its final size."""
    size = (fine.shape[1] // _SUPERSAMPLING, fine.shape[0] // _SUPERSAMPLING)
    return cv2.resize(fine, size, interpolation=cv2.INTER_AREA)
