# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels of a photo truly show skin: depth and trust pictures through the photo's camera."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..face_model.model import FaceModel
from ..geometry.camera import PerspectiveCamera
from ..image import sample, smoothstep
from ..rendering.primary_rays import camera_rays
from ..rendering.rays import RayScene

_GRID = 704  # longest side of the depth and trust pictures
_FACING = (0.26, 0.72)  # cosines of the viewing angle at which confidence starts and is full (75° and 44°)
_DEPTH_SLACK_MM = (1.0, 3.0)  # a point may lie this far behind the surface that is seen there
_FINEST_MM = 0.25  # their pixels are no smaller than this
# Trust starts and is full this far off, beyond a pixel of the photo that may be mixed:
_EDGE_MM = {"background": (1.5, 5.0), "jump": (0.5, 2.0), "other": (0.5, 1.5), "photo": (0.3, 9.0)}
_RIM_MM = 12.0  # so near to the background a pixel must look like skin
_NECK_MM = (4.0, 14.0)  # the neck is trusted so far from the background: the landmarks say nothing of its outline
_FOREIGN = 2.5  # so many tolerances away from the face's usual colour
_WHITES_MM = 4.0  # so near to eyes and teeth a pixel must not look like them


@dataclass(frozen=True)
class SkinView:
    """The head as a photo's camera sees it, over the part of the photo where the head lies.

    Attributes:
        camera: the photo's camera.
        box_px: x0, y0, x1, y1 in whole photo pixels.
        seen: (h, w, 2) float32: trust, 1 = surely skin, 0 = another part, background, or too near to one; and depth
            in mm along the optical axis of the first surface, 0 where there is none.
        rim: (h, w) float32, 1 = skin so near to eyes or teeth that its colour is better taken from beside it.
        pixel_mm: size of one pixel of these pictures on the head, mm.
    """

    camera: PerspectiveCamera
    box_px: tuple[int, int, int, int]
    seen: np.ndarray
    rim: np.ndarray
    pixel_mm: float

    def grid(self, points_px: np.ndarray) -> np.ndarray:
        """(N, 2) photo px to (N, 2) float32 pixels of these pictures, the first pixel's centre at 0 as in OpenCV."""
        x0, y0, x1, y1 = self.box_px
        height, width = self.seen.shape[:2]
        scale = np.array([width / (x1 - x0), height / (y1 - y0)], np.float32)
        return points_px * scale - (np.array([x0, y0], np.float32) * scale + np.float32(0.5))

    def confidence(self, points_px: np.ndarray, depth: np.ndarray, facing: np.ndarray) -> np.ndarray:
        """How surely the photo shows a point of the skin.

        Args:
            points_px: (N, 2) float32 where it projects to. depth: (N,) mm along the optical axis.
            facing: (N,) cosine between the normal and the direction to the camera.

        Returns:
            (N,) float32 in [0, 1].
        """
        seen = sample(self.seen, self.grid(points_px), cv2.INTER_LINEAR)
        return seen[:, 0] * smoothstep(facing, *_FACING) * (1 - smoothstep(depth - seen[:, 1], *_DEPTH_SLACK_MM))

    def beside(self, points_px: np.ndarray, depth: np.ndarray, facing: np.ndarray) -> np.ndarray:
        """How surely a point of the skin lies at the rim of eyes or teeth; arguments and result as in confidence."""
        at = self.grid(points_px)
        behind = depth - sample(self.seen, at, cv2.INTER_LINEAR)[:, 1]
        rim = sample(self.rim, at, cv2.INTER_LINEAR)
        return rim * smoothstep(facing, 0, _FACING[0]) * (1 - smoothstep(behind, *_DEPTH_SLACK_MM))

    @property
    def trust(self) -> np.ndarray:
        return self.seen[..., 0]


