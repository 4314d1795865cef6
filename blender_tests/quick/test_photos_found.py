# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders stand for the photos in them, and for nothing else that lies there."""

from pathlib import Path

import pytest
from PIL import Image

from facedetail_addon.cli.inputs import PHOTO_SUFFIXES, FoundPhoto, find_people, find_photos
from facedetail_addon.core.errors import PhotoError
from facedetail_addon.core.observe.photo import FORMATS
from facedetail_addon.core.result.files import RECORD_FILE

LAID_OUT = (
    "b.jpg", "A.PNG", "notes.txt", ".hidden.png", "trip/c.webp", "trip/b.jpg", ".cache/d.png", "out/e.png",
    f"old/{RECORD_FILE}", "old/photo.png",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in LAID_OUT:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "photos" / "folder.png").mkdir()
    return tmp_path / "photos"


def test_image_files_by_name(folder):
    found = find_photos([folder], folder / "out")
    assert found.photos == (FoundPhoto(folder / "A.PNG"), FoundPhoto(folder / "b.jpg"))
    assert found.left_out == (f"left out in {folder}, as no photos: notes.txt",) and found.problems == ()


def test_folders_in_folders_but_no_results(folder):
    found = find_photos([folder], folder / "out", recursive=True).photos
    assert [str(photo.path.relative_to(folder)) for photo in found] == ["A.PNG", "b.jpg", "trip/b.jpg", "trip/c.webp"]
    assert [str(photo.below) for photo in found] == [".", ".", "trip", "trip"]


def test_named_files_are_taken_as_they_are_and_once(folder):
    missing = folder / "missing.xyz"
    found = find_photos([missing, folder / "b.jpg", folder, folder / "b.jpg"], folder / "out").photos
    assert [photo.path for photo in found] == [missing, folder / "b.jpg", folder / "A.PNG"]


def test_named_files_and_a_folders_photos_are_one_person_each(folder):
    found = find_people([folder / "b.jpg", folder / "trip" / "c.webp", folder, folder / "b.jpg"], folder / "out").photos
    assert found == (
        FoundPhoto(folder / "b.jpg", more=(folder / "trip" / "c.webp",)),
        FoundPhoto(folder / "A.PNG", more=(folder / "b.jpg",), name="photos"),
    )


def test_a_folder_of_folders_is_a_person_by_each(folder, tmp_path):
    (tmp_path / "people" / "anna").mkdir(parents=True)
    (tmp_path / "people" / "empty").mkdir()
    for name in ("2.jpg", "1.jpg", "notes.txt"):
        (tmp_path / "people" / "anna" / name).touch()
    (folder / "trip").rename(tmp_path / "people" / "trip")
    found = find_people([tmp_path / "people"], tmp_path / "out")
    assert [(one.name, [path.name for path in (one.path, *one.more)]) for one in found.photos] == [
        ("anna", ["1.jpg", "2.jpg"]),
        ("trip", ["b.jpg", "c.webp"]),
    ]
    assert any("empty" in text for text in found.left_out) and any("notes.txt" in text for text in found.left_out)
    with pytest.raises(PhotoError, match="empty"):
        find_people([tmp_path / "people" / "empty"], tmp_path / "out")


@pytest.mark.parametrize(("recursive", "remedy"), [(False, "--recursive"), (True, "image files")])
def test_a_folder_without_photos_is_an_error(tmp_path, recursive, remedy):
    (tmp_path / "text.txt").touch()
    with pytest.raises(PhotoError, match="holds no photo") as raised:
        find_photos([tmp_path], tmp_path / "out", recursive=recursive)
    assert remedy in raised.value.remedy


@pytest.mark.parametrize("name", ["a.jfif", "a.JPE", "a.mpo", "a.HEIC", "a.heif", "a.pgm", "a.dib", "a.j2k"])
def test_photos_of_every_suffix(tmp_path, name):
    (tmp_path / name).touch()
    assert [photo.path.name for photo in find_photos([tmp_path], tmp_path / "out").photos] == [name]


def test_every_suffix_of_what_is_read():
    """As Pillow knows them; JPEG 2000's and PPM's rarer ones are pictures too."""
    Image.init()
    known = {suffix for suffix, name in Image.EXTENSION.items() if name in FORMATS}
    assert known - PHOTO_SUFFIXES == set()


def test_a_bad_folder_among_others_is_told_and_the_rest_done(folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "a.cr3").touch()
    found = find_photos([empty, folder / "b.jpg"], tmp_path / "out")
    assert [photo.path for photo in found.photos] == [folder / "b.jpg"]
    ((path, error),) = found.problems
    assert path == empty and "holds no photo" in error.message and "a.cr3" in error.message
