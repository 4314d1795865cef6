# SPDX-License-Identifier: GPL-3.0-or-later
"""The detail benchmark's rulers: known relief, known light and known photos give known numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest

from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.normal_map import normal_map
from facedetail_addon.core.detail.space import TEXEL_MM, VALUE_UNIT
from scripts.benchmark.detail.baselines import (
    STIFFNESS,
    dark_is_deep,
    in_hindsight,
    linear_shape,
    linear_shapes,
)
from scripts.benchmark.detail.heads import (
    DARK,
    LINEAR,
    METHODS,
    NOTHING,
    OURS,
    FalseRelief,
    SkinErrors,
    blank_inputs,
)
from scripts.benchmark.detail.measure import (
    BANDS_MM,
    amplitude,
    band_errors,
    band_pass,
    beyond,
    decoded,
    explained,
    fall,
    log_shading,
    mean_angle_deg,
    relief_errors,
)
from scripts.benchmark.detail.pictures import grey
from scripts.benchmark.detail.portraits import PortraitDetail, list_portraits
from scripts.benchmark.detail.report import report_false, report_portraits, report_skin
from scripts.benchmark.errors import best_factor, rms

SIDE = 384
INSIDE = (slice(64, -64), slice(64, -64))


def wave(length_mm: float, amplitude_mm: float = 0.1, turn: float = 0.4) -> np.ndarray:
    """(SIDE, SIDE) float32 sine that runs at an angle over the map."""
    y, x = np.mgrid[:SIDE, :SIDE] * TEXEL_MM
    phase = 2 * np.pi / length_mm * (np.cos(turn) * x + np.sin(turn) * y)
    return (amplitude_mm * np.sin(phase)).astype(np.float32)


def normals(height: np.ndarray) -> np.ndarray:
    texel_mm = np.tile(np.float32([TEXEL_MM, 0, TEXEL_MM]), (*height.shape, 1))
    return decoded(normal_map(height, texel_mm, np.ones(height.shape, bool)))


def errors(found: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None):
    where = np.ones(truth.shape, bool) if where is None else where
    return relief_errors(found, truth, where, normals)


def lit_inputs(relief: np.ndarray, light: tuple[float, float], noise: float = 0.0) -> DetailInputs:
    """What a photo shows of a relief on a plane, whose shading is a lamp's n·l; ``light`` is −l_x/l_z and −l_y/l_z."""
    one, nothing = np.ones_like(relief), np.zeros_like(relief)
    down, right = np.gradient(relief, TEXEL_MM)
    lit = (1 + light[0] * right + light[1] * down) / np.sqrt(1 + right**2 + down**2)
    value = np.log(np.maximum(lit, 0.1)) / VALUE_UNIT + noise * np.random.default_rng(4).normal(size=relief.shape)
    return DetailInputs(
        value=value.astype(np.float32),
        chroma=nothing,
        light_x=light[0] * one,
        light_y=light[1] * one,
        direct_fraction=one,
        mask=one,
        level=0.5 * one,
        resolvable_mm=0.3 * one,
        lined=one,
        beard=nothing,
        shading=nothing,
        metric=np.dstack([one, nothing, one]),
    )


@pytest.fixture
def skin():
    return sum(wave(length, 0.05, turn) for length, turn in ((0.7, 0.1), (1.4, 1.2), (3.0, 0.6), (7.0, 2.0)))


def test_the_truth_has_no_error(skin):
    found = errors(skin, skin)
    assert found.rmse_mm == 0
    assert (found.angle_deg, found.wide_deg) == pytest.approx((0, 0), abs=1e-6)
    for band in found.bands:
        assert (band.correlation, band.gain, band.factor) == pytest.approx((1, 1, 1))
    assert fall(found.angle_deg, errors(0 * skin, skin).angle_deg) == pytest.approx(1)


def test_no_relief_is_no_gain(skin):
    found = errors(np.zeros_like(skin), skin)
    assert found.rmse_mm == pytest.approx(rms(skin))
    assert found.angle_deg > 5
    assert fall(found.angle_deg, found.angle_deg) == 0
    for band in found.bands:
        assert (band.correlation, band.gain, band.factor) == (0, 0, 0)


