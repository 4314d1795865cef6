# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender camera sees what the photo's camera saw."""

import numpy as np
import pytest

from facedetail_addon.core.geometry.camera import PerspectiveCamera

SIZES_AND_CENTERS = [
    ((640, 480), (320.0, 240.0)),
    ((640, 480), (250.5, 301.25)),
    ((480, 640), (240.0, 320.0)),
    ((481, 640), (300.0, 200.0)),
    ((512, 512), (100.0, 400.0)),
]


@pytest.mark.parametrize(("size", "center"), SIZES_AND_CENTERS)
@pytest.mark.parametrize("moved", [False, True])
def test_landmarks_project_alike(blender, model, reconstruction_of, size, center, moved):
    """World to camera view is the photo's projection within a tenth of a pixel, wherever the head is moved."""
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Matrix, Vector

    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.space import to_blender

    reconstruction = reconstruction_of(model, size, center, yaw_deg=25)
    collection = build_scene(reconstruction, model).collection
    scene = blender.context.scene
    root = next(item for item in collection.objects if item.parent is None)
    if moved:
        root.matrix_world = Matrix.Translation((3.0, -2.0, 1.7)) @ Matrix.Rotation(0.8, 4, (0.3, 0.5, 1.0))
    blender.context.view_layer.update()
    assert (scene.render.resolution_x, scene.render.resolution_y) == size
    seen = np.array([
        world_to_camera_view(scene, scene.camera, root.matrix_world @ Vector(point))
        for point in to_blender(reconstruction.record.pose.landmarks68_mm)
    ])  # fmt: skip
    pixels = np.stack([seen[:, 0] * size[0], (1 - seen[:, 1]) * size[1]], axis=1)
    expected = reconstruction.record.pose.perspective.project(reconstruction.record.pose.landmarks68_mm)
    assert np.abs(pixels - expected).max() < 0.1
    assert (seen[:, 2] > 0).all()


def test_lens_out_of_range_is_refused(blender):
    from facedetail_addon.core.errors import OutputError
    from facedetail_addon.scene.camera import make_camera

    telescope = PerspectiveCamera(np.eye(3), np.array([0, 0, 1e6]), 1e6, np.array([50.0, 50.0]), (100, 100))
    with pytest.raises(OutputError, match="lens"):
        make_camera("telescope", telescope)
    assert len(blender.data.cameras) == 0


def test_photo_lies_behind_the_camera_view(blender, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    reconstruction = reconstruction_of(model, (64, 48))
    build_scene(reconstruction, model)
    camera = blender.context.scene.camera.data
    background = camera.background_images[0]
    assert camera.show_background_images
    assert background.display_depth == "BACK"
    image = background.image
    assert tuple(image.size) == (64, 48)
    assert image.packed_file is not None
    assert image.colorspace_settings.name == "sRGB"
    pixels = np.empty(64 * 48 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    shown = pixels.reshape(48, 64, 4)[::-1, :, :3]
    assert np.abs(shown * 255 - reconstruction.maps["photo"]).max() < 0.51
