# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes in Blender: their nodes carry the look, an export reads it from there, and Cycles shows them wet and alive."""

import numpy as np
import pytest

from blender_tests.made_up import changed
from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.eyes.pattern import iris_pattern
from facedetail_addon.core.eyes.types import DEFAULT_EYES, EyeLook

BLUE = EyeLook((0.10, 0.13, 0.16), (0.50, 0.46, 0.44), 12.2, 1.0, (0.16, 0.13, 0.08))
SIZE, ACROSS_MM = (96, 64), 36.0


@pytest.fixture
def head(blender, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    return build_scene(changed(reconstruction_of(model), eyes=BLUE), model)


def eye_materials(head) -> list:
    return [material for name in ("eye_left", "eye_right") for material in head.parts[name].data.materials]


def set_knobs(head, **values: float) -> None:
    for material in eye_materials(head):
        for name, value in values.items():
            material.node_tree.nodes[name.replace("_", " ")].outputs[0].default_value = value


def test_the_nodes_carry_the_look_and_an_export_reads_them(head):
    from facedetail_addon.core.colour import to_linear
    from facedetail_addon.scene.build.eyes import IRIS_NODE, look_of
    from facedetail_addon.scene.export.eye_texture import eye_picture

    materials = eye_materials(head)
    assert len(materials) >= 2 and all(IRIS_NODE in material.node_tree.nodes for material in materials)
    for material in materials:
        look = look_of(material)
        np.testing.assert_allclose((*look.iris, *look.sclera, look.iris_mm), (*BLUE.iris, *BLUE.sclera, 12.2), 1e-5)
        np.testing.assert_allclose(look.iris_inner, BLUE.iris_inner, 1e-5)
    picture = to_linear(eye_picture(BLUE, 12.2 / DEFAULT_EYES.iris_mm, iris_pattern(BLUE, "eye_left")))
    ring = picture[256, 256 + int(0.7 * 256 / 2.4) :][:6].mean(axis=0)
    np.testing.assert_allclose(ring, BLUE.iris, rtol=0.4)
    hazel = picture[256, 256 + int(0.42 * 256 / 2.4) :][:3].mean(axis=0)
    assert hazel[0] > 1.4 * hazel[2] and ring[2] > 1.2 * ring[0]
    assert picture[256, 256].max() < 0.002


def test_solid_views_show_the_eyes_colours_and_not_the_picture_of_their_fibres(head):
    for material in eye_materials(head):
        shown = [node for node in material.node_tree.nodes if node.show_texture]
        assert [node.type for node in shown] == ["TEX_GRADIENT"], "any picture would be shown in place of the colour"


def test_an_export_has_the_fibres_that_the_material_shows(head):
    from facedetail_addon.scene.build.eyes import PATTERN_NODE
    from facedetail_addon.scene.export.material import _iris_pattern

    left, right = (head.parts[f"eye_{side}"].data.materials[0] for side in ("left", "right"))
    images = [material.node_tree.nodes[PATTERN_NODE].image for material in (left, right)]
    assert images[0] != images[1] and all(image.packed_file for image in images)
    np.testing.assert_allclose(_iris_pattern(left, BLUE), iris_pattern(BLUE, "eye_left").clip(0, 2.5), atol=0.006)
    set_knobs(head, Iris_Fibres=0.0)
    np.testing.assert_allclose(_iris_pattern(left, BLUE), 1.0)
    left.node_tree.nodes[PATTERN_NODE].image = None  # as in files without fibres of their own
    set_knobs(head, Iris_Fibres=1.0)
    assert _iris_pattern(left, BLUE).std() > 0.1


def rendered(head, path, *, alone: bool = False, samples: int = 32) -> np.ndarray:
    """(H, W) linear luminance of the left eye from straight before it, in the scene's world."""
    import bpy
    from mathutils import Vector

    scene = bpy.context.scene
    view = bpy.data.cameras.new("view")
    view.type, view.ortho_scale, view.clip_start = "ORTHO", ACROSS_MM / 1000, 0.001
    scene.camera = bpy.data.objects.new("view", view)
    eye = head.parts["eye_left"]
    bpy.context.view_layer.update()
    scene.camera.location = eye.matrix_world.translation + Vector((0, -0.2, 0))
    scene.camera.rotation_euler = np.pi / 2, 0, 0
    scene.collection.objects.link(scene.camera)
    for part in head.parts.values():
        part.hide_render = alone and part != eye
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", samples, 0
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path), check_existing=False)
    pixels = np.empty(SIZE[0] * SIZE[1] * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(SIZE[1], SIZE[0], -1)[::-1, :, :3] @ np.float32(LUMINANCE)


def from_pupil() -> tuple[np.ndarray, np.ndarray]:
    """(H, W) mm to the right in the picture and up from its middle."""
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    scale = ACROSS_MM / SIZE[0]
    return (x - SIZE[0] / 2) * scale, (SIZE[1] / 2 - y) * scale


def in_studio(head) -> None:
    import bpy

    from facedetail_addon.scene.lookdev.light import light_as_studio

    light_as_studio(bpy.context.scene, head.radiance)


def test_a_catchlight_shows_on_the_eye_in_the_studio(head, tmp_path):
    in_studio(head)
    wet = rendered(head, tmp_path / "wet.exr", alone=True)
    set_knobs(head, Cornea_Gloss=0.0, Tear_Line=0.0)
    gloss = wet - rendered(head, tmp_path / "dry.exr", alone=True)
    x, y = from_pupil()
    iris = np.hypot(x, y) < 6
    bright = iris & (gloss > 0.25)
    assert 4 <= bright.sum() < 0.1 * iris.sum()  # crisp: brighter than any iris, and small
    assert y[bright].mean() > 0.5 and np.median(gloss[iris]) < 0.04  # above the pupil, and no veil beside it


def test_the_iris_is_lit_as_a_disc_not_as_the_bulge_before_it(head, tmp_path):
    import bpy

    world = bpy.data.worlds.new("from above")
    world.use_nodes = True
    bpy.context.scene.world = world
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.0
    lamp = bpy.data.lights.new("above", "SUN")
    lamp.energy, lamp.angle = 3.0, 0.2
    item = bpy.data.objects.new("above", lamp)
    item.rotation_euler = np.radians(40), 0, 0  # 50 degrees above the gaze
    bpy.context.scene.collection.objects.link(item)
    set_knobs(head, Cornea_Gloss=0.0, Tear_Line=0.0, Lid_Shade=0.0, Iris_Fibres=0.0)
    x, y = from_pupil()
    ring = (np.hypot(x, y) > 2.8) & (np.hypot(x, y) < 4.2)
    found = []
    for linked in (True, False):
        if not linked:
            for material in eye_materials(head):
                shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
                material.node_tree.links.remove(shader.inputs["Normal"].links[0])
        light = rendered(head, tmp_path / "lit.exr", alone=True)
        found.append(light[ring & (y < -2)].mean() / light[ring & (y > 2)].mean())
    assert 1.0 < found[0] < 1.6 and found[1] < 0.8  # a bowl is brighter on the side away from the lamp, a bulge darker


def test_lids_shade_the_upper_eye_softly_and_tears_lie_on_the_lower_lid(head, tmp_path):
    in_studio(head)
    full = rendered(head, tmp_path / "full.exr", samples=64)
    set_knobs(head, Tear_Line=0.0)
    dry = rendered(head, tmp_path / "dry.exr", samples=64)
    set_knobs(head, Lid_Shade=0.0)
    open_ = rendered(head, tmp_path / "open.exr", samples=64)
    x, y = from_pupil()
    wet = (abs(full - dry) > 0.004) & (abs(x) < 11)  # paths that differ make single pixels differ, too
    below, above = (wet & part for part in ((y < -2) & (y > -7), (y > 2) & (y < 7)))
    assert below.sum() > 15 and below.sum() > 4 * above.sum()
    left = np.where(abs(x) < 9, dry / open_, 1)
    assert left[(y > 1) & (y < 6)].min() < 0.7  # dark under the upper lid
    assert np.median(left[(abs(x) < 4) & (abs(y + 2) < 1)]) > 0.95  # free where the iris' colour was taken
    between = (left > 0.75) & (left < 0.95) & (y > 0)
    assert between.sum() > 15  # and no edge