def test_scaled_truth_gives_the_gain(skin):
    found = errors(0.4 * skin, skin)
    assert found.rmse_mm == pytest.approx(0.6 * rms(skin), rel=1e-5)
    for band in found.bands:
        assert band.correlation == pytest.approx(1, abs=1e-5)
        assert band.gain == pytest.approx(0.4, rel=1e-4)
        assert band.factor == pytest.approx(2.5, rel=1e-4)


def test_inverted_truth_is_worse_than_nothing(skin):
    found = errors(-skin, skin)
    assert fall(found.rmse_mm, rms(skin)) == pytest.approx(-1, rel=1e-5)
    assert all(band.correlation == pytest.approx(-1) and band.gain == pytest.approx(1) for band in found.bands)


def test_only_what_counts_is_compared(skin):
    where = np.zeros(skin.shape, bool)
    where[INSIDE] = True
    damaged = np.where(where, skin, skin + 3).astype(np.float32)
    found = errors(damaged, skin, where)
    assert found.rmse_mm == 0
    assert all(band.correlation == pytest.approx(1) for band in found.bands)


def test_noise_lowers_the_correlation_as_it_should():
    rng = np.random.default_rng(3)
    truth, noise = rng.normal(size=(2, 200_000))
    found = band_errors(truth + noise, truth)
    assert found.correlation == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert found.gain == pytest.approx(np.sqrt(2), abs=0.01)
    assert found.factor == pytest.approx(0.5, abs=0.01)  # half of what is found is true


@pytest.mark.parametrize("own", range(len(BANDS_MM)))
def test_bands_tell_waves_apart(own):
    low, high = BANDS_MM[own]
    length = float(np.sqrt(low * high))
    heights = [rms(band_pass(wave(length), band)[INSIDE]) / rms(wave(length)[INSIDE]) for band in BANDS_MM]
    assert int(np.argmax(heights)) == own
    assert heights[own] > 0.35
    for number, height in enumerate(heights):
        if abs(number - own) > 1:
            assert height < 0.12


def test_bands_halve_their_borders_and_leave_shape_out():
    at_border = [rms(band_pass(wave(2.0), band)[INSIDE]) / rms(wave(2.0)[INSIDE]) for band in ((0.4, 2.0), (2.0, 40.0))]
    assert at_border == pytest.approx([0.5, 0.5], abs=0.03)
    assert rms(band_pass(wave(60.0), BANDS_MM[-1])[INSIDE]) < 0.08 * rms(wave(60.0))
    assert band_pass(np.full((SIDE, SIDE), 7, np.float32), BANDS_MM[1])[INSIDE] == pytest.approx(0, abs=1e-5)


def test_angles_are_degrees():
    tilt = np.radians(10)
    up, tilted = np.float32([[0, 0, 1]] * 4), np.float32([[np.sin(tilt), 0, np.cos(tilt)]] * 4)
    assert mean_angle_deg(up, tilted) == pytest.approx(10, abs=1e-4)
    slope = np.tile(np.arange(64, dtype=np.float32) * TEXEL_MM * np.float32(np.tan(tilt)), (64, 1))
    assert mean_angle_deg(normals(slope)[8:-8, 8:-8].reshape(-1, 3), np.float32([[0, 0, 1]])) == pytest.approx(
        10, abs=0.01
    )


def test_wide_waves_have_their_own_angle():
    truth, pores = wave(6.0), wave(0.5, 0.02)
    found = errors(truth, truth + pores)
    assert found.angle_deg > 3
    assert found.wide_deg < 0.1 * found.angle_deg
    assert errors(0 * truth, truth).wide_deg > 3


def test_amplitude_and_what_lies_beyond():
    height = np.linspace(-2, 2, 4001, dtype=np.float32)[None]
    where = np.ones(height.shape, bool)
    found = amplitude(height, where)
    assert (found.p50, found.p95, found.p99) == pytest.approx((1, 1.9, 1.98), abs=0.01)
    assert beyond(height, where) == pytest.approx(0.25, abs=0.001)
    assert beyond(height, np.abs(height) < 1.4) == 0


