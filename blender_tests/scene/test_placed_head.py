# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a new head stands in a scene that others are in already."""

import dataclasses

import numpy as np
import pytest

from facedetail_addon import names


@pytest.fixture
def build(blender, model, reconstruction_of):
    """The function that builds a head."""
    from facedetail_addon.scene.build.scene import build_scene

    plain = dataclasses.replace(
        model, expression_basis=model.expression_basis[:1], expression_names=model.expression_names[:1]
    )

    def make(photo_name: str, **choices):
        made = build_scene(reconstruction_of(plain, photo_name=photo_name), plain, **choices)
        blender.context.view_layer.update()
        return made

    return make


def box(head) -> np.ndarray:
    """(2, 3) in the world."""
    places = np.empty(3 * len(head.skin.data.vertices), np.float32)
    head.skin.data.vertices.foreach_get("co", places)
    matrix = np.array(head.skin.matrix_world)
    points = places.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return np.array([points.min(axis=0), points.max(axis=0)])


def apart(one, other) -> float:
    """The gap between two heads along X; negative where they overlap."""
    (low, high), (other_low, other_high) = box(one)[:, 0], box(other)[:, 0]
    return max(other_low - high, low - other_high)


def test_the_first_head_stands_at_the_origin(blender, build):
    assert build("first.png").root.location.length == 0


@pytest.mark.parametrize("length", [1.0, 0.01], ids=["metres", "centimetres"])
def test_heads_stand_side_by_side(blender, build, length):
    blender.context.scene.unit_settings.scale_length = length
    heads = [build(f"{name}.png") for name in ("first", "second", "third")]
    for number, head in enumerate(heads):
        for other in heads[:number]:
            assert apart(head, other) * length > 0.05
        assert head.root.location.yz.length == 0
    assert max(apart(one, other) for one, other in zip(heads, heads[1:], strict=False)) * length < 0.2


def test_camera_and_lamps_go_with_it(blender, build):
    first = build("first.png", light=names.SUN_LIGHT)
    second = build("second.png", light=names.SUN_LIGHT)
    way = second.root.matrix_world.translation - first.root.matrix_world.translation
    assert way.x > 0.2
    kinds = {"CAMERA", "LIGHT"}
    for item, twin in zip(
        *([one for one in head.objects if one.type in kinds] for head in (first, second)), strict=True
    ):
        assert (twin.matrix_world.translation - item.matrix_world.translation - way).length < 1e-5
    assert blender.context.scene.camera == second.camera


def test_nothing_moves_when_the_empty_of_a_head_is_deleted(blender, build):
    build("first.png")
    second = build("second.png", light=names.SUN_LIGHT)
    before = {item: item.matrix_world.copy() for item in second.objects}
    assert {item.type for item in before} == {"MESH", "CAMERA", "LIGHT"}
    blender.data.objects.remove(second.root)
    blender.context.view_layer.update()
    for item, matrix in before.items():
        np.testing.assert_allclose(np.array(item.matrix_world), np.array(matrix), atol=1e-6)


def test_a_free_place_is_taken(blender, build):
    first = build("first.png")
    first.root.location.x = 5
    assert build("second.png").root.location.length == 0
    first.root.location = 0, 0, 2
    blender.context.view_layer.update()
    assert build("third.png").root.location.x > 0.1, "the second is in its way, the first is above"


def test_a_set_cursor_is_where_it_stands(blender, build):
    blender.context.scene.cursor.location = 1, 2, 3
    first = build("first.png")
    assert first.root.location[:] == (1, 2, 3)
    second = build("second.png")
    assert apart(first, second) > 0.05 and second.root.location.yz[:] == (2, 3)


def test_heads_without_an_empty_and_on_rigs_count(blender, build):
    first = build("first.png")
    blender.data.objects.remove(first.root)
    second = build("second.png")
    rig = blender.data.objects.new("rig", None)
    blender.context.scene.collection.objects.link(rig)
    rig.location.x = 5
    second.root.constraints.new("COPY_LOCATION").target = rig
    blender.context.view_layer.update()
    third = build("third.png")
    assert apart(second, third) > 3 and third.root.location.x > 0.1, "on the place that the second has left"
