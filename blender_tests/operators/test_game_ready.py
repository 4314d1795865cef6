# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads for game engines: fewer faces with the same sliders, and names, pictures, bones and files that engines take."""

import re

import numpy as np
import pytest

from blender_tests.operators.head_state import evaluated, state
from blender_tests.operators.test_live_link import HEADER, take
from facedetail_addon import names
from facedetail_addon.core.face_model.arkit import ARKIT_NAMES

FACES = {"2k": (1900, 2150), "8k": (7800, 8200), "20k": (19_846, 19_846)}
BONES = {"root": None, "neck_01": "root", "head": "neck_01", "jaw": "head", "eye_l": "head", "eye_r": "head"}
PARTS = {"skin", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "gums"}
ENGINE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@pytest.fixture
def make(blender, build):
    """The function that presses the button; returns the head and what was made of it."""
    from facedetail_addon.scene.head_object import HeadObject

    def pressed(density: str = "8k", name: str = "made up.png"):
        head = build(name)
        assert blender.ops.facedetail.game_ready(density=density) == {"FINISHED"}
        return head, HeadObject.of(blender.context.active_object)

    return pressed


def max_offset(item, name: str) -> float:
    keys = item.data.shape_keys
    found = []
    for key in (keys.reference_key, keys.key_blocks[name]):
        found.append(np.empty(3 * len(key.points), np.float32))
        key.points.foreach_get("co", found[-1])
    return float(np.linalg.norm((found[1] - found[0]).reshape(-1, 3), axis=1).max())


@pytest.mark.parametrize("density", FACES)
def test_it_has_fewer_quads_with_all_sliders_and_parts(make, density):
    head, game = make(density)
    skin = game.skin.data
    assert FACES[density][0] <= len(skin.polygons) <= FACES[density][1]
    assert all(len(polygon.vertices) == 4 for polygon in skin.polygons)
    assert set(game.parts) == PARTS and game.root != head.root
    assert set(ARKIT_NAMES) <= set(game.keys.key_blocks.keys())
    assert [key.name for key in game.keys.key_blocks][: len(ARKIT_NAMES)] == [key.name for key in head.keys.key_blocks][
        : len(ARKIT_NAMES)
    ]
    assert game.keys.key_blocks["jawOpen"].value == pytest.approx(head.keys.key_blocks["jawOpen"].value)
    assert len(skin.uv_layers) == 1
    for name in ("jawOpen", "eyeBlinkLeft", "mouthSmileRight", "tongueOut"):
        part, other = (one.parts["gums"] if name == "tongueOut" else one.skin for one in (head, game))
        assert max_offset(other, name) == pytest.approx(max_offset(part, name), rel=0.12), name


def test_the_full_density_is_the_head_itself(blender, make):
    head, game = make("20k")
    for name in ("", "mouthSmileLeft"):
        for one in (head, game):
            one.set_photo_expression(0.0)
            if name:
                one.keys.key_blocks[name].value = 1.0
            for part in one.parts.values():
                for modifier in part.modifiers:
                    modifier.show_viewport = False
        for part in PARTS:
            np.testing.assert_allclose(
                evaluated(blender, game.parts[part]), evaluated(blender, head.parts[part]), atol=2e-6, err_msg=part
            )


def test_the_head_stays_as_it_was_and_one_undo_takes_the_other_away(blender, build):
    head = build()
    blender.ops.ed.undo_push(message="built")
    before, data = (
        state(blender),
        {kind: len(getattr(blender.data, kind)) for kind in ("meshes", "shape_keys", "images")},
    )
    name = head.root.name
    blender.ops.facedetail.game_ready("EXEC_DEFAULT", True)
    assert len(blender.data.collections) == 2
    objects, materials, groups = state(blender)
    assert {key: objects[key] for key in before[0]} == before[0]
    assert {key: materials[key] for key in before[1]} == before[1] and groups == before[2]
    assert len(blender.data.meshes) == 2 * data["meshes"] and len(blender.data.shape_keys) == 2 * data["shape_keys"]
    blender.ops.ed.undo()
    assert state(blender) == before and name in blender.data.objects


def test_it_stands_beside_the_head_and_is_one_to_all_buttons(blender, make):
    head, game = make()
    boxes = []
    for one in (head, game):
        points = evaluated(blender, one.skin) + np.array(one.root.matrix_world.translation)
        boxes.append((points[:, 0].min(), points[:, 0].max()))
    assert boxes[1][0] > boxes[0][1], "beside, with a gap"
    assert blender.ops.facedetail.expression(expression=names.NEUTRAL) == {"FINISHED"}
    assert game.keys.key_blocks["jawOpen"].value == 0 and head.keys.key_blocks["jawOpen"].value > 0
    game.keys.key_blocks["jawOpen"].value = 1.0
    blender.context.view_layer.update()
    teeth = game.parts["teeth_lower"].data.shape_keys.key_blocks["jawOpen"]
    assert teeth.value == pytest.approx(1.0), "teeth follow the skin"
    with pytest.raises(RuntimeError, match="for game engines already"):
        blender.ops.facedetail.game_ready()


