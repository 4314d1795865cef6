# SPDX-License-Identifier: GPL-3.0-or-later
"""A white ball in Cycles under our pictures of light is lit from where the light came from, and as brightly."""

import numpy as np
import pytest

from facedetail_addon.core.rendering.environment import environment_image, nonnegative
from facedetail_addon.core.rendering.harmonics import evaluate, lambert
from facedetail_addon.scene.space import HEAD_TO_BLENDER

SIDE = 40
VIEW = np.ones(3) / np.sqrt(3)
"""Head frame: towards a camera that sees the ball's left, top and front."""
EVEN = np.sqrt(4 * np.pi)


@pytest.mark.parametrize("towards", np.eye(3), ids=["left", "up", "front"])
def test_ball_is_brightest_towards_the_light(blender, tmp_path, towards):
    """Radiance 1 + cosine: what the ball shows is linear in its normals, so a plane through it gives the direction."""
    radiance = np.zeros((9, 3))
    radiance[0] = EVEN
    radiance[1:4] = evaluate(towards, 2)[1:, None] * 4 * np.pi / 3
    picture = render_ball(blender, environment_image(radiance), tmp_path / "ball.exr", samples=32)
    normals, inside = ball_normals()
    normals, shown = normals[inside], picture[inside].mean(axis=-1)
    assert np.degrees(np.arccos(normals[shown.argmax()] @ towards)) < 30
    *slopes, level = np.linalg.lstsq(np.c_[normals, np.ones(len(shown))], shown, rcond=None)[0]
    np.testing.assert_allclose(slopes, 2 / 3 * towards, atol=0.03)
    assert level == pytest.approx(1, abs=0.03)


def test_soft_coloured_light_shades_the_ball_as_its_harmonics_say(blender, tmp_path):
    radiance = soft_coloured_light()
    np.testing.assert_allclose(nonnegative(radiance), radiance, atol=1e-5)
    picture = render_ball(blender, environment_image(radiance), tmp_path / "ball.exr", samples=256)
    normals, inside = ball_normals()
    wanted = evaluate(normals[inside], 3) * lambert(3) @ radiance
    error = np.sqrt(np.mean((picture[inside] - wanted) ** 2)) / np.sqrt(np.mean(wanted**2))
    assert error < 0.01
    np.testing.assert_allclose(picture[inside].mean(axis=0), wanted.mean(axis=0), rtol=0.01)
    assert np.ptp(wanted, axis=0).min() > 0.3  # so the shading was there to be found


def soft_coloured_light() -> np.ndarray:
    """(9, 3) a warm lamp from the left, a green one from the front and a blue one from the right in a grey room."""
    radiance = np.zeros((9, 3))
    radiance[0] = 0.3 * EVEN
    lamps = evaluate(np.array([[0.8, 0.6, 0], [0, 0, 1], [-0.8, 0, 0.6]]), 3) / (1 + np.repeat([0, 1, 2], [1, 3, 5]))
    return radiance + 4 * lamps.T @ np.array([[1.0, 0.3, 0.1], [0.1, 0.7, 0.1], [0.1, 0.2, 1.0]])


def render_ball(bpy, light: np.ndarray, path, samples: int) -> np.ndarray:
    """(SIDE, SIDE, 3) linear pixels, row 0 at the top, of a white diffuse unit ball that fills the picture.

    Args:
        light: (H, 2H, 3) linear picture, shown by an Environment Texture as it comes.
    """
    _light_world(bpy, light)
    _add_ball(bpy)
    _look_along(bpy, HEAD_TO_BLENDER @ VIEW)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", samples, 1
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.cycles.pixel_filter_type = "BOX"
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    rendered = bpy.data.images.load(str(path))
    pixels = np.empty(SIDE * SIDE * rendered.channels, np.float32)
    rendered.pixels.foreach_get(pixels)
    return pixels.reshape(SIDE, SIDE, -1)[::-1, :, :3]


def ball_normals() -> tuple[np.ndarray, np.ndarray]:
    """(SIDE, SIDE, 3) head-frame normals of the ball's pixels, and which pixels lie well inside its outline."""
    place = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y = np.meshgrid(place, -place)
    inside = x**2 + y**2 < 0.9**2
    z = np.sqrt(np.where(inside, 1 - x**2 - y**2, 0))
    right = np.cross([0.0, 1, 0], VIEW)
    right /= np.linalg.norm(right)
    return x[..., None] * right + y[..., None] * np.cross(VIEW, right) + z[..., None] * VIEW, inside


def _light_world(bpy, light: np.ndarray) -> None:
    height, width = light.shape[:2]
    image = bpy.data.images.new("light", width, height, float_buffer=True)
    image.colorspace_settings.name = "Linear Rec.709"
    rgba = np.concatenate([light, np.ones_like(light[..., :1])], axis=-1)
    image.pixels.foreach_set(np.ascontiguousarray(rgba[::-1], np.float32).ravel())
    image.update()
    image.pack()
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 256
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    texture = world.node_tree.nodes.new("ShaderNodeTexEnvironment")
    texture.image = image
    world.node_tree.links.new(texture.outputs["Color"], background.inputs["Color"])
    bpy.context.scene.world = world


def _add_ball(bpy) -> None:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=128, ring_count=64, radius=1.0)
    bpy.ops.object.shade_smooth()
    material = bpy.data.materials.new("white")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    diffuse, output = nodes.new("ShaderNodeBsdfDiffuse"), nodes.new("ShaderNodeOutputMaterial")
    diffuse.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    material.node_tree.links.new(diffuse.outputs["BSDF"], output.inputs["Surface"])
    bpy.context.object.data.materials.append(material)


def _look_along(bpy, towards_camera: np.ndarray) -> None:
    from mathutils import Vector

    camera = bpy.data.cameras.new("camera")
    camera.type, camera.ortho_scale = "ORTHO", 2.0
    seat = bpy.data.objects.new("camera", camera)
    seat.location = Vector(towards_camera * 4)
    seat.rotation_euler = Vector(towards_camera).to_track_quat("Z", "Y").to_euler()
    bpy.context.collection.objects.link(seat)
    bpy.context.scene.camera = seat
