# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo's light as the scene's world: where it comes from, its controls, its sun, and what other worlds become."""

import numpy as np
import pytest

from blender_tests.made_up import changed
from facedetail_addon import names
from facedetail_addon.core.colour import to_linear

SIZE = (96, 96)
GREY = np.full((256, 256, 3), 118, np.uint8)
LEFT_CHEEK, RIGHT_CHEEK, TIP_OF_NOSE = (15, 29), (1, 29), (30,)  # between these of the 68


def light(x: float = 0.0, y: float = 0.0, z: float = 0.0, color=(1.0, 1.0, 1.0), even: float = 1.6) -> np.ndarray:
    """(9, 3) radiance: even light, and more from the subject's left (x), above (y), and the front (z)."""
    out = np.zeros((9, 3), np.float32)
    out[:4] = np.float32([even, y, z, x])[:, None] * np.float32(color)
    return out


@pytest.fixture
def grey(model, reconstruction_of, no_relief):
    """The function that makes up a grey, dull, smooth head in a light."""

    def make(radiance: np.ndarray, photo_name: str = "made up.png"):
        found = reconstruction_of(model, SIZE, photo_name=photo_name)
        dull = np.full((256, 256), 200, np.uint8)
        return changed(found, albedo=GREY, roughness=dull, radiance=radiance, **no_relief)

    return make


@pytest.fixture
def rendered(blender, tmp_path):
    """The function that renders a head through its camera: (h, w, 3) linear and (h, w) what the head covers."""
    from skimage import io

    from facedetail_addon.scene.render import render_scene

    blender.context.scene.render.threads_mode, blender.context.scene.render.threads = "FIXED", 1

    def render(head, samples: int = 16) -> tuple[np.ndarray, np.ndarray]:
        for modifier in [one for item in head.objects for one in item.modifiers if one.type == "SUBSURF"]:
            modifier.levels = modifier.render_levels = 1  # faces about as small as pixels
        picture = io.imread(render_scene(tmp_path / "render.png", head, samples=samples))
        return to_linear(picture[..., :3]), picture[..., 3] == 255

    return render


def at(picture: np.ndarray, found, landmarks: tuple[int, ...]) -> np.ndarray:
    """(3,) colour around the middle of some landmarks."""
    pose = found.record.pose
    x, y = pose.perspective.project(pose.landmarks68_mm[list(landmarks)]).mean(axis=0).astype(int)
    return picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(axis=0)


def turn_control(scene, node: str, value: float) -> None:
    """As the panel's sliders do."""
    from facedetail_addon.ui.light import light_controls

    (control,) = [control for control in light_controls(scene.world) if control.socket.node.name == node]
    if control.index < 0:
        control.socket.default_value = value
    else:
        control.socket.default_value[control.index] = value


@pytest.mark.parametrize("side", [1, -1])
def test_light_comes_from_where_it_came_in_the_photo(model, grey, rendered, side):
    from facedetail_addon.scene.build.scene import build_scene

    found = grey(light(x=0.8 * side))
    picture, _ = rendered(build_scene(found, model))
    left, right = at(picture, found, LEFT_CHEEK).mean(), at(picture, found, RIGHT_CHEEK).mean()
    assert left / right > 1.5 if side > 0 else right / left > 1.5
    # The subject's left is on the right of the picture, as they look at us.
    assert found.record.pose.perspective.project(found.record.pose.landmarks68_mm[[16]])[0, 0] > SIZE[0] / 2


def test_strength(blender, model, grey, rendered):
    from facedetail_addon.scene.build.scene import build_scene

    collection = build_scene(grey(light(z=0.6)), model)
    once, head = rendered(collection)
    turn_control(blender.context.scene, names.STRENGTH_NODE, 0.5)
    half, _ = rendered(collection)
    assert half[head].mean() / once[head].mean() == pytest.approx(0.5, abs=0.02)


