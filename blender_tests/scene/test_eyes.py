# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes in Blender: their nodes carry the look, and an export reads it from there."""

import numpy as np

from blender_tests.made_up import changed
from facedetail_addon.core.eyes.types import DEFAULT_EYES, EyeLook

BLUE = EyeLook((0.10, 0.13, 0.16), (0.50, 0.46, 0.44), 12.2, 1.0)


def test_the_nodes_carry_the_look_and_an_export_reads_them(blender, model, reconstruction_of):
    from facedetail_addon.core.colour import to_linear
    from facedetail_addon.scene.build.eyes import IRIS_NODE, look_of
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.export.eye_texture import eye_picture

    collection = build_scene(changed(reconstruction_of(model), eyes=BLUE), model).collection
    eyes = [item for item in collection.objects if "eye_" in item.name]
    materials = [material for item in eyes for material in item.data.materials]
    assert len(eyes) == 2 and all(IRIS_NODE in material.node_tree.nodes for material in materials)
    for material in materials:
        look = look_of(material)
        np.testing.assert_allclose((*look.iris, *look.sclera, look.iris_mm), (*BLUE.iris, *BLUE.sclera, 12.2), 1e-5)
    picture = to_linear(eye_picture(BLUE, 12.2 / DEFAULT_EYES.iris_mm))
    ring = picture[256, 256 + int(0.7 * 256 / 2.4) :][:6].mean(axis=0)
    np.testing.assert_allclose(ring, BLUE.iris, rtol=0.3)
    assert picture[256, 256].max() < 0.002
