# SPDX-License-Identifier: GPL-3.0-or-later
"""The emotion that a head carries, as the panel reads it from the selection."""

import pytest

from facedetail_addon.names import EMOTION_PROBABILITY_PROPERTY, EMOTION_PROPERTY

TEXT = "In the photo: surprise (75 %)"


@pytest.fixture
def collection(blender, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    return build_scene(reconstruction_of(model), model).collection


def found_after_selecting(bpy, item) -> str:
    """What the panel shows when an artist has clicked an object."""
    from facedetail_addon.ui.found import found_expression

    bpy.context.view_layer.update()
    for other in bpy.context.view_layer.objects:
        other.select_set(other == item)
    bpy.context.view_layer.objects.active = item
    return found_expression(bpy.context)


def test_every_object_of_a_head_tells_it(blender, collection):
    texts = {item.name: found_after_selecting(blender, item) for item in collection.objects}
    assert len(texts) > 5 and set(texts.values()) == {TEXT}, texts


def test_two_heads_tell_their_own(blender, model, reconstruction_of, collection):
    from facedetail_addon.scene.build.scene import build_scene

    other = build_scene(reconstruction_of(model), model).collection
    other.objects[0][EMOTION_PROPERTY] = "sad"
    assert found_after_selecting(blender, other.objects[-1]) == "In the photo: sad (75 %)"
    assert found_after_selecting(blender, collection.objects[-1]) == TEXT


def test_other_objects_and_no_selection_tell_nothing(blender, collection):
    from facedetail_addon.ui.found import found_expression

    blender.ops.mesh.primitive_cube_add()
    cube = blender.context.active_object
    assert found_after_selecting(blender, cube) == ""
    assert found_after_selecting(blender, None) == ""
    head = collection.objects[0]
    assert found_after_selecting(blender, head) == TEXT
    head.select_set(False)
    assert blender.context.active_object == head and found_expression(blender.context) == ""


def test_it_is_saved_with_the_file(blender, collection, tmp_path):
    name = collection.objects[-1].name
    path = str(tmp_path / "head.blend")
    blender.ops.wm.save_as_mainfile(filepath=path)
    blender.ops.wm.read_factory_settings(use_empty=True)
    blender.ops.wm.open_mainfile(filepath=path)
    assert found_after_selecting(blender, blender.data.objects[name]) == TEXT


@pytest.mark.parametrize("value", [None, "much", 1, [0.5]])
def test_properties_an_artist_has_changed_are_not_shown(blender, collection, value):
    root = collection.objects[0]
    assert found_after_selecting(blender, root) == TEXT
    if value is None:
        del root[EMOTION_PROBABILITY_PROPERTY]
    else:
        root[EMOTION_PROBABILITY_PROPERTY] = value
    assert found_after_selecting(blender, root) == ""
