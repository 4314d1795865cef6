# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of a person's photos, and the views of a head's photos."""

import json
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

import facedetail_addon
from blender_tests.conftest import look_at_head, make_reconstruction
from blender_tests.operators import recording_layout
from facedetail_addon.core.errors import PhotoError
from facedetail_addon.core.result.files import write_result
from facedetail_addon.core.result.pictures import read_pictures
from facedetail_addon.core.result.record import MOST_PHOTOS
from facedetail_addon.names import DOWN, FIRST, OP_ADD_PHOTOS, OP_PHOTO, OP_RECONSTRUCT, UP
from facedetail_addon.operators.photos import more_photos, paths_of
from facedetail_addon.scene.build.scene import build_scene, build_steps
from facedetail_addon.scene.steps import run_through

PANEL = "FACEDETAIL_PT_reconstruct"


@pytest.fixture(autouse=True)
def draw(blender):
    """The function that draws a panel of the add-on, switched on."""
    facedetail_addon.register()
    yield recording_layout.draw
    facedetail_addon.unregister()


@pytest.fixture
def settings(draw):
    chosen = bpy.context.scene.facedetail
    chosen.photo = "/photos/first.jpg"
    for name in ("a", "b", "c"):
        chosen.more_photos.add().path = f"/photos/{name}.jpg"
    return chosen


def names(settings) -> str:
    return "".join(Path(one.path).stem for one in settings.more_photos)


def test_photos_are_added_once_and_no_more_than_there_may_be(settings, tmp_path):
    added = bpy.ops.facedetail.add_photos(directory="/photos", files=[{"name": "b.jpg"}, {"name": "d.jpg"}])
    assert added == {"FINISHED"} and names(settings) == "abcd"
    many = [{"name": f"{number}.jpg"} for number in range(20)]
    bpy.ops.facedetail.add_photos(directory=str(tmp_path), files=many)
    assert len(settings.more_photos) == MOST_PHOTOS - 1
    settings.photo = ""
    settings.more_photos.clear()
    bpy.ops.facedetail.add_photos(directory="/photos", files=[{"name": "x.jpg"}, {"name": "y.jpg"}])
    assert settings.photo == "/photos/x.jpg" and names(settings) == "y"


def test_photos_are_moved_and_removed(settings):
    settings.more_photos_index = 2
    bpy.ops.facedetail.move_photo(way=UP)
    assert names(settings) == "acb" and settings.more_photos_index == 1
    bpy.ops.facedetail.move_photo(way=DOWN)
    assert bpy.ops.facedetail.move_photo(way=DOWN) == {"CANCELLED"} and names(settings) == "abc"
    bpy.ops.facedetail.move_photo(way=FIRST)
    assert settings.photo == "/photos/c.jpg" and names(settings) == "abfirst"
    settings.more_photos_index = 0
    bpy.ops.facedetail.remove_photo()
    assert names(settings) == "bfirst"


def test_the_operator_gets_them_as_they_are_called(settings, tmp_path):
    odd = tmp_path / "a\n“b”.jpg"
    odd.touch()
    settings.more_photos.clear()
    settings.more_photos.add().path = str(odd)
    assert paths_of(more_photos(settings)) == (odd,)
    assert paths_of("") == ()
    for wrong in ("[1]", "{}", "x", json.dumps([str(tmp_path / "gone.jpg")])):
        with pytest.raises(PhotoError):
            paths_of(wrong)


def test_the_list_stands_between_photo_and_button(settings, draw, tmp_path):
    settings.photo = str(tmp_path / "first.jpg")
    assert "template_list" not in dict(draw(PANEL).drawn)
    Path(settings.photo).touch()
    layout = draw(PANEL)
    assert layout.of("operator")[0] == OP_ADD_PHOTOS and "template_list" in dict(layout.drawn)
    assert paths_of_button(layout) == ["/photos/a.jpg", "/photos/b.jpg", "/photos/c.jpg"]
    settings.more_photos.clear()
    layout = draw(PANEL)
    assert layout.of("operator") == [OP_ADD_PHOTOS, OP_RECONSTRUCT] and "template_list" not in dict(layout.drawn)
    assert paths_of_button(layout) == []


def paths_of_button(layout) -> list[str]:
    return json.loads(layout.buttons[-1].more_photos)


@pytest.fixture(scope="module")
def two(model):
    """A head in two photos, of which the second has other expression, view and size."""
    made = make_reconstruction(model, (320, 240), expression={"jawOpen": 0.4})
    record, pose = made.record, made.record.pose
    beta = np.zeros_like(pose.beta)
    beta[record.expression_names.index("browInnerUp" if "browInnerUp" in record.expression_names else "jawOpen")] = 0.7
    camera = look_at_head((200, 260), (100.0, 130.0), 30.0)
    other = replace(pose, beta=beta, perspective=camera)
    seen = replace(record.observation, photo_name="other.png", pixels=np.full((260, 200, 3), 90, np.uint8))
    seen = replace(seen, camera_prior=replace(seen.camera_prior, image_size=(200, 260)))
    record = replace(
        record,
        observations=(record.observation, seen),
        fit=replace(record.fit, poses=(pose, other)),
        lights=record.lights * 2,
    )
    return replace(made, record=record)


def test_each_photo_has_its_camera_and_expression(two, model, draw):
    head = build_scene(two, model)
    first, second = head.photo_cameras
    assert head.camera == first == bpy.context.scene.camera
    assert second.parent == head.root and second.data.background_images[0].image.size[:] == (200, 260)
    head.select(bpy.context.view_layer)
    assert bpy.ops.facedetail.photo(number=2) == {"FINISHED"}
    scene = bpy.context.scene
    assert scene.camera == second and (scene.render.resolution_x, scene.render.resolution_y) == (200, 260)
    values = dict(zip(two.record.expression_names, two.record.fit.poses[1].beta.tolist(), strict=True))
    for name, value in values.items():
        if name in head.keys.key_blocks:
            assert head.keys.key_blocks[name].value == pytest.approx(value, abs=1e-6)
    bpy.ops.facedetail.photo(number=1)
    assert scene.camera == first and head.keys.key_blocks["jawOpen"].value == pytest.approx(0.4)
    assert draw("FACEDETAIL_PT_result").of("operator").count(OP_PHOTO) == 2
    with pytest.raises(RuntimeError, match="2 photos"):
        bpy.ops.facedetail.photo(number=3)
    bpy.data.objects.remove(second)
    assert head.photo_cameras == (first,)


def test_a_result_folder_gives_the_same_cameras(two, model, tmp_path):
    folder = write_result(two, tmp_path, model)
    head = run_through(build_steps(two.record, model, read_pictures(folder)))
    _, second = head.photo_cameras
    image = second.data.background_images[0].image
    assert image.size[:] == (200, 260) and image.packed_file is not None
