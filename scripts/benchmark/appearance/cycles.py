# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures by Blender's Cycles as arrays of linear light, for truth that none of our own formulas made."""

import os
import tempfile
from pathlib import Path

import bpy
import numpy as np

from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.scene.camera import look_through, make_camera

COLOR_ATTRIBUTE = "painted"


def empty_scene(camera: PerspectiveCamera, samples: int, threads: int) -> bpy.types.Scene:
    """A new file with nothing but a camera, set up for Cycles on the CPU, transparent where nothing is.

    Args:
        samples: per pixel. threads: of Cycles.
    """
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    made = make_camera("camera", camera)
    scene.collection.objects.link(made)
    look_through(scene, made, camera.image_size)
    scene.render.engine = "CYCLES"
    scene.render.film_transparent = True
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", samples, 0
    scene.cycles.use_adaptive_sampling = False
    return scene


def light_with(scene: bpy.types.Scene, image: np.ndarray) -> None:
    """Make a picture the light of the scene: an Environment Texture without any mapping.

    Args:
        image: (H, 2·H, 3) float32 linear radiance, row 0 at the top.
    """
    height, width = image.shape[:2]
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = image[::-1]
    loaded = bpy.data.images.new("light", width, height, float_buffer=True, is_data=True)
    loaded.pixels.foreach_set(pixels.ravel())
    world = bpy.data.worlds.new("light")
    world.use_nodes = True
    texture = world.node_tree.nodes.new("ShaderNodeTexEnvironment")
    texture.image = loaded
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    world.node_tree.links.new(texture.outputs["Color"], background.inputs["Color"])
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 2 * width
    scene.world = world


def painted_mesh(
    scene: bpy.types.Scene,
    positions: np.ndarray,
    normals: np.ndarray,
    triangles: np.ndarray,
    colors: np.ndarray,
    material_index: np.ndarray,
    materials: list[bpy.types.Material],
) -> bpy.types.Object:
    """A smooth mesh with a colour at each vertex.

    Args:
        positions: (V, 3) metres, Blender's axes. normals: (V, 3). triangles: (T, 3). colors: (V, 3) linear.
        material_index: (T,) into ``materials``.
    """
    mesh = bpy.data.meshes.new("head")
    mesh.vertices.add(len(positions))
    mesh.vertices.foreach_set("co", positions.astype(np.float32).ravel())
    mesh.loops.add(3 * len(triangles))
    mesh.loops.foreach_set("vertex_index", triangles.astype(np.int32).ravel())
    mesh.polygons.add(len(triangles))
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * len(triangles), 3, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", material_index.astype(np.int32))
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    mesh.normals_split_custom_set_from_vertices(normals.astype(np.float32))
    rgba = np.ones((len(colors), 4), np.float32)
    rgba[:, :3] = colors
    mesh.color_attributes.new(COLOR_ATTRIBUTE, "FLOAT_COLOR", "POINT").data.foreach_set("color", rgba.ravel())
    for material in materials:
        mesh.materials.append(material)
    made = bpy.data.objects.new("head", mesh)
    scene.collection.objects.link(made)
    return made


def painted_material(name: str, **inputs: float | tuple[float, ...]) -> bpy.types.Material:
    """A Principled BSDF that takes its colour from :data:`COLOR_ATTRIBUTE`; other inputs by name, ``_`` for spaces."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    color = tree.nodes.new("ShaderNodeVertexColor")
    color.layer_name = COLOR_ATTRIBUTE
    tree.links.new(color.outputs["Color"], shader.inputs["Base Color"])
    for key, value in inputs.items():
        shader.inputs[key.replace("_", " ")].default_value = value
    return material


def render_linear(scene: bpy.types.Scene, diffuse_light: bool = False) -> dict[str, np.ndarray]:
    """Render with Cycles and denoise.

    Args:
        diffuse_light: also give the light on diffuse surfaces, straight and bounced, without their colours.

    Returns:
        ``image`` (H, W, 4) float32 linear, premultiplied, and on demand ``diffuse`` (H, W, 3).
    """
    layer = scene.view_layers[0]
    layer.use_pass_diffuse_direct = layer.use_pass_diffuse_indirect = diffuse_light
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers = tree.nodes.new("CompositorNodeRLayers")
    with tempfile.TemporaryDirectory() as folder:
        file = tree.nodes.new("CompositorNodeOutputFile")
        file.base_path = folder + os.sep
        file.format.file_format, file.format.color_mode, file.format.color_depth = "OPEN_EXR", "RGBA", "32"
        file.file_slots.clear()
        sources = {"image": layers.outputs["Image"]}
        if diffuse_light:
            total = tree.nodes.new("CompositorNodeMixRGB")
            total.blend_type = "ADD"
            total.inputs["Fac"].default_value = 1.0
            tree.links.new(layers.outputs["DiffDir"], total.inputs[1])
            tree.links.new(layers.outputs["DiffInd"], total.inputs[2])
            sources["diffuse"] = _denoised(tree, total.outputs[0])
        for name, socket in sources.items():
            file.file_slots.new(name)
            tree.links.new(socket, file.inputs[name])
        scene.cycles.use_denoising = True
        bpy.ops.render.render(scene=scene.name)
        out = {name: _read(next(Path(folder).glob(f"{name}*.exr"))) for name in sources}
    if diffuse_light:
        out["diffuse"] = out["diffuse"][..., :3]
    return out


def _denoised(tree: bpy.types.NodeTree, socket: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    node = tree.nodes.new("CompositorNodeDenoise")
    tree.links.new(socket, node.inputs["Image"])
    return node.outputs["Image"]


def _read(path: Path) -> np.ndarray:
    """(H, W, 4) float32 of an EXR file, row 0 at the top."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1].copy()
