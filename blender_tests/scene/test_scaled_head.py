# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads keep their look at any scale: of their objects, of their parents, and applied to their meshes (Ctrl A)."""

import numpy as np
import pytest

from blender_tests.scene.conftest import select
from facedetail_addon import names

SCALES = (2.0, 0.1)


@pytest.fixture
def head(blender, registered, model, wavy):
    from facedetail_addon.scene.build.scene import build_scene

    made = build_scene(wavy, model)
    blender.context.view_layer.update()
    return made


def by_object(bpy, head, scale: float) -> None:
    for item in head.parts.values():
        item.scale = (scale,) * 3


def by_parent(bpy, head, scale: float) -> None:
    head.root.scale = (scale,) * 3


def by_a_parents_parent(bpy, head, scale: float) -> None:
    head.root.parent = bpy.data.objects.new("stand", None)
    bpy.context.scene.collection.objects.link(head.root.parent)
    head.root.parent.scale = (scale,) * 3


def applied(bpy, head, scale: float) -> None:
    by_object(bpy, head, scale)
    select(bpy, *head.parts.values())
    bpy.ops.object.transform_apply(location=False, rotation=False, scale=True)
    assert head.skin.scale[:] == (1, 1, 1)


def all_applied(bpy, head, scale: float) -> None:
    """Twice, half of it each: what is applied adds up."""
    for _ in range(2):
        head.root.scale = (scale**0.5,) * 3
        bpy.context.view_layer.update()
        select(bpy, head.root, *head.parts.values())
        bpy.ops.object.transform_apply(location=False, rotation=False, scale=True)
        bpy.context.view_layer.update()


WAYS = pytest.mark.parametrize("way", [by_object, by_parent, by_a_parents_parent, applied, all_applied])


def relief(bpy, head) -> float:
    """World length of what the modifiers add, in the root of the mean square."""
    found = []
    for shown in (True, False):
        head.skin.modifiers[names.MEDIUM_MODIFIER].show_viewport = shown
        item = head.skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = item.to_mesh()
        places = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", places)
        found.append(places.reshape(-1, 3) @ np.array(item.matrix_world)[:3, :3].T)
    head.skin.modifiers[names.MEDIUM_MODIFIER].show_viewport = True
    return float(np.sqrt(((found[0] - found[1]) ** 2).sum(axis=1).mean()))


@WAYS
def test_relief_is_as_large_as_the_head(blender, head, way):
    whole = relief(blender, head)
    for scale in SCALES:
        way(blender, head, scale)
        blender.context.view_layer.update()
        assert relief(blender, head) == pytest.approx(scale * whole, rel=1e-3)
        head.relief_settings.strength = 0.5
        assert relief(blender, head) == pytest.approx(0.5 * scale * whole, rel=1e-3), "a slider keeps it"
        head.relief_settings.strength = 1.0
        way(blender, head, 1 / scale if "applied" in way.__name__ else 1.0)


def shown_value(bpy, item, socket, folder) -> float:
    """What Cycles finds at a material's socket on an object, in the middle of its picture."""
    tree, scene = socket.id_data, bpy.context.scene
    emission = tree.nodes.new("ShaderNodeEmission")
    emission.inputs["Strength"].default_value = 1000.0
    tree.links.new(socket.links[0].from_socket, emission.inputs["Color"])
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    before = output.inputs["Surface"].links[0].from_socket
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    material = next(slot.material for slot in item.material_slots if slot.material.node_tree == tree)
    for slot in item.material_slots:
        slot.material = material  # the middle may show another
    for other in scene.objects:
        other.hide_render = other != item
    middle = item.matrix_world @ (
        sum((vertex.co for vertex in item.data.vertices), start=item.location * 0) / len(item.data.vertices)
    )
    camera = bpy.data.objects.new("probe", bpy.data.cameras.new("probe"))
    scene.collection.objects.link(camera)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 0.001 * item.dimensions.x
    camera.location, camera.rotation_euler.x = middle, np.pi / 2
    camera.location.y -= 2 * item.dimensions.y
    camera.data.clip_start, camera.data.clip_end = 1e-4, 100
    scene.camera, scene.render.engine, scene.cycles.samples = camera, "CYCLES", 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = 4
    scene.render.filepath = str(folder / "value.exr")
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    image.colorspace_settings.name = "Non-Color"
    value = float(np.array(image.pixels[:]).reshape(-1, 4)[:, 0].max()) / 1000
    bpy.data.images.remove(image)
    tree.links.new(before, output.inputs["Surface"])
    tree.nodes.remove(emission)
    bpy.data.objects.remove(camera)
    return value