def test_rotation_turns_the_light_counterclockwise_from_above(blender, model, grey, rendered):
    """From the subject's left a quarter turn leads behind the head, a quarter back to before the face."""
    from facedetail_addon.scene.build.scene import build_scene

    found = grey(light(x=0.8))
    collection = build_scene(found, model)
    nose = {}
    for degrees in (0, 90, -90):
        turn_control(blender.context.scene, names.ROTATION_NODE, np.radians(degrees))
        picture, _ = rendered(collection)
        nose[degrees] = at(picture, found, TIP_OF_NOSE).mean()
        cheeks = at(picture, found, LEFT_CHEEK).mean() / at(picture, found, RIGHT_CHEEK).mean()
        assert cheeks > 1.5 if degrees == 0 else 0.9 < cheeks < 1.1
    assert nose[-90] > 1.3 * nose[0] > 1.3 * nose[90]


def test_studio_is_white_whatever_the_photo_was(blender, model, grey, rendered):
    from facedetail_addon.scene.build.scene import build_scene

    collection = build_scene(grey(light(z=0.5, color=(1.0, 0.3, 0.1))), model)
    reddish, head = rendered(collection)
    turn_control(blender.context.scene, names.STUDIO_NODE, 1.0)
    white, _ = rendered(collection)
    red, _, blue = reddish[head].mean(axis=0)
    assert red / blue > 5
    face = white[40:56, 40:56].reshape(-1, 3).mean(axis=0)
    assert face.max() / face.min() < 1.08
    assert 0.1 < face.mean() < 0.35  # grey of albedo 0.18


def test_even_light_reproduces_the_albedo_with_scattering(model, grey, rendered):
    """Light that goes under the skin comes out again: the forehead is as bright as its albedo says."""
    from facedetail_addon.scene.build.scene import build_scene

    found = changed(grey(light(even=2 * np.sqrt(np.pi))), specular=np.zeros((256, 256), np.uint8))
    picture, _ = rendered(build_scene(found, model), samples=32)
    x, y = found.record.pose.perspective.project(found.record.pose.landmarks68_mm[[27]])[0].astype(int)
    forehead = picture[y - 10 : y - 6, x - 4 : x + 5].mean()
    assert forehead == pytest.approx(float(to_linear(GREY)[0, 0, 0]), rel=0.05)


def test_world_is_packed_plain_and_shows_colours_as_they_are(blender, model, grey):
    from facedetail_addon.core.rendering.environment import environment_image
    from facedetail_addon.scene.build.scene import build_scene

    radiance = light(x=0.3, y=0.4, color=(1.0, 0.8, 0.6))
    build_scene(grey(radiance), model)
    scene = blender.context.scene
    nodes = scene.world.node_tree.nodes
    pictures = {node.label: node.image for node in nodes if node.type == "TEX_ENVIRONMENT"}
    assert set(pictures) == {"Photo's Light", "Studio Light"}
    for image in pictures.values():
        assert image.is_float and image.packed_file is not None
        assert image.colorspace_settings.name == "Linear Rec.709"
    photo = pictures["Photo's Light"]
    pixels = np.empty(photo.size[0] * photo.size[1] * 4, np.float32)
    photo.pixels.foreach_get(pixels)
    expected = environment_image(radiance)
    assert np.array_equal(pixels.reshape(photo.size[1], photo.size[0], 4)[::-1, :, :3], expected)
    assert (scene.view_settings.view_transform, scene.view_settings.exposure) == ("Standard", 0.0)
    assert not blender.app.handlers.depsgraph_update_post
    assert scene.world.node_tree.animation_data is None


def test_newest_light_is_the_scenes_and_no_world_is_lost(blender, model, grey, tmp_path):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.ui.light import light_controls

    scene = blender.context.scene
    own = scene.world = blender.data.worlds.new("artist's own")
    build_scene(grey(light(x=0.5), "first.png"), model)
    build_scene(grey(light(x=-0.5), "second.png"), model)
    assert scene.world.name == "second light"
    assert own.use_fake_user
    path = str(tmp_path / "scene.blend")
    blender.ops.wm.save_as_mainfile(filepath=path)
    blender.ops.wm.open_mainfile(filepath=path)
    assert {world.name for world in blender.data.worlds} == {"artist's own", "first light", "second light"}
    assert len([image for image in blender.data.images if "studio" in image.name]) == 1
    scene = blender.context.scene
    scene.world = blender.data.worlds["first light"]
    assert len(light_controls(scene.world)) == 3


