# SPDX-License-Identifier: GPL-3.0-or-later
"""A head that is given another pose is the head that would have been built with it, but for what the artist did."""

import dataclasses

import numpy as np
import pytest

from blender_tests.made_up import changed
from facedetail_addon import names
from facedetail_addon.core.errors import OutputError

FIRST = {"jawOpen": 0.6, "eyeLookOutLeft": 0.4}
SECOND = {"mouthSmileLeft": 0.7, "jawOpen": 0.1, "browInnerUpLeft": 1.0}


@pytest.fixture(scope="module")
def model(model):
    """The built-in head with a few expressions, of which one moves eyes."""
    kept = [model.expression_names.index(name) for name in (*FIRST, *SECOND, "mouthPucker") if name != "jawOpen"]
    kept.insert(1, model.expression_names.index("jawOpen"))
    names_kept = tuple(model.expression_names[index] for index in kept)
    return dataclasses.replace(model, expression_basis=model.expression_basis[kept], expression_names=names_kept)


def of_b(model, reconstruction_of, rest: bool):
    """Another face, expression and view than a head is built with here; ``rest``: beyond the named expressions."""
    found = reconstruction_of(model, (240, 320), (130.0, 150.0), 20.0, SECOND)
    wider = np.float32([1.05, 0.98, 1.02])
    neutral = found.record.fit.vertices_neutral
    found = changed(
        found, vertices_neutral=neutral * wider, vertices=found.record.pose.vertices + neutral * (wider - 1)
    )
    return with_rest(found) if rest else found


def with_rest(found):
    bulge = 0.5 * np.sin(found.record.fit.vertices_neutral[:, :1] / 9)
    return changed(found, vertices=found.record.pose.vertices + bulge.astype(np.float32))


def pose_of(found):
    from facedetail_addon.scene.shape import HeadShape

    pose = found.record.pose
    return HeadShape(found.record.fit.vertices_neutral, pose.vertices, pose.beta), pose.perspective


def read(owner, field: str, width: int) -> np.ndarray:
    values = np.empty(width * len(owner), np.float32)
    owner.foreach_get(field, values)
    return values


def exactly(owner, field: str, width: int) -> bytes:
    return read(owner, field, width).tobytes()


def drivers_of(keys, skin) -> dict:
    if keys.animation_data is None:
        return {}
    found = {}
    for curve in keys.animation_data.drivers:
        (variable,) = curve.driver.variables
        assert variable.targets[0].id == skin.data.shape_keys
        found[curve.data_path] = (curve.driver.type, variable.targets[0].data_path)
    return found


def facts_of_part(item, skin) -> dict:
    from facedetail_addon.scene.frames import in_frame

    mesh, keys = item.data, item.data.shape_keys
    origin = in_frame(item, item.parent).translation  # the heads stand side by side
    facts = {"mesh": exactly(mesh.vertices, "co", 3), "origin": tuple(round(x, 5) for x in origin), "keys": None}
    attributes = {names.IRIS_ATTRIBUTE: ("vector", 3)} | dict.fromkeys(
        (names.SCATTER_ATTRIBUTE, names.SOCKET_ATTRIBUTE), ("value", 1)
    )
    for name, (field, width) in attributes.items():
        facts[name] = exactly(mesh.attributes[name].data, field, width) if name in mesh.attributes else None
    if keys is not None:
        facts["keys"] = {key.name: exactly(key.points, "co", 3) for key in keys.key_blocks}
        facts["values"] = {key.name: key.value for key in keys.key_blocks} if item == skin else {}
        facts["noted"] = keys[names.PHOTO_EXPRESSION_PROPERTY].to_dict() if item == skin else {}
        facts["drivers"] = drivers_of(keys, skin)
    return facts


def facts_of(head) -> dict:
    """All that a pose decides, exactly; the camera's place apart, which Blender keeps as angles."""
    data = head.camera.data
    lens = [getattr(data, name) for name in ("lens", "sensor_fit", "shift_x", "shift_y", "clip_start", "clip_end")]
    return {"camera": lens} | {name: facts_of_part(item, head.skin) for name, item in head.parts.items()}


def view_of(head) -> np.ndarray:
    """From the camera to the head."""
    from facedetail_addon.scene.frames import in_frame

    return np.array(in_frame(head.camera, head.root))


@pytest.mark.parametrize(
    ("rests", "marked"),
    [
        ((False, False), True),
        ((False, True), False),
        ((True, False), True),
        ((True, True), True),
        ((True, False), False),
    ],
)
def test_as_a_head_that_is_built_with_it(blender, model, reconstruction_of, without_marks, rests, marked):
    from facedetail_addon.scene.build.scene import build_scene

    first = reconstruction_of(model, expression=FIRST)
    second = of_b(model, reconstruction_of, rests[1])
    head = build_scene(with_rest(first) if rests[0] else first, model)
    wanted = build_scene(second, model)
    assert facts_of(head) != facts_of(wanted)
    if rests[0]:
        without_marks(head)  # as of an older file
    head.root.location, head.root.rotation_euler = (1, 2, 3), (0.1, 0.2, 0.3)
    head.set_pose(model, *pose_of(second))
    found, expected = facts_of(head), facts_of(wanted)
    for name in expected:
        assert found[name] == expected[name], name
    assert np.allclose(view_of(head), view_of(wanted), atol=1e-6)
    blender.context.view_layer.update()
    for name, item in wanted.parts.items():
        if name != names.SKIN_PART and item.data.shape_keys is not None:
            values = [[key.value for key in one.parts[name].data.shape_keys.key_blocks] for one in (head, wanted)]
            assert values[0] == pytest.approx(values[1]), "parts follow"


