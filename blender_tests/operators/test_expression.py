# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression in the panel: sliders that move the head, by the parts of the face, and ways back."""

import pytest

from facedetail_addon import names
from facedetail_addon.core.face_model.arkit import added_names
from facedetail_addon.ui.expression import Slider, slider_groups

PANEL = "FACEDETAIL_PT_expression"
SHOWN = {"mouthSmileLeft": 0.75, "eyeLookUpRight": 0.25}


@pytest.fixture
def draw(blender):
    """The function that draws a panel of the add-on, switched on."""
    import facedetail_addon
    from blender_tests.operators import recording_layout

    facedetail_addon.register()
    yield recording_layout.draw
    facedetail_addon.unregister()


@pytest.fixture
def collection(blender, draw, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    made = build_scene(reconstruction_of(model, expression=SHOWN), model)
    made.select(blender.context.view_layer)
    return made.collection


def values(bpy) -> dict[str, float]:
    """What the skin's sliders are at, but for those at zero."""
    keys = next(item for item in bpy.data.objects if item.name.endswith(" skin")).data.shape_keys.key_blocks
    return {key.name: key.value for key in keys[1:] if key.value}


def select(bpy, item) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    item.select_set(True)
    bpy.context.view_layer.objects.active = item


def test_every_expression_of_the_built_in_head_has_its_place(model):
    groups = slider_groups(model.expression_names)
    placed = [key for sliders in groups.values() for slider in sliders for key in slider.keys]
    assert sorted(placed) == sorted(model.expression_names)
    assert list(groups) == ["Brows", "Gaze", "Eyelids", "Cheeks and Nose", "Jaw", "Mouth"]
    for sliders in groups.values():
        texts = [slider.text for slider in sliders]
        assert len(set(texts)) == len(texts) and all(text[0].isupper() for text in texts)


def test_sides_share_a_line_as_they_are_seen_and_directions_do_not():
    groups = slider_groups(["mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "jawLeft"])
    assert [(slider.text, slider.keys) for slider in groups["Mouth"]] == [
        ("Left", ("mouthLeft",)),
        ("Right", ("mouthRight",)),
        ("Smile", ("mouthSmileRight", "mouthSmileLeft")),
    ]
    assert [slider.keys for slider in groups["Jaw"]] == [("jawLeft",)]


def test_names_of_others_come_last_and_stay():
    groups = slider_groups(["expression_00", "tongueOut", "eyelash fix", "Photo Expression Rest", "browLeft"])
    assert list(groups) == ["Brows", "Tongue", "Others"]
    others = [slider.text for slider in groups["Others"]]
    assert others == ["expression_00", "eyelash fix", "Photo Expression Rest"]


def test_a_name_without_its_other_side_keeps_its_own():
    groups = slider_groups(["browDown", "browDownRight", "browDownLeft", "noseSneerLeft", "cheekPuffLeft", "brow"])
    assert groups["Brows"] == (
        Slider("Down Both", ("browDown",)),
        Slider("Down", ("browDownRight", "browDownLeft")),
        Slider("Brow", ("brow",)),
    )
    assert [slider.text for slider in groups["Cheeks and Nose"]] == ["Nose Sneer Left", "Cheek Puff Left"]


def test_sliders_are_the_shape_keys_with_any_object_of_the_head(blender, draw, collection, model):
    assert len(collection.objects) > 5
    sliders = len(model.expression_names) + len(added_names(model))
    for item in collection.objects:
        select(blender, item)
        assert blender.types.FACEDETAIL_PT_expression.poll(blender.context), item.name
        layout = draw(PANEL)
        assert layout.of("prop") == ["pose_while_playing"] + ["value"] * sliders, item.name
        assert [button.expression for button in layout.buttons[:2]] == [names.AS_IN_THE_PHOTO, names.NEUTRAL]


def test_buttons_go_to_neutral_and_back_with_any_object_of_the_head(blender, collection):
    photo = values(blender)
    assert photo == pytest.approx(SHOWN)
    for item in collection.objects:
        select(blender, item)
        assert blender.ops.facedetail.expression(expression=names.NEUTRAL) == {"FINISHED"}
        assert values(blender) == {}, item.name
        assert blender.ops.facedetail.expression(expression=names.AS_IN_THE_PHOTO) == {"FINISHED"}
        assert values(blender) == photo, item.name


def test_sliders_of_the_artists_own_and_renamed_ones_are_left_alone(blender, collection):
    skin = blender.context.active_object
    skin.shape_key_add(name="my fix").value = 0.5
    skin.data.shape_keys.key_blocks["eyeLookUpRight"].name = "looks up"
    blender.ops.facedetail.expression(expression=names.NEUTRAL)
    assert values(blender) == pytest.approx({"my fix": 0.5, "looks up": 0.25})


def test_each_head_goes_back_to_its_own_photo(blender, collection, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    other = build_scene(reconstruction_of(model, expression={"jawOpen": 0.5}), model)
    other.select(blender.context.view_layer)
    blender.ops.facedetail.expression(expression=names.NEUTRAL)
    blender.ops.facedetail.expression(expression=names.AS_IN_THE_PHOTO)
    keys = blender.context.active_object.data.shape_keys.key_blocks
    assert {key.name: key.value for key in keys[1:] if key.value} == {"jawOpen": 0.5}
    assert values(blender) == pytest.approx(SHOWN)


def test_the_photos_expression_is_saved_with_the_file(blender, collection, tmp_path):
    name = blender.context.active_object.name
    blender.ops.facedetail.expression(expression=names.NEUTRAL)
    path = str(tmp_path / "head.blend")
    blender.ops.wm.save_as_mainfile(filepath=path)
    blender.ops.wm.open_mainfile(filepath=path)
    select(blender, blender.data.objects[name])
    blender.ops.facedetail.expression(expression=names.AS_IN_THE_PHOTO)
    assert values(blender) == pytest.approx(SHOWN)


def test_grey_buttons_say_why(blender, collection):
    skin = blender.context.active_object
    operator = blender.ops.facedetail.expression
    blender.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="Object Mode"):
        operator()
    blender.ops.object.mode_set(mode="OBJECT")
    for noted in (0, "happy", {}):
        skin.data.shape_keys[names.PHOTO_EXPRESSION_PROPERTY] = noted
        with pytest.raises(RuntimeError, match="does not know its photo's expression"):
            operator()
    skin.select_set(False)
    with pytest.raises(RuntimeError, match="Select a head first"):
        operator()
    assert not blender.types.FACEDETAIL_PT_expression.poll(blender.context)
