# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief: millimetres arrive as millimetres, each way of showing it is alone, and light falls on it rightly."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from blender_tests.made_up import changed
from blender_tests.scene.relief_scene import MAPS, SIDE, geometry, shading, show
from facedetail_addon import names

BUMP_MM, BUMP_SIGMA_MM = 0.8, 2.5
VIEW_MM, PIXELS = 18.0, 36
MODES = (names.DISPLACE, names.ADAPTIVE, names.NORMAL_MAP)


def evaluated(bpy, skin) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, 3) mm, (N, 3) normals and (N, 2) UV of the skin's vertices as views show them."""
    bpy.context.view_layer.update()
    mesh = skin.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    places, normals = np.empty(3 * len(mesh.vertices)), np.empty(3 * len(mesh.vertices))
    mesh.vertices.foreach_get("co", places)
    mesh.vertices.foreach_get("normal", normals)
    corner_uv, corner_vertex = np.empty(2 * len(mesh.loops), np.float32), np.empty(len(mesh.loops), np.int32)
    mesh.uv_layers[0].data.foreach_get("uv", corner_uv)
    mesh.loops.foreach_get("vertex_index", corner_vertex)
    uv = np.empty((len(mesh.vertices), 2))
    uv[corner_vertex] = corner_uv.reshape(-1, 2)
    return places.reshape(-1, 3) * 1000, normals.reshape(-1, 3), uv


def at_uv(heights: np.ndarray, uv: np.ndarray) -> np.ndarray:
    rows, columns = (1 - uv[:, 1]) * SIDE - 0.5, uv[:, 0] * SIDE - 0.5
    return map_coordinates(heights, [rows, columns], order=1, mode="nearest")


def pixels_of(image) -> np.ndarray:
    """(H, W, 3) float32, row 0 at the top."""
    pixels = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(image.size[1], image.size[0], -1)[::-1, :, :3]


def test_maps_come_back_exactly_after_saving(blender, head, wavy, tmp_path):
    path = str(tmp_path / "scene.blend")
    blender.ops.wm.save_as_mainfile(filepath=path)
    blender.ops.wm.open_mainfile(filepath=path, use_scripts=False)
    images = {name: blender.data.images[f"made up {text}"] for name, text in zip(
        MAPS, ("medium relief", "fine relief", "normal", "fine normal"), strict=True
    )}  # fmt: skip
    for name, image in images.items():
        assert image.packed_file is not None and image.is_float
        assert image.colorspace_settings.name == "Non-Color"
        stored = pixels_of(image)
        if name.startswith("displacement"):
            assert stored.min() < -0.05, "signed"
            assert np.array_equal(stored[..., 0], wavy.maps[name])
        else:
            assert np.array_equal(np.round(stored * 65535), wavy.maps[name])


def test_images_wait_in_their_packed_form_until_they_are_shown(blender, head):
    """Four float images of 4096 pixels a side would take a gigabyte."""
    assert [image.name for image in blender.data.images if "normal" in image.name and image.has_data] == []
    packed = sum(image.packed_file.size for image in blender.data.images if "relief" in image.name)
    assert packed < 2 * 4 * SIDE * SIDE


@pytest.mark.parametrize("field", ["displacement_medium", "displacement_fine"])
def test_vertices_move_by_the_maps_millimetres_along_the_normal(blender, head, wavy, field):
    root, skin = head
    skin[names.FINE_LEVEL_PROPERTY] = 2
    skin.data.shape_keys.key_blocks["jawOpen"].value = 0.5
    levels = {"viewport_level": 2, "render_level": 2}
    show(root, strength=0, **levels)
    smooth, normals, uv = evaluated(blender, skin)
    show(root, strength=1.5, medium=float("medium" in field), fine=float("fine" in field), **levels)
    moved = evaluated(blender, skin)[0] - smooth
    expected = 1.5 * at_uv(wavy.maps[field], uv)
    assert np.abs(expected).max() > 0.14
    np.testing.assert_allclose((moved * normals).sum(axis=1), expected, atol=2e-3)
    assert np.linalg.norm(moved - expected[:, None] * normals, axis=1).max() < 2e-3
    assert np.abs(moved[expected == 0]).max() == 0


def test_both_parts_add_up(blender, head, wavy):
    root, skin = head
    skin[names.FINE_LEVEL_PROPERTY] = 2
    show(root, strength=0, render_level=2)
    smooth, normals, uv = evaluated(blender, skin)
    show(root, render_level=2)
    moved = ((evaluated(blender, skin)[0] - smooth) * normals).sum(axis=1)
    # The fine part goes along the normals that the medium one leaves, which differ where the skin folds into the mouth.
    error = np.abs(moved - at_uv(wavy.displacement, uv))
    assert np.percentile(error, 99.8) < 0.01