def test_there_and_back_changes_nothing(blender, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    first = with_rest(reconstruction_of(model, expression=FIRST))
    head = build_scene(first, model)
    before, view = facts_of(head), view_of(head)
    head.set_pose(model, *pose_of(of_b(model, reconstruction_of, False)))
    head.set_pose(model, *pose_of(first))
    assert facts_of(head) == before
    assert np.allclose(view_of(head), view, atol=1e-6)


def test_what_the_artist_did_stays(blender, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    head = build_scene(reconstruction_of(model, expression=FIRST), model)
    skin, eye = head.skin, head.parts["eye_left"]
    basis = read(skin.data.shape_keys.key_blocks[0].points, "co", 3)
    fix = skin.shape_key_add(name="my fix", from_mix=False)
    fix.points.foreach_set("co", basis + 0.25)
    fix.value = 0.5
    skin.shape_key_remove(skin.data.shape_keys.key_blocks["jawOpen"])
    skin.data.shape_keys.key_blocks["browInnerUpLeft"].name = "brows"
    blender.data.objects.remove(head.parts["gums"])
    blender.data.objects.remove(head.camera)
    eye.rotation_euler, eye.scale = (0.5, 0, 0), (1, 1, 2)
    second = of_b(model, reconstruction_of, True)
    head.set_pose(model, *pose_of(second))
    keys = skin.data.shape_keys.key_blocks
    moved = read(keys["my fix"].points, "co", 3) - read(keys[0].points, "co", 3)
    assert np.abs(moved - 0.25).max() < 1e-6 and keys["my fix"].value == 0.5
    assert "jawOpen" not in keys and "browInnerUpLeft" not in keys
    assert "gums" not in head.parts and head.camera is None
    assert "my fix" not in skin.data.shape_keys[names.PHOTO_EXPRESSION_PROPERTY].to_dict()
    assert tuple(eye.rotation_euler) == pytest.approx((0.5, 0, 0), abs=1e-6)
    assert tuple(eye.scale) == pytest.approx((1, 1, 2), abs=1e-6)


def test_eye_and_camera_with_other_parents(blender, model, reconstruction_of):
    """They come to stand in the head where they belong, whatever carries them."""
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.frames import in_frame

    second = of_b(model, reconstruction_of, False)
    wanted = build_scene(second, model)
    head = build_scene(reconstruction_of(model, expression=FIRST), model)
    head.root.location = (0.5, 0, 1)
    rig = blender.data.objects.new("rig", None)
    rig.rotation_euler.z = 1
    blender.context.scene.collection.objects.link(rig)
    eye, camera = head.parts["eye_left"], head.camera
    camera.parent, eye.parent = None, rig
    blender.context.view_layer.update()
    head.set_pose(model, *pose_of(second))
    for item, other in ((eye, wanted.parts["eye_left"]), (camera, wanted.camera)):
        here = np.array(in_frame(item, head.root))
        assert np.allclose(here[:3, 3], np.array(other.matrix_basis)[:3, 3], atol=1e-5), item.name
    assert np.allclose(np.array(in_frame(camera, head.root)), view_of(wanted), atol=1e-5)


def test_a_linked_duplicate_changes_with_it(blender, model, reconstruction_of):
    """Alt D: the same meshes, so the eyes of both sit in their sockets."""
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.head_object import HeadObject

    head = build_scene(reconstruction_of(model, expression=FIRST), model)
    for item in (head.root, *head.objects):
        item.select_set(True)
    blender.ops.object.duplicate(linked=True)
    duplicate = HeadObject.of(next(item for item in blender.context.selected_objects if item.type == "EMPTY"))
    assert duplicate != head and duplicate.skin.data == head.skin.data
    head.set_pose(model, *pose_of(of_b(model, reconstruction_of, False)))
    assert duplicate.parts["eye_left"].location == head.parts["eye_left"].location


def test_another_model_a_changed_mesh_or_an_impossible_lens_change_nothing(blender, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    head = build_scene(reconstruction_of(model, expression=FIRST), model)
    second = of_b(model, reconstruction_of, True)
    shape, camera = pose_of(second)
    before = facts_of(head)
    cut = dataclasses.replace(shape, neutral=shape.neutral[:-1])
    with pytest.raises(OutputError, match="has not the vertices"):
        head.set_pose(model, cut, camera)
    with pytest.raises(OutputError, match="lens"):
        head.set_pose(model, shape, dataclasses.replace(camera, focal_px=1e9))
    assert facts_of(head) == before
    head.parts["gums"].data.vertices.add(1)
    with pytest.raises(OutputError, match="has not the vertices") as raised:
        head.set_pose(model, shape, camera)
    assert raised.value.remedy
    blender.data.objects.remove(head.skin)
    with pytest.raises(OutputError, match="has not the vertices"):
        head.set_pose(model, shape, camera)
