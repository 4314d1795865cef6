# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests of relief, and for tests of colour and light, which relief would disturb."""

import numpy as np
import pytest

from blender_tests.made_up import changed
from blender_tests.scene.relief_scene import MAPS, SIDE
from facedetail_addon.core.detail.normal_map import flat_detail, normal_map, texel_size_mm
from facedetail_addon.core.uv.atlas import make_atlas


@pytest.fixture
def no_relief() -> dict[str, np.ndarray]:
    """The maps of a reconstruction of 256 texels a side without any relief."""
    flat = flat_detail(256)
    return {
        "displacement_medium": flat.medium,
        "displacement_fine": flat.fine,
        "normal": flat.normal,
        "normal_fine": flat.normal_fine,
    }


@pytest.fixture(scope="session")
def atlas(model):
    return make_atlas(model, SIDE)


@pytest.fixture(scope="session")
def relief_maps(model, atlas):
    """The function that makes the four maps from heights as functions of the (N, 3) place on the mean head."""

    def make(medium, fine) -> dict[str, np.ndarray]:
        places = atlas.texels(model.skin.of(model.mean))
        heights = []
        for height in (medium, fine):
            heights.append(np.zeros((SIDE, SIDE), np.float32))
            heights[-1][atlas.covered] = height(places)
        texel = texel_size_mm(model, atlas)
        normals = [normal_map(height, texel, atlas.covered) for height in (sum(heights), heights[1])]
        return dict(zip(MAPS, (*heights, *normals), strict=True))

    return make


@pytest.fixture(scope="session")
def wavy(model, reconstruction_of, relief_maps):
    """A head with waves of 12 and of 4 mm on the front of its face, and none elsewhere."""

    def front(places):
        return np.clip((places[:, 2] - 30) / 20, 0, 1)

    maps = relief_maps(
        lambda places: 0.5 * np.sin(places[:, 1] * 2 * np.pi / 12) * front(places),
        lambda places: 0.1 * np.sin(places[:, 0] * 2 * np.pi / 4) * front(places),
    )
    return changed(reconstruction_of(model), **maps)


@pytest.fixture
def head(blender, model, wavy):
    """The root and the skin of the wavy head in an empty scene."""
    from facedetail_addon.scene.build.scene import build_scene

    made = build_scene(wavy, model)
    return made.root, made.skin


@pytest.fixture
def registered(blender):
    """The add-on switched on; a class left registered would crash Blender at exit."""
    import facedetail_addon

    facedetail_addon.register()
    yield
    facedetail_addon.unregister()


@pytest.fixture(scope="session")
def without_marks():
    """The function that leaves of a head what versions wrote that did not mark its objects."""
    from facedetail_addon import names

    def strip(head) -> None:
        for item in (head.root, *head.objects):
            for name in (names.HEAD_ID_PROPERTY, names.PART_PROPERTY):
                if name in item:
                    del item[name]

    return strip


def select(bpy, *items) -> None:
    """These objects alone; the last one is active."""
    bpy.ops.object.select_all(action="DESELECT")
    for item in items:
        item.select_set(True)
    bpy.context.view_layer.objects.active = items[-1]
