# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of what artists make of heads and scenes: duplicates, shape keys, other pictures and shaders, other units."""

import dataclasses
import os

import numpy as np
import pytest

from facedetail_addon.core.errors import OutputError
from facedetail_addon.core.io.images import png_size, read_png

EXPRESSION = {"jawOpen": 0.5, "mouthSmileLeft": 0.25}
HEAD_WIDTH_M = (0.1, 0.25)


@pytest.fixture(scope="module")
def few(model):
    """The built-in head with a few expressions."""
    kept = [model.expression_names.index(name) for name in (*EXPRESSION, "eyeBlinkLeft")]
    return dataclasses.replace(
        model,
        expression_basis=model.expression_basis[kept],
        expression_names=tuple(model.expression_names[index] for index in kept),
    )


@pytest.fixture
def build(blender, few, reconstruction_of):
    """The function that builds a head."""
    from facedetail_addon.scene.build.scene import build_scene

    def make(photo_name: str = "made up.png"):
        return build_scene(reconstruction_of(few, expression=EXPRESSION, photo_name=photo_name), few)

    return make


def exported(head, tmp_path):
    """The OBJ file of a head."""
    from facedetail_addon.scene.export.head import export_head

    return export_head(head, tmp_path / "head.obj")


def vertices(path) -> np.ndarray:
    """(N, 3) m, OBJ's axes."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return np.array([line.split()[1:4] for line in lines if line.startswith("v ")], np.float64)


def picture_node(head, name):
    return head.skin.material_slots[0].material.node_tree.nodes[name]


# Which head


@pytest.mark.parametrize("linked", [False, True], ids=["Shift D", "Alt D"])
def test_the_active_head_of_two_is_exported(registered, blender, build, tmp_path, linked):
    head = build()
    for item in (head.root, *head.objects):
        item.select_set(True)
    blender.ops.object.duplicate(linked=linked)
    copy = next(item for item in blender.context.selected_objects if item.type == "EMPTY")
    copy.location.x = 3
    assert head.collection in copy.users_collection
    blender.context.view_layer.update()
    for root, middle in ((copy, 3), (head.root, 0)):
        eye = next(item for item in root.children if "eye_left" in item.name)
        blender.context.view_layer.objects.active = eye
        path = tmp_path / f"at {middle}.obj"
        assert blender.ops.facedetail.export(filepath=str(path)) == {"FINISHED"}
        found = vertices(path)
        assert len(found) == sum(len(part.data.vertices) for part in head.parts.values())
        assert found[:, 0].mean() == pytest.approx(middle, abs=0.02)


def test_a_prop_beside_the_head_stays_out(registered, blender, build, tmp_path):
    head = build()
    stand = blender.data.objects.new("a stand", None)
    bust = blender.data.objects.new("a bust", blender.data.meshes.new("bust"))
    bust.data.from_pydata([(9, 9, 9), (9, 9, 8), (9, 8, 9)], [], [(0, 1, 2)])
    for item in (stand, bust):
        head.collection.objects.link(item)
    bust.parent = stand
    blender.context.view_layer.objects.active = head.parts["gums"]
    assert blender.ops.facedetail.export(filepath=str(tmp_path / "head.obj")) == {"FINISHED"}
    assert np.abs(vertices(tmp_path / "head.obj")).max() < 1
    blender.context.view_layer.objects.active = bust
    assert not blender.ops.facedetail.export.poll()


# Shape keys


def shown(bpy, item, values: dict[str, float]) -> np.ndarray:
    """(N, 3) m: the mesh as Blender shows it with these values and no modifier."""
    for modifier in item.modifiers:
        modifier.show_viewport = False
    for key in item.data.shape_keys.key_blocks[1:]:
        key.value = values.get(key.name, 0.0)
    bpy.context.view_layer.update()
    mesh = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def key_points(key) -> np.ndarray:
    points = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", points)
    return points.reshape(-1, 3)


def limit_keys(bpy, skin) -> None:
    """A vertex group on one half of the face limits a key, and another key is relative to a third."""
    blocks = skin.data.shape_keys.key_blocks
    left = skin.vertex_groups.new(name="left")
    left.add([vertex.index for vertex in skin.data.vertices if vertex.co.x > 0], 1.0, "REPLACE")
    blocks["jawOpen"].vertex_group = "left"
    blocks["eyeBlinkLeft"].relative_key = blocks["mouthSmileLeft"]


def plain_copy(bpy, item):
    from facedetail_addon.scene.export.shape_keys import plain_keys

    made = bpy.data.objects.new("copy", item.data.copy())
    plain_keys(item, made)
    return made


def test_shape_keys_are_baked_as_blender_shows_them(blender, build):
    skin = build().skin
    limit_keys(blender, skin)
    wanted = {key.name: shown(blender, skin, {key.name: 1.0}) for key in skin.data.shape_keys.key_blocks[1:]}
    values = {"jawOpen": 0.8, "eyeBlinkLeft": 0.5, "mouthSmileLeft": 0.25}
    together = shown(blender, skin, values)
    copy = plain_copy(blender, skin)
    blocks = copy.data.shape_keys.key_blocks
    assert {key.name: key.value for key in blocks[1:] if key.name != "tongueOut"} == pytest.approx(values)
    assert all(key.relative_key == blocks[0] and not key.vertex_group for key in blocks)
    for name, points in wanted.items():
        assert np.abs(key_points(blocks[name]) - points).max() < 1e-6, name
    rest = key_points(blocks[0])
    added = rest + sum(value * (key_points(blocks[name]) - rest) for name, value in values.items())
    assert np.abs(added - together).max() < 1e-6
    still = np.array([vertex.co.x < -1e-4 for vertex in skin.data.vertices])
    assert np.abs(key_points(blocks["jawOpen"]) - rest)[still].max() == 0


def test_fbx_holds_the_baked_keys(blender, build, tmp_path):
    from facedetail_addon.scene.export.head import export_head

    head = build()
    limit_keys(blender, head.skin)
    wanted = shown(blender, head.skin, {"jawOpen": 1.0}) - shown(blender, head.skin, {})
    export_head(head, tmp_path / "head.fbx")
    blender.ops.wm.read_factory_settings(use_empty=True)
    blender.ops.import_scene.fbx(filepath=str(tmp_path / "head.fbx"))
    skin = next(item for item in blender.data.objects if item.type == "MESH" and "skin" in item.name)
    blocks = skin.data.shape_keys.key_blocks
    found = (key_points(blocks["jawOpen"]) - key_points(blocks[0])) * skin.matrix_world.to_scale()[0]
    lengths = np.sort(np.linalg.norm(found, axis=1)), np.sort(np.linalg.norm(wanted, axis=1))
    assert lengths[0] == pytest.approx(lengths[1], abs=1e-5)


def test_parts_follow_the_skin_unless_the_artist_has_freed_them(blender, build):
    head = build()
    gums, lower = head.parts["gums"], head.parts["teeth_lower"]
    gums.data.shape_keys.key_blocks["jawOpen"].driver_remove("value")
    gums.data.shape_keys.key_blocks["jawOpen"].value = 0.125
    lower.hide_viewport = True
    head.keys.key_blocks["jawOpen"].value = 0.75
    blender.context.view_layer.update()
    for item, value in ((gums, 0.125), (lower, 0.75)):
        assert plain_copy(blender, item).data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(value)
    head.keys.key_blocks["jawOpen"].mute = True
    assert plain_copy(blender, head.skin).data.shape_keys.key_blocks["jawOpen"].value == 0


def test_absolute_keys_become_the_shape_that_they_show(blender, build):
    skin = build().skin
    skin.data.shape_keys.use_relative = False
    skin.data.shape_keys.eval_time = 15
    wanted = shown(blender, skin, {})
    copy = plain_copy(blender, skin)
    assert copy.data.shape_keys is None
    points = np.empty(3 * len(copy.data.vertices), np.float32)
    copy.data.vertices.foreach_get("co", points)
    assert np.abs(points.reshape(-1, 3) - wanted).max() < 1e-6


# Pictures and materials


def another_picture(bpy, tmp_path, kind: str, colour_space: str = ""):
    """A picture of one colour in a file of some kind: linear (0.6, 0.4, 0.3) in EXR, that as sRGB in others."""
    image = bpy.data.images.new("source", 8, 8, alpha=False, float_buffer=kind == "OPEN_EXR")
    pixels = np.ones((64, 4), np.float32)
    pixels[:, :3] = (0.6, 0.4, 0.3)
    image.colorspace_settings.name = "Non-Color"  # stored as they are
    image.pixels.foreach_set(pixels.ravel())
    image.file_format = kind
    endings = {"OPEN_EXR": "exr", "JPEG": "jpg", "TIFF": "tif", "PNG": "png"}
    image.filepath_raw = str(tmp_path / f"source.{endings[kind]}")
    image.save()
    loaded = bpy.data.images.load(image.filepath_raw)
    if colour_space:
        loaded.colorspace_settings.name = colour_space
    return loaded


LINEAR = (203, 170, 149)  # (0.6, 0.4, 0.3), sRGB-encoded
AS_IS = (153, 102, 76)


@pytest.mark.parametrize(
    ("kind", "colour_space", "wanted"),
    [
        ("OPEN_EXR", "Linear Rec.709", LINEAR),
        ("JPEG", "sRGB", AS_IS),
        ("TIFF", "sRGB", AS_IS),
        ("TIFF", "Linear Rec.709", LINEAR),
        ("TIFF", "Non-Color", LINEAR),
        ("PNG", "sRGB", AS_IS),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_albedo_is_a_png_in_srgb(blender, build, tmp_path, kind, colour_space, wanted, packed):
    from facedetail_addon.scene.export.pictures import colours_png

    image = another_picture(blender, tmp_path, kind, colour_space)
    if packed:
        image.pack()
    (tmp_path / "out.png").write_bytes(colours_png(image))
    found = read_png(tmp_path / "out.png")
    assert found.shape == (8, 8, 3) and found.dtype == np.uint8
    assert np.abs(found.astype(int) - wanted).max() <= (3 if kind == "JPEG" else 1)


def test_painted_pictures_are_exported_as_painted(blender, tmp_path):
    from facedetail_addon.scene.export.pictures import colours_png

    image = another_picture(blender, tmp_path, "PNG", "sRGB")
    pixels = np.ones((64, 4), np.float32)
    pixels[:8, :3] = (1.0, 0.0, 0.0)  # the lowest row
    image.pixels.foreach_set(pixels.ravel())
    (tmp_path / "out.png").write_bytes(colours_png(image))
    found = read_png(tmp_path / "out.png")
    assert (found[-1] == (255, 0, 0)).all() and (found[:-1] == 255).all()
    image.colorspace_settings.name = "Non-Color"


@pytest.mark.parametrize(("kind", "colour_space"), [("OPEN_EXR", "Non-Color"), ("TIFF", "Non-Color"), ("TIFF", "sRGB")])
def test_roughness_is_a_grey_png_of_what_shaders_read(blender, tmp_path, kind, colour_space):
    from facedetail_addon.core.colour import LUMINANCE, to_linear
    from facedetail_addon.scene.export.pictures import numbers_png

    image = another_picture(blender, tmp_path, kind, colour_space)
    (tmp_path / "out.png").write_bytes(numbers_png(image))
    read = np.float32([0.6, 0.4, 0.3])
    wanted = 255 * float((to_linear(read) if colour_space == "sRGB" else read) @ LUMINANCE)
    found = read_png(tmp_path / "out.png")
    assert found.shape == (8, 8) and np.abs(found - wanted).max() <= 1


def test_another_format_reaches_the_exported_file(blender, build, tmp_path):
    head = build()
    picture_node(head, "Albedo").image = another_picture(blender, tmp_path, "OPEN_EXR", "Linear Rec.709")
    exported(head, tmp_path)
    png_size((tmp_path / "head_albedo.png").read_bytes())
    assert np.abs(read_png(tmp_path / "head_albedo.png").astype(int) - LINEAR).max() <= 1


@pytest.mark.parametrize("name", ["Albedo", "Roughness", "Relief Normals Image"])
def test_a_missing_picture_is_named(blender, build, tmp_path, name):
    head = build()
    image = picture_node(head, name).image
    image.unpack(method="REMOVE")
    image.filepath = str(tmp_path / "nowhere.png")
    with pytest.raises(OutputError, match="picture made up .* is missing") as error:
        exported(head, tmp_path)
    assert "Find Missing Files" in error.value.remedy
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["ShaderNodeBsdfDiffuse", "ShaderNodeEmission", None])
def test_another_shader_on_the_skin(blender, build, tmp_path, kind):
    head = build()
    tree = head.skin.material_slots[0].material.node_tree
    tree.nodes.remove(next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"))
    if kind is not None:
        shader = tree.nodes.new(kind)
        tree.links.new(tree.nodes["Albedo"].outputs["Color"], shader.inputs["Color"])
        output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
        tree.links.new(shader.outputs[0], output.inputs["Surface"])
    exported(head, tmp_path)
    assert (tmp_path / "head_albedo.png").is_file()


def test_a_material_that_a_duplicate_has_for_itself(blender, build, tmp_path):
    """Duplicates that share a mesh have materials of their own on the object."""
    head = build()
    own = head.skin.material_slots[0].material.copy()
    own.node_tree.nodes["Albedo"].image = another_picture(blender, tmp_path, "OPEN_EXR", "Linear Rec.709")
    head.skin.material_slots[0].link = "OBJECT"
    head.skin.material_slots[0].material = own
    exported(head, tmp_path)
    assert np.abs(read_png(tmp_path / "head_albedo.png").astype(int) - LINEAR).max() <= 1


# Units


@pytest.fixture(params=[0.01, 0.001])
def small_units(blender, request):
    """A scene whose unit is a centimetre or a millimetre."""
    blender.context.scene.unit_settings.scale_length = request.param
    return request.param


def test_a_head_has_its_real_size_in_every_scene(blender, small_units, build, tmp_path):
    from facedetail_addon.scene.camera import CLIP_START_M
    from facedetail_addon.scene.export.head import export_head

    head = build()
    blender.context.view_layer.update()
    assert HEAD_WIDTH_M[0] < small_units * head.skin.dimensions.x < HEAD_WIDTH_M[1]
    assert small_units * head.camera.data.clip_start == pytest.approx(CLIP_START_M)
    width = np.ptp(vertices(exported(head, tmp_path))[:, 0])
    assert HEAD_WIDTH_M[0] < width < HEAD_WIDTH_M[1]
    for kind in ("fbx", "usdc"):
        export_head(head, tmp_path / f"head.{kind}")
    assert blender.context.scene.unit_settings.scale_length == pytest.approx(small_units)
    for kind, reader in (("fbx", blender.ops.import_scene.fbx), ("usdc", blender.ops.wm.usd_import)):
        blender.ops.wm.read_factory_settings(use_empty=True)
        reader(filepath=str(tmp_path / f"head.{kind}"))
        blender.context.view_layer.update()
        skin = next(item for item in blender.data.objects if item.type == "MESH" and "skin" in item.name)
        assert skin.dimensions.x == pytest.approx(width, abs=0.005), kind


def test_pictures_are_the_same_in_every_unit(blender, few, reconstruction_of, tmp_path):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.lookdev.pictures import Lookdev, orbit_picture
    from facedetail_addon.scene.render import render_scene

    found = []
    for length in (1.0, 0.01):
        blender.ops.wm.read_factory_settings(use_empty=True)
        blender.context.scene.unit_settings.scale_length = length
        head = build_scene(reconstruction_of(few, (64, 48), expression=EXPRESSION), few)
        render = read_rgba(render_scene(tmp_path / "render.png", head, samples=4))
        found.append((render, orbit_picture(head, Lookdev(height=64, samples=4), 30.0)))
    for metres, centimetres in zip(*found, strict=True):
        assert metres[..., 3].max() == 255
        assert np.abs(metres.astype(int) - centimetres).mean() < 1.0


def read_rgba(path) -> np.ndarray:
    from skimage import io

    return io.imread(path)


def test_another_pose_keeps_the_units(blender, small_units, build, few, reconstruction_of):
    from facedetail_addon.scene.shape import HeadShape

    head = build()
    before = head.camera.data.clip_start, head.camera.data.clip_end
    pose = reconstruction_of(few).record
    head.set_pose(few, HeadShape(pose.fit.vertices_neutral, pose.pose.vertices, pose.pose.beta), pose.pose.perspective)
    assert (head.camera.data.clip_start, head.camera.data.clip_end) == before
    blender.context.view_layer.update()
    assert HEAD_WIDTH_M[0] < small_units * head.skin.dimensions.x < HEAD_WIDTH_M[1]


# Names


@pytest.mark.parametrize("stem", ["x" * 120 + " 0017", "Grüße_" * 20, "写真" * 30], ids=["letters", "umlauts", "kanji"])
def test_long_names_are_cut_before_what_tells_parts_apart(blender, build, stem, tmp_path):
    head = build(f"{stem}.png")
    kinds = ("objects", "meshes", "materials", "images", "collections", "worlds", "cameras", "textures")
    names = [item.name for kind in kinds for item in getattr(blender.data, kind) if item.users]
    assert not [name for name in names if name.endswith(".001")]
    assert all(item.name.endswith(f" {name}") for name, item in head.parts.items())
    assert head.root.name.startswith(stem[:8]) and stem[-3:] in head.root.name
    exported(head, tmp_path)
    assert len({line for line in (tmp_path / "head.obj").read_text().splitlines() if line.startswith("o ")}) == 6


def test_names_that_fit_stay_as_they_are(few):
    from facedetail_addon.scene.build.stem import name_stem

    assert name_stem("a" * 36, few) == "a" * 36


# Heads of other files


@pytest.fixture
def library(blender, build, tmp_path):
    """The path of a file with a head."""
    build()
    path = tmp_path / "library" / "heads.blend"
    path.parent.mkdir()
    blender.ops.wm.save_as_mainfile(filepath=str(path))
    blender.ops.wm.read_factory_settings(use_empty=True)
    return path


@pytest.fixture(params=["linked", "override"])
def foreign(blender, library, request):
    """A head that is linked from another file, or a library override of one."""
    from facedetail_addon.scene.head_object import HeadObject

    with blender.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.collections = ["FaceDetail made up"]
    (collection,) = wanted.collections
    blender.context.scene.collection.children.link(collection)
    if request.param == "override":
        collection = collection.override_hierarchy_create(blender.context.scene, blender.context.view_layer)
    return HeadObject.of(next(item for item in collection.all_objects if item.type == "EMPTY"))


def test_what_would_not_last_is_refused(registered, blender, foreign, few, reconstruction_of, tmp_path):
    from facedetail_addon.scene.head_object import HeadObject
    from facedetail_addon.scene.lookdev.file import write_head
    from facedetail_addon.scene.relief.displacement import Relief
    from facedetail_addon.scene.shape import HeadShape

    assert foreign.linked_file.endswith("heads.blend") and not foreign.keeps_expression
    assert HeadObject.named(foreign.root.name) == foreign
    foreign.root.select_set(True)
    blender.context.view_layer.objects.active = foreign.root
    assert not blender.ops.facedetail.expression.poll()
    with pytest.raises(RuntimeError, match="linked from .*heads.blend.*Make Local"):
        blender.ops.facedetail.expression(expression="NEUTRAL")
    assert foreign.keys.key_blocks["jawOpen"].value == pytest.approx(0.5)
    pose = reconstruction_of(few).record
    shape = HeadShape(pose.fit.vertices_neutral, pose.pose.vertices, pose.pose.beta)
    with pytest.raises(OutputError, match="linked from"):
        foreign.set_pose(few, shape, pose.pose.perspective)
    with pytest.raises(OutputError, match="linked from"):
        write_head(tmp_path, foreign, Relief())


def test_a_head_of_another_file_is_exported(blender, foreign, tmp_path):
    assert HEAD_WIDTH_M[0] < np.ptp(vertices(exported(foreign, tmp_path))[:, 0]) < HEAD_WIDTH_M[1]


def test_an_override_of_the_mesh_keeps_its_expression(registered, blender, library, tmp_path):
    from facedetail_addon.scene.head_object import HeadObject

    with blender.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.collections = ["FaceDetail made up"]
    blender.context.scene.collection.children.link(wanted.collections[0])
    collection = wanted.collections[0].override_hierarchy_create(blender.context.scene, blender.context.view_layer)
    head = HeadObject.of(next(item for item in collection.all_objects if item.type == "EMPTY"))
    head.skin.data.override_create(remap_local_usages=True)
    assert head.keeps_expression
    head.skin.select_set(True)
    blender.context.view_layer.objects.active = head.skin
    assert blender.ops.facedetail.expression(expression="NEUTRAL") == {"FINISHED"}
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    skins = [item for item in blender.data.objects if item.library is None and item.name.endswith("skin")]
    assert [item.data.shape_keys.key_blocks["jawOpen"].value for item in skins] == [0]


def test_a_scene_of_another_file_is_refused(blender, library, few, reconstruction_of):
    from facedetail_addon.scene.build.scene import build_scene

    with blender.data.libraries.load(str(library), link=True) as (there, wanted):
        wanted.scenes = there.scenes
    before = len(blender.data.objects)
    with pytest.raises(OutputError, match="linked from .*heads.blend: nothing can be added"):
        build_scene(reconstruction_of(few), few, scene=wanted.scenes[0])
    assert len(blender.data.objects) == before


# Braces


@pytest.mark.parametrize("name", ["a{b}c", "{blend_name}", "}{"])
def test_braces_in_names(blender, build, tmp_path, name):
    from facedetail_addon.core.result.files import TURNTABLE_FILE
    from facedetail_addon.scene.lookdev.pictures import Lookdev
    from facedetail_addon.scene.lookdev.turntable import turntable_steps
    from facedetail_addon.scene.render import render_scene
    from facedetail_addon.scene.steps import run_through

    folder = tmp_path / name
    folder.mkdir()
    head = build(f"{name}.png")
    render_scene(folder / f"{name}.png", head, samples=1, percentage=10)
    wanted = {f"{name}.png"}
    if name == "a{b}c":
        run_through(turntable_steps(head.root.name, Lookdev(height=64, samples=1), folder, 2, film=True))
        wanted.add(TURNTABLE_FILE)
    assert set(os.listdir(folder)) == wanted
