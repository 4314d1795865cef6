# SPDX-License-Identifier: GPL-3.0-or-later
"""Exported heads, read back by Blender's own importers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from blender_tests.made_up import changed
from facedetail_addon.core.errors import OutputError
from facedetail_addon.core.face_model.arkit import added_names
from facedetail_addon.core.io.images import read_png
from facedetail_addon.core.result.files import EXPORT_EXTRAS, EXPORT_FILES

TOLERANCE_M = 1e-5
OWN_PROCESS = "FACEDETAIL_TEST_GLTF"
"""Set in the process in which glTF is tested."""
KINDS = ["glb"] if OWN_PROCESS in os.environ else ["fbx", "usd", "obj"]
EXPRESSION = {"jawOpen": 0.5, "eyeBlinkLeft": 0.25}
PARTS = {"skin", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "gums"}


@pytest.fixture(scope="session")
def posed(model, reconstruction_of, wavy):
    """A head with relief, and with an expression that moves teeth and eyelids."""
    maps = ("displacement_medium", "displacement_fine", "normal", "normal_fine")
    plain = reconstruction_of(model, expression=EXPRESSION)
    return changed(plain, **{name: wavy.maps[name] for name in maps})


@pytest.fixture
def head(blender, model, posed):
    from facedetail_addon.scene.build.scene import build_scene

    made = build_scene(posed, model)
    made.root.location.x = 0.5
    return made


def read_back(bpy, path) -> dict:
    """The meshes of a file in an empty scene, by the part's name."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    readers = {
        ".fbx": bpy.ops.import_scene.fbx,
        ".glb": bpy.ops.import_scene.gltf,
        ".usdz": bpy.ops.wm.usd_import,
        ".obj": bpy.ops.wm.obj_import,
    }
    readers[path.suffix](filepath=str(path))
    bpy.context.scene.frame_set(bpy.context.scene.frame_current)
    meshes = [item for item in bpy.data.objects if item.type == "MESH"]
    return {next(part for part in PARTS if part in item.name): item for item in meshes}


def assert_plain(path) -> None:
    """Every accessor of a GLB has all its numbers in the file: readers refuse others."""
    data = path.read_bytes()
    described = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    assert any(primitive.get("targets") for mesh in described["meshes"] for primitive in mesh["primitives"])
    skin = next(mesh for mesh in described["meshes"] if "skin" in mesh["name"])
    assert all("_REGION" in primitive["attributes"] for primitive in skin["primitives"])
    node = next(node for node in described["nodes"] if "skin" in node["name"])
    assert {"nose", "cheeks", "ears", "neck"} <= set(node["extras"]["facedetail_regions"].split(","))
    assert all("bufferView" in accessor and "sparse" not in accessor for accessor in described["accessors"])


def positions(bpy, item) -> np.ndarray:
    """(N, 3) m in the world, as it is posed."""
    mesh = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    places = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", places)
    return places.reshape(-1, 3) @ np.array(item.matrix_world)[:3, :3].T + np.array(item.matrix_world)[:3, 3]


def key_offsets(item, name: str) -> np.ndarray:
    """(N, 3) m, of a shape key, in the item's own axes."""
    blocks = item.data.shape_keys.key_blocks
    found = []
    for block in (blocks[name], blocks[0]):
        found.append(np.empty(3 * len(block.data), np.float32))
        block.data.foreach_get("co", found[-1])
    return (found[0] - found[1]).reshape(-1, 3) * item.matrix_world.to_scale()[0]


def nearest(places: np.ndarray, wanted: np.ndarray) -> float:
    from scipy.spatial import cKDTree

    return cKDTree(places).query(wanted)[0].max()


@pytest.mark.parametrize("kind", KINDS)
def test_comes_back_as_it_was(blender, head, model, posed, tmp_path, kind):
    from facedetail_addon.scene.export.head import export_head
    from facedetail_addon.scene.space import to_blender

    path = export_head(head, tmp_path / EXPORT_FILES[kind])
    beside = {file.name for file in tmp_path.iterdir()} - {path.name}
    assert beside == (set(EXPORT_EXTRAS) if kind == "obj" else set())
    if kind == "glb":
        assert_plain(path)
    found = read_back(blender, path)
    assert set(found) == PARTS
    for part in model.parts:
        wanted = to_blender(part.of(posed.record.pose.vertices)) + (0.5, 0, 0)
        assert nearest(positions(blender, found[part.name]), wanted) < TOLERANCE_M, part.name
    for name in ("skin", "eye_left"):
        images = {
            node.image.size[0]: node.image
            for material in found[name].data.materials
            for node in material.node_tree.nodes
            if node.type == "TEX_IMAGE"
        }
        assert images and all(image.has_data for image in images.values()), name
    if kind == "obj":
        assert found["skin"].data.shape_keys is None
        return
    keys = found["skin"].data.shape_keys.key_blocks
    assert [key.name for key in keys[1:]] == [*model.expression_names, *added_names(model)]
    for name, value in EXPRESSION.items():
        assert keys[name].value == pytest.approx(value, abs=1e-6)
    for name in ("skin", "gums", "teeth_lower"):
        part = model.part(name)
        true = part.of(model.expression_basis[model.expression_names.index("jawOpen")]) / 1000
        moved = np.linalg.norm(key_offsets(found[name], "jawOpen"), axis=1).max()
        assert moved == pytest.approx(np.linalg.norm(true, axis=1).max(), abs=TOLERANCE_M)
    armatures = [item for item in blender.data.objects if item.type == "ARMATURE"]
    assert all(not any(bone.use_deform for bone in item.data.bones) or kind == "usd" for item in armatures)
    assert kind == "usd" or not armatures


