# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets and turntables: what they show, and that nothing else in the file notices."""

from itertools import combinations

import numpy as np
import pytest

from blender_tests.made_up import changed

HEIGHT = 64
WIDTH = 51
_BY_NAME_ONLY = {"rna_type", "id_data", "depsgraph", "pixels", "preview", "bl_rna", "original"}
_LONG = 200


def dump(item, depth: int = 0) -> dict:
    """All properties of a datablock: numbers as they are, other datablocks by name, structs and short lists in full."""
    import bpy

    found = {}
    for prop in item.bl_rna.properties:
        if prop.identifier in _BY_NAME_ONLY:
            continue
        value = getattr(item, prop.identifier)
        if prop.type == "COLLECTION":
            value = [_one(entry, depth) for entry in value] if len(value) <= _LONG else len(value)
        elif prop.type == "POINTER":
            value = None if value is None else _pointed_at(value, depth)
        elif getattr(prop, "is_array", False):
            value = np.array(value).tolist()
        found[prop.identifier] = value
    if isinstance(item, bpy.types.ID):
        found["custom"] = {key: str(item[key]) for key in item.keys()}  # noqa: SIM118 - datablocks are no dictionaries
    return found


def _pointed_at(value, depth: int):
    """What is listed in full elsewhere, such as a link's nodes and sockets, by where that is."""
    import bpy

    if isinstance(value, bpy.types.Node | bpy.types.NodeSocket | bpy.types.ShapeKey):
        return value.path_from_id()
    return _one(value, depth)


def _one(value, depth: int):
    import bpy

    if isinstance(value, bpy.types.ID) and not value.is_embedded_data or depth > 4:
        return getattr(value, "name_full", str(type(value)))
    return dump(value, depth + 1)


def file_dump(bpy) -> dict:
    kinds = ("scenes", "objects", "meshes", "shape_keys", "cameras", "lights", "worlds", "materials", "images",
             "textures", "collections", "node_groups", "actions", "curves", "texts")  # fmt: skip
    return {kind: {item.name: dump(item) for item in getattr(bpy.data, kind)} for kind in kinds}


@pytest.fixture
def smiling(blender, model, reconstruction_of, no_relief):
    """The empty of a smiling head, seen from the side and off-centre; its photo is white where the head is."""
    from facedetail_addon.core.rendering.primary_rays import trace_image
    from facedetail_addon.scene.build.scene import build_scene

    made = reconstruction_of(model, (320, 240), (190.0, 100.0), 25.0, {"jawOpen": 0.8, "mouthSmileLeft": 0.6})
    hits = trace_image(made.record.pose.vertices, model.skin.triangles(), made.record.pose.perspective)
    photo = np.repeat(np.where(hits.triangle >= 0, 255, 0).reshape(240, 320, 1), 3, axis=2).astype(np.uint8)
    root = build_scene(changed(made, photo=photo, **no_relief), model).root
    blender.context.view_layer.update()  # drivers have had their say, as in a window
    return root


@pytest.fixture
def quick():
    from facedetail_addon.scene.lookdev.pictures import Lookdev

    return Lookdev(height=HEIGHT, samples=1)


def sheet_of(root, lookdev) -> np.ndarray:
    from facedetail_addon.scene.lookdev.pictures import sheet_steps
    from facedetail_addon.scene.steps import run_through

    return run_through(sheet_steps(root.name, lookdev))


def pictures_of(sheet: np.ndarray) -> list[np.ndarray]:
    """The pictures of a sheet, row by row, found by what lies between them."""
    gutter = (sheet.shape[1] - 3 * WIDTH) // 4
    strip = (sheet.shape[0] - 2 * HEIGHT - 3 * gutter) // 2
    corners = [
        (gutter + row * (HEIGHT + strip + gutter), gutter + column * (WIDTH + gutter))
        for row in range(2)
        for column in range(3)
    ]
    return [sheet[y : y + HEIGHT, x : x + WIDTH].astype(int) for y, x in corners]


