# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads that the artist rigs, whose empty goes, and whose meshes become others: nothing is lost or mixed up."""

import dataclasses

import pytest

from blender_tests.scene.conftest import select
from facedetail_addon import names

PANELS = ("FACEDETAIL_PT_result", "FACEDETAIL_PT_expression", "FACEDETAIL_PT_detail", "FACEDETAIL_PT_light")


@pytest.fixture(scope="module")
def model(model):
    """The built-in head with one expression."""
    kept = [model.expression_names.index("jawOpen")]
    return dataclasses.replace(model, expression_basis=model.expression_basis[kept], expression_names=("jawOpen",))


@pytest.fixture
def build(blender, registered, model, reconstruction_of):
    """The function that builds a head, the add-on switched on."""
    from facedetail_addon.scene.build.scene import build_scene

    def make(photo_name: str = "made up.png"):
        made = build_scene(reconstruction_of(model, expression={"jawOpen": 0.5}, photo_name=photo_name), model)
        blender.context.view_layer.update()
        return made

    return make


@pytest.fixture
def rig(blender):
    """The function that adds an armature and selects it, active, with other objects."""

    def add(*items):
        blender.ops.object.armature_add()
        made = blender.context.active_object
        select(blender, *items, made)
        return made

    return add


def shown(bpy) -> list[str]:
    return [name for name in PANELS if getattr(bpy.types, name).poll(bpy.context)]


def of(item):
    from facedetail_addon.scene.head_object import HeadObject

    return HeadObject.of(item)


def order(item) -> list[str]:
    return [modifier.type for modifier in item.modifiers]


@pytest.mark.parametrize("kind", ["OBJECT", "ARMATURE", "ARMATURE_AUTO"])
def test_panels_stay_with_a_rigged_head_and_with_its_rig(blender, build, rig, kind):
    head = build()
    head.relief_settings.strength = 0.5
    armature = rig(head.root, *head.objects)
    assert blender.ops.object.parent_set(type=kind) == {"FINISHED"}
    for item in (head.root, *head.objects, armature):
        select(blender, item)
        assert shown(blender) == list(PANELS), item.name
    from facedetail_addon.operators.selection import selected_relief

    assert selected_relief(blender.context).strength == 0.5, "the head's, not the armature's"


def test_a_rig_of_two_heads_is_neither_of_them(blender, build, rig):
    one, other = build("one.png"), build("other.png")
    rig(one.skin, other.skin)
    blender.ops.object.parent_set(type="OBJECT")
    assert shown(blender) == ["FACEDETAIL_PT_light"]
    assert of(one.skin) == one and of(other.skin) == other


def test_a_part_that_hangs_on_another_head_stays_its_own_heads(blender, build):
    one, other = build("one.png"), build("other.png")
    other.skin.parent = one.root
    assert of(other.skin) == other and other.skin not in one.objects
    assert one.skin.name == "one skin"


def test_without_its_empty_a_head_is_whole(blender, build, tmp_path):
    head = build()
    head.relief_settings.strength, head.relief_settings.mode = 0.5, names.NORMAL_MAP
    skin, parts, camera, stage = head.skin, head.parts, head.camera, head.radiance.tolist()
    select(blender, head.root)
    blender.ops.object.delete()
    for item in (*parts.values(), camera):
        select(blender, item)
        assert shown(blender) == list(PANELS), item.name
    head = of(skin)
    assert (head.parts, head.camera, head.emotion[0]) == (parts, camera, "surprise")
    assert head.radiance.tolist() == stage
    assert (head.relief_settings.strength, head.relief_settings.mode) == (0.5, names.NORMAL_MAP)
    head.relief_settings.mode = names.DISPLACE
    assert skin.modifiers[names.MEDIUM_MODIFIER].show_render
    assert blender.ops.facedetail.light(light=names.SUN_LIGHT) == {"FINISHED"}
    assert any(item.type == "LIGHT" for item in head.objects)
    assert blender.ops.facedetail.lookdev(height=64) == {"FINISHED"}
    assert blender.ops.facedetail.export(filepath=str(tmp_path / "head.obj")) == {"FINISHED"}
    assert (tmp_path / "head.obj").read_text().count("\no ") == 6


@pytest.mark.parametrize("linked", [False, True], ids=["Shift D", "Alt D"])
def test_duplicates_without_empties_are_not_confused(blender, build, rig, linked):
    first = build()
    select(blender, first.root, *first.objects)
    blender.ops.object.duplicate(linked=linked)
    second = of(blender.context.active_object)
    heads = {}
    for head in (first, second):
        heads[head.skin] = set(head.objects)
    for head in (first, second):
        armature = rig(head.root, *head.objects)
        blender.ops.object.parent_set(type="OBJECT")
        select(blender, head.root)
        blender.ops.object.delete()
        for skin, objects in heads.items():
            assert set(of(skin).objects) == objects
            assert {of(item) for item in objects} == {of(skin)}
        select(blender, armature)
        assert shown(blender) == list(PANELS)


def test_a_rig_deforms_before_subdivision_and_relief(blender, build, rig):
    head = build()
    eye = head.parts["eye_left"]
    before = {item: order(item) for item in (head.skin, eye)}
    rig(head.skin, eye)
    blender.ops.object.parent_set(type="ARMATURE_AUTO")
    for item, others in before.items():
        assert order(item) == ["ARMATURE", *others]


@pytest.mark.parametrize("mode", [names.DISPLACE, names.ADAPTIVE, names.NORMAL_MAP])
def test_a_rig_of_an_older_file_comes_first_with_the_next_slider(blender, build, mode):
    skin = (head := build()).skin
    for modifier in skin.modifiers:
        modifier.use_pin_to_last = False
    before = order(skin)
    skin.modifiers.new("Armature", "ARMATURE")
    assert order(skin)[-1] == "ARMATURE"
    head.relief_settings.mode = mode
    head.relief_settings.strength = 0.5
    assert order(skin)[0] == "ARMATURE" and sorted(order(skin)[1:]) == sorted(before)


def test_what_editing_took_is_told_with_its_remedy(blender, build):
    from blender_tests.operators.recording_layout import draw

    def told() -> str:
        return " ".join(draw("FACEDETAIL_PT_result").of("label"))

    head = build()
    head.select(blender.context.view_layer)
    assert head.losses == ()
    blender.ops.object.duplicate()
    assert f"{blender.context.active_object.name} was made from the" in told() and "Ctrl" in told()
    blender.ops.object.delete()
    head.select(blender.context.view_layer)
    head.skin.data.remesh_voxel_size = 0.02
    blender.ops.object.voxel_remesh()
    assert "no shape keys" in told() and "undo" in told() and "no UV map" not in told()
    with pytest.raises(RuntimeError, match="no shape keys"):
        blender.ops.facedetail.expression(expression=names.NEUTRAL)
    head.skin.data.uv_layers.remove(head.skin.data.uv_layers[0])
    assert "no UV map" in told()
    blender.data.objects.remove(head.skin)
    select(blender, head.root)
    assert "skin of this head is not there" in told()


def test_joined_heads_keep_the_buttons(blender, build, tmp_path):
    one, other = build("one.png"), build("other.png")
    select(blender, other.skin, one.skin)
    blender.ops.object.join()
    assert shown(blender) == list(PANELS) and of(blender.context.active_object) == one
    assert blender.ops.facedetail.expression(expression=names.NEUTRAL) == {"FINISHED"}
    one.relief_settings.strength = 0.5
    assert blender.ops.facedetail.export(filepath=str(tmp_path / "head.obj")) == {"FINISHED"}
