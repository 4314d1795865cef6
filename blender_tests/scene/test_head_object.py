# SPDX-License-Identifier: GPL-3.0-or-later
"""Which head an object belongs to, whatever the artist has done with it: heads of today, and those of older files."""

import dataclasses

import numpy as np
import pytest

from facedetail_addon import names
from facedetail_addon.core.errors import OutputError

PARTS = {"skin", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "gums"}
EXPRESSION = {"jawOpen": 0.5, "mouthSmileLeft": 0.25}


@pytest.fixture(scope="module")
def model(model):
    """The built-in head with a few expressions."""
    kept = [model.expression_names.index(name) for name in (*EXPRESSION, "eyeLookUpLeft", "eyeBlinkLeft")]
    return dataclasses.replace(
        model,
        expression_basis=model.expression_basis[kept],
        expression_names=tuple(model.expression_names[index] for index in kept),
    )


@pytest.fixture(params=[True, False], ids=["marked", "of an older file"])
def build(blender, model, reconstruction_of, without_marks, request):
    """The function that builds a head."""
    from facedetail_addon.scene.build.scene import build_scene

    def make(photo_name: str = "made up.png", **choices):
        found = reconstruction_of(model, expression=EXPRESSION, photo_name=photo_name)
        head = build_scene(found, model, light="sun", **choices)
        if not request.param:
            without_marks(head)
        blender.context.view_layer.update()
        return head

    make.marked = request.param
    return make


def of(item):
    from facedetail_addon.scene.head_object import HeadObject

    return HeadObject.of(item)


def link(bpy, item) -> None:
    bpy.context.scene.collection.objects.link(item)


def part_names(head) -> set[str]:
    return PARTS & set(head.parts)


def assert_whole(head, stem: str = "made up") -> None:
    """It has its own parts, camera and skin."""
    assert {name: head.parts[name].name for name in PARTS} == {name: f"{stem} {name}" for name in PARTS}
    assert head.skin == head.parts["skin"] and head.keys == head.skin.data.shape_keys
    assert head.camera.name == f"{stem} camera"
    for item in (head.root, head.camera, *head.parts.values(), *head.objects):
        assert of(item) == head, item.name


def test_every_object_of_it_and_no_other(blender, build):
    head = build()
    cube = blender.data.objects.new("cube", blender.data.meshes.new("cube"))
    link(blender, cube)
    assert_whole(head)
    assert {item.type for item in head.objects} == {"MESH", "CAMERA", "LIGHT"} and len(head.objects) == 8
    assert of(None) is None and of(cube) is None
    assert head.emotion == ("surprise", pytest.approx(0.75))
    assert head.radiance.shape == (9, 3)
    assert head.collection.name == "FaceDetail made up"


def test_two_heads_in_one_collection(blender, build, tmp_path):
    first, second = build("first.png"), build("second.png")
    both = blender.data.collections.new("both")
    blender.context.scene.collection.children.link(both)
    for head in (second, first):
        for item in (head.root, *head.objects):
            both.objects.link(item)
            for one in item.users_collection:
                if one != both:
                    one.objects.unlink(item)
    for head, stem in ((first, "first"), (second, "second")):
        assert_whole(head, stem)
        assert head.collection == both
        head.select(blender.context.view_layer)
        assert blender.context.active_object.name == f"{stem} skin"


def test_other_things_beside_a_head(blender, build, tmp_path):
    """An empty with a mesh that has shape keys, and with a camera, in the head's own collection."""
    head = build()
    stand = blender.data.objects.new("a stand", None)
    bust = blender.data.objects.new("a bust", blender.data.meshes.new("bust"))
    camera = blender.data.objects.new("a camera", blender.data.cameras.new("camera"))
    for item in (stand, bust, camera):
        head.collection.objects.link(item)
        item.parent = stand if item != stand else None
    for number in range(10):
        bust.shape_key_add(name=f"key {number}")
    for item in (stand, bust, camera):
        assert of(item) is None
    assert_whole(head)


def test_what_the_artist_hung_on_it_is_its_own_but_no_part(blender, build):
    head = build()
    hat = blender.data.objects.new("a hat", blender.data.meshes.new("hat"))
    feather = blender.data.objects.new("a feather", blender.data.meshes.new("feather"))
    spare = blender.data.objects.new("a camera", blender.data.cameras.new("a camera"))
    link(blender, hat), link(blender, feather), link(blender, spare)
    hat.parent, feather.parent, spare.parent = head.skin, hat, head.root
    for number in range(10):
        hat.shape_key_add(name=f"key {number}")
    assert of(feather) == head and feather in head.objects
    assert_whole(head)
    assert set(head.cameras) == {head.camera, spare}


def test_renamed_objects_and_collections(blender, build):
    head = build()
    skin, camera, eye = head.skin, head.camera, head.parts["eye_left"]
    head.collection.name = "Bob"
    for number, item in enumerate((head.root, *head.objects)):
        item.name = f"object {number}"
    assert of(eye) == head and (head.skin, head.camera, head.parts["eye_left"]) == (skin, camera, eye)
    assert part_names(head) == PARTS


