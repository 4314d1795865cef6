# SPDX-License-Identifier: GPL-3.0-or-later
"""A head in the file that follows pins: in place, in short steps, with all that the artist has done."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blender_tests.conftest import make_reconstruction
from facedetail_addon.core.errors import OutputError
from facedetail_addon.core.result.files import require_result
from facedetail_addon.core.result.pictures import encode_pictures
from facedetail_addon.core.result.record import Reconstruction, result_key
from facedetail_addon.names import RESULT_PROPERTY
from facedetail_addon.scene.build.scene import build_scene
from facedetail_addon.scene.head_object import HeadObject
from facedetail_addon.scene.images import is_painted, map_of
from facedetail_addon.scene.pinned import (
    follow_steps,
    images_of,
    is_stale,
    noted_key,
    pins_of,
    remember_pins,
    remember_result,
    result_folder_of,
    skin_steps,
)
from facedetail_addon.scene.steps import run_through


@pytest.fixture
def made(model) -> Reconstruction:
    return make_reconstruction(model, expression={"jawOpen": 0.4})


@pytest.fixture
def head(blender, made, model) -> HeadObject:
    return build_scene(made, model)


def moved(made: Reconstruction, model):
    """The head with its left half 4 mm farther out, another expression and another camera."""
    fit = made.record.fit
    change = np.where(model.mean[:, :1] > 0, np.float32([4, 0, 0]), np.float32([0, 0, 0]))
    beta = fit.pose.beta.copy()
    beta[model.expression_names.index("mouthSmileLeft")] = 0.5
    neutral = fit.vertices_neutral + change
    posed = neutral + np.tensordot(beta, model.expression_basis, 1)
    camera = replace(fit.pose.perspective, focal_px=fit.pose.perspective.focal_px * 1.1)
    pose = replace(fit.pose, beta=beta, vertices=posed, perspective=camera)
    return replace(fit, vertices_neutral=neutral, poses=(pose,))


def test_meshes_sliders_and_camera_are_those_of_a_head_built_so(blender, head, made, model):
    fit = moved(made, model)
    run_through(follow_steps(head, model, fit))
    other = build_scene(replace(made, record=replace(made.record, fit=fit)), model)
    for name, part in head.parts.items():
        twin = other.parts[name]
        if part.data.shape_keys is None:
            assert twin.data.shape_keys is None
            continue
        for keys in zip(part.data.shape_keys.key_blocks, twin.data.shape_keys.key_blocks, strict=True):
            places = [np.array([point.co for point in key.data]) for key in keys]
            np.testing.assert_allclose(*places, atol=1e-6)
            assert keys[0].value == pytest.approx(keys[1].value)
    assert head.camera.data.lens == pytest.approx(other.camera.data.lens)
    assert head.camera.get("facedetail_photo_expression")["mouthSmileLeft"] == pytest.approx(0.5)


def test_no_step_holds_the_window_for_long(head, made, model):
    took, steps = [], follow_steps(head, model, moved(made, model))
    while True:
        began = time.thread_time()
        try:
            next(steps)
        except StopIteration:
            break
        finally:
            took.append(time.thread_time() - began)
    assert max(took) < 0.05


def test_what_the_artist_has_done_stays(blender, head, made, model):
    skin, keys = head.skin, head.keys
    keys.key_blocks["browDownLeft"].value = 0.7
    keys.key_blocks["jawOpen"].keyframe_insert("value", frame=1)
    mine = skin.shape_key_add(name="mine", from_mix=False)
    points = np.array([point.co for point in mine.data])
    mine.data.foreach_set("co", (points + 0.01).ravel())
    material = skin.material_slots[0].material
    material.name = "my skin"
    skin.name = "my head"
    parent = blender.data.objects.new("mine", None)
    head.root.parent = parent
    run_through(follow_steps(head, model, moved(made, model)))
    assert keys.key_blocks["browDownLeft"].value == pytest.approx(0.7)
    assert keys.animation_data.action is not None
    assert keys.key_blocks["jawOpen"].value == pytest.approx(0.4)
    basis = np.array([point.co for point in keys.reference_key.data])
    np.testing.assert_allclose(np.array([point.co for point in mine.data]) - basis, 0.01, atol=1e-6)
    assert (skin.name, material.name, head.root.parent) == ("my head", "my skin", parent)


def test_new_maps_go_into_the_images_that_are_there_and_painted_ones_stay(head, made, model):
    albedo = made.maps["albedo"].copy()
    albedo[:] = 40
    roughness = made.maps["roughness"] // 2
    other = replace(made, maps={**made.maps, "albedo": albedo, "roughness": roughness})
    images = {map_of(image): image for image in images_of(head) if map_of(image)}
    assert {"albedo", "roughness", "specular", "displacement_medium", "normal", "photo"} <= set(images)
    assert not any(is_painted(image) for image in images.values())
    painted = images["roughness"]
    pixels = np.array(painted.pixels[:])
    painted.pixels[:] = (1 - pixels).tolist()
    assert is_painted(painted)
    kept = run_through(skin_steps(head, model, other.record, encode_pictures(other.maps), keep_painted=True))
    assert kept == (painted.name,)
    np.testing.assert_allclose(np.array(images["albedo"].pixels[:4])[:3], 40 / 255, atol=0.01)
    np.testing.assert_allclose(np.array(painted.pixels[:8]), (1 - pixels)[:8], atol=0.01)
    run_through(skin_steps(head, model, other.record, encode_pictures(other.maps), keep_painted=False))
    assert not is_painted(painted)
    np.testing.assert_allclose(np.array(painted.pixels[:1]), roughness[-1, 0] / 255, atol=0.01)


def test_painting_that_was_saved_is_known_too(head):
    image = next(image for image in images_of(head) if map_of(image) == "albedo")
    image.pixels[:] = np.full(len(image.pixels), 0.5).tolist()
    image.pack()
    assert not image.is_dirty
    assert is_painted(image)


def test_a_head_knows_its_result_and_says_when_it_is_gone_or_another(blender, head, made, made_up_result, tmp_path):
    with pytest.raises(OutputError, match="older file"):
        result_folder_of(head)
    remember_result(head, str(made_up_result[1]), made.record)
    assert result_folder_of(head) == made_up_result[1]
    assert noted_key(head) == result_key(made.record)
    require_result(made_up_result[1], made.record, noted_key(head))
    landmarks = replace(made.record.observation.landmarks, sparse_px=made.record.observation.landmarks.sparse_px + 1)
    other = replace(made.record, observations=(replace(made.record.observation, landmarks=landmarks),))
    with pytest.raises(OutputError, match="another photo"):
        require_result(made_up_result[1], other, noted_key(head))
    head.root[RESULT_PROPERTY] = str(tmp_path / "gone")
    with pytest.raises(OutputError, match="not there any more"):
        result_folder_of(head)


def test_pins_are_in_the_file(blender, head, tmp_path):
    remember_pins(head, '{"pins": []}', stale=True)
    path = tmp_path / "pinned.blend"
    blender.ops.wm.save_as_mainfile(filepath=str(path))
    blender.ops.wm.open_mainfile(filepath=str(path))
    again = HeadObject.of(next(item for item in blender.data.objects if item.type == "MESH" and "skin" in item.name))
    assert pins_of(again) == '{"pins": []}'
    assert is_stale(again)
    assert Path(path).exists()
