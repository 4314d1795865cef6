# SPDX-License-Identifier: GPL-3.0-or-later
"""What a photo shows of the head that was fitted to it, in the canonical UV."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..colour import to_linear
from ..face_model.model import FaceModel
from ..fit.types import PoseFit
from ..geometry.camera import PerspectiveCamera
from ..image import sample, smoothstep
from ..rendering.normals import vertex_normals
from .types import Atlas, UnwrappedPhoto
from .view import SkinView, view_skin

_BLUR_MM = (4.0, 1.2)  # a vertex's colour is averaged over so much, coarse where the fine one finds no skin
_CLIPPED = 253  # 8-bit values from here on may have been brighter


@dataclass(frozen=True)
class _Projection:
    """Where points of the skin project to in the photo.

    Attributes:
        values: (V, 5) float32: x and y px, depth mm, facing cosine, 1 = skin 0 = socket.
    """

    values: np.ndarray

    @property
    def px(self) -> np.ndarray:
        return self.values[:, :2]

    def confidence(self, view: SkinView) -> np.ndarray:
        """(V,) float32; points that face away are not looked up."""
        out = np.zeros(len(self.values), np.float32)
        rows = np.flatnonzero((self.values[:, 3] > 0) & (self.values[:, 4] > 0.5))
        px, depth, facing, skin = np.split(self.values[rows], [2, 3, 4], axis=1)
        out[rows] = view.confidence(px, depth[:, 0], facing[:, 0]) * smoothstep(skin[:, 0], 0.5, 1.0)
        return out


@dataclass(frozen=True)
class _Photo:
    """The part of the photo around the head, reduced until a texel covers about a pixel of it.

    Attributes:
        pixels: (h, w, 3) uint8. origin: (2,) photo px of its corner. scale: its pixels per photo pixel, (2,).
    """

    pixels: np.ndarray
    origin: np.ndarray
    scale: np.ndarray

    def colours(self, points_px: np.ndarray) -> np.ndarray:
        """(N, 2) photo px to (N, 3) uint8 colours."""
        at = (points_px - self.origin) * self.scale - np.float32(0.5)
        return sample(self.pixels, at, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)


def unwrap(photo: np.ndarray, fit: PoseFit, model: FaceModel, atlas: Atlas) -> UnwrappedPhoto:
    """Look up every texel and every vertex of the skin in the photo, and its mirrored place on the other side.

    Confidence is 1 where the photo shows a place straight on, and 0 where it does not show it or where something
    else than skin lies over it. Nothing is filled in.

    Args:
        photo: (H, W, 3) uint8 sRGB. fit: the posed head and its camera. model: of the fit. atlas: of the model.
    """
    posed = model.skin.of(fit.vertices)
    normals = vertex_normals(posed, atlas.triangles)
    is_skin = _is_skin(model)
    mirror = atlas.mirror
    direct = _project(posed, normals, is_skin, fit.perspective)
    mirrored = _project(mirror.points(posed), mirror.points(normals), mirror.points(is_skin), fit.perspective)
    view = view_skin(photo, fit.vertices, fit.perspective, model)
    source = _photo_for(photo, view, direct, atlas, model)

    side = atlas.resolution
    colours = [np.zeros((side * side, 3), np.uint8) for _ in range(2)]
    confidences = [np.zeros(side * side, np.float32) for _ in range(2)]
    both = np.concatenate([direct.values, mirrored.values], axis=1)

    def look_up(texel: np.ndarray, covered: slice) -> None:
        values = atlas.covered_texels(both, covered)
        for projection, colour, confidence in zip(np.split(values, 2, axis=1), colours, confidences, strict=True):
            colour[texel], confidence[texel] = _texels(_Projection(projection), source, view)

    atlas.each_band(look_up)
    vertex_color, vertex_confidence, vertex_clipped = _at_vertices(photo, view, direct)
    return UnwrappedPhoto(
        color=colours[0].reshape(side, side, 3),
        confidence=confidences[0].reshape(side, side),
        mirrored_color=colours[1].reshape(side, side, 3),
        mirrored_confidence=confidences[1].reshape(side, side),
        vertex_color=vertex_color,
        vertex_confidence=vertex_confidence,
        vertex_clipped=vertex_clipped,
    )


def _texels(projection: _Projection, source: _Photo, view: SkinView) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) uint8 colours where the photo shows the skin, and (N,) confidence."""
    confidence = projection.confidence(view)
    colour = np.zeros((len(confidence), 3), np.uint8)
    seen = np.flatnonzero(confidence > 0)
    colour[seen] = source.colours(projection.px[seen])
    return colour, confidence


