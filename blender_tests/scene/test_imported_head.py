# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of imported face models: the photo's shape exactly, their own UV, clear films, triangles, missing parts."""

import dataclasses

import numpy as np
import pytest

from blender_tests.made_up import changed
from blender_tests.scene.test_head import evaluated_mm, objects_by_part
from facedetail_addon.core.face_model.arkit import added_names
from facedetail_addon.core.face_model.model import FaceModel, NativeExpressions
from facedetail_addon.core.model_import.adapt import FILM, LASHES, adapt
from facedetail_addon.core.model_import.correspondence import correspond
from facedetail_addon.names import LIMIT_KEY
from scripts.benchmark.correspondence.known_heads import kit_head, mask

SMILE = {"mouthSmileLeft": 0.8, "jawOpen": 0.4}


def nobody(picture: np.ndarray) -> tuple:
    raise AssertionError("landmarks were searched")


def adapted(head, model: FaceModel) -> FaceModel:
    return adapt(head.model, model, correspond(head.model, model, nobody)).model


@pytest.fixture(scope="module")
def kit(model, data_dir) -> FaceModel:
    return adapted(kit_head(model, data_dir, None), model)


@pytest.fixture(scope="module")
def face_only(model) -> FaceModel:
    """A mask with skin over the eyes, of triangles, whose own modes no named expression can do."""
    found = adapted(mask(model, 1), model)
    skin = found.skin
    triangles = skin.triangles()
    faces = np.column_stack([triangles, np.full(len(triangles), -1)]).astype(np.int32)
    split = skin.uv_triangles()
    uv = np.column_stack([split, np.full(len(split), -1)]).astype(np.int32)
    skin = dataclasses.replace(skin, faces=faces, face_uv=uv, face_material=np.zeros(len(faces), np.uint8))
    modes = np.zeros((1, *found.mean.shape), np.float32)
    modes[0, : skin.stop, 2] = np.sin(found.mean[: skin.stop, 1] / 7)
    own = NativeExpressions(np.zeros_like(found.mean), modes)
    return dataclasses.replace(found, parts=(skin, *found.parts[1:]), native_expressions=own)


def reconstruction_with_own_modes(model: FaceModel, reconstruction_of):
    found = reconstruction_of(model, expression=SMILE)
    moved = np.float32(0.7) * model.native_expressions.basis[0]
    moved[model.parts[-1].start :] += np.float32([0, -1, 0])
    return changed(found, vertices=found.record.pose.vertices + moved, native_beta=np.float32([0.7]))


def largest_error_mm(bpy, model: FaceModel, collection, vertices_mm: np.ndarray) -> float:
    parts = objects_by_part(collection)
    errors = [evaluated_mm(bpy, parts[part.name]) - part.of(vertices_mm) for part in model.parts]
    return max(float(np.linalg.norm(error, axis=1).max()) for error in errors)


