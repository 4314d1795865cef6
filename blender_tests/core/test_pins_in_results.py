# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins through the whole pipeline: by the command line, in the result folder, and once more from there."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage

from facedetail_addon.cli.main import EXIT_INPUT, EXIT_USAGE, main
from facedetail_addon.core.errors import OutputError
from facedetail_addon.core.fit.pin_places import PinSurface
from facedetail_addon.core.fit.pins import NO_PINS, Pin, PinnedEdit
from facedetail_addon.core.result.files import AUTOMATIC_FILE, PINS_FILE, read_record, read_result
from facedetail_addon.core.result.pin_file import pins_text
from facedetail_addon.core.result.record import result_key
from facedetail_addon.jobs.messages import UpdateSkin
from facedetail_addon.jobs.tasks import do

PHOTO = Path(skimage.__file__).parent / "data" / "astronaut.png"
LEFT_JAW = 13
QUICK = ("--resolution", "512", "--detail", "none", "--quality", "draft", "--quiet")


def silent(stage: str, fraction: float) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def pins(model) -> PinnedEdit:
    place = model.landmarks68
    part, uv = PinSurface.of(model).place_of(place.vertices[LEFT_JAW], place.weights[LEFT_JAW])
    return PinnedEdit((Pin(0, uv, (271.0, 146.0), part),))


@pytest.fixture(scope="module")
def result(pins, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pinned")
    (folder / "mine.json").write_text(pins_text(pins), encoding="utf-8")
    assert main(["reconstruct", str(PHOTO), "--output", str(folder), "--pins", str(folder / "mine.json"), *QUICK]) == 0
    return folder / "astronaut"


def test_the_head_follows_the_pins_of_a_file_and_the_result_keeps_them(result, pins, model):
    record = read_record(result)
    assert record.edit == pins
    rows, weights = PinSurface.of(model).embedded(pins.pins[0].part, pins.pins[0].uv)
    at = {
        name: fit.pose.perspective.project((fit.pose.vertices[rows].T @ weights)[None])[0]
        for name, fit in (("pinned", record.fit), ("automatic", record.automatic))
    }
    assert np.linalg.norm(at["pinned"] - pins.pins[0].px) < 1
    assert np.linalg.norm(at["automatic"] - pins.pins[0].px) > 3


def test_a_result_made_again_without_its_pins_is_the_automatic_one(result, tmp_path):
    folder = Path(shutil.copytree(result, tmp_path / "astronaut"))
    before = read_record(folder)
    warm: dict = {}
    key = result_key(before)
    made = do(UpdateSkin(1, str(folder), str(tmp_path / "assets"), pins_text(NO_PINS), key), warm, silent)
    assert made == folder
    after = read_record(folder)
    assert not (folder / PINS_FILE).exists() and not (folder / AUTOMATIC_FILE).exists()
    np.testing.assert_array_equal(after.fit.vertices_neutral, before.automatic.vertices_neutral)
    np.testing.assert_array_equal(after.pose.vertices, before.automatic.pose.vertices)
    np.testing.assert_array_equal(after.pose.beta, before.automatic.pose.beta)
    assert not np.array_equal(after.pose.vertices, before.pose.vertices)
    # And with the pins again it is what the command line made of them at once.
    do(UpdateSkin(2, str(folder), str(tmp_path / "assets"), pins_text(before.edit), key), warm, silent)
    again, first = read_result(folder), read_result(result)
    np.testing.assert_array_equal(again.record.pose.vertices, first.record.pose.vertices)
    np.testing.assert_array_equal(again.maps["albedo"], first.maps["albedo"])
    assert {notice.code for notice in again.record.notices} == {notice.code for notice in first.record.notices}


def test_pins_for_many_photos_are_wrong_usage(result, tmp_path, capsys):
    mine = result.parent / "mine.json"
    assert (
        main(
            [
                "reconstruct",
                str(PHOTO),
                str(PHOTO.with_name("coffee.png")),
                "--output",
                str(tmp_path),
                "--pins",
                str(mine),
                *QUICK,
            ]
        )
        == EXIT_USAGE
    )
    assert "--one-person" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "why"), [({"pins": 3}, "no list"), ({"pins": [{"uv": [0.5, 0.5], "px": [1e9, 0]}]}, "px of pin 1")]
)
def test_pins_that_cannot_be_end_before_any_photo_is_read(tmp_path, capsys, values, why):
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"format": "facedetail-pins", "format_version": 1, **values}), encoding="utf-8")
    assert (
        main(["reconstruct", str(PHOTO), "--output", str(tmp_path / "out"), "--pins", str(bad), *QUICK]) == EXIT_INPUT
    )
    assert why in capsys.readouterr().err
    assert not (tmp_path / "out" / "astronaut").exists()


def test_another_photos_result_is_not_replaced(result, tmp_path):
    folder = Path(shutil.copytree(result, tmp_path / "astronaut"))
    with pytest.raises(OutputError, match="another photo"):
        do(UpdateSkin(1, str(folder), str(tmp_path / "assets"), pins_text(NO_PINS), "0" * 16), {}, silent)
    assert (folder / PINS_FILE).exists()
