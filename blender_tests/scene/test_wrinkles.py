# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief of the photo's expression fades with the sliders, alike in all modes, and comes back bit for bit."""

import numpy as np
import pytest

from blender_tests.made_up import changed
from blender_tests.scene.relief_scene import show
from blender_tests.scene.test_displacement import evaluated
from facedetail_addon import names
from facedetail_addon.core.detail.expression_shares import GROUPS, expression_shares, share_maps
from facedetail_addon.core.detail.types import EXPRESSION_GROUPS
from facedetail_addon.core.errors import OutputError
from facedetail_addon.core.result.maps import map_spec

SMILE = {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.6, "browInnerUpLeft": 0.4, "browInnerUpRight": 0.4,
         "browOuterUpLeft": 0.3, "browOuterUpRight": 0.3, "jawOpen": 0.3}  # fmt: skip
MODES = (names.DISPLACE, names.ADAPTIVE, names.NORMAL_MAP)


@pytest.fixture(scope="session")
def laughing(model, wavy, atlas):
    """The wavy head with raised brows and a smile, whose waves belong to them as the pipeline has it."""
    beta = np.zeros(len(model.expression_names), np.float32)
    for name, weight in SMILE.items():
        beta[model.expression_names.index(name)] = weight
    alpha = wavy.record.fit.alpha
    posed = changed(wavy, beta=beta, vertices=model.vertices(alpha, beta), vertices_neutral=model.vertices(alpha))
    maps = share_maps(expression_shares(model, beta), wavy.maps["displacement_medium"], atlas)
    return changed(
        posed,
        **{f"expression_{name}": maps[..., index].copy() for index, name in enumerate(EXPRESSION_GROUPS)},
    )


@pytest.fixture(scope="session")
def without(laughing):
    """The same head as a version before these shares wrote it."""
    zeros = np.zeros((1, 1), np.uint8)
    return changed(laughing, **{f"expression_{name}": zeros for name in EXPRESSION_GROUPS})


@pytest.fixture
def build(blender, model):
    from facedetail_addon.scene.build.scene import build_scene

    return lambda reconstruction: build_scene(reconstruction, model)


def weights(bpy, skin) -> np.ndarray:
    """(N,) of the relief, by the skin's vertices as views show them; what materials and modifiers see is the same."""
    bpy.context.view_layer.update()
    item = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
    shown = np.empty(len(item.data.vertices), np.float32)
    item.data.attributes[names.RELIEF_WEIGHT].data.foreach_get("value", shown)
    group = item.vertex_groups[names.WRINKLE_MODIFIER].index
    few = range(0, len(shown), 997)
    by_group = [next(entry.weight for entry in item.data.vertices[at].groups if entry.group == group) for at in few]
    np.testing.assert_allclose(by_group, shown[:: few.step], atol=1e-6)
    return shown


def mesh_shares(skin) -> np.ndarray:
    """(V,) of the mesh's own vertices, the sum of all."""
    total = np.zeros(len(skin.data.vertices), np.float32)
    for attribute in skin.data.attributes:
        if attribute.name.startswith(names.WRINKLE_ATTRIBUTE):
            shares = np.empty(len(total), np.float32)
            attribute.data.foreach_get("value", shares)
            total += shares
    return total


def test_heads_without_shares_have_nothing_of_it(blender, build, without):
    skin = build(without).skin
    assert [item.name for item in skin.modifiers] == ["Subdivision", names.MEDIUM_MODIFIER, names.FINE_MODIFIER]
    assert not any(item.vertex_group for item in skin.modifiers if item.type == "DISPLACE")
    assert skin.animation_data is None and not blender.data.node_groups
    assert names.WRINKLE_MODIFIER not in skin.vertex_groups and names.RELIEF_WEIGHT not in skin.data.attributes
    nodes = skin.material_slots[0].material.node_tree.nodes
    assert not [node for node in nodes if getattr(node, "attribute_name", "") == names.RELIEF_WEIGHT]


