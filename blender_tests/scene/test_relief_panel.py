# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's sliders of relief, and what it says of pores."""

from types import SimpleNamespace

import pytest

from facedetail_addon import names
from facedetail_addon.ui.relief import RELIEF_CONTROLS, relief_texts

WITH_ADAPTIVE = "Pores: shading; geometry with Adaptive"


@pytest.fixture
def texts_of(blender, registered, head):
    """The function that gives the panel's texts after setting sliders."""
    root, skin = head
    skin.select_set(True)

    def texts(**choice) -> tuple[str, ...]:
        for name, value in choice.items():
            setattr(root.facedetail_relief, name, value)
        return relief_texts(root.facedetail_relief, blender.context.scene)

    return texts


def test_finds_the_head(blender, registered, head):
    from facedetail_addon.operators.selection import selected_relief

    def found(item):
        return selected_relief(SimpleNamespace(active_object=item))

    root, skin = head
    assert found(None) is None
    assert found(skin) is None, "nothing is selected"
    for item in (root, skin, blender.data.objects["made up eye_left"]):
        item.select_set(True)
        assert (found(item).id_data, found(item).skin, found(item).fine_level) == (root, skin, 5)
    cube = blender.data.objects.new("cube", None)
    blender.context.scene.collection.objects.link(cube)
    cube.select_set(True)
    assert found(cube) is None


@pytest.mark.parametrize(
    ("choice", "texts"),
    [
        ({}, (WITH_ADAPTIVE,)),
        ({"mode": names.NORMAL_MAP, "render_level": 3}, ("Pores: shading",)),
        ({"mode": names.ADAPTIVE, "render_level": 5}, ("Pores: geometry in Cycles",)),
        ({"render_level": 4}, (WITH_ADAPTIVE, "5 million quads in renders")),
        ({"viewport_level": 4}, (WITH_ADAPTIVE, "5 million quads in views")),
        ({"render_level": 5}, ("Pores: geometry in renders, none in views", "20 million quads in renders")),
        (
            {"viewport_level": 5, "render_level": 5},
            ("Pores: geometry", "20 million quads in views", "20 million quads in renders"),
        ),
    ],
)
def test_tells_of_pores_and_of_many_quads(texts_of, choice, texts):
    assert texts_of(**choice) == texts


def test_quads_are_counted_as_blender_makes_them(blender, registered, head):
    root, skin = head
    skin.select_set(True)
    for level in (0, 1, 2):
        skin.modifiers["Subdivision"].levels = level
        blender.context.view_layer.update()
        mesh = skin.evaluated_get(blender.context.evaluated_depsgraph_get()).data
        assert root.facedetail_relief.quads(level) == len(mesh.polygons)


def test_tells_when_adaptive_cannot_work(blender, head, texts_of):
    root, skin = head
    assert texts_of(mode=names.ADAPTIVE) == ("Pores: geometry in Cycles",)
    skin.cycles.use_adaptive_subdivision = False
    assert texts_of() == ("Adaptive subdivision is off", "Pores: shading")
    skin.cycles.use_adaptive_subdivision = True
    blender.context.scene.cycles.feature_set = "SUPPORTED"
    assert texts_of() == ("Adaptive subdivision is off", "Pores: shading")
    blender.context.scene.cycles.feature_set = "EXPERIMENTAL"
    skin.modifiers.remove(skin.modifiers["Subdivision"])
    assert texts_of() == ("Adaptive subdivision is off", "Pores: shading")


def test_a_level_made_something_else_is_pores_as_shading(head, texts_of):
    head[1][names.FINE_LEVEL_PROPERTY] = "fine"
    assert texts_of(render_level=4) == ("Pores: shading", "5 million quads in renders")


@pytest.mark.parametrize("name", RELIEF_CONTROLS)
def test_sliders_take_no_keyframes(registered, head, name):
    """Blender calls no update function in playback: keyframes would move the slider and not the skin."""
    with pytest.raises(TypeError, match="not animatable"):
        head[0].keyframe_insert(f"facedetail_relief.{name}")


def test_dragging_ends_before_machines_run_out_of_memory(registered, head):
    properties = head[0].facedetail_relief.bl_rna.properties
    limits = [(properties[name].soft_max, properties[name].hard_max) for name in ("viewport_level", "render_level")]
    assert limits == [(3, 5), (4, 5)]