def test_brightness_is_explained_by_its_own_relief(skin):
    inputs = lit_inputs(skin, (0.6, -0.3))
    change = log_shading(skin, inputs) / VALUE_UNIT
    right = explained(inputs.value[INSIDE], change[INSIDE], np.ones(skin.shape, bool)[INSIDE])
    assert right.relief == pytest.approx(0, abs=1e-5)
    assert right.inverted == pytest.approx(2 * right.smooth, rel=1e-5)
    assert right.smooth == pytest.approx(np.abs(inputs.value[INSIDE]).mean(), rel=1e-5)


def test_a_slope_to_the_light_is_brighter():
    """Light from the right falls on what rises to the left: its channel is negative, brightness falls with the rise."""
    y, x = np.mgrid[:32, :32].astype(np.float32) * TEXEL_MM
    inputs = lit_inputs(np.zeros((32, 32), np.float32), (-0.5, 0.2))
    assert (log_shading(-0.1 * x, inputs)[:, 1:-1] > 0).all()
    assert (log_shading(0.1 * y, inputs)[1:-1] > 0).all()


def test_both_walls_of_a_groove_are_dark_in_frontal_light():
    wall = log_shading(wave(3.0, 0.3), lit_inputs(np.zeros((SIDE, SIDE), np.float32), (0.0, 0.0)))
    assert wall.max() <= 0
    assert wall.min() < -0.1


def test_linear_shape_finds_waves_across_the_light():
    relief = wave(3.0, 0.05, turn=0.2)
    inputs = lit_inputs(relief, (0.8, 0.1))
    found = in_hindsight(linear_shapes(inputs), relief, np.ones(relief.shape, bool))
    assert np.corrcoef(found[INSIDE].ravel(), relief[INSIDE].ravel())[0, 1] > 0.95
    assert rms((found - relief)[INSIDE]) < 0.35 * rms(relief[INSIDE])


def test_linear_shape_sees_nothing_along_the_light():
    relief = wave(3.0, 0.05, turn=np.pi / 2)
    inputs = lit_inputs(relief, (0.8, 0.0), noise=0.3)
    found = in_hindsight(linear_shapes(inputs), relief, np.ones(relief.shape, bool))
    assert rms((found - relief)[INSIDE]) > 0.95 * rms(relief[INSIDE])


def test_a_stiffer_surface_is_flatter():
    inputs = lit_inputs(wave(3.0), (0.5, 0.5))
    heights = [rms(linear_shape(inputs, stiffness)) for stiffness in (STIFFNESS[0], STIFFNESS[3], STIFFNESS[-1])]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] < 0.1 * heights[0]


def test_hindsight_never_loses_to_nothing(skin):
    rng = np.random.default_rng(2)
    where = np.ones(skin.shape, bool)
    useless = rng.normal(size=skin.shape).astype(np.float32)
    assert rms(in_hindsight([useless, -useless], skin, where) - skin) <= rms(skin) * (1 + 1e-6)
    assert (in_hindsight([-skin], skin, where) == 0).all()  # deep where bright is not dark is deep
    assert in_hindsight([useless, 3 * skin], skin, where) == pytest.approx(skin, abs=1e-6)


def test_dark_is_deep_is_the_photos_brightness():
    pigment = wave(3.0, 1.0)
    inputs = lit_inputs(np.zeros_like(pigment), (0.0, 0.0))
    dark = dark_is_deep(replace(inputs, value=pigment))
    assert best_factor(dark[INSIDE], pigment[INSIDE]) > 0.8
    assert np.corrcoef(dark[INSIDE].ravel(), pigment[INSIDE].ravel())[0, 1] > 0.99


def test_blank_inputs_keep_only_light_and_noise(skin):
    inputs = lit_inputs(skin, (0.6, 0.3))
    blank, even, noise = blank_inputs(inputs, resolvable_mm=0.4).values()
    for one in (blank, even, noise):
        assert not one.chroma.any()
        assert (one.mask == inputs.mask).all()
    assert not blank.value.any() and (blank.light_x == inputs.light_x).all()
    assert not even.value.any() and not even.light_x.any() and not even.light_y.any()
    assert noise.value.std() == pytest.approx(0.1, rel=0.01)