@pytest.mark.parametrize("linked", [False, True], ids=["Shift D", "Alt D"])
def test_duplicates(blender, build, linked):
    head = build()
    for item in (head.root, *head.objects):
        item.select_set(True)
    blender.ops.object.duplicate(linked=linked)
    copies = list(blender.context.selected_objects)
    duplicate = of(copies[0])
    assert duplicate != head and {of(item) for item in copies} == {duplicate}
    assert_whole(head)
    assert {item.name for item in duplicate.parts.values()} == {f"made up {name}.001" for name in PARTS}
    assert duplicate.camera != head.camera and duplicate.skin.parent == duplicate.root
    blender.data.objects.remove(head.root)
    assert of(duplicate.skin) == duplicate


def test_a_second_skin_in_a_head_is_not_the_one_that_teeth_follow(blender, build):
    head = build()
    skin = head.skin
    skin.name = "z"  # so that the copy comes first
    head.select(blender.context.view_layer)
    blender.ops.object.duplicate()
    copy = blender.context.active_object
    copy.name = "a"
    assert of(copy) == head and copy != skin
    assert head.skin == skin == head.parts["skin"]


def test_a_head_that_has_lost_things(blender, build):
    head = build()
    for item in (head.skin, head.camera):
        blender.data.objects.remove(item)
    assert (head.skin, head.keys, head.camera) == (None, None, None) and part_names(head) == PARTS - {"skin"}
    eye = head.parts["eye_left"]
    blender.data.objects.remove(head.root)
    assert of(eye) is None


def test_what_the_root_remembers_may_be_written_over(blender, build):
    head = build()
    head.root[names.EMOTION_PROBABILITY_PROPERTY] = "much"
    assert head.emotion is None and of(head.skin) == head
    for value in ("gone", [1.0, 2.0], [float("nan")] * 27):
        head.root[names.HEAD_LIGHT_PROPERTY] = value
        with pytest.raises(OutputError, match="light"):
            _ = head.radiance
    del head.root[names.EMOTION_PROPERTY]
    assert of(head.skin) == head


def test_a_head_that_hangs_on_another(blender, build):
    one, other = build("one.png"), build("other.png")
    other.root.parent = one.skin
    blender.context.view_layer.update()
    assert_whole(one, "one")
    assert_whole(other, "other")


@pytest.fixture
def torn(blender, build):
    """A head whose skin is free, whose eye is on a rig and whose camera stays where it is; all look as before."""
    if not build.marked:
        pytest.skip("older files do not say what is not a head's child")
    head = build()
    head.root.location, head.root.rotation_euler.z = (0.5, 0.0, 0.0), 1.0
    rig = blender.data.objects.new("rig", None)
    link(blender, rig)
    rig.location.x = 3
    blender.context.view_layer.update()
    for item, parent in ((head.skin, None), (head.camera, None), (head.parts["eye_left"], rig)):
        place = item.matrix_world.copy()
        item.parent = parent
        item.matrix_parent_inverse.identity()
        item.matrix_world = place
    blender.context.view_layer.update()
    return head


def test_parts_that_hang_on_nothing_or_on_something_else(blender, torn):
    assert_whole(torn)
    for item in (torn.root, *torn.objects):
        item.select_set(True)
    blender.ops.object.duplicate()
    copies = list(blender.context.selected_objects)
    duplicate = of(next(item for item in copies if item.type == "EMPTY"))
    assert {of(item) for item in copies} == {duplicate} != {torn}
    assert duplicate.skin in copies and duplicate.camera in copies
    assert_whole(torn)


def test_torn_heads_are_exported_and_pictured_as_whole_ones(blender, torn, tmp_path):
    from facedetail_addon.scene.export.head import export_head
    from facedetail_addon.scene.frames import in_frame
    from facedetail_addon.scene.lookdev.stage import staged
    from facedetail_addon.scene.relief.displacement import Relief

    with staged(torn, Relief(), 1) as stage:
        assert {item.name.split(".")[0] for item in stage.parts} == {f"made up {name}" for name in PARTS}
        low, high = stage.points.min(0), stage.points.max(0)
        assert np.abs((low + high) / 2)[0] < 0.01, "in the head's own place"
        assert (high - low).max() < 0.5
        eye = next(item for item in stage.parts if "eye_left" in item.name)
        wanted = in_frame(torn.parts["eye_left"], torn.root).translation
        assert np.allclose(eye.matrix_world.translation, wanted, atol=1e-6)
    export_head(torn, tmp_path / "head.obj")
    blender.ops.wm.read_factory_settings(use_empty=True)
    blender.ops.wm.obj_import(filepath=str(tmp_path / "head.obj"))
    boxes = {
        item.name: np.array([item.matrix_world @ v.co for v in item.data.vertices]) for item in blender.data.objects
    }
    assert len(boxes) == len(PARTS)
    skin = next(points for name, points in boxes.items() if "skin" in name)
    for points in boxes.values():
        middle = (points.min(0) + points.max(0)) / 2
        assert (skin.min(0) < middle).all() and (middle < skin.max(0)).all(), "in the skin"