def test_the_scene_stays_as_it_was(blender, head, tmp_path, monkeypatch):
    from facedetail_addon.scene.export.head import export_head

    def state():
        kinds = ("objects", "meshes", "materials", "images", "collections", "shape_keys", "actions", "armatures")
        scene = blender.context.scene
        names = {kind: sorted(item.name for item in getattr(blender.data, kind)) for kind in kinds}
        children = [item.name for item in scene.collection.children]
        return names, scene.frame_start, scene.frame_end, children, Path.cwd()

    monkeypatch.chdir(tmp_path)
    before = state()
    for kind in KINDS:
        export_head(head, Path(EXPORT_FILES[kind]))
    assert state() == before


@pytest.mark.parametrize(("medium", "fine"), [(1.0, 1.0), (0.5, 2.0), (0.0, 1.0), (0.0, 0.0)])
def test_normals_are_as_strong_as_the_sliders_say(blender, head, posed, tmp_path, medium, fine):
    from facedetail_addon.scene.export.head import export_head
    from facedetail_addon.scene.relief.displacement import Relief, set_relief

    set_relief(head, Relief(medium=medium, fine=fine))
    export_head(head, tmp_path / "scene.obj")
    if not (medium or fine):
        assert not (tmp_path / "scene_normal.png").exists()
        return
    slopes = []
    for normals in (posed.maps["normal"], posed.maps["normal_fine"]):
        vectors = 2 * (normals / 65535) - 1
        slopes.append(vectors[..., :2] / vectors[..., 2:])
    both, small = slopes
    found = 2 * (read_png(tmp_path / "scene_normal.png") / 255) - 1
    wanted = medium * (both - small) + fine * small
    assert np.abs(wanted).max() > 0.1
    assert np.abs(found[..., :2] / found[..., 2:] - wanted).max() < 0.02


def test_albedo_and_the_inside_of_the_mouth(blender, head, posed, tmp_path):
    from facedetail_addon.scene.export.head import export_head

    export_head(head, tmp_path / "scene.obj")
    assert (read_png(tmp_path / "scene_albedo.png") == posed.maps["albedo"]).all()
    skin = read_back(blender, tmp_path / "scene.obj")["skin"]
    inside = [polygon for polygon in skin.data.polygons if polygon.material_index == 1]
    assert 0.01 < len(inside) / len(skin.data.polygons) < 0.5


def test_what_is_clear_or_hidden_stays_out(blender, head, tmp_path):
    from facedetail_addon.scene.build.material import FILM, make_material
    from facedetail_addon.scene.export.head import export_head

    film, hidden = head.parts["eye_left"], head.parts["gums"]
    for slot in film.material_slots:
        slot.material = make_material("clear", FILM, None)
    hidden.hide_render = True
    found = read_back(blender, export_head(head, tmp_path / "scene.obj"))
    assert set(found) == PARTS - {"eye_left", "gums"}


def test_errors(blender, head, tmp_path):
    from facedetail_addon.scene.export.head import export_head

    with pytest.raises(OutputError, match=r"head\.abc names no known format"):
        export_head(head, tmp_path / "head.abc")
    for suffix in (".fbx", ".glb", ".usdz", ".obj"):
        with pytest.raises(OutputError, match="cannot be written"):
            export_head(head, (tmp_path / "none" / "head").with_suffix(suffix))
    for item in head.parts.values():
        blender.data.objects.remove(item)
    with pytest.raises(OutputError, match="has no meshes any more"):
        export_head(head, tmp_path / "head.glb")


def test_operator(registered, blender, head, tmp_path):
    blender.context.view_layer.objects.active = None
    assert not blender.ops.facedetail.export.poll()
    blender.context.view_layer.objects.active = head.parts["teeth_upper"]
    assert blender.ops.facedetail.export(filepath=str(tmp_path / "head.fbx")) == {"FINISHED"}
    assert (tmp_path / "head.fbx").stat().st_size > 1_000_000
    with pytest.raises(RuntimeError, match="names no known format"):
        blender.ops.facedetail.export(filepath=str(tmp_path / "head.abc"))


def test_gltf_in_a_process_of_its_own(blender):
    """Beside torch, Blender's module waits for itself for ever when a process that has exported glTF ends."""
    selected = ["-q", __file__, "-k", "comes_back or stays_as"]
    program = f"import os, sys, pytest; status = pytest.main({selected!r}); sys.stdout.flush(); os._exit(status)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, OWN_PROCESS: "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout[-3000:]
