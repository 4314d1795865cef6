# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo into the canonical UV of the head that was fitted to it."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..camera import PerspectiveCamera
from ..face_model.model import FaceModel
from ..proxy.types import ProxyFit
from ..render import vertex_normals
from .fill import colour_prior, mesh_laplacian, pad_islands, spread, vertex_areas
from .mirror import mirror_embedding
from .raster import UVRaster, rasterise_uv
from .types import UnwrappedTexture
from .view import SkinView, sample, smoothstep, view_skin

_BAND_ROWS = 128  # rows of the texture worked on at a time, to stay small in memory
_FULL = 0.3  # confidence from which on a texel shows the photo alone
_MAX_LOG_GAIN = 0.6
_GAIN_DETAIL_MM, _DETAIL_MM = 4.0, 0.8  # smoothness of the match between the sides, and of the continuation
_BLUR_MM = (4.0, 1.2)  # the photo is softened this much before its colours are spread over the mesh, coarse to fine


@dataclass(frozen=True)
class _Look:
    """Where each skin vertex would be seen in the photo.

    Attributes:
        values: (V, 5) float32: x and y px, depth mm, facing cosine, 1 = skin 0 = socket.
    """

    values: np.ndarray

    def confidence(self, view: SkinView, values: np.ndarray | None = None) -> np.ndarray:
        values = self.values if values is None else values
        seen = view.confidence(values[:, :2], values[:, 2], values[:, 3])
        return seen * smoothstep(values[:, 4], 0.5, 1.0)


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
        """(N, 2) photo px to (N, 3) float32 colours, 0..255."""
        at = (points_px - self.origin) * self.scale - np.float32(0.5)
        return sample(self.pixels, at, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)


def unwrap(photo: np.ndarray, fit: ProxyFit, model: FaceModel, resolution: int = 2048) -> UnwrappedTexture:
    """The photo's colours in canonical UV, complete.

    Each texel takes, in this order and softly blended: the photo where it truly shows that point of the skin; the
    mirrored point of the face where the photo shows that one, matched in brightness and colour; else a smooth
    continuation over the mesh. Confidence is 1 where the photo shows the point straight on, 0 where it does not.
    Blends are made in sRGB.

    Args:
        photo: (H, W, 3) uint8 sRGB. fit: the posed head and its camera. model: of the fit.
        resolution: R, texels per side.
    """
    skin = model.skin
    triangles = skin.triangles()
    posed = fit.vertices[: skin.stop]
    normals = vertex_normals(posed, triangles)
    is_skin = _is_skin(model)
    mirror = mirror_embedding(model)
    direct = _look(posed, normals, is_skin, fit.perspective)
    mirrored = _look(mirror.points(posed), mirror.points(normals), mirror.points(is_skin), fit.perspective)
    view = view_skin(photo, fit.vertices, fit.perspective, model)
    fields = _fields(photo, view, direct, mirrored, fit, model)
    raster = rasterise_uv(skin, resolution)
    source = _photo_for(photo, view, direct, raster, model)

    colour = np.zeros((resolution, resolution, 3), np.uint8)
    confidence = np.zeros((resolution, resolution), np.float32)
    vertex_values = np.concatenate([direct.values, mirrored.values, fields], axis=1)
    for start in range(0, resolution, _BAND_ROWS):
        rows = slice(start, min(start + _BAND_ROWS, resolution))
        covered = raster.triangle[rows] >= 0
        values = raster.interpolation(triangles, skin.stop, rows) @ vertex_values
        colour[rows][covered], confidence[rows][covered] = _compose(values, source, view, direct)
    pad_islands(colour, raster.triangle >= 0)
    return UnwrappedTexture(colour, confidence)


def _compose(values: np.ndarray, source: _Photo, view: SkinView, look: _Look) -> tuple[np.ndarray, np.ndarray]:
    """(N, 16) interpolated looks and fields to (N, 3) uint8 colours and (N,) confidence."""
    out = values[:, 13:16].copy()  # the continuation
    confidence = np.zeros(len(values), np.float32)
    facing = np.flatnonzero(values[:, 3] > 0)
    confidence[facing] = look.confidence(view, values[facing, :5])
    own = np.minimum(confidence * np.float32(1 / _FULL), 1)
    rows = np.flatnonzero((own < 1) & (values[:, 8] > 0))
    other = np.minimum(look.confidence(view, values[rows, 5:10]) * np.float32(1 / _FULL), 1)
    rows, other = rows[other > 0], other[other > 0, None]
    matched = source.colours(values[rows, 5:7]) * np.exp(values[rows, 10:13])
    out[rows] += other * (matched - out[rows])
    rows = np.flatnonzero(own > 0)
    out[rows] += own[rows, None] * (source.colours(values[rows, :2]) - out[rows])
    return np.clip(out + np.float32(0.5), 0, 255).astype(np.uint8), confidence


