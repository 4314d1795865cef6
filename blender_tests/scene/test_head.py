# SPDX-License-Identifier: GPL-3.0-or-later
"""The head in Blender is the head of the model: places, expressions, parts that follow, materials."""

import numpy as np
import pytest

from blender_tests.made_up import changed
from facedetail_addon.core.face_model.arkit import added_names
from facedetail_addon.core.face_model.tongue import tongue_part
from facedetail_addon.names import LIMIT_KEY

EXPRESSION = {"jawOpen": 0.6, "mouthSmileLeft": 0.8, "eyeBlinkRight": 0.4, "jawLeft": 0.3}


def objects_by_part(collection) -> dict:
    return {item.name.removeprefix("made up "): item for item in collection.objects}


def evaluated_mm(bpy, item) -> np.ndarray:
    """(N, 3) mm in the head frame, with shape keys and drivers, without subdivision."""
    for modifier in item.modifiers:
        modifier.show_viewport = False
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    evaluated = item.evaluated_get(graph)
    points = np.empty(3 * len(evaluated.data.vertices))
    evaluated.data.vertices.foreach_get("co", points)
    matrix = np.array(evaluated.matrix_world)
    world = points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    # Blender (x, y, z) metres are the head's (x, z, -y) millimetres.
    return np.stack([world[:, 0], world[:, 2], -world[:, 1]], axis=1) * 1000