def view_skin(photo: np.ndarray, vertices: np.ndarray, camera: PerspectiveCamera, model: FaceModel) -> SkinView:
    """Look at the posed head (all its parts) through the photo's camera.

    Args:
        photo: (H, W, 3) uint8. vertices: (V, 3) mm, posed. camera: of the photo.
    """
    height, width = photo.shape[:2]
    skin = model.skin.of(vertices)
    box = _head_box(skin, camera, (width, height))
    photo_pixel_mm = max(float(np.median(skin @ camera.rotation[2] + camera.translation[2])) / camera.focal_px, 1e-3)
    scale = min(_GRID / max(box[2] - box[0], box[3] - box[1]), photo_pixel_mm / _FINEST_MM)
    size = (max(1, round((box[2] - box[0]) * scale)), max(1, round((box[3] - box[1]) * scale)))
    triangles = model.solid_triangles()
    hits = RayScene(vertices, triangles).cast(*camera_rays(camera, size, box))
    hit = (hits.triangle >= 0).reshape(size[1], size[0])
    points = np.einsum("nkc,nk->nc", vertices[triangles[hits.triangle]], hits.barycentric)
    depth = (points @ camera.rotation[2] + camera.translation[2]).astype(np.float32).reshape(hit.shape) * hit
    region = _triangle_regions(model)
    seen = np.where(hit, region[hits.triangle].reshape(hit.shape), -2)
    pixel_mm = photo_pixel_mm / scale
    trust = _trust(seen, depth, pixel_mm, photo_pixel_mm)
    small = cv2.resize(photo[box[1] : box[3], box[0] : box[2]], size, interpolation=cv2.INTER_AREA)
    trust *= _inside_photo(size, box, (width, height), pixel_mm)
    trust *= _skin_coloured(small, seen, trust, (pixel_mm, photo_pixel_mm), model)
    rim = (1 - smoothstep(_distance_mm(seen == -1, pixel_mm), 2.0, _WHITES_MM)) * (seen >= 0)
    return SkinView(camera, box, np.dstack([trust, depth]).astype(np.float32), rim.astype(np.float32), pixel_mm)


