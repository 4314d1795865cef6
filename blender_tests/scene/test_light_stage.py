# SPDX-License-Identifier: GPL-3.0-or-later
"""The light stage as area lamps: as bright as the core says, in their place, and only one kind of light at a time."""

import numpy as np
import pytest

from blender_tests.made_up import changed
from facedetail_addon import names
from facedetail_addon.core.errors import OutputError
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.stage import LightStage, lamp_directions, stage_transfer

KINDS = (names.WORLD_LIGHT, names.SUN_LIGHT, names.STAGE_LIGHT)
KEY, FRONT, BEHIND = 0, 8, 7  # from above the subject's left, from before the face, from behind below


def three_lamps(ambient=(0.2, 0.15, 0.1)) -> LightStage:
    radiance = np.zeros((20, 3), np.float32)
    radiance[KEY], radiance[FRONT], radiance[BEHIND] = (4, 3, 2), (0.5, 1, 1.5), (0, 0, 3)
    return LightStage(radiance, np.float32(ambient))


@pytest.fixture
def made(model, reconstruction_of):
    """The function that makes up a reconstruction with a sun's light and the three lamps."""
    radiance = np.zeros((9, 3), np.float32)
    radiance[0], radiance[3] = 1.6, 0.8

    def make(photo_name: str = "made up.png", **values):
        return changed(
            reconstruction_of(model, photo_name=photo_name), radiance=radiance, **{"stage": three_lamps(), **values}
        )

    return make


def lamps_of(head) -> list:
    return [item for item in head.objects if item.type == "LIGHT"]


def shown(head) -> dict[str, bool]:
    return {item.data.type: not (item.hide_render or item.hide_viewport) for item in lamps_of(head)}


@pytest.mark.parametrize("units", [1.0, 100.0])
def test_cycles_shows_what_the_core_says(blender, units):
    """A white ball where the head would be, from before, in metres and in centimetres."""
    from facedetail_addon.core.geometry.camera import PerspectiveCamera
    from facedetail_addon.core.rendering.primary_rays import interpolate, trace_image
    from facedetail_addon.scene.build.stage import make_stage
    from facedetail_addon.scene.build.world import make_world
    from facedetail_addon.scene.space import to_blender
    from scripts.benchmark.appearance.ball import _sphere, relative_rmse
    from scripts.benchmark.appearance.cycles import empty_scene, painted_material, painted_mesh, render_linear

    stage, size = three_lamps(), 48
    distance = np.array([0, 0, 1000.0])
    camera = PerspectiveCamera(np.diag([1.0, -1, -1]), distance, 0.45 * size * 20, np.array([24.0, 24.0]), (size, size))
    scene = empty_scene(camera, 64, 1)
    scene.world = make_world("test", stage.ambient[None] * np.sqrt(4 * np.pi))
    root = blender.data.objects.new("root", None)
    root.scale = (units,) * 3
    scene.camera.data.clip_end = 1e5
    objects = make_stage("stage", stage, scene.world)
    normals, triangles = _sphere()
    white = painted_material("white", Roughness=1.0, Specular_IOR_Level=0.0)
    ball = painted_mesh(
        scene, to_blender(normals * 50), to_blender(normals), triangles, np.ones_like(normals),
        np.zeros(len(triangles)), [white],
    )  # fmt: skip
    for item in (root, *objects):
        scene.collection.objects.link(item)
    for item in (objects[0], ball, scene.camera):
        item.parent = root
    picture = render_linear(scene)["image"]

    vertices, triangles = (normals * 50).astype(np.float32), triangles.astype(np.int32)
    hits = trace_image(vertices, triangles, camera, (size, size))
    inside = hits.triangle >= 0
    points = interpolate(hits, triangles, vertices)[inside]
    facing = points / np.linalg.norm(points, axis=1, keepdims=True)
    wanted = stage_transfer(points * 1.001, facing, vertices, triangles) @ stage.radiance + stage.ambient
    inside = inside.reshape(size, size)
    middle = np.hypot(*(np.mgrid[:size, :size] - 23.5)) < 0.4 * size
    seen = middle[inside]
    assert relative_rmse(picture[..., :3][inside][seen], wanted[seen]) < 0.03
    np.testing.assert_allclose(picture[..., :3][inside][seen].mean(axis=0), wanted[seen].mean(axis=0), rtol=0.01)
    assert picture[0, 0, 3] == 0, "lamps are not seen"


