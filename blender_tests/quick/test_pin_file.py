# SPDX-License-Identifier: GPL-3.0-or-later
"""``pins.json`` and the automatic fit beside it: what is written comes back, and what cannot be is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from blender_tests.conftest import make_reconstruction
from blender_tests.made_up import assert_same
from facedetail_addon.core.errors import OutputError
from facedetail_addon.core.fit.pins import MOST_PINS, NO_PINS, Pin, PinError, PinnedEdit, PinSettings
from facedetail_addon.core.result.files import AUTOMATIC_FILE, PINS_FILE, read_record, write_result
from facedetail_addon.core.result.pin_file import parse_pins, pins_text, read_automatic, read_pins, write_automatic
from facedetail_addon.core.result.record import ByHand

EDIT = PinnedEdit(
    (Pin(0, (0.1234567890123, 0.75), (100.5, -3.25)), Pin(2, (0.5, 0.5), (7, 8), part="eye_left")),
    PinSettings(2.5, 0.1, 30.0, lock_eyes=True, mirror=True, lock_focal=False, focal_px=(None, 1234.5)),
)


def test_pins_come_back_exactly(tmp_path):
    assert parse_pins(pins_text(EDIT), "here") == EDIT
    assert parse_pins(pins_text(NO_PINS), "here") == NO_PINS
    path = tmp_path / "pins.json"
    path.write_text(pins_text(EDIT), encoding="utf-8")
    assert read_pins(path) == EDIT


def test_a_short_file_has_the_usual_settings():
    text = '{"format": "facedetail-pins", "format_version": 1, "pins": [{"uv": [0.5, 0.25], "px": [10, 20]}]}'
    assert parse_pins(text, "here") == PinnedEdit((Pin(0, (0.5, 0.25), (10.0, 20.0)),))


def changed(**values: object) -> str:
    return json.dumps({**json.loads(pins_text(EDIT)), **values})


def with_pin(**values: object) -> str:
    return changed(pins=[{"photo": 1, "part": "skin", "uv": [0.5, 0.5], "px": [1, 2], **values}])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        "{}",
        changed(format="pins"),
        changed(format_version=2),
        changed(pins={}),
        changed(pins=[3]),
        changed(pins=[{"px": [1, 2]}]),
        changed(pins=[{"uv": [0, 0], "px": [1, 2]}] * (MOST_PINS + 1)),
        changed(shape_rigidity=0),
        changed(pose_rigidity=1e9),
        changed(expression_rigidity=True),
        changed(mirror=1),
        changed(focal_px=[0]),
        changed(focal_px=["long"]),
        changed(focal_px=[None] * 99),
        with_pin(photo=0),
        with_pin(photo=13),
        with_pin(photo=1.0),
        with_pin(photo=True),
        with_pin(part=""),
        with_pin(part=["skin"]),
        with_pin(uv=[0.5]),
        with_pin(uv=[0.5, 1.5]),
        with_pin(uv=[0.5, "0.5"]),
        with_pin(px=[1e300, 0]),
        with_pin(px=[1, 2, 3]),
        with_pin(px=None),
        with_pin().replace("[1, 2]", "[NaN, 2]"),
        with_pin().replace("[1, 2]", "[Infinity, 2]"),
        with_pin().replace("[1, 2]", "[1e999, 2]"),
        with_pin().replace("[1, 2]", f"[{'9' * 5000}, 2]"),
    ],
)
def test_values_that_cannot_be_are_refused_with_a_remedy(text):
    with pytest.raises(PinError) as refused:
        parse_pins(text, "hostile.json")
    assert "hostile.json" in refused.value.message
    assert len(refused.value.message) < 300
    assert refused.value.remedy


def test_a_file_that_is_none_or_huge_is_refused(tmp_path):
    with pytest.raises(PinError, match="cannot be read"):
        read_pins(tmp_path / "missing.json")
    with pytest.raises(PinError, match="cannot be read"):
        read_pins(tmp_path)
    huge = tmp_path / "huge.json"
    huge.write_bytes(b" " * 2_000_000)
    with pytest.raises(PinError, match="too large"):
        read_pins(huge)
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PinError, match="cannot be read"):
        read_pins(binary)


@pytest.fixture(scope="module")
def by_hand(model):
    made = make_reconstruction(model)
    fit = replace(made.record.fit, alpha_shown=made.record.fit.alpha + 1)
    automatic = replace(fit, alpha=fit.alpha + np.float32(0.5), vertices_neutral=fit.vertices_neutral + np.float32(2))
    return replace(made, record=replace(made.record, fit=fit, by_hand=ByHand(EDIT.with_pins(EDIT.pins[:1]), automatic)))


def test_a_result_keeps_pins_and_the_fit_before_them(by_hand, model, tmp_path):
    folder = write_result(by_hand, tmp_path, model)
    record = read_record(folder)
    assert record.by_hand.edit == by_hand.record.by_hand.edit
    assert_same(record.automatic, by_hand.record.automatic)
    assert_same(record.fit, by_hand.record.fit)
    again = replace(by_hand, record=replace(by_hand.record, by_hand=None))
    write_result(again, tmp_path, model)
    assert not (folder / PINS_FILE).exists() and not (folder / AUTOMATIC_FILE).exists()
    assert read_record(folder).by_hand is None


@pytest.mark.parametrize("file", [PINS_FILE, AUTOMATIC_FILE])
@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04damaged"])
def test_a_result_with_damaged_pins_is_refused(by_hand, model, tmp_path, file, content):
    folder = write_result(by_hand, tmp_path, model)
    if content is not None:
        (folder / file).write_bytes(content)
    elif file == AUTOMATIC_FILE:
        (folder / file).unlink()
    else:
        return  # a result without pins
    with pytest.raises(OutputError):
        read_record(folder)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"alpha": np.zeros(3, np.float32)},
        {"posed_1": np.full((4, 3), np.nan, np.float32)},
        {"beta_1": np.full(53, 2, np.float32)},
        {"rotation_1": np.eye(3) * 2},
        {"focal_1": np.float64(-1)},
        {"scale": np.float64(0)},
    ],
)
def test_an_automatic_fit_of_impossible_values_is_refused(by_hand, tmp_path, spoiled):
    path = tmp_path / "automatic.npz"
    write_automatic(path, by_hand.record.automatic)
    with np.load(path) as kept:
        arrays = {**kept, **spoiled}
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="shape|none|leaves"):
        read_automatic(path, by_hand.record.fit)