def _is_skin(model: FaceModel) -> np.ndarray:
    """(V_skin, 1) float32: 0 inside mouth and eye sockets, else 1."""
    if "socket" not in model.region_names:
        return np.ones((len(model.region), 1), np.float32)
    return (model.region != model.region_names.index("socket")).astype(np.float32)[:, None]


def _look(points: np.ndarray, normals: np.ndarray, is_skin: np.ndarray, camera: PerspectiveCamera) -> _Look:
    depth = points @ camera.rotation[2] + camera.translation[2]
    ahead = depth > 1.0
    px = np.where(ahead[:, None], camera.project(np.where(ahead[:, None], points, -camera.position())), -1e4)
    to_camera = camera.position() - points
    to_camera /= np.linalg.norm(to_camera, axis=1, keepdims=True)
    facing = np.where(ahead, (normals * to_camera).sum(axis=1), -1)
    return _Look(np.column_stack([px.clip(-1e5, 1e5), depth, facing, is_skin]).astype(np.float32))


def _fields(
    photo: np.ndarray, view: SkinView, direct: _Look, mirrored: _Look, fit: ProxyFit, model: FaceModel
) -> np.ndarray:
    """(V, 6) float32 per skin vertex: log gain that matches the mirrored side, and the colour of the continuation."""
    x0, y0, x1, y1 = view.box_px
    small = cv2.resize(photo[y0:y1, x0:x1], view.trust.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    soft, known = _trusted_colours(small, view)
    own, other = direct.confidence(view), mirrored.confidence(view)
    own_colour = sample(soft, view.grid(direct.values[:, :2]), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    other_colour = sample(soft, view.grid(mirrored.values[:, :2]), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)

    rest = fit.vertices_neutral[: model.skin.stop]
    laplacian, areas = mesh_laplacian(rest, model.skin.triangles()), vertex_areas(rest, model.skin.triangles())
    ratio = (np.log(own_colour + 4) - np.log(other_colour + 4)).clip(-_MAX_LOG_GAIN, _MAX_LOG_GAIN)
    both = np.minimum(np.minimum(own, other) / _FULL, 1)
    gain = spread(laplacian, areas, ratio, both, _GAIN_DETAIL_MM)

    rim = view.beside(direct.values[:, :2], direct.values[:, 2], direct.values[:, 3])
    rim *= sample(known, view.grid(direct.values[:, :2]), cv2.INTER_LINEAR)
    own_share = np.maximum(np.minimum(own / _FULL, 1), rim)
    other_share = np.minimum(other / _FULL, 1) * (1 - own_share)
    share = np.maximum(own_share + other_share, 1e-6)
    matched = other_colour * np.exp(gain)
    colour = (own_share[:, None] * own_colour + other_share[:, None] * matched) / share[:, None]
    seen = own_share + other_share
    prior, reach = colour_prior(model, rest, colour, seen, np.median(small.reshape(-1, 3), axis=0))
    return np.concatenate([gain, spread(laplacian, areas, colour, seen, _DETAIL_MM, prior, reach).clip(0, 255)], axis=1)


def _trusted_colours(small: np.ndarray, view: SkinView) -> tuple[np.ndarray, np.ndarray]:
    """The photo softened over its trusted pixels only, (h, w, 3) float32, and where it is known by them, (h, w)."""
    out = known = None
    for blur_mm in _BLUR_MM:
        blur = max(blur_mm / view.pixel_mm, 0.5)
        weight = cv2.GaussianBlur(view.trust, (0, 0), blur)[..., None]
        soft = cv2.GaussianBlur(small * view.trust[..., None], (0, 0), blur) / np.maximum(weight, 1e-4)
        soft = np.where(weight > 1e-4, soft, small)  # never a colour made of no trust at all
        sure = smoothstep(weight, 0.02, 0.2)
        out = soft if out is None else out * (1 - sure) + soft * sure
        known = sure[..., 0] if known is None else known
    return out, known


def _photo_for(photo: np.ndarray, view: SkinView, direct: _Look, raster: UVRaster, model: FaceModel) -> _Photo:
    """The photo around the head, averaged down where it is finer than the texture, so that nothing aliases."""
    x0, y0, x1, y1 = view.box_px
    triangles, uv_triangles = model.skin.triangles(), model.skin.uv_triangles()
    facing = direct.values[triangles, 3].min(axis=1) > 0.5
    ratio = 1.0
    if facing.any():
        area_px = _areas(direct.values[triangles[facing], :2])
        area_texels = _areas(model.skin.uv[uv_triangles[facing]]) * raster.resolution**2
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
