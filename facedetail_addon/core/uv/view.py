# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels of a photo truly show skin: a soft mask and depth through the photo's camera."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..face_model.model import FaceModel
from ..geometry.camera import PerspectiveCamera
from ..image import sample, smoothstep
from ..rendering.primary_rays import interpolate, trace_image

_GRID = 704  # longest side of mask and depth
_FACING = (0.26, 0.72)  # cosines of the viewing angle at which confidence starts and is full (75° and 44°)
_DEPTH_SLACK_MM = (1.0, 3.0)  # a point may lie this far behind the surface that is seen there
_FINEST_MM = 0.25  # their pixels are no smaller than this
# The mask starts and is full this far off, beyond a pixel of the photo that may be mixed:
_EDGE_MM = {"background": (1.5, 5.0), "jump": (0.5, 2.0), "other": (0.5, 1.5), "photo": (0.3, 9.0)}
_RIM_MM = 12.0  # so near to the background a pixel must look like skin
_NECK_MM = (4.0, 14.0)  # the same for the neck, from the background: the landmarks say nothing of its outline
_OUTLIER = 2.5  # so many tolerances away from the face's median colour a pixel is no skin
_LIGHT_TOLERANCE = (0.18, 0.62)  # of logarithms: lighter than the face, darker
_WARMTH_TOLERANCE, _TINT_TOLERANCE = 0.16, 0.10  # of logarithms: red over blue, red over green
_OTHER, _BACKGROUND = -1, -2  # instead of a region: eyes, teeth and sockets; beside the head
_EYES_TEETH_MM = 4.0  # so near to eyes and teeth a pixel must not look like them


@dataclass(frozen=True)
class SkinView:
    """The head as a photo's camera sees it, over the part of the photo where the head lies.

    Attributes:
        camera: the photo's camera.
        box_px: x0, y0, x1, y1 in whole photo pixels.
        mask_and_depth: (h, w, 2) float32: 1 = certainly skin, 0 = another part, background, or too near to one; and
            mm along the optical axis to the first surface, 0 where there is none.
        rim: (h, w) float32, 1 = skin so near to eyes or teeth that its colour is better taken from beside it.
        pixel_mm: size of one pixel of these pictures on the head, mm.
    """

    camera: PerspectiveCamera
    box_px: tuple[int, int, int, int]
    mask_and_depth: np.ndarray
    rim: np.ndarray
    pixel_mm: float

    def grid(self, points_px: np.ndarray) -> np.ndarray:
        """(N, 2) photo px to (N, 2) float32 pixels of these pictures, the first pixel's centre at 0 as in OpenCV."""
        x0, y0, x1, y1 = self.box_px
        height, width = self.mask_and_depth.shape[:2]
        scale = np.array([width / (x1 - x0), height / (y1 - y0)], np.float32)
        return points_px * scale - (np.array([x0, y0], np.float32) * scale + np.float32(0.5))

    def confidence(self, points_px: np.ndarray, depth: np.ndarray, facing: np.ndarray) -> np.ndarray:
        """Confidence that the photo shows a point of the skin.

        Args:
            points_px: (N, 2) float32 where it projects to. depth: (N,) mm along the optical axis.
            facing: (N,) cosine between the normal and the direction to the camera.

        Returns:
            (N,) float32 in [0, 1].
        """
        mask, surface = sample(self.mask_and_depth, self.grid(points_px), cv2.INTER_LINEAR).T
        return mask * smoothstep(facing, *_FACING) * (1 - smoothstep(depth - surface, *_DEPTH_SLACK_MM))

    def beside(self, points_px: np.ndarray, depth: np.ndarray, facing: np.ndarray) -> np.ndarray:
        """Confidence that a point lies at the rim of eyes or teeth; arguments and result as in ``confidence``."""
        at = self.grid(points_px)
        behind = depth - sample(self.mask_and_depth, at, cv2.INTER_LINEAR)[:, 1]
        rim = sample(self.rim, at, cv2.INTER_LINEAR)
        return rim * smoothstep(facing, 0, _FACING[0]) * (1 - smoothstep(behind, *_DEPTH_SLACK_MM))

    @property
    def mask(self) -> np.ndarray:
        """(h, w) of ``mask_and_depth``."""
        return self.mask_and_depth[..., 0]


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
    hits = trace_image(vertices, triangles, camera, size, box)
    hit = (hits.triangle >= 0).reshape(size[1], size[0])
    points = interpolate(hits, triangles, vertices)
    depth = (points @ camera.rotation[2] + camera.translation[2]).astype(np.float32).reshape(hit.shape) * hit
    region = np.where(hit, _triangle_regions(model)[hits.triangle].reshape(hit.shape), _BACKGROUND)
    pixel_mm = photo_pixel_mm / scale
    mask = _away_from_edges(region, depth, pixel_mm, photo_pixel_mm)
    small = cv2.resize(photo[box[1] : box[3], box[0] : box[2]], size, interpolation=cv2.INTER_AREA)
    mask *= _inside_photo(size, box, (width, height), pixel_mm)
    mask *= _skin_coloured(small, region, mask, (pixel_mm, photo_pixel_mm), model)
    rim = (1 - smoothstep(_distance_mm(region == _OTHER, pixel_mm), 2.0, _EYES_TEETH_MM)) * (region >= 0)
    return SkinView(camera, box, np.dstack([mask, depth]).astype(np.float32), rim.astype(np.float32), pixel_mm)


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
    """(T,) int16 region of every triangle of all parts; _OTHER for other parts and sockets."""
    out = []
    for part in model.solid_parts:
        triangles = part.triangles()
        if part.name == "skin":
            region = model.region[triangles[:, 0]].astype(np.int16)
            region[model.in_region("socket")[triangles].any(axis=1)] = _OTHER
            out.append(region)
        else:
            out.append(np.full(len(triangles), _OTHER, np.int16))
    return np.concatenate(out)