@pytest.mark.parametrize("photo", ["made up.png", "Zoë 5 {x}.png", "写真.png"])
def test_names_are_those_that_engines_take(blender, make, photo):
    head, game = make("2k", photo)
    items = (*game.objects, game.root)
    materials = {slot.material for item in items if item.type == "MESH" for slot in item.material_slots}
    images = {node.image for one in materials for node in one.node_tree.nodes if node.type == "TEX_IMAGE"}
    for item in (*items, *materials, *images, *(item.data for item in items if item.data)):
        assert ENGINE_NAME.fullmatch(item.name), item.name
    assert all(one.name.startswith("M_") for one in materials) and all(one.name.startswith("T_") for one in images)
    kinds = {re.search("2k_(.*)", one.name)[1] for one in images}
    assert kinds == {"BaseColor", "Roughness", "Normal", "Eye_BaseColor"}
    assert all(one.packed_file is not None for one in images)
    for key in game.keys.key_blocks[1:]:
        assert ENGINE_NAME.fullmatch(key.name) or key.name == names.LIMIT_KEY, key.name
    (rig,) = (item for item in items if item.type == "ARMATURE")
    assert {bone.name: bone.parent and bone.parent.name for bone in rig.data.bones} == BONES


def test_bones_move_it_and_every_vertex_has_its_weight(blender, make):
    head, game = make()
    (rig,) = (item for item in game.objects if item.type == "ARMATURE")
    for part in game.parts.values():
        groups = {part.vertex_groups[bone].index for bone in BONES if bone in part.vertex_groups}
        total = [sum(one.weight for one in vertex.groups if one.group in groups) for vertex in part.data.vertices]
        assert np.abs(np.array(total) - 1).max() < 0.01, part.name
    before = evaluated(blender, game.skin)
    bone = rig.pose.bones["jaw"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler.x = 0.3
    blender.context.view_layer.update()
    assert 0.01 < np.abs(evaluated(blender, game.skin) - before).max() < 0.1


def test_a_recording_moves_it(blender, make, tmp_path):
    head, game = make("2k")
    path = tmp_path / "take.csv"
    path.write_text("\n".join([HEADER, *take()]))
    assert blender.ops.facedetail.live_link(filepath=str(path)) == {"FINISHED"}
    (rig,) = (item for item in game.objects if item.type == "ARMATURE")
    assert game.keys.animation_data.action is not None and rig.animation_data.action is not None


@pytest.mark.parametrize("ending", ["fbx", "glb"])
def test_files_have_its_names_though_they_are_taken_and_it_stands_at_the_origin(blender, make, tmp_path, ending):
    from facedetail_addon.scene.export.head import export_head

    head, game = make("2k")
    before = state(blender)
    path = export_head(game, tmp_path / f"head.{ending}")
    assert state(blender) == before
    wanted = {item.name for item in game.parts.values()}
    materials = {slot.material.name for item in game.parts.values() for slot in item.material_slots}
    blender.ops.wm.read_factory_settings(use_empty=True)
    if ending == "fbx":
        blender.ops.import_scene.fbx(filepath=str(path))
    else:
        blender.ops.import_scene.gltf(filepath=str(path))
    meshes = [item for item in blender.data.objects if item.type == "MESH" and not item.name.startswith("Icosphere")]
    (rig,) = (item for item in blender.data.objects if item.type == "ARMATURE")
    assert {item.name for item in meshes} == wanted and rig.name == "Armature"
    assert {slot.material.name for item in meshes for slot in item.material_slots} == materials
    assert not any(item.type == "EMPTY" for item in blender.data.objects)
    assert set(BONES) <= {bone.name for bone in rig.data.bones}
    skin = next(item for item in meshes if item.name.endswith("Skin"))
    assert set(ARKIT_NAMES) <= set(skin.data.shape_keys.key_blocks.keys())
    points = np.array([skin.matrix_world @ vertex.co for vertex in skin.data.vertices])
    assert np.abs(points.mean(axis=0)[0]) < 0.01 and 0.2 < np.ptp(points[:, 2]) < 0.4
    images = {
        node.image for slot in skin.material_slots for node in slot.material.node_tree.nodes if node.type == "TEX_IMAGE"
    }
    assert {re.search("2k_(\\w+)", image.name)[1] for image in images} >= {"BaseColor", "Normal"}


def test_fbx_in_centimetres_is_as_large_without_a_scale_on_anything(blender, make, tmp_path):
    head, game = make("2k")
    sizes = {}
    for centimetres in (False, True):
        path = tmp_path / f"{centimetres}.fbx"
        assert blender.ops.facedetail.export(filepath=str(path), centimetres=centimetres) == {"FINISHED"}
    for centimetres in (False, True):
        blender.ops.wm.read_factory_settings(use_empty=True)
        blender.ops.import_scene.fbx(filepath=str(tmp_path / f"{centimetres}.fbx"))
        skin = next(item for item in blender.data.objects if item.name.endswith("Skin"))
        sizes[centimetres] = np.ptp([(skin.matrix_world @ vertex.co)[2] for vertex in skin.data.vertices])
        own = np.ptp([vertex.co[2] for vertex in skin.data.vertices])
    assert sizes[True] == pytest.approx(sizes[False], rel=1e-4)
    assert own == pytest.approx(100 * sizes[True], rel=1e-3)


def test_a_head_that_has_lost_its_sliders_says_so(blender, build):
    head = build()
    head.skin.shape_key_clear()
    with pytest.raises(RuntimeError, match="no shape keys any more"):
        blender.ops.facedetail.game_ready()


def test_what_fails_adds_nothing(blender, build):
    head = build()
    for part in head.parts.values():
        if part.data.shape_keys and "jawOpen" in part.data.shape_keys.key_blocks:
            part.data.shape_keys.key_blocks["jawOpen"].name = "opens"
    before = state(blender)
    with pytest.raises(RuntimeError, match="no slider jawOpen"):
        blender.ops.facedetail.game_ready()
    assert state(blender) == before and len(blender.data.collections) == 1
