# SPDX-License-Identifier: GPL-3.0-or-later
"""Posed heads: coarse and fluent in views, the same in renders, and afterwards exactly what the artist had."""

import cv2
import numpy as np
import pytest

from blender_tests.operators import recording_layout
from blender_tests.operators.head_state import evaluated, state
from blender_tests.operators.test_older_files import FILE as OLD_FILE
from facedetail_addon import names

FINER = {"SUBSURF", "DISPLACE"}


def finer_in_views(head) -> list[str]:
    return [
        one.name for part in head.parts.values() for one in part.modifiers if one.type in FINER and one.show_viewport
    ]


def picture(path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(int)


def test_one_click_poses_and_another_restores_exactly(blender, build):
    head = build()
    armature = head.skin.modifiers.new("artist's", "LATTICE")
    head.skin.modifiers.new("artist's hidden", "SUBSURF").show_viewport = False
    before, fine = state(blender), len(evaluated(blender, head.skin))
    assert blender.ops.facedetail.pose() == {"FINISHED"}
    assert finer_in_views(head) == [] and armature.show_viewport
    assert len(evaluated(blender, head.skin)) == len(head.skin.data.vertices) < fine
    assert all(one.show_render for one in head.skin.modifiers if one.name == names.MEDIUM_MODIFIER)
    assert blender.ops.facedetail.pose() == {"FINISHED"}
    assert state(blender) == before and len(evaluated(blender, head.skin)) == fine


def test_sliders_move_a_posed_head(blender, build):
    head = build()
    blender.ops.facedetail.pose()
    before = evaluated(blender, head.skin)
    head.keys.key_blocks["jawOpen"].value = 1.0
    assert np.abs(evaluated(blender, head.skin) - before).max() > 0.005


def test_relief_becomes_shading_in_views_alone(blender, build):
    head = build()
    nodes = head.skin.material_slots[0].material.node_tree.nodes
    assert nodes["Relief Normals"].inputs[1].default_value[0] == 0, "medium relief is geometry, not shading"
    blender.ops.facedetail.pose()
    source = nodes["Relief Normals"].inputs[1].links[0].from_node
    assert tuple(source.inputs[1].default_value)[:2] == pytest.approx((0.5, 0.5))
    assert tuple(source.inputs[2].default_value) == (0, 0, 0)
    assert source.inputs[0].links[0].from_node.attribute_name == names.POSED_ATTRIBUTE
    mesh = head.skin.evaluated_get(blender.context.evaluated_depsgraph_get()).data
    assert {one.value for one in mesh.attributes[names.POSED_ATTRIBUTE].data} == {1.0}
    assert names.POSED_ATTRIBUTE not in head.skin.data.attributes
    assert not head.skin.modifiers[names.POSE_MODIFIER].show_render


def test_renders_of_a_posed_head_are_those_of_the_head(blender, build, tmp_path):
    from facedetail_addon.scene.render import render_scene

    head = build()
    head.skin.modifiers["Subdivision"].render_levels = 2
    before = picture(render_scene(tmp_path / "before.png", head, samples=4, percentage=50))
    blender.ops.facedetail.pose()
    posed = picture(render_scene(tmp_path / "posed.png", head, samples=4, percentage=50))
    assert before[..., :3].max() > 30 and np.abs(posed - before).max() <= 1


def test_a_relief_slider_of_a_posed_head_is_there_afterwards(blender, build):
    head = build()
    head.relief_settings.strength = 0.5
    before = state(blender)
    head.relief_settings.strength = 1.0
    blender.ops.facedetail.pose()
    head.relief_settings.strength = 0.5
    assert finer_in_views(head) == [] and names.POSED_PROPERTY in head.root
    nodes = head.skin.material_slots[0].material.node_tree.nodes
    shown = nodes["Relief Normals"].inputs[1].links[0].from_node.inputs[1].default_value
    assert shown[0] == pytest.approx(0.25), "half of a half"
    blender.ops.facedetail.pose()
    assert state(blender) == before


def test_playback_poses_all_heads_and_gives_them_back(blender, build, player):
    heads = [build(), build("another.png")]
    before = state(blender)
    player()
    assert [finer_in_views(head) for head in heads] == [[], []]
    player()
    assert state(blender) == before


def test_a_head_posed_by_choice_stays_so_after_playback(blender, build, player):
    head, other = build(), build("another.png")
    blender.ops.facedetail.pose()
    player()
    player()
    assert finer_in_views(other) == [] and finer_in_views(head) != []


def test_playback_leaves_heads_alone_where_the_artist_wants_that(blender, build, player):
    head = build()
    blender.context.scene.facedetail.pose_while_playing = False
    before = state(blender)
    player()
    assert state(blender) == before and finer_in_views(head) != []


def test_a_file_saved_while_playing_holds_what_the_artist_had(blender, build, player, tmp_path):
    head, path = build(), str(tmp_path / "playing.blend")
    before = state(blender)
    player()
    blender.ops.wm.save_as_mainfile(filepath=path, copy=True)
    assert finer_in_views(head) == [], "it goes on playing"
    player()
    blender.ops.wm.open_mainfile(filepath=path)
    assert state(blender) == before


def test_a_file_that_was_written_in_playback_unasked_is_put_right_when_opened(blender, build, player, tmp_path):
    from facedetail_addon.operators import pose

    build()
    before = state(blender)
    player()
    blender.app.handlers.save_pre.remove(pose._show_as_before)  # as Blender's own automatic saving calls none
    try:
        blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "auto.blend"), copy=True)
    finally:
        blender.app.handlers.save_pre.append(pose._show_as_before)
    player()
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "auto.blend"))
    assert state(blender) == before