def test_pictures_are_middle_grey_at_zero():
    assert grey(np.float32([-1, -0.5, 0, 0.5, 1]), 0.5).tolist() == [0, 0, 127, 255, 255]


def test_tables_and_figures(skin):
    def photo(share: float, directed: float) -> SkinErrors:
        methods = {OURS: errors(share * skin, skin), LINEAR: errors(0.2 * skin, skin),
                   DARK: errors(0.1 * skin, skin), NOTHING: errors(0 * skin, skin)}  # fmt: skip
        where = np.ones(skin.shape, bool)
        return SkinErrors(directed, 0.4, methods, amplitude(share * skin, where), amplitude(skin, where))

    lines: list[str] = []
    figures = report_skin([photo(0.3, 0.1), photo(0.5, 0.4), photo(0.7, 0.9)], 4, lines)
    assert (figures["count"], figures["missed"]) == (3, 1)
    assert set(figures["methods"]) == set(METHODS)
    assert figures["methods"][OURS]["rmse_fall"] == pytest.approx(0.5, abs=1e-3)
    assert figures["methods"][NOTHING]["angle_fall"] == 0
    assert figures["bands"]["1–2 mm"]["gain"] == pytest.approx(0.5, abs=1e-3)
    assert [round(row["rmse_fall"], 2) for row in figures["light"].values()] == [0.3, 0.5, 0.7]
    assert [row["count"] for row in figures["grain"].values()] == [3]

    false = [FalseRelief({"everywhere": 0.01}, {"empty": 0.002}), FalseRelief({"everywhere": 0.03}, {})]
    figures["flat"] = report_false(false, lines)
    assert figures["flat"]["places"]["everywhere"] == {"count": 2, "median": 0.02, "p90": 0.028, "most": 0.03}
    assert figures["flat"]["blank"]["empty"]["count"] == 1

    one = PortraitDetail("wild", "wild/1", explained(skin, 0.25 * skin, np.ones(skin.shape, bool)),
                         amplitude(skin, skin > -1), amplitude(skin, skin > -1), 0.0, 2.5, ("blurred",))  # fmt: skip
    figures["photos"] = report_portraits([one], 2, lines)
    assert figures["photos"]["wild"]["explained"] == pytest.approx(0.25, abs=1e-3)
    assert figures["photos"]["wild"]["inverted_explained"] == pytest.approx(-0.25, abs=1e-3)
    assert figures["photos"]["missed"] == 1

    rows = [line for line in lines if line.startswith("|")]
    for table in "\n".join(lines).split("\n\n"):
        columns = {line.replace("\\|", "").count("|") for line in table.splitlines() if line.startswith("|")}
        assert len(columns) <= 1, table
    assert len(rows) > 20
    assert json.loads(json.dumps(figures)) == figures


def test_nothing_found_is_reported():
    lines: list[str] = []
    assert report_skin([], 3, lines) == {"count": 0, "missed": 3}
    assert report_false([], lines) == {"count": 0}
    assert report_portraits([], 2, lines) == {"count": 0, "missed": 2}


def test_photos_are_spread_over_groups(tmp_path):
    (tmp_path / "london").mkdir()
    (tmp_path / "photos").mkdir()
    groups = ("white", "black", "east_asian", "west_asian")
    rows = [f"{4 * age + k:03d},{20 + age},female,{group}" for age in range(3) for k, group in enumerate(groups)]
    head = "face_id,face_age,face_gender,face_eth"
    (tmp_path / "london" / "info.csv").write_text("\n".join([head, *rows, "099,NA,male,white"]), encoding="utf-8")
    (tmp_path / "photos" / "s1.png").touch()
    portraits = list_portraits(tmp_path)
    assert [path.stem for group, path in portraits if group == "london"] == ["009", "010", "011", "008", "001", "000"]
    assert [path.parent.name for group, path in portraits if group == "london"] == ["neutral", "smiling"] * 3
    assert [group for group, _ in portraits].count("photos") == 1
    assert [group for group, _ in portraits].count("wild") == 6
