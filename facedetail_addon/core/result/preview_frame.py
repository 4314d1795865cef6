# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels of the preview: which points of the head each one shows, and from their colours a picture.

One point in the middle of a pixel is enough where the head goes on smoothly; where it ends, folds over itself or
changes its material, a pixel is the mean of four.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ..face_model.model import FaceModel, MeshPart
from ..geometry.camera import PerspectiveCamera
from ..image import sample
from ..rendering.primary_rays import camera_rays, interpolate, rays_through
from ..rendering.rays import Hits, RayScene

_QUARTERS = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))
"""Of a pixel, from its middle."""
_FOLD = 2.0  # pixels' widths by which the distance bends from one to the next, where one surface ends before another
_GROUND, _GROUND_CENTRE, _GROUND_FALL = 0.17, 0.19, 1.6  # sRGB at the border, added in the middle, how fast it fades
_LEAST_SPACING = 1.3  # texels between pixels, from which on a texture is averaged down


@dataclass(frozen=True)
class Frame:
    """A head through a camera: N points of it that H·W pixels show.

    Attributes:
        model: the head's. vertices: (V, 3) mm, posed. camera: that sees them.
        box_px: the part of the camera's picture that is shown, x0, y0, x1, y1 in px. size: (W, H).
        triangles: (T, 3) of all solid parts, indices into all vertices.
        part: (T,) index of the triangle's solid part, 0 = skin. material: (T,) name of its material.
        pixel: (N,) which of the H·W each point belongs to. weight: (N,) its share of that.
        hits: of the N. scene: the head for more rays.
    """

    model: FaceModel
    vertices: np.ndarray
    camera: PerspectiveCamera
    box_px: tuple[float, float, float, float]
    size: tuple[int, int]
    triangles: np.ndarray
    part: np.ndarray
    material: np.ndarray
    pixel: np.ndarray
    weight: np.ndarray
    hits: Hits
    scene: RayScene

    @cached_property
    def pixel_part(self) -> np.ndarray:
        """(N,) index of the part that each point lies on."""
        return self.part[self.hits.triangle]

    @cached_property
    def skin_uv(self) -> np.ndarray:
        """(N_skin, 2) canonical UV of the points that lie on skin."""
        on_skin = self.pixel_part == 0
        skin = self.model.skin
        corners = skin.uv[skin.uv_triangles()[self.hits.triangle[on_skin]]]
        return np.einsum("nkc,nk->nc", corners, self.hits.barycentric[on_skin])

    @cached_property
    def uv_step(self) -> float:
        """How far apart the UV of pixels side by side are, in the median; NaN where none are."""
        whole = self.weight[self.pixel_part == 0] == 1
        pixel, uv = self.pixel[self.pixel_part == 0][whole], self.skin_uv[whole]
        beside = np.flatnonzero(np.diff(pixel) == 1)
        return float(np.median(np.abs(uv[beside + 1] - uv[beside]).max(axis=1))) if len(beside) else np.nan

    @cached_property
    def cover(self) -> np.ndarray:
        """(H·W,) float32 how much of each pixel the head covers."""
        return np.bincount(self.pixel, self.weight, self.size[0] * self.size[1]).astype(np.float32)

    def interpolate(self, values: np.ndarray, which: np.ndarray | None = None) -> np.ndarray:
        """(V, C) values of the vertices to (N, C) of the points, or of those that ``which``, (N,) bool, picks."""
        hits = self.hits
        if which is not None:
            hits = _picked(hits, which)
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
    solid = model.solid_parts
    triangles = np.concatenate([part.triangles() + part.start for part in solid])
    part = np.repeat(np.arange(len(solid)), [len(part.triangles()) for part in solid])
    material = np.concatenate([_triangle_materials(part) for part in solid])
    scene = RayScene(vertices, triangles)
    middle = scene.cast(*camera_rays(camera, size, box_px))
    shown = middle.triangle >= 0
    step_px = np.array([box_px[2] - box_px[0], box_px[3] - box_px[1]]) / size
    kind = np.unique(material, return_inverse=True)[1] + len(material) * part
    edges = shown_edges(
        np.where(shown, kind[middle.triangle], -1), middle.distance, step_px.max() / camera.focal_px, size
    )
    whole, split = np.flatnonzero(shown & ~edges), np.flatnonzero(edges)
    places = np.stack([split % size[0], split // size[0]], axis=1)[:, None] + 0.5 + np.array(_QUARTERS)
    quarters = scene.cast(*rays_through(camera, (box_px[:2] + places * step_px).reshape(-1, 2)))
    hit = quarters.triangle >= 0
    hits = Hits(*(np.concatenate(both) for both in zip(_arrays(middle, whole), _arrays(quarters, hit), strict=True)))
    pixel = np.concatenate([whole, np.repeat(split, len(_QUARTERS))[hit]])
    weight = np.ones(len(pixel), np.float32)
    weight[len(whole) :] = 1 / len(_QUARTERS)
    return Frame(model, vertices, camera, box_px, size, triangles, part, material, pixel, weight, hits, scene)


def shown_edges(kind: np.ndarray, distance: np.ndarray, step: float, size: tuple[int, int]) -> np.ndarray:
    """(H·W,) bool: pixels beside others that show another kind of surface, or one in front of or behind theirs.

    Args:
        kind: (H·W,) number of what each pixel shows. distance: (H·W,) to it, inf where it shows nothing.
        step: width of a pixel at distance 1. size: (W, H).
    """
    kind = kind.reshape(size[::-1])
    distance = np.where(np.isfinite(distance), distance, 0).reshape(size[::-1])
    edges = np.zeros(kind.shape, bool)
    most = np.float32(_FOLD * step) * distance
    for turned_kind, turned_distance, turned_most, turned in (
        (kind, distance, most, edges), (kind.T, distance.T, most.T, edges.T)
    ):  # fmt: skip
        other = turned_kind[1:] != turned_kind[:-1]
        turned[1:] |= other
        turned[:-1] |= other
        bend = turned_distance[2:] + turned_distance[:-2] - 2 * turned_distance[1:-1]
        turned[1:-1] |= np.abs(bend) > turned_most[1:-1]
    return edges.ravel()


def _arrays(hits: Hits, which: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return hits.triangle[which], hits.barycentric[which], hits.distance[which]


def _picked(hits: Hits, which: np.ndarray) -> Hits:
    return Hits(*_arrays(hits, which))


def _triangle_materials(part: MeshPart) -> np.ndarray:
    quads = part.faces[:, 3] >= 0
    return np.array(part.materials)[np.concatenate([part.face_material, part.face_material[quads]])]


def sample_texture(texture: np.ndarray, frame: Frame) -> np.ndarray:
    """(N_skin, 3) float32 0..1 at the points on skin, from an integer texture averaged down to the pixels' spacing."""
    full = np.iinfo(texture.dtype).max
    spacing = frame.uv_step * texture.shape[0]
    if spacing > _LEAST_SPACING:
        side = max(64, int(texture.shape[0] / spacing))
        texture = cv2.resize(texture, (side, side), interpolation=cv2.INTER_AREA)
    at = frame.skin_uv * np.array([1, -1]) + np.array([0, 1])
    at = (at * texture.shape[0] - 0.5).astype(np.float32)
    return sample(texture, at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE).astype(np.float32) / np.float32(full)


def compose(frame: Frame, colour: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: (N, 3) sRGB 0..1 of the points over a soft neutral ground."""
    width, height = frame.size
    x, y = (np.arange(width) + 0.5) / width - 0.5, (np.arange(height) + 0.5) / height - 0.42
    fall = np.exp(-_GROUND_FALL * (x[None] ** 2 + y[:, None] ** 2)).astype(np.float32)
    ground = (_GROUND + _GROUND_CENTRE * fall) * (1 - frame.cover.reshape(height, width))
    weighted = colour.clip(0, 1) * frame.weight[:, None]
    head = [np.bincount(frame.pixel, weighted[:, channel], width * height) for channel in range(3)]
    image = np.stack(head, axis=-1).reshape(height, width, 3) + ground[..., None]
    return (image * 255 + 0.5).astype(np.uint8)
