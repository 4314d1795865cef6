# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders stand for the photos in them, and for nothing else that lies there."""

from pathlib import Path

import pytest

from facedetail_addon.cli.inputs import FoundPhoto, find_photos
from facedetail_addon.core.errors import PhotoError
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
    assert find_photos([folder], folder / "out") == [FoundPhoto(folder / "A.PNG"), FoundPhoto(folder / "b.jpg")]


def test_folders_in_folders_but_no_results(folder):
    found = find_photos([folder], folder / "out", recursive=True)
    assert [str(photo.path.relative_to(folder)) for photo in found] == ["A.PNG", "b.jpg", "trip/b.jpg", "trip/c.webp"]
    assert [str(photo.below) for photo in found] == [".", ".", "trip", "trip"]


def test_named_files_are_taken_as_they_are_and_once(folder):
    missing = folder / "missing.xyz"
    found = find_photos([missing, folder / "b.jpg", folder, folder / "b.jpg"], folder / "out")
    assert [photo.path for photo in found] == [missing, folder / "b.jpg", folder / "A.PNG"]


@pytest.mark.parametrize(("recursive", "remedy"), [(False, "--recursive"), (True, "image files")])
def test_a_folder_without_photos_is_an_error(tmp_path, recursive, remedy):
    (tmp_path / "text.txt").touch()
    with pytest.raises(PhotoError, match="holds no photo") as raised:
        find_photos([tmp_path], tmp_path / "out", recursive=recursive)
    assert remedy in raised.value.remedy