def test_only_groups_with_a_share_cost_anything(build, laughing):
    skin = build(laughing).skin
    labels = [item.name for item in skin.modifiers[0].node_group.interface.items_tree][2:]
    assert labels == [f"{group} {side}" for group in ("forehead", "eyes", "mouth") for side in ("Left", "Right")]
    assert len(skin.animation_data.drivers) == len(labels)
    for curve in skin.animation_data.drivers:
        assert curve.driver.is_simple_expression, "others wait for the artist to allow scripts"
        assert curve.is_valid and curve.driver.is_valid


def test_as_in_the_photo_it_is_the_relief_of_before(blender, build, without, laughing):
    wanted = evaluated(blender, build(without).skin)
    head = build(laughing)
    assert np.array_equal(evaluated(blender, head.skin)[0], wanted[0])
    assert (weights(blender, head.skin) == 1).all()


def test_neutral_smooths_and_the_photo_restores_bit_for_bit(blender, build, laughing, model):
    head = build(laughing)
    before = evaluated(blender, head.skin)[0]
    head.set_photo_expression(0.0)
    faded = weights(blender, head.skin)
    shares = mesh_shares(head.skin)
    assert faded.min() == pytest.approx(1 - max(group.most for group in GROUPS.values()), abs=0.02)
    assert shares.max() == pytest.approx(1 - faded.min(), abs=0.02) and faded.max() == 1
    head.set_photo_expression(1.0)
    assert np.array_equal(evaluated(blender, head.skin)[0], before)
    assert not np.array_equal(before[:10], evaluated(blender, head.skin)[1][:10])


@pytest.mark.parametrize("share", [0.25, 0.5, 2.0])
def test_weights_follow_the_sliders(blender, build, laughing, share):
    head = build(laughing)
    head.skin.modifiers["Subdivision"].levels = 0
    shares = mesh_shares(head.skin)
    for name in SMILE:
        head.keys.key_blocks[name].slider_max = 2.0
    head.set_photo_expression(share)
    wanted = 1 - shares * (1 - min(share, 1))
    np.testing.assert_allclose(weights(blender, head.skin), wanted, atol=5e-4, err_msg="never deeper than in the photo")


def test_one_side_fades_alone(blender, build, laughing):
    head = build(laughing)
    head.keys.key_blocks["mouthSmileLeft"].value = 0.0
    faded = weights(blender, head.skin)
    places = evaluated(blender, head.skin)[0]
    changed_at = places[faded < 0.99]
    assert faded.min() < 0.4 and len(changed_at) > 1000 and changed_at[:, 0].min() > -12
    forehead = places[:, 2] > 80  # Blender's Z is up
    assert (faded[forehead] == 1).all()


@pytest.mark.parametrize("field", ["medium", "fine"])
def test_vertices_move_by_the_weights_share(blender, build, laughing, field):
    head = build(laughing)
    head.skin[names.FINE_LEVEL_PROPERTY] = 2
    choice = {"render_level": 2, "strength": 1.5, "medium": float(field == "medium"), "fine": float(field == "fine")}
    head.set_photo_expression(0.0)
    show(head.root, **{**choice, "strength": 0})
    smooth = evaluated(blender, head.skin)[0]
    show(head.root, **choice)
    faded, factor = evaluated(blender, head.skin)[0] - smooth, weights(blender, head.skin)
    head.skin.modifiers[names.WRINKLE_MODIFIER].show_viewport = False
    whole = evaluated(blender, head.skin)[0] - smooth
    assert np.linalg.norm(whole, axis=1).max() > 0.1
    np.testing.assert_allclose(faded, factor[:, None] * whole, atol=2e-5)