def _away_from_edges(region: np.ndarray, depth: np.ndarray, pixel_mm: float, photo_pixel_mm: float) -> np.ndarray:
    """Falls to 0 towards the background, other parts and jumps in depth, by distance in mm."""
    jump = np.zeros(region.shape, bool)
    limit = max(3.0, 6 * pixel_mm)
    across, down = np.abs(np.diff(depth, axis=1)) > limit, np.abs(np.diff(depth, axis=0)) > limit
    jump[:, 1:] |= across
    jump[:, :-1] |= across
    jump[1:] |= down
    jump[:-1] |= down
    out = np.ones(region.shape, np.float32)
    for name, edge in (("background", region == _BACKGROUND), ("other", region == _OTHER), ("jump", jump)):
        if edge.any():
            out *= smoothstep(_distance_mm(edge, pixel_mm) - photo_pixel_mm, *_EDGE_MM[name])
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
    small: np.ndarray, region: np.ndarray, mask: np.ndarray, pixels_mm: tuple[float, float], model: FaceModel
) -> np.ndarray:
    """Low where a pixel is of another colour than the face although skin should be there.

    Neck, ears and everything next to the background: collars, hair, earrings, the background itself where the fit is
    wider than the head. Next to eyes and teeth: their whites, where the fit's lids or lips are off.

    Args:
        small: (h, w, 3) uint8 photo at this size. region: (h, w) of the skin, _OTHER or _BACKGROUND.
        mask: (h, w) so far. pixels_mm: size of a pixel here and of a pixel of the photo. model: of the head.

    Returns:
        (h, w) float32 factors.
    """
    pixel_mm, photo_pixel_mm = pixels_mm
    out = np.ones(region.shape, np.float32)
    names = model.region_names
    regions = {name: region == names.index(name) for name in names}
    nowhere = np.zeros(region.shape, bool)
    face = nowhere.copy()
    for name in ("cheeks", "nose", "forehead"):
        face |= regions.get(name, nowhere)
    face &= mask > 0.9
    if face.sum() < 50:
        return out
    log = np.log(cv2.GaussianBlur(small, (0, 0), max(0.4 / pixel_mm, 0.5)).astype(np.float32) + 8)
    light, warmth = log.mean(axis=-1), log[..., 0] - log[..., 2]
    tint = log[..., 0] - log[..., 1]
    light = light - np.median(light[face])
    face_warmth = float(np.median(warmth[face]))
    off = np.sqrt(
        np.where(light > 0, light / _LIGHT_TOLERANCE[0], light / _LIGHT_TOLERANCE[1]) ** 2
        + ((warmth - face_warmth) / _WARMTH_TOLERANCE) ** 2
        + ((tint - np.median(tint[face])) / _TINT_TOLERANCE) ** 2
    )
    neck, ears = regions.get("neck", nowhere), regions.get("ears", nowhere)
    from_background = _distance_mm(region == _BACKGROUND, pixel_mm)
    doubtful = neck | ears | (from_background < _RIM_MM) & (region >= 0)
    doubtful &= ~(regions.get("scalp", nowhere) | regions.get("forehead", nowhere))
    outlier = off > _OUTLIER
    if doubtful.any():
        likely = smoothstep(_distance_mm(outlier & (region != _OTHER), pixel_mm) - photo_pixel_mm, 0.7, 4.0)
        _drop_hidden_ears(likely, outlier, ears, pixel_mm)
        likely = np.where(neck, np.minimum(likely, smoothstep(from_background, *_NECK_MM)), likely)
        soft = cv2.GaussianBlur(doubtful.astype(np.float32), (0, 0), 2.5 / pixel_mm)
        out = 1 - np.minimum(2 * soft, 1) * (1 - likely)
    from_other = _distance_mm(region == _OTHER, pixel_mm)
    white = (warmth < 0.5 * face_warmth) & (light > -0.3) & (from_other < _EYES_TEETH_MM)
    white &= _touching(white, region == _OTHER)
    if face_warmth > 0.1 and white.any():
        out = np.minimum(out, smoothstep(_distance_mm(white, pixel_mm), 0.3, 1.2))
    return out


def _drop_hidden_ears(likely: np.ndarray, outlier: np.ndarray, ears: np.ndarray, pixel_mm: float) -> None:
    """Set an ear to 0 in place where half of what should be seen of it does not look like skin: hair lies over it."""
    joined = cv2.dilate(ears.astype(np.uint8), np.ones((5, 5), np.uint8), iterations=max(1, round(2 / pixel_mm)))
    count, labels = cv2.connectedComponents(joined)
    for label in range(1, count):
        area = labels == label
        if outlier[area & ears].mean() > 0.5:
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