def lengths(head) -> dict:
    """Sockets of materials that are lengths, with the object and the length in mm at scale 1."""

    def socket(part: str, kind: str, name: str):
        tree = head.parts[part].material_slots[0].material.node_tree
        return head.parts[part], next(node for node in tree.nodes if node.type == kind).inputs[name]

    return {
        socket("skin", "BSDF_PRINCIPLED", "Subsurface Scale"): 1.0,
        socket("gums", "BSDF_PRINCIPLED", "Subsurface Scale"): 1.0,
        socket("eye_left", "AMBIENT_OCCLUSION", "Distance"): 4.0,
        socket("eye_left", "BUMP", "Distance"): 1.0,
    }


@pytest.mark.parametrize("way", [by_parent, applied, all_applied])
@pytest.mark.parametrize("scale", SCALES)
def test_materials_measure_in_the_heads_millimetres(blender, head, tmp_path, way, scale):
    for modifier in (modifier for item in head.parts.values() for modifier in item.modifiers):
        modifier.show_render = False
    way(blender, head, scale)
    blender.context.view_layer.update()
    for (item, socket), millimetres in lengths(head).items():
        assert shown_value(blender, item, socket, tmp_path) == pytest.approx(scale * millimetres * 1e-3, rel=1e-3)


def test_heads_that_share_a_material_have_each_their_own_scale(blender, head, tmp_path):
    select(blender, head.root, *head.objects)
    blender.ops.object.duplicate(linked=True)
    from facedetail_addon.scene.head_object import HeadObject

    other = HeadObject.of(blender.context.active_object)
    other.root.scale = (2, 2, 2)
    blender.context.view_layer.update()
    for item in (head.skin, other.skin):
        for modifier in item.modifiers:
            modifier.show_render = False
    ((_, socket), _), *_ = lengths(head).items()
    assert socket.id_data == other.skin.material_slots[0].material.node_tree
    assert shown_value(blender, head.skin, socket, tmp_path) == pytest.approx(0.001, rel=1e-3)
    assert shown_value(blender, other.skin, socket, tmp_path) == pytest.approx(0.002, rel=1e-3)


def test_sculpting_is_no_scale(blender, head):
    strength = head.skin.modifiers[names.MEDIUM_MODIFIER].strength
    keys = head.keys.reference_key.points
    for number in range(100):
        keys[number].co *= 1.05
    head.skin.location.x = 1e-3
    head.skin.data.update()
    blender.context.view_layer.update()
    assert head.skin.modifiers[names.MEDIUM_MODIFIER].strength == strength
    assert head.skin[names.GROWTH_PROPERTY] == 0


def test_another_pose_is_no_scale(blender, head, model, reconstruction_of):
    from facedetail_addon.scene.shape import HeadShape

    record = reconstruction_of(model).record
    neutral = record.fit.vertices_neutral * np.float32(1.1)
    head.set_pose(model, HeadShape(neutral, neutral, 0 * record.pose.beta), record.pose.perspective)
    head.skin.location.x = 1e-3
    blender.context.view_layer.update()
    assert head.skin[names.GROWTH_PROPERTY] == 0