@pytest.fixture(scope="module")
def lit(model, laughing, tmp_path_factory):
    """By mode, the neutral forehead's picture less the smooth one's: faded, and with the modifier switched off."""
    bpy = pytest.importorskip("bpy", reason="needs Blender's Python module")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    from blender_tests.scene.test_displacement import _close_up, _picture
    from facedetail_addon.scene.build.scene import build_scene

    dull = {"albedo": np.full((256, 256, 3), 180, np.uint8), "specular": np.zeros((256, 256), np.uint8)}
    head = build_scene(changed(laughing, **dull), model, use_light=False)
    head.set_photo_expression(0.0)
    vertices = laughing.record.fit.vertices_neutral
    _close_up(bpy, model.landmarks68.points(vertices)[[19, 24]].mean(axis=0) + (0, 16, 0), "above")
    path, modifier = tmp_path_factory.mktemp("wrinkles") / "picture.exr", head.skin.modifiers[names.WRINKLE_MODIFIER]
    show(head.root, strength=0, render_level=2)
    smooth, pictures = _picture(bpy, path), {}
    for mode in MODES:
        show(head.root, mode=mode, fine=0.0, render_level=2)
        for key in ("faded", "whole"):
            modifier.show_render = key == "faded"
            pictures[mode, key] = _picture(bpy, path) - smooth
    return pictures


@pytest.mark.parametrize("mode", MODES)
def test_all_modes_fade_by_the_same_factor(lit, mode):
    faded, whole = lit[mode, "faded"], lit[mode, "whole"]
    assert whole.std() > 0.015 and np.corrcoef(faded.ravel(), whole.ravel())[0, 1] > 0.9, "waves, one and the other"
    factor = (faded * whole).sum() / (whole * whole).sum()
    assert factor == pytest.approx(1 - GROUPS["forehead"].most, abs=0.05)


def test_it_works_after_saving_with_scripts_off_and_in_another_file(blender, build, laughing, tmp_path):
    head = build(laughing)
    before = evaluated(blender, head.skin)[0]
    path = str(tmp_path / "scene.blend")
    blender.ops.wm.save_as_mainfile(filepath=path)
    blender.ops.wm.open_mainfile(filepath=path, use_scripts=False)
    assert_fades(blender, blender.data.objects["made up head"], before)
    blender.ops.wm.read_factory_settings(use_empty=True)
    with blender.data.libraries.load(path) as (there, wanted):
        wanted.collections = there.collections
    blender.context.scene.collection.children.link(wanted.collections[0])
    assert_fades(blender, blender.data.objects["made up head"], before)


def assert_fades(bpy, root, photo: np.ndarray) -> None:
    from facedetail_addon.scene.head_object import HeadObject

    head = HeadObject(root)
    head.set_photo_expression(0.0)
    assert weights(bpy, head.skin).min() < 0.2
    head.set_photo_expression(1.0)
    assert np.array_equal(evaluated(bpy, head.skin)[0], photo)


def test_heads_fade_by_themselves(blender, build, laughing):
    first, second = build(laughing), build(laughing)
    first.set_photo_expression(0.0)
    assert weights(blender, first.skin).min() < 0.2 and weights(blender, second.skin).min() == 1
    blender.ops.object.select_all(action="DESELECT")
    for item in (second.root, *second.objects):
        item.hide_set(False)
        item.select_set(True)
    blender.ops.object.duplicate()
    from facedetail_addon.scene.head_object import HeadObject

    third = HeadObject.of(next(item for item in blender.context.selected_objects if item.type == "EMPTY"))
    assert third != second and third.keys != second.keys
    third.set_photo_expression(0.0)
    assert weights(blender, second.skin).min() == 1 and weights(blender, third.skin).min() < 0.2


def test_undo_takes_it_back(blender, build, laughing):
    head = build(laughing)
    name = head.root.name
    blender.context.preferences.edit.use_global_undo = True
    blender.ops.ed.undo_push(message="photo")
    head.set_photo_expression(0.0)
    blender.ops.ed.undo_push(message="neutral")
    assert weights(blender, head.skin).min() < 0.2
    blender.ops.ed.undo()
    from facedetail_addon.scene.head_object import HeadObject

    assert weights(blender, HeadObject.named(name).skin).min() == 1


def test_who_removes_the_modifier_has_the_whole_relief(blender, build, laughing):
    head = build(laughing)
    head.set_photo_expression(0.0)
    head.skin.modifiers.remove(head.skin.modifiers[names.WRINKLE_MODIFIER])
    assert (weights(blender, head.skin) == 1).all()