def test_rest_key_makes_the_photos_shape_exact(blender, face_only, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.shape import REST_KEY

    reconstruction = reconstruction_with_own_modes(face_only, reconstruction_of)
    collection = build_scene(reconstruction, face_only).collection
    keys = objects_by_part(collection)["skin"].data.shape_keys.key_blocks
    assert [key.name for key in keys[1:]] == [*face_only.expression_names, *added_names(face_only), REST_KEY, LIMIT_KEY]
    assert keys[REST_KEY].value == 1
    assert largest_error_mm(blender, face_only, collection, reconstruction.record.pose.vertices) < 0.1
    keys[REST_KEY].value = 0
    assert largest_error_mm(blender, face_only, collection, reconstruction.record.pose.vertices) > 0.65
    for key in keys[1:]:
        key.value = 0
    assert largest_error_mm(blender, face_only, collection, reconstruction.record.fit.vertices_neutral) < 0.001


def test_no_rest_key_where_named_expressions_say_all(blender, face_only, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.shape import REST_KEY

    collection = build_scene(reconstruction_of(face_only, expression=SMILE), face_only).collection
    assert not any(REST_KEY in key.key_blocks for key in blender.data.shape_keys)
    assert {item.name.removeprefix("made up ") for item in collection.objects} == {
        "head", "camera", *(part.name for part in face_only.parts),
    }  # fmt: skip
    assert "eye_left" not in objects_by_part(collection)


def test_rest_needs_the_vertices_of_the_model(blender, face_only, reconstruction_of):
    from facedetail_addon.core.errors import OutputError
    from facedetail_addon.scene.build.scene import build_scene

    found = reconstruction_of(face_only)
    with pytest.raises(OutputError, match="another face model"):
        build_scene(changed(found, vertices=found.record.pose.vertices[:-1]), face_only)


def test_fine_triangles_are_divided_less_and_without_tables(blender, registered, face_only, reconstruction_of):
    """Half as long edges need a level less for the same geometry; the panel's sliders say so too."""
    from facedetail_addon.scene.build.scene import build_scene

    half = dataclasses.replace(face_only, mean=face_only.mean * np.float32(0.5))
    for model, levels in ((face_only, (2, 3)), (half, (1, 2))):
        head = build_scene(reconstruction_of(model), model)
        root, subdivision = head.root, head.skin.modifiers[0]
        assert (subdivision.levels, subdivision.render_levels) == levels
        assert (root.facedetail_relief.viewport_level, root.facedetail_relief.render_level) == levels
        assert not subdivision.use_limit_surface


def test_a_face_that_names_a_vertex_twice_is_left_out(blender, face_only, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    faces = face_only.skin.faces.copy()
    faces[0, 1] = faces[0, 0]
    broken = dataclasses.replace(
        face_only, parts=(dataclasses.replace(face_only.skin, faces=faces), *face_only.parts[1:])
    )
    skin = objects_by_part(build_scene(reconstruction_of(broken), broken).collection)["skin"]
    assert len(skin.data.polygons) == len(faces) - 1
    blender.context.view_layer.update()
    uv = np.empty(2 * len(skin.data.loops), np.float32)
    skin.data.uv_layers["UVMap"].data.foreach_get("uv", uv)
    assert np.array_equal(uv.reshape(-1, 2), broken.skin.uv[broken.skin.face_uv[1:][faces[1:] >= 0]])


def test_kit_has_its_own_uv_beside_ours(blender, kit, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    parts = objects_by_part(build_scene(reconstruction_of(kit, expression=SMILE), kit).collection)
    for name in ("skin", "eye_left"):
        layers, part = parts[name].data.uv_layers, kit.part(name)
        assert [layer.name for layer in layers] == ["UVMap", "Own UV"]
        assert layers.active.name == "UVMap" and layers["UVMap"].active_render
        found = np.empty(2 * len(parts[name].data.loops), np.float32)
        layers["Own UV"].data.foreach_get("uv", found)
        assert np.array_equal(found.reshape(-1, 2), part.native_uv[part.native_face_uv[part.faces >= 0]])
    assert [layer.name for layer in parts["gums"].data.uv_layers] == ["UVMap"]


def test_films_are_clear_and_lashes_are_hidden(blender, kit, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    parts = objects_by_part(build_scene(reconstruction_of(kit), kit).collection)
    kinds = {part.name: part.materials[0] for part in kit.parts}
    assert set(kinds.values()) >= {FILM, LASHES}
    for name, kind in kinds.items():
        nodes = [node.type for node in parts[name].material_slots[0].material.node_tree.nodes]
        assert ("BSDF_TRANSPARENT" in nodes, "BSDF_PRINCIPLED" in nodes) == (kind == FILM, kind != FILM)
        assert parts[name].visible_shadow == (kind != FILM)
        assert parts[name].hide_render == parts[name].hide_viewport == (kind == LASHES)


def test_a_film_does_not_darken_what_is_behind(blender):
    """In Cycles a white card lit evenly is as white behind a film."""
    from facedetail_addon.scene.build.material import SkinImages, make_material

    bpy = blender
    film = make_material("film", FILM, SkinImages(None, None, None))
    bpy.ops.mesh.primitive_plane_add(size=1, location=(0, 0, 0))
    white = bpy.data.materials.new("white")
    white.use_nodes = True
    bpy.context.object.data.materials.append(white)
    bpy.ops.mesh.primitive_plane_add(size=1, location=(0.5, 0, 0.1))
    bpy.context.object.data.materials.append(film)
    bpy.context.object.visible_shadow = False
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("even")
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    scene.camera.location.z = 2
    scene.camera.data.type, scene.camera.data.ortho_scale = "ORTHO", 0.8
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.5, 0.5, 0.5, 1)
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 256, False
    scene.render.resolution_x = scene.render.resolution_y = 16
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = bpy.app.tempdir + "film.exr"
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.array(image.pixels[:]).reshape(16, 16, 4)[:, :, :3]
    bare, covered = pixels[:, :7].mean(), pixels[:, 9:].mean()
    assert bare > 0.3
    assert covered == pytest.approx(bare, rel=0.02)
