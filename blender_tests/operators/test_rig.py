# SPDX-License-Identifier: GPL-3.0-or-later
"""A head's armature: bones that move the right parts, beneath all that makes the mesh finer, and in exports."""

import math

import numpy as np
import pytest

from blender_tests.operators.head_state import evaluated, state
from facedetail_addon import names

BONES = {"Neck": None, "Head": "Neck", "Jaw": "Head", "Eye.L": "Head", "Eye.R": "Head"}


@pytest.fixture
def rigged(blender, build):
    from facedetail_addon.scene.rig.bones import rig_of

    head = build()
    head.set_photo_expression(0.0)
    for part in head.parts.values():
        for one in part.modifiers:
            one.show_viewport = False
    assert blender.ops.facedetail.rig() == {"FINISHED"}
    return head, rig_of(head)


def turn(bpy, rig, bone: str, degrees: float) -> None:
    """Of a bone about the axis from right to left through its head."""
    from mathutils import Matrix

    posed = rig.pose.bones[bone]
    axes = posed.bone.matrix_local.to_3x3()
    posed.rotation_mode = "QUATERNION"
    posed.rotation_quaternion = (
        axes.inverted() @ Matrix.Rotation(math.radians(degrees), 3, "X") @ axes
    ).to_quaternion()
    bpy.context.view_layer.update()


def test_it_has_the_bones_and_the_mesh_stays_where_it_was(blender, build):
    head = build()
    before = {name: evaluated(blender, part) for name, part in head.parts.items()}
    blender.ops.facedetail.rig()
    from facedetail_addon.scene.rig.bones import rig_of

    rig = rig_of(head)
    assert {bone.name: bone.parent and bone.parent.name for bone in rig.data.bones} == BONES
    assert rig.parent == head.root and rig in head.objects and head.skin == blender.context.active_object
    for name, part in head.parts.items():
        assert part.modifiers[0].type == "ARMATURE", "beneath all else"
        np.testing.assert_allclose(evaluated(blender, part), before[name], atol=1e-6)


def test_weights_of_every_vertex_are_one_together(rigged):
    head, rig = rigged
    for name, part in head.parts.items():
        groups = {part.vertex_groups[bone].index for bone in BONES if bone in part.vertex_groups}
        total = [sum(one.weight for one in vertex.groups if one.group in groups) for vertex in part.data.vertices]
        assert np.abs(np.array(total) - 1).max() < 0.01, name


def test_the_jaw_bone_opens_the_mouth_as_the_slider_does(blender, rigged):
    head, rig = rigged
    rest = evaluated(blender, head.skin)
    head.keys.key_blocks["jawOpen"].value = 1.0
    slider = evaluated(blender, head.skin) - rest
    teeth = evaluated(blender, head.parts["teeth_lower"]).mean(axis=0)
    head.keys.key_blocks["jawOpen"].value = 0.0
    from facedetail_addon.scene.rig.bones import jaw_hinge

    angle = math.degrees(math.acos(np.clip((np.trace(jaw_hinge(head).rotation) - 1) / 2, -1, 1)))
    turn(blender, rig, "Jaw", angle)
    off = np.linalg.norm(evaluated(blender, head.skin) - rest - slider, axis=1)
    assert 15 < angle < 40 and np.abs(slider).max() > 0.03
    assert np.percentile(off, 90) < 0.005 and off.max() < 0.025, "the throat differs: it is near the hinge"
    assert np.linalg.norm(evaluated(blender, head.parts["teeth_lower"]).mean(axis=0) - teeth) < 0.004
    upper = evaluated(blender, head.parts["teeth_upper"])
    turn(blender, rig, "Jaw", 0)
    np.testing.assert_allclose(evaluated(blender, head.parts["teeth_upper"]), upper, atol=1e-6)


def test_the_head_bone_turns_all_but_the_neck_and_eye_bones_their_eyes(blender, rigged):
    head, rig = rigged
    rest = {name: evaluated(blender, part) for name, part in head.parts.items()}
    turn(blender, rig, "Head", 10)
    for name, part in head.parts.items():
        moved = np.linalg.norm(evaluated(blender, part) - rest[name], axis=1)
        assert moved.max() > 0.004, name
    skin = np.linalg.norm(evaluated(blender, head.skin) - rest["skin"], axis=1)
    lowest = rest["skin"][:, 2] < np.percentile(rest["skin"][:, 2], 0.5)
    assert skin[lowest].max() < 0.002, "the end of the neck stays"
    turn(blender, rig, "Head", 0)
    turn(blender, rig, "Eye.L", 10)
    moved = {name: np.abs(evaluated(blender, part) - rest[name]).max() for name, part in head.parts.items()}
    assert moved.pop("eye_left") > 0.001 and max(moved.values()) < 1e-6
    away = [np.linalg.norm(points, axis=1) for points in (evaluated(blender, head.parts["eye_left"]), rest["eye_left"])]
    assert np.abs(away[0] - away[1]).max() < 1e-5, "it turns about its own centre"


