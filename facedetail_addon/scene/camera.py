# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo's camera, and the photo behind the head."""

import bpy
import numpy as np
from mathutils import Matrix

from ..core.errors import OutputError
from ..core.geometry.camera import PerspectiveCamera
from .space import HEAD_TO_BLENDER, to_blender

SENSOR_MM = 36.0
"""Full frame along the photo's longer side."""
CLIP_START_M = 0.01
_CLIP_END_M = 100.0
_MIN_LENS_MM, _MAX_LENS_MM = 1.0, 5000.0


def make_camera(name: str, camera: PerspectiveCamera, units: float = 1.0) -> bpy.types.Object:
    """A Blender camera that sees what the photo's camera saw; rendered at the photo's size, pixels match.

    Args:
        name: of the object and of its data.
        camera: head frame mm to photo px.
        units: of the scene, how many are a metre.

    Raises:
        OutputError: the focal length is beyond what Blender's cameras can have.
    """
    check_lens(camera)
    made = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    set_lens(made.data, camera, units)
    made.matrix_world = camera_matrix(camera)
    return made


def check_lens(camera: PerspectiveCamera) -> None:
    """Raises OutputError where the focal length is beyond what Blender's cameras can have."""
    lens = _lens_mm(camera)
    if not _MIN_LENS_MM <= lens <= _MAX_LENS_MM:
        raise OutputError(f"A lens of {lens:g} mm is beyond Blender's cameras.", "Use a photo with less perspective.")


def set_lens(data: bpy.types.Camera, camera: PerspectiveCamera, units: float = 1.0) -> None:
    """Give a Blender camera the photo's field of view, principal point, and room for the head where a metre is so many
    units of the scene."""
    width, height = camera.image_size
    longer = max(width, height)
    data.type = "PERSP"
    data.lens_unit = "MILLIMETERS"
    # Sensor size and shifts all refer to the fitted side, so tell Blender which it is instead of letting it guess.
    data.sensor_fit = "HORIZONTAL" if width >= height else "VERTICAL"
    data.sensor_width = data.sensor_height = SENSOR_MM
    data.lens = _lens_mm(camera)
    data.shift_x = (width / 2 - camera.center_px[0]) / longer
    data.shift_y = (camera.center_px[1] - height / 2) / longer
    data.clip_start = units * CLIP_START_M
    data.clip_end = units * max(_CLIP_END_M, 10 * float(np.linalg.norm(to_blender(camera.position()))))


def camera_matrix(camera: PerspectiveCamera) -> Matrix:
    """Camera to head, in metres. Blender's cameras look along -Z with +Y up; OpenCV's along +Z with +Y down."""
    axes = HEAD_TO_BLENDER @ camera.rotation.T @ np.diag([1.0, -1.0, -1.0])
    pose = np.eye(4)
    pose[:3, :3] = axes
    pose[:3, 3] = to_blender(camera.position())
    return Matrix(pose.tolist())


def show_photo(camera: bpy.types.Object, photo: bpy.types.Image) -> None:
    """The photo as the camera's background image, filling its frame."""
    camera.data.show_background_images = True
    background = camera.data.background_images.new()
    background.image = photo
    background.frame_method = "STRETCH"
    background.display_depth = "BACK"
    background.alpha = 1.0


def look_through(scene: bpy.types.Scene, camera: bpy.types.Object, image_size: tuple[int, int]) -> None:
    """Make it the scene's camera and the photo's size the size of renders."""
    scene.camera = camera
    show_size(scene, image_size)


def show_size(scene: bpy.types.Scene, image_size: tuple[int, int]) -> None:
    """Make the photo's size the size of renders."""
    render = scene.render
    render.resolution_x, render.resolution_y = image_size
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0


def _lens_mm(camera: PerspectiveCamera) -> float:
    return camera.focal_px * SENSOR_MM / max(camera.image_size)