def _head_box(vertices: np.ndarray, camera: PerspectiveCamera, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Whole pixels of the photo around the head; the whole photo where the head lies beside it."""
    ahead = vertices[vertices @ camera.rotation[2] + camera.translation[2] > 1.0]
    if len(ahead):
        px = camera.project(ahead)
        low = np.floor(px.min(axis=0) - 2).clip(0, size)
        high = np.ceil(px.max(axis=0) + 2).clip(0, size)
        if (high - low).min() >= 1:
            return int(low[0]), int(low[1]), int(high[0]), int(high[1])
    return 0, 0, size[0], size[1]


def _triangle_regions(model: FaceModel) -> np.ndarray:
    """(T,) int16 region of every triangle of all parts: −1 for other parts and sockets."""
    out = []
    for part in model.solid_parts:
        triangles = part.triangles()
        if part.name == "skin":
            region = model.region[triangles[:, 0]].astype(np.int16)
            region[model.in_region("socket")[triangles].any(axis=1)] = -1
            out.append(region)
        else:
            out.append(np.full(len(triangles), -1, np.int16))
    return np.concatenate(out)


def _trust(seen: np.ndarray, depth: np.ndarray, pixel_mm: float, photo_pixel_mm: float) -> np.ndarray:
    """Falls to 0 towards the background, other parts and jumps in depth, by distance in mm."""
    jump = np.zeros(seen.shape, bool)
    limit = max(3.0, 6 * pixel_mm)
    across, down = np.abs(np.diff(depth, axis=1)) > limit, np.abs(np.diff(depth, axis=0)) > limit
    jump[:, 1:] |= across
    jump[:, :-1] |= across
    jump[1:] |= down
    jump[:-1] |= down
    out = np.ones(seen.shape, np.float32)
    for name, mask in (("background", seen == -2), ("other", seen == -1), ("jump", jump)):
        if mask.any():
            out *= smoothstep(_distance_mm(mask, pixel_mm) - photo_pixel_mm, *_EDGE_MM[name])
    return out


def _inside_photo(
    size: tuple[int, int], box: tuple[int, int, int, int], photo_size: tuple[int, int], pixel_mm: float
) -> np.ndarray:
    """Falls to 0 towards the photo's own edges."""
    edges = []
    for axis in (0, 1):
        low, high, count = box[axis], box[axis + 2], size[axis]
        step = (high - low) / count
        px = low + (np.arange(count) + 0.5) * step
        edges.append(smoothstep(np.minimum(px, photo_size[axis] - px) / step * pixel_mm, *_EDGE_MM["photo"]))
    return edges[1][:, None] * edges[0][None]


def _skin_coloured(
    small: np.ndarray, seen: np.ndarray, trust: np.ndarray, pixels_mm: tuple[float, float], model: FaceModel
) -> np.ndarray:
    """Low where a pixel is of another colour than the face although skin should be there.

    Neck, ears and everything next to the background: collars, hair, earrings, the background itself where the fit is
    wider than the head. Next to eyes and teeth: their whites, where the fit's lids or lips are off.

    Args:
        small: (h, w, 3) uint8 photo at this size. seen: (h, w) region, −1 other part, −2 background.
        trust: (h, w) so far. pixels_mm: size of a pixel here and of a pixel of the photo. model: of the head.

    Returns:
        (h, w) float32 factors.
    """
    pixel_mm, photo_pixel_mm = pixels_mm
    out = np.ones(seen.shape, np.float32)
    names = model.region_names
    regions = {name: seen == names.index(name) for name in names}
    face = np.zeros(seen.shape, bool)
    for name in ("cheeks", "nose", "forehead"):
        face |= regions.get(name, np.zeros_like(face))
    face &= trust > 0.9
    if face.sum() < 50:
        return out
    log = np.log(cv2.GaussianBlur(small, (0, 0), max(0.4 / pixel_mm, 0.5)).astype(np.float32) + 8)
    light, warm = log.mean(axis=-1), log[..., 0] - log[..., 2]
    tint = log[..., 0] - log[..., 1]
    light = light - np.median(light[face])
    reference_warmth = float(np.median(warm[face]))
    off = np.sqrt(
        np.where(light > 0, light / 0.18, light / 0.62) ** 2
        + ((warm - reference_warmth) / 0.16) ** 2
        + ((tint - np.median(tint[face])) / 0.10) ** 2
    )
    nowhere = np.zeros_like(face)
    neck, ears = regions.get("neck", nowhere), regions.get("ears", nowhere)
    from_background = _distance_mm(seen == -2, pixel_mm)
    unsure = neck | ears | (from_background < _RIM_MM) & (seen >= 0)
    unsure &= ~(regions.get("scalp", nowhere) | regions.get("forehead", nowhere))
    external = off > _FOREIGN
    if unsure.any():
        likely = smoothstep(_distance_mm(external & (seen != -1), pixel_mm) - photo_pixel_mm, 0.7, 4.0)
        _drop_hidden_ears(likely, external, ears, pixel_mm)
        likely = np.where(neck, np.minimum(likely, smoothstep(from_background, *_NECK_MM)), likely)
        soft = cv2.GaussianBlur(unsure.astype(np.float32), (0, 0), 2.5 / pixel_mm)
        out = 1 - np.minimum(2 * soft, 1) * (1 - likely)
    white = (warm < 0.5 * reference_warmth) & (light > -0.3) & (_distance_mm(seen == -1, pixel_mm) < _WHITES_MM)
    white &= _touching(white, seen == -1)
    if reference_warmth > 0.1 and white.any():
        out = np.minimum(out, smoothstep(_distance_mm(white, pixel_mm), 0.3, 1.2))
    return out


def _drop_hidden_ears(likely: np.ndarray, external: np.ndarray, ears: np.ndarray, pixel_mm: float) -> None:
    """Set an ear to 0 in place where half of what should be seen of it does not look like skin: hair lies over it."""
    joined = cv2.dilate(ears.astype(np.uint8), np.ones((5, 5), np.uint8), iterations=max(1, round(2 / pixel_mm)))
    count, labels = cv2.connectedComponents(joined)
    for label in range(1, count):
        area = labels == label
        if external[area & ears].mean() > 0.5:
            likely[area] = 0


def _touching(mask: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The parts of a mask that touch another mask (a highlight on a lip does not, a tooth beside it does)."""
    count, labels = cv2.connectedComponents((mask | other).astype(np.uint8))
    keep = np.zeros(count, bool)
    keep[labels[other]] = True
    return keep[labels] & mask


def _distance_mm(mask: np.ndarray, pixel_mm: float) -> np.ndarray:
    """(h, w) float32 distance to the nearest pixel of the mask; large where the mask is empty."""
    if not mask.any():
        return np.full(mask.shape, 1e6, np.float32)
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) * pixel_mm
