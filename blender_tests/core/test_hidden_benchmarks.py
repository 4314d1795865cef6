# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks that hide parts of faces or make photos worse, and the gallery's sheet."""

import cv2
import numpy as np
import pytest

from facedetail_addon.core.eyes.types import DEFAULT_EYES
from facedetail_addon.core.rendering.harmonics import evaluate, fibonacci_sphere
from facedetail_addon.core.result.preview_panels import Appearance
from scripts.benchmark import gallery
from scripts.benchmark.appearance.half_face import EYES, LEFT, RIGHT, HiddenErrors, hidden_parts, report_half_face
from scripts.benchmark.appearance.half_face import list_faces as list_hidden
from scripts.benchmark.detail import worse
from scripts.benchmark.detail.worse import WAYS, WorseRelief, report_worse

SIDE = 512


def test_halves_are_each_others_mirror_image_and_eyes_lie_in_their_band(model):
    parts = hidden_parts(model, SIDE)
    np.testing.assert_array_equal(parts[LEFT], parts[RIGHT][:, ::-1])
    assert (parts[LEFT] ^ parts[RIGHT]).all()
    uv = model.landmarks68.points(model.skin.vertex_uv())
    at = np.column_stack([(1 - uv[:, 1]) * SIDE, uv[:, 0] * SIDE]).astype(int)
    inside = parts[EYES][at[:, 0], at[:, 1]]
    assert inside[17:27].all() and inside[36:48].all()
    assert not inside[48:].any() and not inside[33]
    subject_left = at[42:48, 1].mean()
    assert parts[RIGHT if subject_left >= SIDE // 2 else LEFT][at[42, 0], at[42, 1]]


def test_thirty_people_are_measured_none_twice(data_dir):
    faces = list_hidden(data_dir)
    assert len(faces) == len(set(faces)) == 30
    assert all(face.is_file() for face in faces)


def test_tables_of_hidden_parts_take_medians_by_tone_and_leave_out_what_is_not_told():
    def one(tone: float, delta_e: float) -> HiddenErrors:
        return HiddenErrors("a", tone, LEFT, "statistics", delta_e, 1.0, 0.3, 0.4, 2.0)

    lines: list[str] = []
    figures = report_half_face([[one(0, 4.0)], [one(0, 6.0)], [one(50, 1.0)], [one(50, float("nan"))]], 5, lines)
    assert figures["missed"] == 1
    row = figures["left half statistics"]
    assert row["all"]["count"] == 3 and row["all"]["delta_e"] == 4.0
    assert sorted(group["delta_e"] for name, group in row.items() if name != "all") == [1.0, 5.0]
    assert "left half" in "\n".join(lines)


@pytest.mark.parametrize("way", WAYS)
def test_photos_are_made_worse_and_stay_photos(way):
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.normal(size=(96, 80, 3)), (0, 0), 8)
    photo = (128 + 50 * smooth / smooth.std() + 6 * rng.normal(size=smooth.shape)).clip(0, 255).astype(np.uint8)
    made = WAYS[way](photo)
    assert made.shape == photo.shape and made.dtype == np.uint8
    assert np.abs(made.astype(int) - photo).mean() > 1
    assert abs(np.corrcoef(made.ravel(), photo.ravel())[0, 1]) > 0.5


def test_relief_that_was_not_there_before_is_new():
    rng = np.random.default_rng(0)
    before, other = rng.normal(size=(2, 5000)).astype(np.float32)
    face = worse.LinedFace("set", worse.Path("a.jpg"), 70)
    half, new = (
        worse._compared(face, True, next(iter(WAYS)), before, after, ()) for after in (before / 2, before / 2 + other)
    )
    assert half.correlation > 0.999 and half.new_mm < 1e-3
    assert half.after_mm == pytest.approx(half.before_mm / 2, rel=1e-3)
    assert new.new_mm == pytest.approx(float(other.std()), rel=0.05)
    lines: list[str] = []
    figures = report_worse([[half, new]], 2, lines)
    (row,) = (value for key, value in figures.items() if key.endswith("lined"))
    assert row["count"] == 2 and row["most_new_mm"] == pytest.approx(new.new_mm, abs=1e-3)


def test_smooth_relief_has_no_correlation():
    flat = np.zeros(100, np.float32)
    found = worse._compared(worse.LinedFace("set", worse.Path("a.jpg"), 70), False, "w", flat, flat, ("low_detail",))
    assert found == WorseRelief("set/a", False, "w", 0.0, 0.0, 0.0, 0.0, ("low_detail",))


def test_the_gallery_turns_the_light_and_loses_nobody():
    directions = fibonacci_sphere(2000)
    ahead = np.array([0.0, 0.0, 1.0])  # the face looks there
    radiance = np.repeat(evaluate(ahead[None], 3).T, 3, axis=1).astype(np.float32)  # brightest there
    appearance = Appearance(np.zeros((4, 4, 3), np.uint8), DEFAULT_EYES, radiance, np.zeros((4, 4, 3), np.uint8), None)
    turned = gallery.turned_light(appearance).radiance
    before, after = (directions[(evaluate(directions, 3) @ light)[:, 0].argmax()] for light in (radiance, turned))
    assert np.degrees(np.arccos(before @ ahead)) < 5
    assert 70 < np.degrees(np.arccos(after @ ahead)) < 90 and abs(after[1]) < 0.1
    rows = [np.full((gallery.CELL, 6 * gallery.CELL, 3), shade, np.uint8) for shade in (10, 20, 30)]
    picture = gallery.sheet(rows)
    assert picture.shape[0] > 2 * gallery.CELL
    assert {10, 20, 30} <= set(picture[-gallery.CELL // 2, :, 0].tolist() + picture[gallery.CELL // 2, :, 0].tolist())