def test_sheet_and_nothing_else(blender, smiling, quick):
    from facedetail_addon.scene.lookdev.sheet import BACKDROP

    # As an artist may have left it: hidden, moved, another frame, another expression.
    scene = blender.context.scene
    scene.frame_set(7)
    smiling.location, smiling.rotation_euler = (1.0, 2.0, 3.0), (0.2, 0.3, 1.0)
    for item in smiling.children:
        item.hide_render = True
    blender.context.view_layer.update()
    before = file_dump(blender)
    sheet = sheet_of(smiling, quick)
    assert file_dump(blender) == before

    photo, lit, studio, clay, neutral, turned = pictures = pictures_of(sheet)
    assert min(np.abs(one - other).mean() for one, other in combinations(pictures, 2)) > 1
    on_photo, on_render = photo.min(-1) > 127, np.abs(lit - BACKDROP).max(-1) > 8
    assert (on_photo & on_render).sum() / (on_photo | on_render).sum() > 0.93
    assert np.ptp(clay, axis=-1).max() < 24 < np.ptp(studio, axis=-1).max()
    # Without the smile only the lower half of the face moves.
    moved = np.abs(neutral - studio).mean(axis=(1, 2))
    assert moved[HEIGHT // 2 :].mean() > 3 * moved[: HEIGHT // 3].mean()


def test_cancelled_or_failed_in_the_middle(blender, smiling, quick):
    from facedetail_addon.core.errors import OutputError
    from facedetail_addon.names import HEAD_LIGHT_PROPERTY
    from facedetail_addon.scene.lookdev.pictures import sheet_steps

    before = file_dump(blender)
    steps = sheet_steps(smiling.name, quick)
    for _ in range(3):
        next(steps)
    assert file_dump(blender) == before  # also while it waits
    steps.close()
    assert file_dump(blender) == before

    smiling[HEAD_LIGHT_PROPERTY] = "gone"
    before = file_dump(blender)
    steps = sheet_steps(smiling.name, quick)
    next(steps)
    with pytest.raises(OutputError, match="light"):
        next(steps)
    assert file_dump(blender) == before

    steps = sheet_steps(smiling.name, quick)
    next(steps)
    blender.data.objects.remove(smiling)
    with pytest.raises(OutputError, match="not there"):
        next(steps)


def test_head_without_its_photo(blender, smiling, quick):
    from facedetail_addon.core.errors import OutputError

    camera = next(item for item in smiling.children if item.type == "CAMERA")
    camera.data.background_images.clear()
    before = file_dump(blender)
    with pytest.raises(OutputError, match="photo"):
        sheet_of(smiling, quick)
    assert file_dump(blender) == before


def test_turntable(blender, smiling, quick, tmp_path):
    from facedetail_addon.core.errors import OutputError
    from facedetail_addon.core.io.images import read_png
    from facedetail_addon.scene.head_object import HeadObject
    from facedetail_addon.scene.lookdev.pictures import orbit_picture
    from facedetail_addon.scene.lookdev.sheet import over_backdrop
    from facedetail_addon.scene.lookdev.turntable import turntable_steps
    from facedetail_addon.scene.steps import run_through

    before = file_dump(blender)
    paths = run_through(turntable_steps(smiling.name, quick, tmp_path, 2, film=False))
    assert file_dump(blender) == before
    assert paths == sorted(tmp_path.iterdir()) and len(paths) == 2
    frames = [read_png(path).astype(int) for path in paths]
    assert min(np.abs(one - other).mean() for one, other in combinations(frames, 2)) > 3
    assert np.array_equal(over_backdrop(orbit_picture(HeadObject(smiling), quick, 360)), frames[0])
    # Where a head is seen from behind its outline is the front's, mirrored.
    front, back = (np.abs(frame - frames[0][0, 0]).max(-1) > 8 for frame in (frames[0], frames[1][:, ::-1]))
    assert (front & back).sum() / (front | back).sum() > 0.85

    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="written"):
        run_through(turntable_steps(smiling.name, quick, tmp_path / "file", 1, film=False))


def test_film(blender, smiling, quick, tmp_path):
    import cv2

    from facedetail_addon.scene.lookdev.turntable import turntable_steps
    from facedetail_addon.scene.steps import run_through

    before = file_dump(blender)
    (path,) = run_through(turntable_steps(smiling.name, quick, tmp_path, 2, film=True))
    assert file_dump(blender) == before
    assert list(tmp_path.iterdir()) == [path]
    film = cv2.VideoCapture(str(path))
    frames = []
    while (read := film.read())[0]:
        frames.append(read[1].astype(int))
    assert len(frames) == 2 and frames[0].shape == (HEIGHT, WIDTH + 1, 3)
    assert min(np.abs(one - other).mean() for one, other in combinations(frames, 2)) > 3


def test_operator(registered, blender, smiling, tmp_path):
    from facedetail_addon.core.io.images import read_png

    operator = blender.ops.facedetail.lookdev
    assert not operator.poll()
    blender.context.view_layer.objects.active = next(item for item in smiling.children if item.type == "MESH")
    for _ in range(2):
        assert operator(height=HEIGHT, filepath=str(tmp_path / "sheet.png")) == {"FINISHED"}
    sheet = read_png(tmp_path / "sheet.png")
    (image,) = [item for item in blender.data.images if "lookdev" in item.name]
    assert image.packed_file and tuple(image.size) == sheet.shape[1::-1]
    assert sheet.std() > 10
    with pytest.raises(RuntimeError, match="not there"):
        blender.ops.facedetail.turntable(directory=str(tmp_path / "none"), height=HEIGHT)