def test_sliders_still_work_on_a_turned_head(blender, rigged):
    head, rig = rigged
    turn(blender, rig, "Head", 20)
    before = evaluated(blender, head.skin)
    head.keys.key_blocks["mouthSmileLeft"].value = 1.0
    assert np.abs(evaluated(blender, head.skin) - before).max() > 0.003


def test_a_posed_head_keeps_its_rig(blender, build):
    head = build()
    blender.ops.facedetail.rig()
    before = state(blender)
    blender.ops.facedetail.pose()
    assert all(part.modifiers[0].show_viewport for part in head.parts.values())
    blender.ops.facedetail.pose()
    assert state(blender) == before


def test_one_undo_takes_it_away(blender, build):
    head = build()
    name = head.root.name
    blender.ops.ed.undo_push(message="built")
    before = state(blender)
    blender.ops.facedetail.rig("EXEC_DEFAULT", True)
    assert any(item.type == "ARMATURE" for item in blender.data.objects)
    blender.ops.ed.undo()
    assert not any(item.type == "ARMATURE" for item in blender.data.objects)
    assert state(blender) == before and name in blender.data.objects


def test_a_second_rig_is_refused_with_a_reason_and_changes_nothing(blender, rigged):
    before = state(blender)
    with pytest.raises(RuntimeError, match="has a rig already.*Delete that"):
        blender.ops.facedetail.rig()
    assert state(blender) == before


def test_a_head_that_does_not_tell_where_its_jaw_turns_says_so(blender, build):
    head = build()
    for part in head.parts.values():
        if part.data.shape_keys and "jawOpen" in part.data.shape_keys.key_blocks:
            part.data.shape_keys.key_blocks["jawOpen"].name = "opens"
    with pytest.raises(RuntimeError, match="no slider jawOpen"):
        blender.ops.facedetail.rig()
    assert not any(item.type == "ARMATURE" for item in blender.data.objects)


@pytest.mark.parametrize("ending", ["fbx", "glb"])
def test_exports_carry_it_with_weights_and_sliders(blender, build, tmp_path, ending):
    from facedetail_addon.scene.export.head import export_head

    head = build()
    blender.ops.facedetail.rig()
    path = export_head(head, tmp_path / f"head.{ending}")
    blender.ops.wm.read_factory_settings(use_empty=True)
    if ending == "fbx":
        blender.ops.import_scene.fbx(filepath=str(path))
    else:
        blender.ops.import_scene.gltf(filepath=str(path))
    (rig,) = (item for item in blender.data.objects if item.type == "ARMATURE")
    assert set(BONES) <= {bone.name for bone in rig.data.bones}
    skin = max((item for item in blender.data.objects if item.type == "MESH"), key=lambda item: len(item.data.vertices))
    assert any(one.type == "ARMATURE" and one.object == rig for one in skin.modifiers)
    assert "jawOpen" in skin.data.shape_keys.key_blocks and "Jaw" in skin.vertex_groups
    keys = skin.data.shape_keys.key_blocks
    for key in keys:
        key.value = 0
    before = evaluated(blender, skin)
    assert before.max() > 0.1
    bone = rig.pose.bones["Head"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler = (0.3, 0.1, 0.2)
    assert np.abs(evaluated(blender, skin) - before).max() > 0.01, names.OP_RIG


def test_obj_has_what_the_rig_makes_of_the_head(blender, rigged, tmp_path):
    from facedetail_addon.scene.export.head import export_head

    head, rig = rigged
    heights = []
    for degrees in (0, 20):
        turn(blender, rig, "Head", degrees)
        lines = export_head(head, tmp_path / f"{degrees}.obj").read_text().splitlines()
        heights.append(np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float))
    assert 0.01 < np.abs(heights[1] - heights[0]).max() < 0.1


def test_pictures_for_lookdev_have_the_head_as_its_rig_poses_it_wherever_it_stands(blender, rigged):
    from facedetail_addon.scene.lookdev.stage import staged
    from facedetail_addon.scene.relief.displacement import Relief
    from facedetail_addon.scene.rig.bones import rig_of

    head, rig = rigged
    turn(blender, rig, "Head", 20)
    wanted = evaluated(blender, head.skin)
    head.root.location = (1.0, 2.0, 3.0)
    blender.context.view_layer.update()
    with staged(head, Relief(), 0) as stage:
        assert all(one.type == "MESH" for one in stage.parts)
        follows = stage.skin.modifiers[0]
        assert follows.type == "ARMATURE" and follows.object != rig
        depsgraph = stage.scene.view_layers[0].depsgraph
        for modifier in stage.skin.modifiers[1:]:
            modifier.show_viewport = False
        stage.scene.view_layers[0].update()
        mesh = stage.skin.evaluated_get(depsgraph).data
        shown = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", shown)
        np.testing.assert_allclose(shown.reshape(-1, 3), wanted, atol=1e-5)
    assert rig_of(head) == rig
