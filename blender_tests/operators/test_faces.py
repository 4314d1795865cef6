# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo of several people: its faces are found in the background, and the artist chooses one by its picture."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facedetail_addon import names
from facedetail_addon.core.observe.faces import MOST_FACES, save_faces

MAIN = "FACEDETAIL_PT_reconstruct"
PATIENCE_S = 300


@pytest.fixture(scope="module")
def two_people(data_dir, tmp_path_factory) -> Path:
    """Two portraits side by side, the smaller face on the left."""
    one, other = (Image.open(data_dir / "photos" / name).convert("RGB") for name in ("s1.png", "s2.png"))
    height = 480
    other = other.resize((round(other.width * height / other.height), height))
    one = one.resize((round(one.width * height / one.height), height)).resize((one.width // 2, one.height // 2))
    both = Image.new("RGB", (one.width + other.width, height), (90, 90, 90))
    both.paste(one, (0, 0))
    both.paste(other, (one.width, 0))
    path = tmp_path_factory.mktemp("photos") / "two people.png"
    both.save(path)
    return path


@pytest.fixture(scope="module")
def landmarker():
    from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker

    return MeshLandmarker.load()


@pytest.fixture(scope="module")
def finder():
    from facedetail_addon.core.observe.correspondence.finder import CorrespondenceFinder

    return CorrespondenceFinder.load()


@pytest.fixture
def settings(blender, tmp_path):
    """The panel's choices, the add-on switched on as in the preferences."""
    blender.ops.preferences.addon_enable(module="facedetail_addon")
    blender.context.preferences.addons["facedetail_addon"].preferences.assets = str(tmp_path / "assets")
    yield blender.context.scene.facedetail
    blender.ops.preferences.addon_disable(module="facedetail_addon")


@pytest.fixture
def find(settings):
    """The function that looks at a photo and waits as Blender's timer does."""
    from facedetail_addon import session
    from facedetail_addon.operators.faces import _tick, look_for_faces

    def wait(photo: Path) -> None:
        look_for_faces(photo)
        end = time.monotonic() + PATIENCE_S
        while _tick() is not None:
            assert time.monotonic() < end, "took too long"
            time.sleep(0.02)
        assert session.current().faces.worker.pid is None, "its process ends"

    return wait


def draw():
    from blender_tests.operators.recording_layout import draw

    return draw(MAIN)


def test_pictures_are_of_the_faces_the_largest_first(landmarker, finder, two_people, tmp_path):
    large, small = save_faces(two_people, landmarker, finder, tmp_path / "faces")
    assert [path.name for path in (large, small)] == ["face_01.png", "face_02.png"]
    photo = np.asarray(Image.open(two_people))
    found = landmarker.find(photo)
    assert np.ptp(found[0].mesh_px[:, 0]) > np.ptp(found[1].mesh_px[:, 0])
    for path, face in zip((large, small), found, strict=True):
        picture = np.asarray(Image.open(path))
        assert picture.shape == (128, 128, 3)
        x, y = face.mesh_px[:, :2].mean(0).astype(int)
        assert np.abs(picture[54:74, 54:74].mean((0, 1)) - photo[y - 5 : y + 5, x - 5 : x + 5].mean((0, 1))).max() < 40
        (again,) = landmarker.find(picture)
        assert np.ptp(again.mesh_px[:, 0]) > 50, "the face fills the picture"


def test_only_the_largest_of_a_crowd_are_saved(landmarker, finder, tmp_path):
    from skimage import data

    crowd = np.tile(data.astronaut()[:300, 80:380], (3, 3, 1))
    Image.fromarray(crowd).save(tmp_path / "crowd.png")
    assert len(landmarker.find(crowd)) > MOST_FACES
    assert len(save_faces(tmp_path / "crowd.png", landmarker, finder, tmp_path / "faces")) == MOST_FACES


def test_a_face_is_chosen_by_its_picture(settings, find, two_people):
    settings.photo = str(two_people)
    assert not draw().of("template_icon_view"), "nothing is known yet"
    find(two_people)
    layout = draw()
    assert layout.of("template_icon_view") and "Face 1 of 2" in layout.of("label")
    assert (settings.face, settings.face_picture) == (0, "1"), "the largest is taken unasked"
    settings.face_picture = "2"
    assert settings.face == 2
    layout = draw()
    assert "Face 2 of 2" in layout.of("label") and layout.buttons[-1].face == 2
    settings.face = 5
    assert settings.face_picture == "5" and "Face 5 of 2" in draw().of("label")


def test_another_photo_forgets_the_choice(settings, find, two_people, data_dir):
    settings.photo = str(two_people)
    find(two_people)
    settings.face_picture = "2"
    settings.photo = str(data_dir / "photos" / "s1.png")
    assert settings.face == 0 and not draw().of("template_icon_view")
    find(data_dir / "photos" / "s1.png")
    assert not draw().of("template_icon_view"), "one face is no choice"
    assert draw().of("operator") == [names.OP_ADD_PHOTOS, names.OP_RECONSTRUCT]


def test_the_operator_forgets_the_number_too(blender, settings):
    assert blender.ops.facedetail.reconstruct.get_rna_type().properties["face"].is_skip_save


def test_photos_without_faces_and_broken_ones(settings, find, tmp_path):
    empty, broken = tmp_path / "wall.png", tmp_path / "broken.png"
    Image.new("RGB", (300, 300), (200, 180, 160)).save(empty)
    broken.write_bytes(b"no picture")
    for path, label in ((empty, "No face in wall.png"), (broken, "broken.png")):
        settings.photo = str(path)
        find(path)
        assert label in draw().of("label")
    find(tmp_path / "gone.png")
    assert "broken.png" in draw().of("label")


def test_the_finder_ends_with_the_add_on(blender, settings, two_people):
    import os

    from facedetail_addon import session
    from facedetail_addon.operators.faces import _tick, look_for_faces

    look_for_faces(two_people)
    child = session.current().faces.worker.pid
    assert child is not None and blender.app.timers.is_registered(_tick)
    blender.ops.preferences.addon_disable(module="facedetail_addon")
    assert not blender.app.timers.is_registered(_tick)
    with pytest.raises(RuntimeError, match="switched off"):
        session.current()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    blender.ops.preferences.addon_enable(module="facedetail_addon")