def test_sun_keeps_the_brightness_and_is_in_the_head(blender, model, grey, rendered):
    from facedetail_addon.scene.build.scene import build_scene

    radiance = light(x=0.4, y=0.4, z=0.7, color=(1.0, 0.9, 0.8))
    soft, head = rendered(build_scene(grey(radiance), model))
    sunny = build_scene(grey(radiance, "sunny.png"), model, light=names.SUN_LIGHT)
    (lamp,) = [item for item in sunny.objects if item.type == "LIGHT"]
    for item in blender.data.collections["FaceDetail made up"].objects:
        item.hide_render = True
    crisp, _ = rendered(sunny)
    assert lamp.parent == sunny.root
    assert lamp.data.energy > 0.2
    assert crisp[head].mean(axis=0) == pytest.approx(soft[head].mean(axis=0), rel=0.05)
    towards = np.array(lamp.matrix_world)[:3, 2]  # lamps shine along −Z
    assert towards @ np.array([0.4, -0.7, 0.4]) / 0.9 > 0.999


def test_sun_obeys_the_controls_also_with_scripts_off(blender, model, grey, tmp_path):
    from facedetail_addon.scene.build.scene import build_scene

    build_scene(grey(light(x=0.8)), model, light=names.SUN_LIGHT)
    path = str(tmp_path / "scene.blend")
    blender.ops.wm.save_as_mainfile(filepath=path)
    blender.ops.wm.open_mainfile(filepath=path, use_scripts=False)
    scene = blender.context.scene
    lamp = scene.objects["made up sun"]

    def energy_after(node: str, value: float) -> float:
        turn_control(scene, node, value)
        scene.world.node_tree.update_tag()
        graph = blender.context.evaluated_depsgraph_get()
        graph.update()
        return lamp.evaluated_get(graph).data.energy

    full = energy_after(names.STRENGTH_NODE, 1.0)
    assert full > 0.2
    assert energy_after(names.STRENGTH_NODE, 0.5) == pytest.approx(full / 2)
    assert energy_after(names.STUDIO_NODE, 1.0) == 0
    energy_after(names.ROTATION_NODE, np.radians(-90))
    lamp_now = lamp.evaluated_get(blender.context.evaluated_depsgraph_get())
    assert np.array(lamp_now.matrix_world)[:3, 2] == pytest.approx([0, -1, 0], abs=1e-3)
    for owner in (lamp, lamp.data):
        assert all(curve.driver.is_simple_expression for curve in owner.animation_data.drivers)


def test_light_without_a_direction_has_no_sun(blender, model, grey):
    from facedetail_addon.scene.build.scene import build_scene

    collection = build_scene(grey(light()), model, light=names.SUN_LIGHT)
    assert not [item for item in collection.objects if item.type == "LIGHT"]
    assert blender.context.scene.world.name == "made up light"


def test_sun_of_an_older_light_is_hidden(blender, model, grey):
    from facedetail_addon.scene.build.scene import build_scene

    lamp = blender.data.objects.new("artist's lamp", blender.data.lights.new("artist's lamp", "SUN"))
    blender.context.scene.collection.objects.link(lamp)
    build_scene(grey(light(x=0.5), "first.png"), model, light=names.SUN_LIGHT)
    build_scene(grey(light(x=0.5), "second.png"), model, light=names.SUN_LIGHT)
    hidden = {
        item.name: (item.hide_render, item.hide_viewport) for item in blender.data.objects if item.type == "LIGHT"
    }
    assert hidden == {"artist's lamp": (False,) * 2, "first sun": (True,) * 2, "second sun": (False,) * 2}


def test_controls_of_the_panel(blender, model, grey):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.ui.light import light_controls

    assert light_controls(None) == ()
    assert light_controls(blender.data.worlds.new("another")) == ()
    build_scene(grey(light()), model)
    world = blender.context.scene.world
    found = {control.text: control.socket.default_value for control in light_controls(world)}
    assert {text: list(value)[2] if text == "Light Rotation" else value for text, value in found.items()} == {
        "Studio Light": 0.0, "Light Strength": 1.0, "Light Rotation": 0.0,
    }  # fmt: skip
    world.node_tree.nodes.remove(world.node_tree.nodes[names.ROTATION_NODE])
    assert [control.text for control in light_controls(world)] == ["Studio Light", "Light Strength"]
    world.use_nodes = False
    assert light_controls(world) == ()