@pytest.fixture
def built(blender, model, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    reconstruction = reconstruction_of(model, expression=EXPRESSION)
    return reconstruction, build_scene(reconstruction, model).collection


def assert_parts_are_at(bpy, model, collection, vertices_mm):
    parts = objects_by_part(collection)
    for part in model.parts:
        found = evaluated_mm(bpy, parts[part.name])
        distance = np.linalg.norm(found - part.of(vertices_mm), axis=1)
        # What no shape key carries is below the threshold of each mode.
        assert distance.max() < 0.1, part.name


def test_expression_of_the_photo(blender, model, built):
    reconstruction, collection = built
    assert_parts_are_at(blender, model, collection, reconstruction.record.pose.vertices)


def test_keys_at_zero_are_the_neutral_face(blender, model, built):
    reconstruction, collection = built
    for key in objects_by_part(collection)["skin"].data.shape_keys.key_blocks[1:]:
        key.value = 0
    assert_parts_are_at(blender, model, collection, reconstruction.record.fit.vertices_neutral)


def test_teeth_follow_the_skin_after_reload_without_scripts(blender, model, built, tmp_path):
    """One slider moves all parts, also in a file opened with automatic scripts switched off."""
    reconstruction, _ = built
    path = tmp_path / "head.blend"
    blender.ops.wm.save_as_mainfile(filepath=str(path))
    blender.ops.wm.open_mainfile(filepath=str(path), use_scripts=False)
    collection = blender.data.collections["FaceDetail made up"]
    keys = objects_by_part(collection)["skin"].data.shape_keys.key_blocks
    keys["jawOpen"].value = 1.0
    beta = reconstruction.record.pose.beta.copy()
    beta[model.expression_names.index("jawOpen")] = 1.0
    expected = reconstruction.record.fit.vertices_neutral + np.tensordot(beta, model.expression_basis, axes=1)
    assert_parts_are_at(blender, model, collection, expected)


def test_keys_have_arkit_names_and_range(model, built):
    _, collection = built
    keys = objects_by_part(collection)["skin"].data.shape_keys.key_blocks
    assert [key.name for key in keys] == ["Basis", *model.expression_names, *added_names(model), LIMIT_KEY]
    assert len(keys) == 58
    assert all((key.slider_min, key.slider_max) == (0.0, 1.0) for key in keys[1:])


def test_quads_uv_and_materials(model, built):
    _, collection = built
    parts = objects_by_part(collection)
    for part in model.parts:
        mesh = parts[part.name].data
        assert len(mesh.polygons) == len(part.faces)
        assert not mesh.validate(), "Blender had to repair the mesh"
        slots = len(part.materials) + (part is tongue_part(model))
        assert [slot.material is not None for slot in parts[part.name].material_slots] == [True] * slots
        uv = np.empty(2 * len(mesh.loops), np.float32)
        mesh.uv_layers[0].data.foreach_get("uv", uv)
        assert np.array_equal(uv.reshape(-1, 2), part.uv[part.face_uv[part.faces >= 0]])
        assert all(polygon.use_smooth for polygon in mesh.polygons)
        subdivision, *displaced = parts[part.name].modifiers
        assert (subdivision.type, bool(displaced)) == ("SUBSURF", part.name == "skin")
        levels = (2, 3) if part.name == "skin" else (1, 2)
        assert (subdivision.levels, subdivision.render_levels) == levels


def images_behind(socket) -> list:
    """Images that reach a shader's input, through whatever lies between."""
    nodes = [link.from_node for link in socket.links]
    found = [node.image for node in nodes if node.type == "TEX_IMAGE"]
    return found + [image for node in nodes for input_ in node.inputs for image in images_behind(input_)]


@pytest.mark.parametrize(
    ("field", "socket", "space"),
    [
        ("albedo", "Base Color", "sRGB"),
        ("roughness", "Roughness", "Non-Color"),
        ("specular", "Specular IOR Level", "Non-Color"),
    ],
)
def test_skin_maps_are_in_its_material_and_packed(blender, model, reconstruction_of, field, socket, space):
    from facedetail_addon.scene.build.scene import build_scene

    maps = np.random.default_rng(1).integers(0, 256, (2, 256, 256), np.uint8)
    reconstruction = changed(reconstruction_of(model), roughness=maps[0], specular=maps[1])
    collection = build_scene(reconstruction, model).collection
    shader = objects_by_part(collection)["skin"].material_slots[0].material.node_tree.nodes["Principled BSDF"]
    (image,) = images_behind(shader.inputs[socket])
    assert image.packed_file is not None
    assert image.colorspace_settings.name == space
    pixels = np.empty(256 * 256 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    expected = reconstruction.maps[field].reshape(256, 256, -1)
    assert np.abs(pixels.reshape(256, 256, 4)[::-1, :, :3] * 255 - expected).max() < 0.51


def test_light_scatters_under_the_skin_but_not_across_its_openings(model, built):
    from facedetail_addon.names import SCATTER_ATTRIBUTE

    _, collection = built
    skin = objects_by_part(collection)["skin"]
    shader = skin.material_slots[0].material.node_tree.nodes["Principled BSDF"]
    assert shader.inputs["Subsurface Weight"].links[0].from_node.attribute_name == SCATTER_ATTRIBUTE
    free = np.empty(len(skin.data.vertices), np.float32)
    skin.data.attributes[SCATTER_ATTRIBUTE].data.foreach_get("value", free)
    region = {name: free[model.region == index] for index, name in enumerate(model.region_names)}
    assert region["socket"].max() == 0
    assert np.median(region["cheeks"]) == 1 and np.median(region["forehead"]) == 1
    assert 0 < region["mouth"].mean() < 1


def test_real_size_and_one_parent(blender, model, built):
    _, collection = built
    roots = [item for item in collection.objects if item.parent is None]
    assert len(roots) == 1
    assert roots[0].type == "EMPTY"
    blender.context.view_layer.update()
    skin = objects_by_part(collection)["skin"]
    assert 0.15 < skin.dimensions.x < 0.5
    places = np.array([vertex.co for vertex in skin.data.vertices])
    nose = model.landmarks68.vertices[30, 0]
    assert places[nose, 1] < places[:, 1].mean() - 0.05, "the face looks along -Y"
    assert places[:, 2].max() - places[nose, 2] > 0.05, "the crown is above the nose"


def test_pupils_lie_in_front_and_only_there(blender, model, built):
    """The iris place counts arcs from the pupil: it is small in front, and nowhere at the back of the eye."""
    from facedetail_addon.names import IRIS_ATTRIBUTE

    _, collection = built
    for side in ("eye_left", "eye_right"):
        mesh = objects_by_part(collection)[side].data
        place = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.attributes[IRIS_ATTRIBUTE].data.foreach_get("vector", place)
        radius = np.linalg.norm(place.reshape(-1, 3)[:, :2], axis=1)
        forward = -np.array([vertex.co.y for vertex in mesh.vertices])
        assert forward[radius < 1].min() > 0.5 * forward.max()
        assert radius[forward < 0].min() > 2
