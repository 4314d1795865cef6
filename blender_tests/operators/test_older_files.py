# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads in files that older versions wrote answer every button."""

from pathlib import Path

import pytest

from blender_tests.operators.recording_layout import draw
from facedetail_addon import names

FILE = Path(__file__).with_name("data") / "head_format5.blend"
OF_A_HEAD = ("FACEDETAIL_PT_result", "FACEDETAIL_PT_expression", "FACEDETAIL_PT_detail", "FACEDETAIL_PT_light")
PARTS = {"skin", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "gums"}
SHOWN = {"jawOpen": 0.5, "mouthSmileLeft": 0.25}


@pytest.fixture
def head(blender):
    """The head of the file, the add-on switched on."""
    import facedetail_addon
    from facedetail_addon.scene.head_object import HeadObject

    facedetail_addon.register()
    blender.ops.wm.open_mainfile(filepath=str(FILE))
    yield HeadObject.named("old head")
    blender.ops.wm.read_factory_settings(use_empty=True)
    facedetail_addon.unregister()


def select(bpy, item) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    item.select_set(True)
    bpy.context.view_layer.objects.active = item


def values(head) -> dict[str, float]:
    return {key.name: key.value for key in head.keys.key_blocks[1:] if key.value}


def test_it_is_found_by_what_it_has(blender, head):
    from facedetail_addon.scene.head_object import HeadObject

    assert not any(names.HEAD_ID_PROPERTY in item for item in blender.data.objects), "nobody has marked it"
    assert {name: item.name for name, item in head.parts.items()} == {name: f"old {name}" for name in PARTS}
    assert head.camera.name == "old camera" and head.emotion == ("surprise", pytest.approx(0.75))
    assert head.radiance.shape == (9, 3) and head.relief_settings.medium == pytest.approx(0.75)
    assert {HeadObject.of(item) for item in blender.data.objects} == {head}


def test_every_panel_shows_it_with_any_of_its_objects(blender, head):
    for item in (head.root, *head.objects):
        select(blender, item)
        assert all(getattr(blender.types, panel).poll(blender.context) for panel in OF_A_HEAD), item.name
        assert draw("FACEDETAIL_PT_result").of("label") == ["old head"]
        assert draw("FACEDETAIL_PT_expression").of("prop") == ["pose_while_playing"] + ["value"] * 4
        assert draw("FACEDETAIL_PT_detail").of("label") == ["Pores: shading; geometry with Adaptive"]
        assert draw("FACEDETAIL_PT_light").of("prop") == [names.STUDIO_PROPERTY, "default_value", "default_value"]


def test_expression(blender, head):
    for item in (head.root, *head.objects):
        select(blender, item)
        assert blender.ops.facedetail.expression(expression=names.NEUTRAL) == {"FINISHED"}
        assert values(head) == {}
        assert blender.ops.facedetail.expression(expression=names.AS_IN_THE_PHOTO) == {"FINISHED"}
        assert values(head) == SHOWN


def test_view(blender, head):
    window = blender.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    with blender.context.temp_override(window=window, area=area):
        assert blender.ops.facedetail.view(view=names.SKIN) == {"FINISHED"}


def test_relief(head):
    sliders, skin = head.relief_settings, head.skin
    sliders.strength = 0.5
    assert skin.modifiers[names.MEDIUM_MODIFIER].strength == pytest.approx(0.5 * 0.75e-3)
    sliders.mode = names.ADAPTIVE
    output = skin.material_slots[0].material.node_tree.nodes["Material Output"]
    assert output.inputs["Displacement"].is_linked and not skin.modifiers[names.MEDIUM_MODIFIER].show_render
    sliders.mode = names.NORMAL_MAP
    assert not output.inputs["Displacement"].is_linked


@pytest.mark.parametrize("suffix", [".fbx", ".usdz", ".obj"])
def test_export(blender, head, tmp_path, suffix):
    select(blender, head.parts["gums"])
    assert blender.ops.facedetail.export(filepath=str(tmp_path / f"head{suffix}")) == {"FINISHED"}
    assert (tmp_path / f"head{suffix}").stat().st_size > 10_000
    if suffix == ".obj":
        text = (tmp_path / "head.obj").read_text()
        assert {line.split("_", 1)[1] for line in text.splitlines() if line.startswith("o ")} == PARTS


def test_contact_sheet_and_turntable(blender, head, tmp_path):
    from facedetail_addon.core.result.files import read_png

    select(blender, head.parts["eye_left"])
    assert blender.ops.facedetail.lookdev(height=64, filepath=str(tmp_path / "sheet.png")) == {"FINISHED"}
    assert read_png(tmp_path / "sheet.png").std() > 10
    assert blender.ops.facedetail.turntable(
        height=64, directory=str(tmp_path), frames=2, film=False
    ) == {"FINISHED"}  # fmt: skip
    assert len(list(tmp_path.glob("turntable_*.png"))) == 2


def test_photo_light(blender, head):
    from facedetail_addon.ui.light import light_controls

    assert [control.text for control in light_controls(blender.context.scene.world)] == [
        "Studio Light", "Light Strength", "Light Rotation",
    ]  # fmt: skip


def test_kinds_of_light(blender, head):
    """Its world and sun are not told apart from others' by marks; a stage it has none."""
    from facedetail_addon.scene.build.light import shown_light

    select(blender, head.skin)
    scene = blender.context.scene
    assert shown_light(scene, head) == names.SUN_LIGHT
    layout = draw("FACEDETAIL_PT_light")
    assert layout.of("operator") == [names.OP_LIGHT] * 3 and "no light stage" in layout.of("label")[0]
    for kind, lamps in ((names.WORLD_LIGHT, 0), (names.SUN_LIGHT, 1), (names.WORLD_LIGHT, 0)):
        assert blender.ops.facedetail.light(light=kind) == {"FINISHED"}
        assert shown_light(scene, head) == kind
        assert sum(item.type == "LIGHT" and not item.hide_render for item in scene.objects) == lamps
    with pytest.raises(RuntimeError, match="no light stage"):
        blender.ops.facedetail.light(light=names.STAGE_LIGHT)
    assert head.parts.keys() == PARTS and head.camera.name == "old camera"


def test_a_new_head_beside_it(blender, head, model, reconstruction_of):
    """Its sun is put out, and each button goes on with its own head."""
    from facedetail_addon.scene.build.scene import build_scene

    new = build_scene(reconstruction_of(model, expression={"jawOpen": 1.0}), model)
    for item in (new.root, *new.objects):
        head.collection.objects.link(item)
    assert head.root.children and blender.data.objects["old sun"].hide_render
    for one, shown in ((new, {"jawOpen": 1.0}), (head, SHOWN)):
        one.select(blender.context.view_layer)
        blender.ops.facedetail.expression(expression=names.NEUTRAL)
        assert values(one) == {}
        blender.ops.facedetail.expression(expression=names.AS_IN_THE_PHOTO)
        assert values(one) == shown
    assert {item.name for item in head.objects} == {f"old {name}" for name in (*PARTS, "camera", "sun")}
