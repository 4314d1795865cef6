# SPDX-License-Identifier: GPL-3.0-or-later
"""Adjust Last Operation: what changes the scene alone is not computed again."""

import os

import pytest

from blender_tests.operators.test_reconstruct import astronaut, census, registered, skin_of  # noqa: F401  fixtures
from facedetail_addon.core.errors import PhotoError
from facedetail_addon.core.result.files import RECORD_FILE
from facedetail_addon.core.result.pictures import encode_pictures
from facedetail_addon.jobs.job import Loaded
from facedetail_addon.jobs.last_result import key_of, remember
from facedetail_addon.settings import Settings


@pytest.fixture
def adjust(blender):
    """The function that changes a choice of the last operator, as its panel in the 3D view does."""
    window = blender.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")

    def change(**choices) -> None:
        operator = blender.context.window_manager.operators[-1]
        for name, value in choices.items():
            setattr(operator.properties, name, value)
        with blender.context.temp_override(window=window, area=area, region=region):
            assert blender.ops.ed.undo_redo("EXEC_DEFAULT", True) == {"FINISHED"}

    return change


def test_strengths_camera_and_light_are_adjusted_without_computing(blender, registered, adjust, astronaut, tmp_path):  # noqa: F811
    from facedetail_addon import session

    blender.ops.ed.undo_push(message="before")
    result = blender.ops.facedetail.reconstruct(
        "EXEC_DEFAULT", True, filepath=astronaut, output=str(tmp_path), resolution="512", quality="draft"
    )
    assert result == {"FINISHED"}
    count, record = census(blender), tmp_path / "astronaut" / RECORD_FILE
    written = record.stat().st_mtime_ns

    adjust(relief_strength=0.5, light="sun")
    assert record.stat().st_mtime_ns == written, "nothing was computed"
    (collection,) = (item for item in blender.data.collections if item.name.startswith("FaceDetail"))
    root = collection.objects[0]
    assert root.facedetail_relief.strength == 0.5
    skin = skin_of(collection)
    assert skin.modifiers["FaceDetail medium"].strength == pytest.approx(0.5e-3)
    assert any(item.type == "LIGHT" for item in collection.objects)
    assert len(blender.data.meshes) == count["meshes"], "in the place of the first head"

    adjust(use_camera=False, use_light=False, light="world", relief_strength=1.0)
    assert record.stat().st_mtime_ns == written and blender.context.scene.camera is None

    # Nothing is read again either, and another Blender file lets go of it.
    for file in (tmp_path / "astronaut").iterdir():
        if file.name != RECORD_FILE:
            file.unlink()
    adjust(relief_strength=0.25)
    (root,) = (item for item in blender.data.objects if item.type == "EMPTY")
    assert root.facedetail_relief.strength == 0.25
    albedo = next(image for image in blender.data.images if image.name.endswith("albedo"))
    assert albedo.packed_file is not None and tuple(albedo.size) == (512, 512)
    blender.ops.wm.read_homefile(use_factory_startup=True)
    assert session.current().last_result is None


def test_a_result_answers_what_it_was_made_for(model, reconstruction_of, tmp_path):
    made = reconstruction_of(model)
    photo, folder = tmp_path / "photo.jpg", tmp_path / "photo"
    loaded = Loaded(folder, made.record, model, encode_pictures(made.maps))
    photo.write_bytes(b"one")
    folder.mkdir()
    asked = {"settings": Settings(resolution=512), "output": tmp_path}
    key = key_of(photo, **asked)
    assert remember(key, loaded) is None, "nothing was written"
    (folder / RECORD_FILE).write_text("{}")
    last = remember(key, loaded)
    assert last.answers(key_of(photo, **asked))
    assert not last.answers(key_of(photo, **asked | {"settings": Settings(resolution=512, face=1)}))
    photo.write_bytes(b"another")
    assert not last.answers(key_of(photo, **asked)), "the photo has changed"
    os.utime(folder / RECORD_FILE, ns=(5, 5))
    assert not last.answers(key), "another result lies there"
    (folder / RECORD_FILE).unlink()
    assert not last.answers(key)
    photo.unlink()
    with pytest.raises(PhotoError, match="not there"):
        key_of(photo, **asked)
