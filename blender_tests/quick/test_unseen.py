# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief of skin that no photo shows: lines of the other side that meet those that are seen, and the person's pores."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.shape_from_shading import LineRelief
from facedetail_addon.core.detail.space import TEXEL_MM
from facedetail_addon.core.detail.unseen import mirrored_lines, own_pores, unseen_relief
from facedetail_addon.core.image import smoothstep

SHAPE = (320, 640)
"""Texels of SIDE: 64 by 128 mm; the face's middle is at 64 mm."""
ROWS, COLUMNS = (np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32) + 0.5) * TEXEL_MM
MIDDLE_MM = 64.0
DEPTH_MM = 0.3


def inputs_of(seen: np.ndarray, **other) -> DetailInputs:
    """Skin everywhere, of which (H, W) is seen."""
    one, nothing = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    given = dict.fromkeys(("value", "chroma", "light_x", "light_y", "level", "beard", "shading"), nothing)
    given |= {"direct_fraction": one, "resolvable_mm": 0.2 * one, "lined": one, "mask": seen, "unseen": 1 - seen}
    return DetailInputs(**{**given, "metric": np.zeros((*SHAPE, 3), np.float32), **other})


def seen_from(border_mm: float) -> np.ndarray:
    """(H, W) 1 to the right of a border, which is 2 mm wide."""
    return smoothstep(COLUMNS, border_mm - 1, border_mm + 1).astype(np.float32)


def grooves(*rows_mm: float, shift_mm: float = 0.0, until_mm: float = 30.0) -> np.ndarray:
    """(H, W) mm: lines across the face, bowed, that end at the sides; left of the middle ``shift_mm`` lower."""
    aside = np.abs(COLUMNS - MIDDLE_MM)
    lower = shift_mm * (1 - smoothstep(COLUMNS, MIDDLE_MM - 12, MIDDLE_MM))
    ends = 1 - smoothstep(aside, until_mm, until_mm + 10)
    height = np.zeros(SHAPE, np.float32)
    for row in rows_mm:
        height -= DEPTH_MM * np.exp(-0.5 * ((ROWS - row - lower + 0.004 * aside**2) / 0.8) ** 2) * ends
    return height.astype(np.float32)


def lines_of(height: np.ndarray, seen: np.ndarray, hairy: float = 0.0) -> LineRelief:
    shown = (height * smoothstep(seen, 0, 0.5)).astype(np.float32)
    return LineRelief(shown, (np.abs(shown) > 0.02).astype(np.float32), np.full(SHAPE, hairy, np.float32))


def pores_of(seen: np.ndarray, height_mm: float = 0.01, seed: int = 3) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.0) - cv2.GaussianBlur(noise, (0, 0), 2.5)
    return noise * np.float32(height_mm / noise.std()) * smoothstep(seen, 0, 0.5)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def test_nothing_is_put_where_all_is_seen():
    seen = np.ones(SHAPE, np.float32)
    assert not unseen_relief(inputs_of(seen), lines_of(grooves(30.0), seen), pores_of(seen)).any()


@pytest.mark.parametrize(("border_mm", "least", "most"), [(58.0, 0.3, 0.6), (38.0, 0.8, 1.0)])
def test_the_hidden_side_takes_the_lines_of_the_other(border_mm, least, most):
    """About half of their depth where nothing tells that both sides are alike, else nearly all of it."""
    seen, truth = seen_from(border_mm), grooves(20.0, 30.0, 44.0)
    found = mirrored_lines(inputs_of(seen), lines_of(truth, seen), 1 - smoothstep(seen, 0, 0.5))
    hidden = border_mm - 6 > COLUMNS
    assert np.corrcoef(found[hidden], truth[hidden])[0, 1] > 0.95
    assert least < rms(found[hidden]) / rms(truth[hidden]) < most


@pytest.mark.parametrize("border_mm", [40.0, 58.0])
def test_measured_and_mirrored_never_lie_over_each_other(border_mm):
    seen = seen_from(border_mm)
    found = unseen_relief(inputs_of(seen), lines_of(grooves(20.0, 40.0), seen), pores_of(seen))
    assert found.any() and not found[seen > 0.5].any()


@pytest.mark.parametrize("shift_mm", [0.0, 2.0])
def test_lines_go_on_across_the_border(shift_mm):
    """Both sides are seen up to 20 mm from the middle; beyond lies what the mirrored line, shifted, has to meet."""
    seen, truth = seen_from(44.0), grooves(22.0, 42.0, shift_mm=shift_mm)
    lines = lines_of(truth, seen)
    whole = lines.height_mm + mirrored_lines(inputs_of(seen), lines, 1 - smoothstep(seen, 0, 0.5))
    slope = np.hypot(*np.gradient(whole, TEXEL_MM)) ** 2
    seam, inside = np.abs(COLUMNS - 43.5) < 2, (COLUMNS > 48) & (COLUMNS < 80)
    assert slope[seam].mean() < 1.2 * slope[inside].mean(), "no step"
    for column_mm in (36.0, 38.0, 40.0, 41.0):
        column = whole[:, int(column_mm / TEXEL_MM)]
        valleys = (column[1:-1] < column[:-2]) & (column[1:-1] <= column[2:]) & (column[1:-1] < -0.1 * DEPTH_MM)
        assert valleys.sum() == 2, "each line is there, once"
        wanted = truth[:, int(column_mm / TEXEL_MM)]
        assert np.abs(np.sort(np.flatnonzero(valleys)) - np.sort(_valleys(wanted))).max() * TEXEL_MM < 1.0


