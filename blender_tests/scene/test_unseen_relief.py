# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief of skin that the photo does not show: a map and a slider of its own, shown as the fine relief is."""

import numpy as np
import pytest

from blender_tests.made_up import changed
from blender_tests.scene.relief_scene import geometry, shading, show
from blender_tests.scene.test_displacement import at_uv, evaluated
from facedetail_addon import names
from facedetail_addon.core.io.images import read_png
from facedetail_addon.core.result.maps import FLAT_NORMAL

HEIGHT_NODE, NORMAL_NODE = "Unseen Relief", "Unseen Normals"


@pytest.fixture(scope="session")
def half(wavy, relief_maps):
    """The wavy head, and waves of 5 mm on the cheek to the subject's left that its photo does not show."""

    def cheek(places):
        return 0.2 * np.sin(places[:, 1] * 2 * np.pi / 5) * np.clip((places[:, 0] - 35) / 10, 0, 1)

    made = relief_maps(cheek, lambda places: 0 * places[:, 0])
    return changed(wavy, displacement_unseen=made["displacement_medium"], normal_unseen=made["normal"])


@pytest.fixture
def half_head(blender, model, half):
    from facedetail_addon.scene.build.scene import build_scene

    return build_scene(half, model)


def weight(skin, name: str) -> float:
    """Of a map in the material; 0 where it is unplugged."""
    node = skin.material_slots[0].material.node_tree.nodes[name]
    if not node.inputs[0].is_linked:
        return 0.0
    value = node.inputs[1].default_value
    return value if isinstance(value, float) else 2 * value[0]


def test_fine_meshes_move_by_its_millimetres_along_the_normal(blender, half_head, half):
    root, skin = half_head.root, half_head.skin
    skin[names.FINE_LEVEL_PROPERTY] = 2
    levels = {"viewport_level": 2, "render_level": 2, "medium": 0, "fine": 0}
    show(root, strength=0, **levels)
    smooth, normals, uv = evaluated(blender, skin)
    show(root, strength=1.5, unseen=0.8, **levels)
    moved = evaluated(blender, skin)[0] - smooth
    expected = 1.2 * at_uv(half.maps["displacement_unseen"], uv)
    assert np.abs(expected).max() > 0.14
    np.testing.assert_allclose((moved * normals).sum(axis=1), expected, atol=2e-3)
    assert not any(shading(skin))


def test_it_is_shown_as_the_fine_relief_is(half_head):
    root, skin = half_head.root, half_head.skin
    assert skin[names.FINE_LEVEL_PROPERTY] == 5
    assert geometry(skin)[names.UNSEEN_MODIFIER] == (False, False)
    assert (weight(skin, NORMAL_NODE), weight(skin, HEIGHT_NODE)) == (1, 0), "coarse meshes shade it"
    show(root, strength=0.5, unseen=1.5, render_level=5)
    assert geometry(skin)[names.UNSEEN_MODIFIER] == (False, True)
    assert (weight(skin, NORMAL_NODE), weight(skin, HEIGHT_NODE)) == (0, 0)
    show(root, mode=names.ADAPTIVE, strength=0.5, unseen=1.5)
    assert geometry(skin)[names.UNSEEN_MODIFIER] == (False, False)
    assert (weight(skin, NORMAL_NODE), weight(skin, HEIGHT_NODE)) == (0, 0.75)
    assert skin.modifiers[-1].type == "SUBSURF"
    show(root, mode=names.NORMAL_MAP, strength=0.5, unseen=1.5)
    assert (weight(skin, NORMAL_NODE), weight(skin, HEIGHT_NODE)) == (0.75, 0)


@pytest.mark.parametrize("mode", [names.DISPLACE, names.ADAPTIVE, names.NORMAL_MAP])
def test_without_it_the_others_stay(half_head, mode):
    root, skin = half_head.root, half_head.skin
    show(root, mode=mode, unseen=0)
    assert (weight(skin, NORMAL_NODE), weight(skin, HEIGHT_NODE)) == (0, 0)
    assert any(shading(skin))
    show(root, mode=mode, medium=0, fine=0)
    assert shading(skin) == (mode != names.ADAPTIVE, mode == names.ADAPTIVE)


def test_heads_that_are_seen_whole_have_none(head):
    root, skin = head
    assert names.UNSEEN_MODIFIER not in skin.modifiers
    assert HEIGHT_NODE not in skin.material_slots[0].material.node_tree.nodes
    show(root, medium=0, fine=0, mode=names.ADAPTIVE)
    assert shading(skin) == (False, False), "nothing is plugged in for a slider without a map"


def test_the_slider_acts_on_heads_that_have_some(blender, registered, model, wavy, half):
    from facedetail_addon.scene.build.scene import build_scene

    whole, partly = build_scene(wavy, model), build_scene(half, model)
    assert not whole.relief_settings.has_unseen and partly.relief_settings.has_unseen
    partly.relief_settings.unseen = 0.25
    assert partly.relief_settings.chosen().unseen == 0.25
    assert weight(partly.skin, NORMAL_NODE) == 0.25
    assert partly.skin.modifiers[names.UNSEEN_MODIFIER].strength == pytest.approx(0.25e-3)


def test_exported_normals_have_it(half_head, half, tmp_path):
    from facedetail_addon.scene.export.head import export_head

    show(half_head.root, medium=0, fine=0, unseen=0.5)
    export_head(half_head, tmp_path / "scene.obj")
    found = 2 * (read_png(tmp_path / "scene_normal.png") / 255) - 1
    vectors = 2 * (half.maps["normal_unseen"] / 65535) - 1
    wanted = 0.5 * vectors[..., :2] / vectors[..., 2:]
    assert np.abs(wanted).max() > 0.05 and (half.maps["normal_unseen"][0, 0] == FLAT_NORMAL).all()
    assert np.abs(found[..., :2] / found[..., 2:] - wanted).max() < 0.02


def test_it_fades_with_the_expression_as_the_others_do(blender, model, reconstruction_of, half):
    from facedetail_addon.scene.build.scene import build_scene

    smiling = reconstruction_of(model, expression={"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8})
    heights = {name: value for name, value in half.maps.items() if name.startswith(("displacement", "normal"))}
    shares = {"expression_mouth": np.full((32, 32), 200, np.uint8)}
    skin = build_scene(changed(smiling, **heights, **shares), model).skin
    displace = {item.name: item.vertex_group for item in skin.modifiers if item.type == "DISPLACE"}
    assert displace[names.UNSEEN_MODIFIER] == displace[names.MEDIUM_MODIFIER] == names.WRINKLE_MODIFIER
    slopes = skin.material_slots[0].material.node_tree.nodes[f"{NORMAL_NODE} Slopes"]
    assert slopes.operation == "SCALE" and slopes.outputs["Vector"].is_linked
