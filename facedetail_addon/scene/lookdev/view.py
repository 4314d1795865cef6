# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras of lookdev pictures: where they stand, and the window they show. Metres, in the head's own Blender axes."""

from dataclasses import dataclass, replace

import bpy
import numpy as np
from mathutils import Matrix

from ...core.errors import OutputError
from ..camera import CLIP_START_M, SENSOR_MM

PANEL_ASPECT = 0.8
"""Width of a picture by its height: heads are taller than wide."""
_MARGIN = 1.06
_ORBIT_SAMPLES = 24
_NEAREST_M = 0.1
_NO_CAMERA_REMEDY = "Reconstruct the photo again; its head brings its own camera."


@dataclass(frozen=True)
class View:
    """A camera and what it shows.

    Attributes:
        pose: (4, 4) float64 camera to head; the camera looks along its -Z with +Y up.
        window: (left, bottom, right, top) of the picture on the plane 1 m before the camera.
    """

    pose: np.ndarray
    window: tuple[float, float, float, float]


@dataclass(frozen=True)
class PhotoCamera:
    """The photo's camera as it stands in the scene.

    Attributes:
        pose: (4, 4) float64 camera to head.
        focal_px: focal length in pixels of the photo.
        center_px: (x, y) of the principal point in the photo.
        photo: the picture behind it.
    """

    pose: np.ndarray
    focal_px: float
    center_px: tuple[float, float]
    photo: bpy.types.Image


def photo_camera(camera: bpy.types.Object, pose: np.ndarray) -> PhotoCamera:
    """What ``make_camera`` and ``show_photo`` have put into a camera.

    Args:
        camera: of a head.
        pose: (4, 4) of the camera in the head's axes.

    Raises:
        OutputError: the photo behind it has been removed or cannot be read.
    """
    data = camera.data
    photo = next((item.image for item in data.background_images if item.image is not None), None)
    if photo is None or not photo.has_data and not photo.packed_file or min(photo.size) < 1:
        raise OutputError(f"The camera {camera.name} shows no photo any more.", _NO_CAMERA_REMEDY)
    width, height = photo.size
    longer = max(width, height)
    center = width / 2 - data.shift_x * longer, height / 2 + data.shift_y * longer
    return PhotoCamera(pose, data.lens / SENSOR_MM * longer, center, photo)


def photo_view(camera: PhotoCamera, points: np.ndarray) -> View:
    """The photo's view, cropped to the head.

    Args:
        points: (N, 3) of the head.
    """
    return View(camera.pose, _window([_on_plane(camera.pose, points)]))


def orbit_view(camera: PhotoCamera, points: np.ndarray, azimuth_deg: float, *, whole_orbit: bool = False) -> View:
    """A level view of the head from the photo's distance.

    Args:
        points: (N, 3) of the head.
        azimuth_deg: 0 straight before the face, positive towards the subject's left.
        whole_orbit: the window holds the head from all sides, so that it is the same for every azimuth.

    Returns:
        a view that comes back to the same for every full turn.
    """
    low, high = points.min(0), points.max(0)
    middle = (low + high) / 2
    radius = float(np.linalg.norm((points - middle)[:, :2], axis=1).max())
    distance = max(float(np.linalg.norm(camera.pose[:3, 3] - middle)), 2 * radius, _NEAREST_M)
    pose = _orbit_pose(middle, distance, azimuth_deg)
    if not whole_orbit:
        return View(pose, _window([_on_plane(pose, points)]))
    turns = np.arange(_ORBIT_SAMPLES) * 360 / _ORBIT_SAMPLES
    left, bottom, right, top = _window([_on_plane(_orbit_pose(middle, distance, turn), points) for turn in turns])
    half = max(-left, right)
    return View(pose, (-half, bottom, half, top))


def azimuth_deg(camera: PhotoCamera, points: np.ndarray) -> float:
    """On which side of the face the photo's camera stands, as ``orbit_view`` counts."""
    x, y, _ = camera.pose[:3, 3] - (points.min(0) + points.max(0)) / 2
    return float(np.degrees(np.arctan2(x, -y)))


def aim(camera: bpy.types.Object, view: View) -> None:
    """Make a camera show a view in pictures of the window's proportions."""
    left, bottom, right, top = view.window
    width = right - left
    data = camera.data
    data.type = "PERSP"
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = SENSOR_MM
    data.lens = SENSOR_MM / width
    data.shift_x, data.shift_y = (left + right) / 2 / width, (bottom + top) / 2 / width
    data.clip_start, data.clip_end = CLIP_START_M, 10 * float(np.linalg.norm(view.pose[:3, 3])) + 1
    camera.matrix_world = Matrix(view.pose.tolist())


def window_in_photo(camera: PhotoCamera, view: View) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) px of the photo that a view through its camera shows."""
    left, bottom, right, top = (camera.focal_px * edge for edge in view.window)
    x, y = camera.center_px
    return x + left, y - top, x + right, y - bottom


def with_aspect(view: View, aspect: float) -> View:
    """The same view with a window enlarged to a width by height."""
    left, bottom, right, top = view.window
    width, height = max(right - left, aspect * (top - bottom)), max(top - bottom, (right - left) / aspect)
    x, y = (left + right) / 2, (bottom + top) / 2
    return replace(view, window=(x - width / 2, y - height / 2, x + width / 2, y + height / 2))


def _orbit_pose(middle: np.ndarray, distance: float, azimuth_deg: float) -> np.ndarray:
    angle = np.radians(azimuth_deg % 360)
    right = np.array([np.cos(angle), np.sin(angle), 0.0])
    back = np.array([np.sin(angle), -np.cos(angle), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, [0.0, 0.0, 1.0], back], axis=1)
    pose[:3, 3] = middle + distance * back
    return pose


def _on_plane(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N, 2) where points are seen on the plane 1 m before a camera."""
    seen = (points - pose[:3, 3]) @ pose[:3, :3]
    if (seen[:, 2] > -CLIP_START_M).any():
        raise OutputError("The photo's camera stands inside the head.", _NO_CAMERA_REMEDY)
    return seen[:, :2] / -seen[:, 2:]


def _window(seen: list[np.ndarray]) -> tuple[float, float, float, float]:
    """Around all points, with a margin."""
    low = np.min([points.min(0) for points in seen], axis=0)
    high = np.max([points.max(0) for points in seen], axis=0)
    middle, half = (low + high) / 2, (high - low) / 2 * _MARGIN
    return (*(middle - half).tolist(), *(middle + half).tolist())
