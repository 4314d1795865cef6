# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator, as scripts and background sessions call it."""

from pathlib import Path

import numpy as np
import pytest

from facedetail_addon.core.result.files import read_result
from facedetail_addon.jobs.messages import Reconstruct
from facedetail_addon.settings import EXPRESSION_SOURCES, Settings

KINDS = ("objects", "collections", "meshes", "cameras", "materials", "worlds", "images", "shape_keys")


@pytest.fixture(scope="module")
def astronaut() -> str:
    from skimage import data

    return str(Path(data.__file__).parent / "astronaut.png")


@pytest.fixture(scope="module")
def registered():
    """The add-on switched on for this module; a class left registered would crash Blender at exit."""
    pytest.importorskip("bpy", reason="needs Blender's Python module")
    import facedetail_addon

    facedetail_addon.register()
    yield
    facedetail_addon.unregister()


def current_worker():
    from facedetail_addon import session

    return session.current().worker


def census(bpy) -> dict[str, int]:
    return {kind: len(getattr(bpy.data, kind)) for kind in KINDS}


def positions(item) -> np.ndarray:
    keys = item.data.shape_keys.key_blocks
    out = np.empty((len(keys), 3 * len(item.data.vertices)), np.float32)
    for row, key in zip(out, keys, strict=True):
        key.data.foreach_get("co", row)
    return out


def skin_of(collection):
    return next(item for item in collection.objects if item.name.split(".")[0].endswith(" skin"))


def assert_expression_is_of(source: str, folder: Path, context) -> None:
    """The source has gone to the worker, and the emotion has come to the panel."""
    from facedetail_addon.ui.found import found_expression

    result = read_result(folder)
    assert result.record.expression_source == source
    emotion = result.record.observation.emotion
    text = f"In the photo: {emotion.name} ({100 * emotion.probability:.0f} %)"
    assert found_expression(context) == text


def test_operator_does_what_the_python_api_does_in_one_undo_step(blender, registered, model, astronaut, tmp_path):
    from facedetail_addon.scene.build.scene import build_scene

    before = census(blender)
    blender.ops.ed.undo_push(message="before")
    result = blender.ops.facedetail.reconstruct(
        "EXEC_DEFAULT", True, filepath=astronaut, output=str(tmp_path), resolution="512"
    )
    assert result == {"FINISHED"}
    assert census(blender) != before
    by_operator = blender.data.collections["FaceDetail astronaut"]
    assert_expression_is_of("prior+landmarks", tmp_path / "astronaut", blender.context)
    by_python = build_scene(read_result(tmp_path / "astronaut"), model).collection
    one, other = skin_of(by_operator), skin_of(by_python)
    assert np.array_equal(positions(one), positions(other))
    assert list(blender.context.view_layer.objects.selected) == [one]
    assert blender.context.view_layer.objects.active == one
    values = [[key.value for key in item.data.shape_keys.key_blocks] for item in (one, other)]
    assert values[0] == values[1]
    assert any(values[0])
    blender.ops.ed.undo()
    assert census(blender) == before
    assert blender.context.scene.camera is None


def test_choices_are_kept(blender, registered, astronaut, tmp_path):
    scene = blender.context.scene
    size = scene.render.resolution_x, scene.render.resolution_y
    world, transform = scene.world, scene.view_settings.view_transform
    blender.ops.facedetail.reconstruct(
        filepath=astronaut, output=str(tmp_path), resolution="1024", face=1, use_camera=False, use_light=False,
        expression="landmarks", quality="draft",
    )  # fmt: skip
    assert_expression_is_of("landmarks", tmp_path / "astronaut", blender.context)
    assert (scene.render.resolution_x, scene.render.resolution_y) == size
    assert (scene.camera, scene.world, scene.view_settings.view_transform) == (None, world, transform)
    assert tuple(blender.data.images["astronaut albedo"].size) == (1024, 1024)


def test_choices_of_the_panel_are_those_of_the_operator(blender, registered):
    """The panel hands each of them over by name."""
    from facedetail_addon.ui import panel

    settings = blender.context.scene.facedetail.bl_rna.properties
    asked = blender.ops.facedetail.reconstruct.get_rna_type().properties
    for name in panel.CHOICES:
        assert settings[name].type == asked[name].type
        assert settings[name].default == asked[name].default
    assert tuple(settings["expression"].enum_items.keys()) == EXPRESSION_SOURCES
    assert settings["expression"].default == Settings().expression
    with pytest.raises(TypeError, match="mood"):
        blender.context.scene.facedetail.expression = "mood"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("absent.jpg", None, "is not there"),
        ("not a photo.jpg", b"hello", "not a photo"),
        ("landscape.png", "plain", "No face"),
    ],
)
def test_bad_photos_are_errors_with_a_remedy(blender, registered, tmp_path, name, content, expected):
    from skimage import io

    photo = tmp_path / name
    if content == "plain":
        io.imsave(photo, np.full((240, 320, 3), 128, np.uint8), check_contrast=False)
    elif content is not None:
        photo.write_bytes(content)
    before = census(blender)
    with pytest.raises(RuntimeError, match=expected) as raised:
        blender.ops.facedetail.reconstruct(filepath=str(photo), output=str(tmp_path / "out"), resolution="512")
    assert str(raised.value).rstrip().endswith(".")
    assert census(blender) == before
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_wants_object_mode_and_a_free_worker(blender, registered, astronaut, tmp_path):
    operator = blender.ops.facedetail.reconstruct
    assert operator.poll()
    blender.ops.mesh.primitive_cube_add()
    blender.ops.object.mode_set(mode="EDIT")
    assert not operator.poll()
    blender.ops.object.mode_set(mode="OBJECT")
    worker = current_worker()
    worker.submit(Reconstruct, photo=astronaut, output=str(tmp_path), assets=str(tmp_path))
    assert not operator.poll()
    with pytest.raises(RuntimeError, match="already"):
        operator(filepath=astronaut, output=str(tmp_path))
    worker.cancel()
    assert operator.poll()


def test_switching_off_and_on_ends_the_worker_and_leaves_nothing(blender, registered, astronaut, tmp_path):
    import facedetail_addon

    worker = current_worker()
    worker.submit(Reconstruct, photo=astronaut, output=str(tmp_path), assets=str(tmp_path))
    assert worker.pid is not None
    facedetail_addon.unregister()
    try:
        assert worker.pid is None
        assert not hasattr(blender.types, "FACEDETAIL_OT_reconstruct")
        assert not hasattr(blender.types.Scene, "facedetail")
        assert not hasattr(blender.types.WindowManager, "facedetail_state")
    finally:
        facedetail_addon.register()
    assert blender.ops.facedetail.reconstruct.poll()
