# SPDX-License-Identifier: GPL-3.0-or-later
"""Weighted normal maps: the normals of heights that are so many times as high, as Cycles works them out."""

import tempfile

import numpy as np
import pytest

PIXELS = 8


def encoded(slopes: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint16: the normal map of slopes (H, W, 2)."""
    return np.round((0.5 + 0.5 * normals_of(slopes)) * 65535).astype(np.uint16)


def normals_of(slopes: np.ndarray) -> np.ndarray:
    normals = np.concatenate([slopes, np.ones_like(slopes[..., :1])], axis=-1)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True)


@pytest.fixture
def plane(blender):
    """A plane that fills the picture, whose material has relief nodes and shows the normals that they give.

    With it the slopes (PIXELS, PIXELS, 2) of the medium, the fine and the unseen relief, up to 60° each way.
    """
    from facedetail_addon.core.io.exr import exr_bytes
    from facedetail_addon.core.io.images import png_bytes
    from facedetail_addon.scene.images import packed_file
    from facedetail_addon.scene.relief.nodes import ReliefImages, add_relief_nodes

    rng = np.random.default_rng(5)
    medium, fine, unseen = rng.uniform(-1.2, 1.2, (3, PIXELS, PIXELS, 2))
    flat = np.zeros((PIXELS, PIXELS), np.float32)
    images = ReliefImages(
        medium=packed_file("medium", exr_bytes(flat), is_data=True),
        fine=packed_file("fine", exr_bytes(flat), is_data=True),
        normal=packed_file("normal", png_bytes(encoded(medium + fine)), is_data=True),
        normal_fine=packed_file("fine normal", png_bytes(encoded(fine)), is_data=True),
        unseen=packed_file("unseen", exr_bytes(flat), is_data=True),
        normal_unseen=packed_file("unseen normal", png_bytes(encoded(unseen)), is_data=True),
    )
    blender.ops.mesh.primitive_plane_add(size=1)
    skin = blender.context.object
    material = blender.data.materials.new("skin")
    material.use_nodes = True
    skin.data.materials.append(material)
    add_relief_nodes(material.node_tree, images, skin.data.uv_layers[0].name)
    _glow_with_normals(material.node_tree)
    _look_down(blender)
    return material, medium, fine, unseen


def _glow_with_normals(tree) -> None:
    """Light as bright as the normal's numbers, halved and raised by a half so that none is negative."""
    for node in tree.nodes:
        if node.type == "TEX_IMAGE":
            node.interpolation = "Closest"
    raised, glow = tree.nodes.new("ShaderNodeVectorMath"), tree.nodes.new("ShaderNodeEmission")
    raised.operation = "MULTIPLY_ADD"
    raised.inputs[1].default_value = raised.inputs[2].default_value = (0.5,) * 3
    tree.links.new(tree.nodes["Relief Normal Map"].outputs["Normal"], raised.inputs[0])
    tree.links.new(raised.outputs["Vector"], glow.inputs["Color"])
    tree.links.new(glow.outputs["Emission"], tree.nodes["Material Output"].inputs["Surface"])


def _look_down(bpy) -> None:
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 1
    camera.location = 0, 0, 1
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 1, False
    scene.cycles.pixel_filter_type = "BOX"
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x = scene.render.resolution_y = PIXELS
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"


def shown_normals(bpy, path) -> np.ndarray:
    """(PIXELS, PIXELS, 3), row 0 at the top."""
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    picture = np.array(image.pixels[:]).reshape(PIXELS, PIXELS, -1)[::-1, :, :3]
    bpy.data.images.remove(image)
    return 2 * picture - 1


@pytest.mark.parametrize("medium", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize(("fine", "unseen"), [(0.0, 0.0), (1.0, 0.0), (4.0, 0.0), (0.0, 1.5), (1.0, 1.0)])
def test_normals_are_those_of_so_many_times_the_heights(blender, plane, tmp_path, medium, fine, unseen):
    from facedetail_addon.scene.relief.nodes import ReliefWeights, weigh_relief

    material, medium_slopes, fine_slopes, unseen_slopes = plane
    weigh_relief(material, ReliefWeights(normal=medium, normal_fine=fine - medium, normal_unseen=unseen))
    shown = shown_normals(blender, tmp_path / "normals.exr")
    slopes = medium * medium_slopes + fine * fine_slopes + unseen * unseen_slopes
    np.testing.assert_allclose(shown, normals_of(slopes), atol=2e-3)
    assert shown[..., 2].min() > 0.05, "none looks into the skin"


def test_maps_are_packed_without_a_folder_for_temporary_files(blender, monkeypatch, tmp_path):
    from facedetail_addon.core.io.exr import exr_bytes
    from facedetail_addon.core.io.images import png_bytes
    from facedetail_addon.scene.images import packed_file

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    heights = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    normals = np.arange(36, dtype=np.uint16).reshape(3, 4, 3) * 1800
    for wanted, data in ((heights[..., None], exr_bytes(heights)), (normals, png_bytes(normals))):
        image = packed_file("map", data, is_data=True)
        shown = np.array(image.pixels[:], np.float32).reshape(3, 4, -1)[::-1, :, : wanted.shape[2]]
        scale = 65535 if wanted.dtype == np.uint16 else 1
        assert np.array_equal(shown, wanted / np.float32(scale))
