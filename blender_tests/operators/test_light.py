# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of a photo's light in the panel: one click, one undo step, and why there is no stage."""

import numpy as np
import pytest

from blender_tests.made_up import changed
from facedetail_addon import names
from facedetail_addon.core.rendering.stage import LightStage

PANEL = "FACEDETAIL_PT_light"
STAGE = LightStage(np.eye(20, 3, dtype=np.float32), np.float32([0.5, 0.5, 0.5]))


@pytest.fixture
def draw(blender):
    """The function that draws a panel of the add-on, switched on."""
    import facedetail_addon
    from blender_tests.operators import recording_layout

    facedetail_addon.register()
    yield recording_layout.draw
    blender.ops.wm.read_factory_settings(use_empty=True)
    facedetail_addon.unregister()


@pytest.fixture
def head(blender, draw, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    made = build_scene(changed(reconstruction_of(model), stage=STAGE), model)
    made.select(blender.context.view_layer)
    return made


def lit(bpy) -> set[str]:
    return {item.data.type for item in bpy.context.scene.objects if item.type == "LIGHT" and not item.hide_render}


def test_each_button_sets_one_kind(blender, draw, head):
    for kind, lamps in ((names.STAGE_LIGHT, {"AREA"}), (names.SUN_LIGHT, {"SUN"}), (names.WORLD_LIGHT, set())):
        layout = draw(PANEL)
        assert layout.of("operator") == [names.OP_LIGHT] * 3 and not layout.of("label")
        assert [button.light for button in layout.buttons] == ["world", "sun", "stage"]
        assert layout.of("prop") == [names.STUDIO_PROPERTY, "default_value", "default_value"]
        assert blender.ops.facedetail.light(light=kind) == {"FINISHED"}
        assert lit(blender) == lamps


def test_it_is_one_undo_step(blender, draw, head):
    blender.ops.ed.undo_push(message="built")
    blender.ops.facedetail.light("EXEC_DEFAULT", True, light=names.STAGE_LIGHT)
    assert lit(blender) == {"AREA"}
    blender.ops.ed.undo()
    assert lit(blender) == set() and not blender.data.lights
    assert blender.context.scene.world[names.LIGHT_KIND_PROPERTY] == names.WORLD_LIGHT


def test_a_scene_without_the_photos_light_gets_it(blender, draw, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    head = build_scene(changed(reconstruction_of(model), stage=STAGE), model, use_light=False)
    assert not getattr(blender.types, PANEL).poll(blender.context)
    head.select(blender.context.view_layer)
    assert getattr(blender.types, PANEL).poll(blender.context) and not draw(PANEL).of("prop")
    blender.ops.facedetail.light(light=names.WORLD_LIGHT)
    assert draw(PANEL).of("prop") == [names.STUDIO_PROPERTY, "default_value", "default_value"]


def test_grey_buttons_say_why(blender, draw, head):
    blender.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="Object Mode"):
        blender.ops.facedetail.light()
    blender.ops.object.mode_set(mode="OBJECT")
    blender.ops.object.select_all(action="DESELECT")
    with pytest.raises(RuntimeError, match="Select a head first"):
        blender.ops.facedetail.light()


def test_a_head_without_a_stage_tells_why(blender, draw, head):
    del head.root[names.HEAD_STAGE_PROPERTY]
    assert "no light stage" in draw(PANEL).of("label")[0]
    with pytest.raises(RuntimeError, match=r"no light stage.*Reconstruct the photo again"):
        blender.ops.facedetail.light(light=names.STAGE_LIGHT)
    assert blender.ops.facedetail.light(light=names.SUN_LIGHT) == {"FINISHED"}


def test_a_head_that_forgot_its_light_tells_so(blender, draw, head):
    head.root[names.HEAD_LIGHT_PROPERTY] = "gone"
    before = blender.context.scene.world
    with pytest.raises(RuntimeError, match="does not remember its photo's light"):
        blender.ops.facedetail.light(light=names.SUN_LIGHT)
    assert blender.context.scene.world == before and len(blender.data.worlds) == 1