def _is_skin(model: FaceModel) -> np.ndarray:
    """(V_skin, 1) float32: 0 inside mouth and eye sockets, else 1."""
    return (~model.in_region("socket")).astype(np.float32)[:, None]


def _project(points: np.ndarray, normals: np.ndarray, is_skin: np.ndarray, camera: PerspectiveCamera) -> _Projection:
    depth = points @ camera.rotation[2] + camera.translation[2]
    ahead = depth > 1.0
    px = np.where(ahead[:, None], camera.project(np.where(ahead[:, None], points, -camera.position())), -1e4)
    to_camera = camera.position() - points
    to_camera /= np.linalg.norm(to_camera, axis=1, keepdims=True)
    facing = np.where(ahead, (normals * to_camera).sum(axis=1), -1)
    return _Projection(np.column_stack([px.clip(-1e5, 1e5), depth, facing, is_skin]).astype(np.float32))


def _at_vertices(
    photo: np.ndarray, view: SkinView, projection: _Projection
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(V, 3) linear colours, (V,) confidence and (V,) share of clipped pixels; see UnwrappedPhoto."""
    x0, y0, x1, y1 = view.box_px
    part = photo[y0:y1, x0:x1]
    size = view.mask.shape[::-1]
    small = cv2.resize(to_linear(part), size, interpolation=cv2.INTER_AREA)
    clipped = cv2.resize((part.max(axis=2) >= _CLIPPED).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    soft, known = _masked_mean(np.dstack([small, clipped]), view)
    at = view.grid(projection.px)
    values = sample(soft, at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    depth, facing, is_skin = projection.values[:, 2:].T
    rim = view.beside(projection.px, depth, facing) * sample(known, at, cv2.INTER_LINEAR) * is_skin
    return values[:, :3].clip(0, 1), np.maximum(projection.confidence(view), rim), values[:, 3].clip(0, 1)


def _masked_mean(small: np.ndarray, view: SkinView) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, C) float32 averaged over pixels of skin only, and where it is known by them, (h, w)."""
    out = known = None
    for blur_mm in _BLUR_MM:
        blur = max(blur_mm / view.pixel_mm, 0.5)
        weight = cv2.GaussianBlur(view.mask, (0, 0), blur)[..., None]
        soft = cv2.GaussianBlur(small * view.mask[..., None], (0, 0), blur) / np.maximum(weight, 1e-4)
        soft = np.where(weight > 1e-4, soft, small)  # never a colour made of no skin at all
        share = smoothstep(weight, 0.02, 0.2)
        out = soft if out is None else out * (1 - share) + soft * share
        known = share[..., 0] if known is None else known
    return out.astype(np.float32), known


def _photo_for(photo: np.ndarray, view: SkinView, direct: _Projection, atlas: Atlas, model: FaceModel) -> _Photo:
    """The photo around the head, averaged down where it is finer than the texture, so that nothing aliases."""
    x0, y0, x1, y1 = view.box_px
    uv_triangles = model.skin.uv_triangles()
    facing = direct.values[atlas.triangles, 3].min(axis=1) > 0.5
    ratio = 1.0
    if facing.any():
        area_px = _areas(direct.px[atlas.triangles[facing]])
        area_texels = _areas(model.skin.uv[uv_triangles[facing]]) * atlas.resolution**2
        ratio = float(np.median(np.sqrt(area_px / np.maximum(area_texels, 1e-9))))
    size = np.array([x1 - x0, y1 - y0])
    pixels = photo[y0:y1, x0:x1]
    if ratio > 1:
        size = np.maximum(np.round(size / ratio), 1).astype(int)
        pixels = cv2.resize(pixels, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    scale = size / np.array([x1 - x0, y1 - y0])
    return _Photo(np.ascontiguousarray(pixels), np.float32([x0, y0]), scale.astype(np.float32))


def _areas(corners: np.ndarray) -> np.ndarray:
    """(T, 3, 2) triangles to (T,) areas."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