def test_lamps_that_shine_stand_around_the_head_in_a_collection_of_their_own(blender, model, made):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.space import HEAD_TO_BLENDER

    head = build_scene(made(), model, light=names.STAGE_LIGHT)
    blender.context.view_layer.update()
    lamps = lamps_of(head)
    assert len(lamps) == 3 and {lamp.data.type for lamp in lamps} == {"AREA"}
    (collection,) = head.collection.children
    assert set(collection.objects) == {*lamps, lamps[0].parent} and lamps[0].parent.parent == head.root
    for lamp, number in zip(sorted(lamps, key=lambda one: one.name), (KEY, BEHIND, FRONT), strict=True):
        matrix = np.array(lamp.matrix_world)
        towards = HEAD_TO_BLENDER @ lamp_directions()[number]
        np.testing.assert_allclose(matrix[:3, 3], 1.5 * towards, atol=1e-5)
        np.testing.assert_allclose(matrix[:3, 2], towards, atol=1e-5)  # lamps shine along −Z
        colour = np.array(lamp.data.color) * lamp.data.energy
        np.testing.assert_allclose(
            colour / colour.max(), three_lamps().radiance[number] / three_lamps().radiance[number].max(), atol=1e-6
        )
    assert head.skin.name in head.collection.objects and head.camera is not None


def test_a_stage_without_lamps_is_an_even_world(blender, model, made):
    from facedetail_addon.scene.build.scene import build_scene

    dark = LightStage(np.zeros((20, 3), np.float32), np.zeros(3, np.float32))
    head = build_scene(made(stage=dark), model, light=names.STAGE_LIGHT)
    assert lamps_of(head) == [] and not head.collection.children
    assert blender.context.scene.world[names.LIGHT_KIND_PROPERTY] == names.STAGE_LIGHT


def test_lamps_obey_the_worlds_controls_also_with_scripts_off(blender, model, made, tmp_path):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.ui.light import light_controls

    build_scene(made(), model, light=names.STAGE_LIGHT)
    path = str(tmp_path / "scene.blend")
    blender.ops.wm.save_as_mainfile(filepath=path)
    blender.ops.wm.open_mainfile(filepath=path, use_scripts=False)
    scene = blender.context.scene
    studio, strength, rotation = (control.socket for control in light_controls(scene.world))
    lamp = scene.objects["made up light stage 1"]

    def evaluated():
        scene.world.node_tree.update_tag()
        graph = blender.context.evaluated_depsgraph_get()
        graph.update()
        return lamp.evaluated_get(graph)

    full, place = evaluated().data.energy, np.array(evaluated().matrix_world)[:3, 3]
    strength.default_value = 0.5
    assert evaluated().data.energy == pytest.approx(full / 2)
    rotation.default_value[2] = np.radians(90)
    turned = np.array(evaluated().matrix_world)[:3, 3]
    np.testing.assert_allclose(turned, [-place[1], place[0], place[2]], atol=1e-4)
    studio.default_value = 1.0
    assert evaluated().data.energy == 0


def test_one_kind_of_light_at_a_time_and_each_is_made_once(blender, model, made):
    from facedetail_addon.scene.build.light import light_scene, shown_light
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.ui.light import light_controls

    scene = blender.context.scene
    own = blender.data.objects.new("artist's lamp", blender.data.lights.new("artist's lamp", "AREA"))
    scene.collection.objects.link(own)
    other, head = build_scene(made("other.png"), model, light=names.STAGE_LIGHT), build_scene(made(), model)
    assert shown(other) == {"AREA": False} and shown_light(scene, other) == ""
    wanted = {
        names.WORLD_LIGHT: {},
        names.SUN_LIGHT: {"SUN": True},
        names.STAGE_LIGHT: {"SUN": False, "AREA": True},
    }
    for kind in KINDS:
        light_scene(scene, head, kind)
        assert shown(head) == wanted[kind] and shown_light(scene, head) == kind and not own.hide_render
    light_controls(scene.world)[1].socket.default_value = 0.25
    worlds, lamps = set(blender.data.worlds), set(lamps_of(head))
    for kind in (*KINDS, *KINDS):
        light_scene(scene, head, kind)
        assert light_controls(scene.world)[1].socket.default_value == 0.25, "what the artist has set goes along"
    assert set(blender.data.worlds) == worlds and set(lamps_of(head)) == lamps
    light_scene(scene, head, names.WORLD_LIGHT)
    assert shown(head) == {"SUN": False, "AREA": False}
    light_scene(scene, other, names.STAGE_LIGHT)
    assert shown(other) == {"AREA": True} and light_controls(scene.world)[1].socket.default_value == 1.0


