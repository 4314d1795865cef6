# SPDX-License-Identifier: GPL-3.0-or-later
"""What the photo shows of one eye: the iris between pupil and limbus, and the white."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ..colour import LUMINANCE, to_linear
from ..face_model.eyeball import Eyeball
from ..geometry.camera import PerspectiveCamera

_LIMBUS_OF_RING = 0.97  # half way from iris to white in portraits, radii of the landmarks' ring (benchmark of eyes)
_LEAST_RADIUS_PX = 4.0  # of an iris that is measured
_INNER, _IRIS, _WHITE = (0.40, 0.54), (0.55, 0.85), (1.2, 3.0)  # iris radii
_PUPIL = 0.5  # of the iris' brightness: what is darker around the pupil is a wide pupil
_FROM_LIDS, _FROM_WHITE_LIDS, _UNDER_UPPER = 0.12, 0.2, 0.4  # iris radii: lashes and their shadow lie over the eye
_FROM_INNER_CORNER = 0.2  # of the eye's width: the caruncle is pink
_IRIS_SHARE, _WHITE_SHARE = (15, 75), (25, 90)  # percentiles of brightness: beyond are lashes, highlights and veins
_CLIPPED = 250  # 8-bit value from which on a pixel does not count
_NEAREST = 3  # points of the eye whose light is averaged
_COVERED = 0.3  # of the brightest light: the fitted lids may hide what the photo shows


@dataclass(frozen=True)
class EyeSample:
    """One eye in a photo; colours are linear, divided by the light there.

    Attributes:
        iris: (3,) median, None where fewer than a handful of pixels show it. iris_pixels: how many did.
        white: (3,) median, None likewise. white_pixels: how many did.
        iris_mm: visible diameter on the head. radius_px: of the iris in the photo.
        sharpness: mean contrast between neighbouring pixels within the lids.
        inner: (3,) median of the ring around the pupil, None likewise, and where a wide pupil takes its place.
        inner_pixels: how many showed it.
    """

    iris: np.ndarray | None
    iris_pixels: int
    white: np.ndarray | None
    white_pixels: int
    iris_mm: float
    radius_px: float
    sharpness: float
    inner: np.ndarray | None = None
    inner_pixels: int = 0


def sample_eye(
    pixels: np.ndarray,
    lids: np.ndarray,
    iris: np.ndarray,
    eye: Eyeball,
    camera: PerspectiveCamera,
    points_mm: np.ndarray,
    irradiance: np.ndarray,
) -> EyeSample | None:
    """What a photo shows of one eye; None where the eye lies outside it or is too small.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        lids: (16, 2) px: nine points of the lower lid from the outer corner to the inner, seven of the upper likewise.
        iris: (5, 2) px: its middle, then a ring from one side over the top.
        eye: of the posed head. camera: of the photo.
        points_mm: (N, 3) mm on the eye's front. irradiance: (N, 3) there, over π.
    """
    to_px = _iris_plane(eye, camera)
    ring = (iris[1:] - iris[0]) @ np.linalg.inv(to_px).T
    # Of the ring's four points the two at the sides are not covered by lids.
    radius_mm = _LIMBUS_OF_RING * float(np.linalg.norm(ring[[0, 2]], axis=1).mean())
    to_px = to_px * radius_mm
    radius_px = float(np.sqrt(abs(np.linalg.det(to_px))))
    low = np.maximum(np.floor(lids.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(lids.max(axis=0)).astype(int) + 2, pixels.shape[1::-1])
    if radius_px < _LEAST_RADIUS_PX or (high - low).min() < 3:
        return None
    part = pixels[low[1] : high[1], low[0] : high[0]]
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    place = np.stack([x, y], axis=-1)
    away = np.linalg.norm((place - iris[0]) @ np.linalg.inv(to_px).T, axis=-1)
    within = np.zeros(x.shape, np.uint8)
    outline = np.concatenate([lids[:9], lids[:8:-1]])
    cv2.fillPoly(within, [np.round((outline - low - 0.5) * 16).astype(np.int32)], 1, shift=4)
    from_lids = cv2.distanceTransform(np.pad(within, 1), cv2.DIST_L2, 5)[1:-1, 1:-1] / radius_px
    good = (from_lids > _FROM_LIDS) & (_under_upper_lid(lids, x, y) > _UNDER_UPPER * radius_px)
    good &= part.max(axis=-1) < _CLIPPED
    inner = lids[8]
    white = good & (from_lids > _FROM_WHITE_LIDS) & _between(away, _WHITE)
    white &= np.linalg.norm(place - inner, axis=-1) > _FROM_INNER_CORNER * np.linalg.norm(inner - lids[0])
    local = _irradiance_at(place, camera.project(points_mm), irradiance)
    reflectance = to_linear(part) / np.maximum(local, 1e-3)
    iris_seen = good & _between(away, _IRIS)
    iris_color, iris_pixels = _median(reflectance[iris_seen], _IRIS_SHARE)
    white_color, white_pixels = _median(reflectance[white], _WHITE_SHARE)
    inner, inner_pixels = _median(reflectance[good & _between(away, _INNER)], _IRIS_SHARE)
    if inner is not None and (iris_color is None or inner @ LUMINANCE < _PUPIL * (iris_color @ LUMINANCE)):
        inner = None
    sharpness = _sharpness(part, within > 0)
    return EyeSample(
        iris_color, iris_pixels, white_color, white_pixels, 2 * radius_mm, radius_px, sharpness, inner, inner_pixels
    )


def _irradiance_at(place: np.ndarray, points_px: np.ndarray, irradiance: np.ndarray) -> np.ndarray:
    """(h, w, 3) at (h, w, 2) px, from that at (N, 2) px; what the head's own lids cover does not count."""
    brightness = irradiance @ LUMINANCE
    free = brightness > _COVERED * np.percentile(brightness, 90)
    nearest = cKDTree(points_px[free]).query(place.reshape(-1, 2), k=min(_NEAREST, int(free.sum())))[1]
    return irradiance[free][nearest].reshape(*place.shape[:2], -1, 3).mean(axis=2)


def _iris_plane(eye: Eyeball, camera: PerspectiveCamera) -> np.ndarray:
    """(2, 2) from mm to the subject's left and up in the plane of the iris to px."""
    middle = eye.center + 0.9 * eye.radius * eye.gaze
    return (camera.project(middle + eye.axes()) - camera.project(middle[None])).T


def _under_upper_lid(lids: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(h, w) px below the upper lid, along its eye's own vertical."""
    along = lids[8] - lids[0]
    along = along / np.linalg.norm(along)
    if along[0] < 0:
        along = -along
    down = np.array([-along[1], along[0]])
    upper = lids[[0, *range(9, 16), 8]]
    at, depth = upper @ along, upper @ down
    order = np.argsort(at)
    return x * down[0] + y * down[1] - np.interp(x * along[0] + y * along[1], at[order], depth[order])


def _between(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (values > limits[0]) & (values < limits[1])


def _median(colors: np.ndarray, share: tuple[int, int]) -> tuple[np.ndarray | None, int]:
    """Of those whose brightness lies between two percentiles; and how many there were before."""
    if len(colors) < 5:
        return None, len(colors)
    light = colors @ LUMINANCE
    low, high = np.percentile(light, share)
    return np.median(colors[(light >= low) & (light <= high)], axis=0), len(colors)


def _sharpness(part: np.ndarray, within: np.ndarray) -> float:
    grey = part.astype(np.float32).mean(axis=-1)
    steps = np.hypot(*np.gradient(grey))
    return float(steps[within].mean()) if within.any() else 0.0