def test_a_file_with_a_posed_head_opens_posed_and_is_given_back(blender, build, tmp_path):
    from facedetail_addon.scene.head_object import HeadObject

    head = build()
    name, before = head.root.name, state(blender)
    blender.ops.facedetail.pose()
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "posed.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "posed.blend"))
    head = HeadObject.named(name)
    assert finer_in_views(head) == []
    head.select(blender.context.view_layer)
    blender.ops.facedetail.pose()
    assert state(blender) == before


def test_parts_of_a_head_deleted_while_it_plays_are_given_back(blender, build, player):
    head = build()
    skin = head.skin
    kept = [(one.name, one.show_viewport) for one in skin.modifiers]
    player()
    for item in (head.parts["eye_left"], head.root):
        blender.data.objects.remove(item)
    skin.modifiers.remove(skin.modifiers[names.FINE_MODIFIER])
    player()
    assert [(one.name, one.show_viewport) for one in skin.modifiers] == [
        one for one in kept if one[0] != names.FINE_MODIFIER
    ]


def test_undo_and_redo_go_in_and_out_of_a_pose(blender, build):
    head = build()
    name, before = head.root.name, state(blender)
    blender.ops.ed.undo_push(message="built")
    blender.ops.facedetail.pose()
    blender.ops.ed.undo_push(message="posed")
    blender.ops.ed.undo()
    assert state(blender) == before
    blender.ops.ed.redo()
    assert names.POSED_PROPERTY in blender.data.objects[name]


def test_redo_into_a_state_from_playback_leaves_nothing_posed(blender, build, player):
    build()
    before = state(blender)
    blender.ops.ed.undo_push(message="built")
    player()
    blender.ops.ed.undo_push(message="while playing")
    player()
    blender.ops.ed.undo()
    blender.ops.ed.redo()
    assert state(blender) == before


def test_a_duplicate_with_the_same_material_keeps_its_look(blender, build):
    from facedetail_addon.scene.head_object import HeadObject

    head = build()
    for item in (head.root, *head.objects):
        item.select_set(True)
    blender.ops.object.duplicate(linked=True)
    copy = HeadObject.of(blender.context.active_object)
    assert copy.root != head.root and copy.skin.data == head.skin.data
    before = state(blender)
    blender.ops.facedetail.pose()
    assert finer_in_views(copy) == [] and finer_in_views(head) != []
    mesh = head.skin.evaluated_get(blender.context.evaluated_depsgraph_get()).data
    assert names.POSED_ATTRIBUTE not in mesh.attributes, "its material sees no pose"
    blender.ops.facedetail.pose()
    assert state(blender) == before


def test_a_head_of_an_older_file_can_be_posed(blender, add_on, player):
    from facedetail_addon.scene.head_object import HeadObject

    blender.ops.wm.open_mainfile(filepath=str(OLD_FILE))
    head = HeadObject.named("old head")
    head.select(blender.context.view_layer)
    before = state(blender)
    player()
    assert finer_in_views(head) == []
    player()
    assert state(blender) == before
    blender.ops.facedetail.pose()
    assert finer_in_views(head) == []
    blender.ops.facedetail.pose()
    assert state(blender) == before


def test_pictures_for_lookdev_are_of_the_whole_head(blender, build):
    from facedetail_addon.scene.lookdev.stage import staged
    from facedetail_addon.scene.relief.displacement import Relief

    head = build()
    blender.ops.facedetail.pose()
    with staged(head, Relief(), 2) as stage:
        assert all(one.show_viewport for one in stage.skin.modifiers if one.type == "SUBSURF")
        assert names.POSE_MODIFIER not in stage.skin.modifiers
        nodes = stage.skin.material_slots[0].material.node_tree.nodes
        assert not nodes["Relief Normals"].inputs[1].is_linked
    assert finer_in_views(head) == []


def test_the_panel_has_the_button_and_the_choice(blender, build):
    build()
    layout = recording_layout.draw("FACEDETAIL_PT_expression")
    assert names.OP_POSE in layout.of("operator") and "pose_while_playing" in layout.of("prop")


def test_switching_the_add_on_off_ends_what_playback_began(blender, build, player):
    import facedetail_addon

    head = build()
    before = state(blender)[1:]
    player()
    facedetail_addon.unregister()
    try:
        assert finer_in_views(head) != [] and state(blender)[1:] == before
    finally:
        facedetail_addon.register()
