# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender and the worker say to each other comes back as it was said, and nothing else is believed."""

import json

import pytest

from facedetail_addon.core.assets.user import user_asset
from facedetail_addon.jobs.messages import (
    Done,
    Download,
    Failed,
    FindFaces,
    ImportModel,
    InstallFile,
    MessageError,
    Progress,
    Ready,
    Reconstruct,
    RenderHead,
    WriteScene,
    parse_line,
    to_line,
)
from facedetail_addon.settings import SceneSettings, Settings

MESSAGES = [
    Reconstruct(1, "/photos/Zoë 猫 “x”.jpg", "out", "assets", Settings(face=2)),
    Reconstruct(2, "a\nb.jpg", "out", "assets", Settings(resolution=512, expression="prior", fit="sparse")),
    WriteScene(12, "a.jpg", "out", "assets", Settings(detail="none"), scene=SceneSettings(light="sun", turntable=24)),
    Reconstruct(13, "a.jpg", "out", "assets", more_photos=("b\nc.jpg", "d.jpg"), name="Zoë"),
    ImportModel(6, "assets", "C:\\models\\Zoë.h5"),
    Download(7, "assets", user_asset("fan"), online=True),
    InstallFile(8, "assets", user_asset("fan"), "weights.pth.tar"),
    RenderHead(9, "C:\\Temp\\Zoë", 512, 12),
    RenderHead(10, "folder", 64, 1, frames=24, film=False, output="out"),
    FindFaces(11, "assets", "Zoë.jpg", "/tmp/faces"),
    Ready("3.11.7"),
    Progress(3, "Finding the face", 0.25),
    Done(4, "/results/Zoë"),
    Failed(5, "no_face", "No face.", "Another photo."),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_round_trip_on_one_line(message):
    line = to_line(message)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert parse_line(line) == message


def test_a_request_without_a_known_expression_is_refused():
    fields = json.loads(to_line(Reconstruct(1, "photo.jpg", "out", "assets")))
    settings = fields["settings"]
    missing = {key: value for key, value in settings.items() if key != "expression"}
    for broken in ({**settings, "expression": None}, {**settings, "expression": "mood"}, missing):
        with pytest.raises(MessageError, match="expression"):
            parse_line(json.dumps({**fields, "settings": broken}))


@pytest.mark.parametrize("settings", [None, {}, "default", [], {"resolution": 512}])
def test_a_request_with_other_settings_is_refused(settings):
    fields = json.loads(to_line(Reconstruct(1, "photo.jpg", "out", "assets")))
    with pytest.raises(MessageError, match="ettings"):
        parse_line(json.dumps({**fields, "settings": settings}))


def test_a_file_to_download_is_described_strictly():
    fields = json.loads(to_line(Download(7, "assets", user_asset("fan"), online=True)))
    for asset in ("FAN", None, {}, {**fields["asset"], "size": "95 MB"}, {**fields["asset"], "run": "this"}):
        with pytest.raises(MessageError, match="asset|UserAsset"):
            parse_line(json.dumps({**fields, "asset": asset}))


def altered(**changes) -> str:
    fields = json.loads(to_line(Progress(3, "stage", 0.5)))
    fields.update(changes)
    return json.dumps({key: value for key, value in fields.items() if value != "absent"})


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Loading model...",
        "[1, 2]",
        "null",
        altered(type="Exec"),
        altered(type=None),
        altered(job="absent"),
        altered(more=1),
        altered(job="3"),
        altered(job=True),
        altered(job=3.0),
        altered(fraction="0.5"),
        altered(fraction=None),
    ],
)
def test_anything_else_is_refused(line):
    with pytest.raises(MessageError):
        parse_line(line)


def test_whole_numbers_count_as_fractions():
    parsed = parse_line(altered(fraction=1))
    assert parsed.fraction == 1.0
    assert type(parsed.fraction) is float
