# SPDX-License-Identifier: GPL-3.0-or-later
"""mouthClose is what ARKit means by it: it closes the lips of an open jaw, and does nothing on a shut one."""

import numpy as np
import pytest

from facedetail_addon.names import LIMIT_KEY


@pytest.fixture
def build(blender, model, reconstruction_of, no_relief):
    """The function that builds a head with an expression, coarse and without relief."""
    from blender_tests.made_up import changed
    from facedetail_addon.scene.build.scene import build_scene

    def made(**expression: float):
        head = build_scene(changed(reconstruction_of(model, expression=expression), **no_relief), model)
        for modifier in head.skin.modifiers:
            modifier.show_viewport = False
        return head

    return made


def points(bpy, head) -> np.ndarray:
    mesh = head.skin.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    found = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", found)
    return 1000 * found.reshape(-1, 3)


def set_to(head, **values: float) -> None:
    for name, value in values.items():
        head.keys.key_blocks[name].value = value


def test_alone_it_does_nothing_and_with_the_jaw_what_it_did(blender, build, model):
    from facedetail_addon.scene.space import to_blender

    head = build()
    rest = points(blender, head)
    set_to(head, mouthClose=1.0)
    np.testing.assert_allclose(points(blender, head), rest, atol=1e-3)
    wanted = {name: 1000 * to_blender(model.skin.of(model.expression_basis[model.expression_names.index(name)]))
              for name in ("mouthClose", "jawOpen")}  # fmt: skip
    for jaw, close, acts in ((1.0, 1.0, 1.0), (0.5, 1.0, 0.5), (1.0, 0.3, 0.3)):
        set_to(head, jawOpen=jaw, mouthClose=close)
        expected = rest + jaw * wanted["jawOpen"] + acts * wanted["mouthClose"]
        np.testing.assert_allclose(points(blender, head), expected, atol=1e-2)


def test_a_photo_with_more_of_it_than_of_the_jaw_keeps_its_shape(blender, build, model):
    from facedetail_addon.scene.space import to_blender

    head = build(mouthClose=0.3, jawOpen=0.1)
    assert head.keys.key_blocks[LIMIT_KEY].value == 0
    shown, rest = points(blender, head), 1000 * to_blender(model.skin.of(model.mean))
    assert shown.shape == rest.shape
    names = model.expression_names
    offset = sum(value * model.skin.of(model.expression_basis[names.index(name)])
                 for name, value in (("mouthClose", 0.3), ("jawOpen", 0.1)))  # fmt: skip
    head.set_photo_expression(0.0)
    np.testing.assert_allclose(shown - points(blender, head), 1000 * to_blender(offset), atol=1e-2)


def test_it_is_no_slider_and_its_driver_needs_no_python(build):
    head = build()
    (curve,) = (one for one in head.keys.animation_data.drivers if LIMIT_KEY in one.data_path)
    assert curve.driver.is_simple_expression
    assert LIMIT_KEY not in head.photo_expression


def test_another_pose_of_the_head_has_its_limit_too(blender, build, model):
    from facedetail_addon.scene.shape import HeadShape

    head = build()
    neutral = model.mean + np.float32([0, 0, 5])
    head.set_pose(model, HeadShape(neutral, neutral, np.zeros(len(model.expression_names), np.float32)),
                  blender_camera())  # fmt: skip
    rest = points(blender, head)
    set_to(head, mouthClose=1.0)
    np.testing.assert_allclose(points(blender, head), rest, atol=1e-3)


def test_the_tongue_has_a_colour_of_its_own(build):
    mesh = build().parts["gums"].data
    gums, tongue = mesh.materials
    assert tongue.name.endswith(" tongue")
    colors = [one.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value[:] for one in (gums, tongue)]
    assert colors[0] != colors[1] and colors[1][:3] == pytest.approx(tongue.diffuse_color[:3])
    share = np.mean([face.material_index == 1 for face in mesh.polygons])
    assert 0.08 < share < 0.3
    heights = [mesh.vertices[face.vertices[0]].co.z for face in mesh.polygons if face.material_index == 1]
    assert max(heights) < -0.02, "none of it is upper gum"


def blender_camera():
    from blender_tests.conftest import look_at_head

    return look_at_head((320, 240), (160, 120), 0.0)


def test_wrinkles_follow_whole_sliders_as_they_follow_sides():
    from facedetail_addon.core.detail.expression_shares import GROUPS

    group = next(group for group in GROUPS.values() if "browInnerUp" in group.pulls)
    names = ("browInnerUpLeft", "browInnerUpRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight")
    assert group.sliders("Left", names) == {"browInnerUpLeft": 1.0, "browInnerUp": 1.0, "browOuterUpLeft": 1.0}
    assert group.sliders("Right", names[:2]) == {"browInnerUpRight": 1.0}
