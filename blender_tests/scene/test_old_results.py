# SPDX-License-Identifier: GPL-3.0-or-later
"""A result folder of format 5 becomes a scene as it did when it was made."""

import numpy as np
import pytest

from blender_tests.made_up import unpack_format5
from blender_tests.scene.test_head import evaluated_mm
from facedetail_addon.core.result.files import read_result
from facedetail_addon.jobs.job import load_result


@pytest.fixture
def folder(tmp_path):
    return unpack_format5(tmp_path)


def test_head_camera_and_pictures_are_those_of_the_result(blender, folder, tmp_path):
    from facedetail_addon.scene.build.scene import build_steps
    from facedetail_addon.scene.steps import run_through

    loaded = load_result(folder, tmp_path / "none")
    pose = loaded.record.pose
    collection = run_through(build_steps(loaded.record, loaded.model, loaded.pictures)).collection
    objects = {item.name.removeprefix("Zoë 5 "): item for item in collection.objects}
    for part in loaded.model.parts:
        distance = np.linalg.norm(evaluated_mm(blender, objects[part.name]) - part.of(pose.vertices), axis=1)
        assert distance.max() < 0.1, part.name
    assert objects["skin"].data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.4)
    assert objects["skin"].data.shape_keys.key_blocks["mouthSmileLeft"].value == pytest.approx(0.25)
    render = blender.context.scene.render
    assert (render.resolution_x, render.resolution_y) == pose.perspective.image_size
    sizes = {image.name: tuple(image.size) for image in blender.data.images if image.name.startswith("Zoë 5")}
    assert sizes["Zoë 5 photo"] == (160, 120)
    for label in ("albedo", "roughness", "specular", "medium relief", "fine relief", "normal", "fine normal"):
        assert sizes[f"Zoë 5 {label}"] == (64, 64), label


def test_it_can_be_built_from_its_maps_too(blender, model, folder):
    from facedetail_addon.scene.build.scene import build_scene

    old = read_result(folder)
    collection = build_scene(old, model).collection
    assert {item.name.removeprefix("Zoë 5 ") for item in collection.objects} >= {part.name for part in model.parts}
    pixels = np.empty(64 * 64 * 4, np.float32)
    blender.data.images["Zoë 5 albedo"].pixels.foreach_get(pixels)
    shown = pixels.reshape(64, 64, 4)[::-1, :, :3] * 255
    assert np.abs(shown - old.maps["albedo"]).max() < 0.51