def _valleys(column: np.ndarray) -> np.ndarray:
    return np.flatnonzero(
        (column[1:-1] < column[:-2]) & (column[1:-1] <= column[2:]) & (column[1:-1] < -0.1 * DEPTH_MM)
    )


def test_faces_whose_sides_differ_lend_less():
    """Lines of another kind on both sides of the middle say that those beyond are not alike either."""
    seen = seen_from(34.0)
    share = 1 - smoothstep(seen, 0, 0.5)
    alike = grooves(16.0, 26.0, 36.0, 46.0, until_mm=50.0)
    other = np.where(COLUMNS < MIDDLE_MM, -alike, alike)
    same, less = (mirrored_lines(inputs_of(seen), lines_of(height, seen), share) for height in (alike, other))
    far = COLUMNS < 22
    assert rms(same[far]) > 0.04
    assert rms(less[far]) < 0.4 * rms(same[far])


def test_lines_that_cannot_meet_begin_away_from_the_border():
    """10 mm apart; else each would stop at the border, beside where the other one begins."""
    seen = seen_from(44.0)
    height = np.where(COLUMNS < MIDDLE_MM, grooves(18.0, 38.0, until_mm=40.0), grooves(28.0, 48.0, until_mm=40.0))
    found = mirrored_lines(inputs_of(seen), lines_of(height, seen), 1 - smoothstep(seen, 0, 0.5))
    near, far = (rms(found[(COLUMNS > first) & (COLUMNS < first + 3)]) for first in (39.0, 24.0))
    assert far > 0.01
    assert near < 0.5 * far


def test_lines_are_put_only_where_there_may_be_some_and_where_the_other_side_was_well_seen():
    seen, truth = seen_from(58.0), grooves(20.0, 44.0)
    above = (ROWS < 32).astype(np.float32)
    share = 1 - smoothstep(seen, 0, 0.5)
    found = mirrored_lines(inputs_of(seen, lined=above), lines_of(truth, seen), share)
    assert rms(found[ROWS < 30]) > 0.01 and not found[ROWS > 34].any()
    half = (seen * (1 - 0.6 * (1 - above))).astype(np.float32)
    found = mirrored_lines(inputs_of(half), lines_of(truth, half), share)
    assert rms(found[ROWS < 26]) > 0.01 and not found[ROWS > 36].any()


def test_pores_are_as_high_and_as_fine_as_those_that_are_seen():
    seen = smoothstep(COLUMNS, 39.0, 41.0) * (1 - smoothstep(COLUMNS, 96.0, 98.0)).astype(np.float32)
    pores = pores_of(seen)
    inputs, lines = inputs_of(seen), lines_of(np.zeros(SHAPE, np.float32), seen)
    found = own_pores(inputs, lines, pores, 1 - smoothstep(seen, 0, 0.5))
    inside, mirrored, invented = (slice(250, 450), slice(165, 195), slice(0, 140))
    assert rms(found[:, mirrored]) == pytest.approx(rms(pores[:, inside]), rel=0.15)
    assert rms(found[:, invented]) == pytest.approx(rms(pores[:, inside]), rel=0.15)
    spectra = [np.abs(np.fft.rfft(part[:, columns], axis=1)) ** 2 for part, columns in (
        (pores, slice(260, 400)), (found, invented),
    )]  # fmt: skip
    power, wanted = (spectrum.mean(axis=0).reshape(-1)[1:65].reshape(8, 8).mean(axis=1) for spectrum in spectra[::-1])
    strong = wanted > 0.05 * wanted.max()
    np.testing.assert_allclose(power[strong], wanted[strong], rtol=0.35)
    seam = rms((pores + found)[:, 190:210])
    assert seam == pytest.approx(rms(pores[:, inside]), rel=0.2)


def test_pores_are_higher_where_they_are_higher_on_seen_skin():
    seen = smoothstep(COLUMNS, 46.0, 48.0) * (1 - smoothstep(COLUMNS, 80.0, 82.0)).astype(np.float32)
    pores = pores_of(seen) * np.where(ROWS < 32, 2, 1)
    found = own_pores(inputs_of(seen), lines_of(0 * seen, seen), pores.astype(np.float32), 1 - seen)
    beside = (COLUMNS > 36) & (COLUMNS < 44)
    assert rms(found[beside & (ROWS < 24)]) > 1.5 * rms(found[beside & (ROWS > 40)])


def test_nothing_grows_over_a_beard():
    """Where the mirrored side shows a beard, and where neither side is seen but a beard is elsewhere."""
    seen = seen_from(58.0) * (1 - smoothstep(COLUMNS, 100.0, 102.0))
    bearded = (ROWS > 32).astype(np.float32)
    lines = replace(lines_of(grooves(20.0, 44.0), seen), hairy=bearded)
    found = unseen_relief(inputs_of(seen.astype(np.float32), beard=bearded), lines, pores_of(seen))
    assert not found[ROWS > 36].any()
    assert rms(found[(ROWS < 30) & (COLUMNS < 50)]) > 0.004


def test_what_hides_nothing_that_grows_stays_empty():
    """Seen, but no skin: neither side's relief is put there."""
    seen = seen_from(58.0)
    inputs = inputs_of(seen, unseen=np.zeros(SHAPE, np.float32))
    assert not unseen_relief(inputs, lines_of(grooves(20.0), seen), pores_of(seen)).any()


def test_the_same_photo_gives_the_same_relief():
    seen = seen_from(80.0)
    given = inputs_of(seen), lines_of(grooves(20.0), seen), pores_of(seen)
    np.testing.assert_array_equal(unseen_relief(*given), unseen_relief(*given))
