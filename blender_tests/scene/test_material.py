# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin as Cycles renders it: how far light goes under it, and that it comes out again."""

import numpy as np
import pytest

from facedetail_addon.core.colour import to_linear

WIDTH_MM, PIXELS = 40.0, 100
# Brightness inside (−) and outside (+) the edge of a shadow, lit = 1, from a Monte Carlo walk of 400,000 photons in
# "skin1" of Jensen et al. (2001), σs′ = (0.74, 0.88, 1.01) and σa = (0.032, 0.17, 0.48) per mm, under a border of index
# 1.4.
PLACES_MM = (-4, -2, -1, 1, 2, 4)
EDGE = {
    "red": (0.069, 0.160, 0.256, 0.742, 0.838, 0.930),
    "green": (0.011, 0.056, 0.137, 0.865, 0.945, 0.989),
    "blue": (0.001, 0.012, 0.054, 0.947, 0.989, 0.999),
}
ALBEDO = np.array([173, 123, 91], np.uint8)
DARK = np.array([96, 62, 46], np.uint8)


@pytest.fixture(scope="module")
def edge(tmp_path_factory) -> np.ndarray:
    return _edge(ALBEDO, tmp_path_factory.mktemp("edge") / "edge.exr")


def _edge(albedo: np.ndarray, path) -> np.ndarray:
    """(PIXELS, 3) linear brightness across the edge of a shadow on a thick slab of skin, relative to its albedo."""
    bpy = pytest.importorskip("bpy", reason="needs Blender's Python module")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _slab_of_skin(bpy, albedo)
    _half_in_shadow(bpy)
    return _seen_from_above(bpy, path) / to_linear(albedo)


def _slab_of_skin(bpy, albedo: np.ndarray) -> None:
    from mathutils import Matrix

    from facedetail_addon.names import SCATTER_ATTRIBUTE
    from facedetail_addon.scene.build.material import SkinImages, make_material
    from facedetail_addon.scene.images import packed_image

    flat = np.broadcast_to(albedo, (4, 4, 3))
    dull = packed_image("dull", np.zeros((4, 4), np.uint8), is_data=True)
    bpy.ops.mesh.primitive_cube_add(size=1, location=(0, 0, -0.05))
    slab = bpy.context.object
    slab.data.transform(Matrix.Diagonal((0.2, 0.2, 0.1, 1.0)))  # in its own units, which are metres
    free = slab.data.attributes.new(SCATTER_ATTRIBUTE, "FLOAT", "POINT")
    free.data.foreach_set("value", np.ones(len(slab.data.vertices), np.float32))
    slab.data.materials.append(make_material("skin", "skin", SkinImages(packed_image("flat", flat), dull, dull)))


def _half_in_shadow(bpy) -> None:
    """A sun from straight above that a white surface shows as 1, and a sheet over x < 0 that only its rays see."""
    bpy.ops.mesh.primitive_plane_add(size=1, location=(-0.5, 0, 0.005))
    sheet = bpy.context.object
    sheet.visible_camera = sheet.visible_diffuse = sheet.visible_glossy = False
    lamp = bpy.data.lights.new("sun", "SUN")
    lamp.energy, lamp.angle = np.pi, 0.0
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("sun", lamp))


def _seen_from_above(bpy, path) -> np.ndarray:
    scene = bpy.context.scene
    view = bpy.data.cameras.new("camera")
    view.type, view.ortho_scale = "ORTHO", WIDTH_MM / 1000
    scene.camera = bpy.data.objects.new("camera", view)
    scene.camera.location = 0, 0, 0.5
    scene.collection.objects.link(scene.camera)
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", 400, 0
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = PIXELS, 8, 100
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    pixels = np.empty(PIXELS * 8 * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(8, PIXELS, -1)[..., :3].mean(axis=0)


def test_skin_is_as_bright_as_its_albedo(edge):
    assert edge[-15:].mean(axis=0) == pytest.approx(np.ones(3), abs=0.02)


@pytest.mark.parametrize(("channel", "name"), list(enumerate(EDGE)))
def test_light_goes_as_far_under_the_skin_as_measured(edge, channel, name):
    middles = (np.arange(PIXELS) + 0.5) / PIXELS * WIDTH_MM - WIDTH_MM / 2
    found = np.interp(PLACES_MM, middles, edge[:, channel])
    assert found == pytest.approx(EDGE[name], abs=0.02)


def test_dark_skin_scatters_less_far_by_the_root_of_its_albedo_and_stays_as_bright(edge, tmp_path):
    dark = _edge(DARK, tmp_path / "edge.exr")
    assert dark[-15:].mean(axis=0) == pytest.approx(np.ones(3), abs=0.02)
    middles = (np.arange(PIXELS) + 0.5) / PIXELS * WIDTH_MM - WIDTH_MM / 2
    nearer = np.sqrt(to_linear(DARK) / to_linear(ALBEDO))
    for channel in range(3):
        # The same profile in other units: as dark at x as the usual skin at x / nearer.
        places = np.array([-2.0, -1.0, 1.0, 2.0])
        found = np.interp(places, middles, dark[:, channel])
        expected = np.interp(places / nearer[channel], middles, edge[:, channel])
        assert found == pytest.approx(expected, abs=0.025)