def test_a_lamp_that_the_artist_changed_stays_so(blender, model, made):
    from facedetail_addon.scene.build.light import light_scene
    from facedetail_addon.scene.build.scene import build_scene

    scene, head = blender.context.scene, build_scene(made(), model, light=names.STAGE_LIGHT)
    lamp = lamps_of(head)[0]
    lamp.data.driver_remove("energy")
    lamp.data.energy, lamp.data.color, lamp.name = 7.0, (1, 0, 0), "rim"
    for kind in (names.WORLD_LIGHT, names.STAGE_LIGHT):
        light_scene(scene, head, kind)
        assert lamp.hide_render == (kind == names.WORLD_LIGHT) and len(lamps_of(head)) == 3
    assert (lamp.data.energy, lamp.name) == (7.0, "rim")


def test_what_the_artist_removed_is_made_again(blender, model, made):
    from facedetail_addon.scene.build.light import light_scene
    from facedetail_addon.scene.build.scene import build_scene

    scene, head = blender.context.scene, build_scene(made(), model, light=names.STAGE_LIGHT)
    blender.data.batch_remove(lamps_of(head))
    light_scene(scene, head, names.WORLD_LIGHT)
    light_scene(scene, head, names.STAGE_LIGHT)
    assert len(lamps_of(head)) == 3
    old = scene.world
    light_scene(scene, head, names.WORLD_LIGHT)
    blender.data.worlds.remove(old)
    light_scene(scene, head, names.STAGE_LIGHT)
    assert sum(not lamp.hide_render for lamp in lamps_of(head)) == 3, "those without a world stay out"


def test_a_head_without_a_stage_says_so_and_nothing_changes(blender, model, made):
    from facedetail_addon.scene.build.light import light_scene, shown_light
    from facedetail_addon.scene.build.scene import build_scene

    with pytest.raises(OutputError, match="no light stage") as caught:
        build_scene(made(stage=None), model, light=names.STAGE_LIGHT)
    assert "again" in caught.value.remedy and not blender.data.objects and not blender.data.collections
    head = build_scene(made(stage=None), model, light=names.SUN_LIGHT)
    for value in (None, "lamps", [1.0] * 62, [-1.0] * 63, [float("nan")] * 63):
        if value is not None:
            head.root[names.HEAD_STAGE_PROPERTY] = value
        with pytest.raises(OutputError, match="no light stage"):
            light_scene(blender.context.scene, head, names.STAGE_LIGHT)
        assert shown_light(blender.context.scene, head) == names.SUN_LIGHT and shown(head) == {"SUN": True}


def test_a_head_in_the_stage_is_as_bright_as_the_core_says(blender, model, made, no_relief, tmp_path):
    """A grey, dull, smooth head through the photo's camera; light from skin to skin and scattering are left open."""
    from skimage import io

    from facedetail_addon.core.colour import to_linear
    from facedetail_addon.core.rendering.primary_rays import interpolate, trace_image
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.render import render_scene

    blender.context.scene.render.threads_mode, blender.context.scene.render.threads = "FIXED", 1
    flat = {name: np.full((256, 256), 0 if name == "specular" else 255, np.uint8) for name in ("roughness", "specular")}
    found = made(albedo=np.full((256, 256, 3), 118, np.uint8), **flat, **no_relief)
    head = build_scene(found, model, light=names.STAGE_LIGHT)
    for modifier in [one for item in head.objects for one in item.modifiers if one.type == "SUBSURF"]:
        modifier.levels = modifier.render_levels = 1
    picture = to_linear(io.imread(render_scene(tmp_path / "a.png", head, samples=16, percentage=40))[..., :3])
    size = picture.shape[1::-1]
    vertices, skin = found.record.pose.vertices, model.skin
    normals = vertex_normals(skin.of(vertices), skin.triangles())
    stage = found.record.light.stage
    direct = stage_transfer(skin.of(vertices), normals, vertices, model.triangles()) @ stage.radiance
    shade = np.zeros((len(vertices), 3), np.float32)
    shade[skin.rows] = (direct + stage.ambient) * 0.18
    hits = trace_image(vertices, model.triangles(), found.record.pose.perspective, size)
    wanted = interpolate(hits, model.triangles(), shade).reshape(size[1], size[0], 3)
    flat_skin = model.in_region("forehead", "cheeks")[skin.triangles()].all(axis=1)
    on_it = np.append(flat_skin, np.zeros(len(model.triangles()) - len(flat_skin) + 1, bool))[hits.triangle]
    on_it = on_it.reshape(size[1], size[0])
    ratio = picture[on_it].mean(axis=0) / wanted[on_it].mean(axis=0)
    assert on_it.sum() > 100 and (ratio > 0.9).all() and (ratio < 1.12).all()
