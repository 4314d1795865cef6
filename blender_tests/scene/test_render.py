# SPDX-License-Identifier: GPL-3.0-or-later
"""A render through the photo's camera lies on the photo and, in even light, shows the albedo's colours."""

import numpy as np
import pytest

from blender_tests.made_up import changed
from blender_tests.scene.relief_scene import show

SKIN = np.array([201, 150, 123], np.uint8)


@pytest.fixture
def rendered(blender, model, reconstruction_of, no_relief, tmp_path):
    """A smooth head of one colour, its off-centre render as (H, W, 4) uint8, and the reconstruction."""
    from skimage import io

    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.render import render_scene

    flat = np.broadcast_to(SKIN, (256, 256, 3)).copy()
    reconstruction = reconstruction_of(model, (160, 120), (95.0, 50.0), expression={"mouthSmileLeft": 0.5})
    even = np.zeros((9, 3), np.float32)
    even[0] = 2 * np.sqrt(np.pi)  # radiance 1 from everywhere
    dull = np.zeros((256, 256), np.uint8)
    reconstruction = changed(reconstruction, albedo=flat, specular=dull, radiance=even, **no_relief)
    head = build_scene(reconstruction, model)
    before = blender.context.scene.render.engine
    path = render_scene(tmp_path / "render.png", head, samples=8)
    assert blender.context.scene.render.engine == before
    return reconstruction, io.imread(path)


def test_lies_on_the_photo_in_its_colours(model, rendered):
    from facedetail_addon.core.rendering.primary_rays import trace_image

    reconstruction, picture = rendered
    assert picture.shape == (120, 160, 4)
    hits = trace_image(
        reconstruction.record.pose.vertices, model.skin.triangles(), reconstruction.record.pose.perspective
    )
    expected = (hits.triangle >= 0).reshape(120, 160)
    shown = picture[..., 3] > 127
    overlap = (expected & shown).sum() / (expected | shown).sum()
    assert overlap > 0.97

    # The bridge of the nose and the forehead are lit from nearly everywhere: albedo in, albedo out.
    x, y = reconstruction.record.pose.perspective.project(reconstruction.record.pose.landmarks68_mm[[27]])[0].astype(
        int
    )
    forehead = picture[y - 8 : y - 4, x - 4 : x + 5, :3].reshape(-1, 3).mean(0)
    assert np.abs(forehead - SKIN).max() < 10


def test_unwritable_picture_is_an_error(blender, model, reconstruction_of, tmp_path):
    from facedetail_addon.core.errors import OutputError
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.render import render_scene

    head = build_scene(reconstruction_of(model, (16, 12)), model)
    show(head.root, render_level=0)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        render_scene(tmp_path / "file" / "render.png", head, samples=1)