def test_without_strength_the_mesh_is_the_smooth_one(blender, head):
    root, skin = head
    show(root, strength=0)
    without = evaluated(blender, skin)[0]
    for name in (names.MEDIUM_MODIFIER, names.FINE_MODIFIER):
        skin.modifiers.remove(skin.modifiers[name])
    assert np.array_equal(without, evaluated(blender, skin)[0])
    assert shading(skin) == (False, False)


def test_default_mesh_is_light_enough_for_views(blender, head):
    assert len(evaluated(blender, head[1])[0]) < 400_000


@pytest.mark.parametrize(
    ("levels", "fine", "shaded"),
    [((2, 3), (False, False), True), ((2, 5), (False, True), False), ((5, 5), (True, True), False),
     ((5, 2), (False, False), True)],
)  # fmt: skip
def test_fine_relief_is_geometry_or_shading_but_never_both(head, levels, fine, shaded):
    root, skin = head
    assert skin[names.FINE_LEVEL_PROPERTY] == 5
    show(root, viewport_level=levels[0], render_level=levels[1])
    assert geometry(skin) == {names.MEDIUM_MODIFIER: (True, True), names.FINE_MODIFIER: fine}
    assert shading(skin) == (shaded, False)


def test_modes_exclude_each_other_and_can_be_taken_back(blender, head):
    root, skin = head
    scene, material = blender.context.scene, skin.material_slots[0].material
    order = [item.name for item in skin.modifiers]
    for _ in range(2):
        show(root, mode=names.ADAPTIVE)
        assert not any(sum(geometry(skin).values(), ()))
        assert shading(skin) == (False, True)
        assert material.displacement_method == "BOTH"
        assert skin.modifiers[-1].type == "SUBSURF", "Cycles divides further only what Subdivision does last"
        assert skin.cycles.use_adaptive_subdivision and scene.cycles.feature_set == "EXPERIMENTAL"
        show(root, mode=names.NORMAL_MAP)
        assert not any(sum(geometry(skin).values(), ()))
        assert shading(skin) == (True, False)
        assert not skin.cycles.use_adaptive_subdivision and scene.cycles.feature_set == "SUPPORTED"
        show(root)
        assert [item.name for item in skin.modifiers] == order
        assert (shading(skin), material.displacement_method) == ((True, False), "BUMP")


def test_experimental_features_stay_where_they_are_needed(blender, model, wavy, head):
    from facedetail_addon.scene.build.scene import build_scene

    first, scene = head[0], blender.context.scene
    second = build_scene(wavy, model).root
    for root in (first, second):
        show(root, mode=names.ADAPTIVE)
    show(first)
    assert scene.cycles.feature_set == "EXPERIMENTAL"
    show(second)
    assert scene.cycles.feature_set == "SUPPORTED"
    scene.cycles.feature_set = "EXPERIMENTAL"  # the artist's own choice
    show(first, mode=names.ADAPTIVE)
    show(first)
    assert scene.cycles.feature_set == "EXPERIMENTAL"


def test_sliders_act_on_their_own_head_and_are_saved(blender, registered, model, wavy, tmp_path):
    from facedetail_addon.scene.build.scene import build_scene
    from facedetail_addon.scene.relief.displacement import Relief

    for _ in range(2):
        build_scene(wavy, model)
    sliders = blender.data.objects["made up head"].facedetail_relief
    assert sliders.chosen() == Relief(), "the panel shows what has been built"
    sliders.strength, sliders.medium, sliders.viewport_level, sliders.render_level = 0.5, 0.6, 1, 4

    def strength_and_levels(skin) -> tuple[float, ...]:
        subdivision = skin.modifiers["Subdivision"]
        return (skin.modifiers[names.MEDIUM_MODIFIER].strength, subdivision.levels, subdivision.render_levels)

    path = str(tmp_path / "scene.blend")
    blender.ops.wm.save_as_mainfile(filepath=path)
    blender.ops.wm.open_mainfile(filepath=path, use_scripts=False)
    objects = blender.data.objects
    assert strength_and_levels(objects["made up skin"]) == pytest.approx((0.0003, 1, 4))
    assert strength_and_levels(objects["made up skin.001"]) == pytest.approx((0.001, 2, 3))
    assert objects["made up head"].facedetail_relief.medium == pytest.approx(0.6)
    objects["made up head"].facedetail_relief.mode = names.ADAPTIVE
    assert shading(objects["made up skin"]) == (False, True)
    assert shading(objects["made up skin.001"]) == (True, False)


