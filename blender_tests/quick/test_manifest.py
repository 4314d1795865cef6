# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest only grows, and can be read after any crash."""

import json

import pytest

from facedetail_addon.cli.manifest import DONE, FAILED, SKIPPED, Entry, Manifest, Problem, content_hash
from facedetail_addon.core.errors import OutputError


def entry(status: str, folder: str = "a", **changes) -> Entry:
    fields = {"photo": "/p/Zoë 猫.jpg", "sha256": "ab", "seconds": 1.5, "warnings": ("yaw",), "error": None}
    return Entry(**{**fields, "settings": "s", "status": status, "folder": folder, **changes})


def test_lines_come_back(tmp_path):
    manifest = Manifest(tmp_path / "new")
    failed = entry(FAILED, "b", error=Problem("no_face", "No face.", "Another photo."), sha256=None, warnings=())
    for line in (entry(FAILED), failed, entry(DONE), entry(SKIPPED)):
        manifest.append(line)
    lines = manifest.path.read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == [FAILED, FAILED, DONE, SKIPPED]
    finished = manifest.finished()
    assert finished["b"] == failed
    assert finished["a"].status == DONE and json.loads(lines[2])["photo"] == "/p/Zoë 猫.jpg"


def test_what_a_crash_has_left_is_no_entry_and_spoils_none(tmp_path):
    manifest = Manifest(tmp_path)
    manifest.append(entry(DONE))
    whole = manifest.path.read_bytes()
    manifest.path.write_bytes(whole + whole.replace(b'"a"', b'"b"')[:40])
    manifest.append(entry(DONE, "c"))
    assert manifest.path.read_bytes().count(b"\n") == 3
    assert set(manifest.finished()) == {"a", "c"}


@pytest.mark.parametrize("line", ["", "[1]", "null", '{"folder": "a"}', "[" * 100_000, "\x00", '{"error": {"x": 1}}'])
def test_strange_lines_are_left_out(tmp_path, line):
    manifest = Manifest(tmp_path)
    manifest.path.write_text(line + "\n")
    assert manifest.finished() == {}


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        Manifest(tmp_path / "file").append(entry(DONE))


def test_content_counts_not_the_name(tmp_path):
    one, other = tmp_path / "1.png", tmp_path / "2.png"
    one.write_bytes(b"picture")
    other.write_bytes(b"picture")
    assert content_hash(one) == content_hash(other) != content_hash(tmp_path / "none")
    assert content_hash(tmp_path) is None