def test_modes_leave_it_in_its_place(blender, build, laughing):
    head = build(laughing)
    for mode in (*MODES, *MODES):
        show(head.root, mode=mode)
        assert head.skin.modifiers[0].name == names.WRINKLE_MODIFIER
        head.set_photo_expression(0.0)
        assert weights(blender, head.skin).min() < 0.2
        head.set_photo_expression(1.0)
        assert weights(blender, head.skin).min() == 1


def test_another_pose_is_whole_in_its_own_expression(blender, build, model, laughing):
    from facedetail_addon.scene.shape import HeadShape

    head, record = build(laughing), laughing.record
    beta = record.pose.beta * np.float32(0.5)
    head.set_pose(
        model,
        HeadShape(record.fit.vertices_neutral, model.vertices(record.fit.alpha, beta), beta),
        record.pose.perspective,
    )
    assert weights(blender, head.skin).min() == 1
    head.set_photo_expression(0.0)
    assert weights(blender, head.skin).min() < 0.2


def test_lookdev_pictures_of_the_neutral_head_fade(blender, build, laughing):
    from facedetail_addon.scene.lookdev.stage import staged
    from facedetail_addon.scene.relief.displacement import Relief

    head = build(laughing)
    for neutral in (False, True):
        with staged(head, Relief(), 1, neutral=neutral) as stage:
            item = stage.skin.evaluated_get(stage.scene.view_layers[0].depsgraph)
            shown = np.empty(len(item.data.vertices), np.float32)
            item.data.attributes[names.RELIEF_WEIGHT].data.foreach_get("value", shown)
            assert (shown.min() < 0.2) == neutral
    assert weights(blender, head.skin).min() == 1


def test_exported_normals_are_those_of_the_moment(blender, build, laughing, tmp_path):
    from facedetail_addon.core.io.images import read_png
    from facedetail_addon.scene.export.head import export_head

    head, found = build(laughing), {}
    for share in (1.0, 0.0):
        head.set_photo_expression(share)
        export_head(head, tmp_path / "scene.obj")
        normals = 2 * (read_png(tmp_path / "scene_normal.png") / 255) - 1
        found[share] = normals[..., :2] / normals[..., 2:]
    share = np.stack([laughing.maps[f"expression_{name}"] for name in EXPRESSION_GROUPS], axis=-1).sum(axis=-1) / 255.0
    slope = np.abs(found[1.0]).max(axis=-1)
    steep, plain = (share > 0.8) & (slope > 0.2), (share == 0) & (slope > 0.2)
    assert steep.sum() > 500 and plain.sum() > 500
    for where, wanted in ((steep, 1 - share[steep]), (plain, np.ones(plain.sum()))):
        kept = np.abs(found[0.0]).max(axis=-1)[where] / slope[where]
        assert np.median(np.abs(kept - wanted)) < 0.04


@pytest.mark.parametrize("kind", ["colours", "16 bit", "cut", "huge"])
def test_a_share_that_is_none_leaves_no_head(blender, model, laughing, kind):
    from facedetail_addon.core.io.images import png_bytes
    from facedetail_addon.core.result.pictures import Pictures, encode_pictures
    from facedetail_addon.scene.build.scene import build_steps
    from facedetail_addon.scene.steps import run_through

    pictures = encode_pictures(laughing.maps)
    share = laughing.maps["expression_eyes"]
    wrong = {
        "colours": png_bytes(np.repeat(share[..., None], 3, axis=2)),
        "16 bit": png_bytes(share.astype(np.uint16)),
        "huge": png_bytes(np.zeros((8, 4097), np.uint8)),
        "cut": pictures.files["expression_eyes"][:60],
    }[kind]
    pictures = Pictures({**pictures.files, "expression_eyes": wrong}, pictures.has_relief)
    with pytest.raises(OutputError, match=map_spec("expression_eyes").file) as caught:
        run_through(build_steps(laughing.record, model, pictures))
    assert caught.value.remedy and not blender.data.objects and not blender.data.node_groups