@pytest.fixture(scope="module")
def lit_bumps(model, reconstruction_of, relief_maps, tmp_path_factory):
    """Two bumps on a dull grey forehead, the subject's right one medium and the left one fine.

    By mode and light, the picture less that of the smooth forehead: (PIXELS, 2 · PIXELS), linear.
    """
    bpy = pytest.importorskip("bpy", reason="needs Blender's Python module")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    from facedetail_addon.scene.build.scene import build_scene

    middle = model.mean[model.landmarks68.vertices[[19, 24], 0]].mean(axis=0) + (0, 20, 0)
    right, left = (_nearest(model, middle + (offset, 0, 0)) for offset in (-VIEW_MM / 2, VIEW_MM / 2))
    dull = {"albedo": np.full((8, 8, 3), 180, np.uint8), "specular": np.zeros((8, 8), np.uint8)}
    maps = relief_maps(_bump(right), _bump(left))
    made = changed(reconstruction_of(model), vertices=model.mean, vertices_neutral=model.mean, **dull, **maps)
    root = build_scene(made, model, use_light=False).root
    path = tmp_path_factory.mktemp("bumps") / "bumps.exr"
    pictures = {}
    for towards in ("left", "above"):
        _close_up(bpy, (left + right) / 2, towards)
        show(root, strength=0, render_level=2)
        smooth = _picture(bpy, path)
        for mode in MODES:
            show(root, mode=mode, render_level=2)
            pictures[mode, towards] = _picture(bpy, path) - smooth
    return pictures


def _nearest(model, place: np.ndarray) -> np.ndarray:
    skin = model.skin.of(model.mean)
    return skin[np.linalg.norm(skin - place, axis=1).argmin()]


def _bump(middle: np.ndarray):
    return lambda places: BUMP_MM * np.exp(-((places - middle) ** 2).sum(axis=1) / (2 * BUMP_SIGMA_MM**2))


def _close_up(bpy, middle: np.ndarray, towards: str) -> None:
    """A camera before the place, and a sun at 45° from the subject's left (the picture's right) or from above."""
    from mathutils import Vector

    from facedetail_addon.scene.space import to_blender

    scene = bpy.context.scene
    for item in [item for item in scene.objects if item.name in ("close", "lamp")]:
        bpy.data.objects.remove(item)
    camera = bpy.data.objects.new("close", bpy.data.cameras.new("close"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2 * VIEW_MM / 1000
    camera.location = to_blender(middle + (0, 0, 300))
    camera.rotation_euler = Vector((0, -1, 0)).to_track_quat("Z", "Y").to_euler()
    lamp = bpy.data.objects.new("lamp", bpy.data.lights.new("lamp", "SUN"))
    lamp.data.energy = 2.0
    direction = to_blender({"left": (1, 0, 1), "above": (0, 1, 1)}[towards])
    lamp.rotation_euler = Vector(direction).to_track_quat("Z", "Y").to_euler()
    for item in (camera, lamp):
        scene.collection.objects.link(item)
    scene.camera = camera


def _picture(bpy, path) -> np.ndarray:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", 64, 0
    scene.cycles.use_denoising = False
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x, scene.render.resolution_y = 2 * PIXELS, PIXELS
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    picture = pixels_of(image).mean(axis=-1)
    bpy.data.images.remove(image)
    return picture


def half(picture: np.ndarray, part: str) -> np.ndarray:
    return picture[:, :PIXELS] if part == "medium" else picture[:, PIXELS:]


@pytest.mark.parametrize("towards", ["left", "above"])
@pytest.mark.parametrize("part", ["medium", "fine"])
@pytest.mark.parametrize("mode", MODES)
def test_bumps_are_bright_where_the_light_comes_from(lit_bumps, mode, part, towards):
    picture = half(lit_bumps[mode, towards], part)
    rows, columns = (np.mgrid[:PIXELS, :PIXELS] - (PIXELS - 1) / 2) * VIEW_MM / PIXELS
    height = np.exp(-(rows**2 + columns**2) / (2 * BUMP_SIGMA_MM**2))
    facing_left, facing_up = columns * height, -rows * height
    rightly, wrongly = (facing_left, facing_up) if towards == "left" else (facing_up, facing_left)
    assert np.corrcoef(picture.ravel(), rightly.ravel())[0, 1] > 0.8
    assert abs(np.corrcoef(picture.ravel(), wrongly.ravel())[0, 1]) < 0.45


@pytest.mark.parametrize("towards", ["left", "above"])
@pytest.mark.parametrize("part", ["medium", "fine"])
def test_all_modes_show_the_same_bumps(lit_bumps, part, towards):
    adaptive = half(lit_bumps[names.ADAPTIVE, towards], part)
    for mode in (names.DISPLACE, names.NORMAL_MAP):
        other = half(lit_bumps[mode, towards], part)
        assert np.corrcoef(adaptive.ravel(), other.ravel())[0, 1] > 0.95
        assert 0.85 < other.std() / adaptive.std() < 1.15
