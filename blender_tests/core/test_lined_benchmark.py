# SPDX-License-Identifier: GPL-3.0-or-later
"""The measure of lined faces: its regions lie where faces are lined, and known relief in a known light explains all."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facedetail_addon.core.detail.inputs import DetailInputs
from facedetail_addon.core.detail.space import BOX, TEXEL_MM, VALUE_UNIT
from facedetail_addon.core.errors import AssetError
from scripts.benchmark.detail.lined import (
    BAND_MM,
    LEAST_CONTRAST,
    LinedFace,
    LinedRelief,
    RegionRelief,
    Shading,
    list_lined,
    masked_band,
    quick,
    region_reliefs,
)
from scripts.benchmark.detail.lined_report import report_lined, summary
from scripts.benchmark.detail.regions import CROWS_FEET, EYE_BAGS, FOREHEAD, REGIONS, SMILE_FOLDS, lined_regions
from scripts.benchmark.errors import rms
from scripts.training.skin.space import landmark_texels

SIDE = 320
LIGHT = (0.5, 0.4)  # −l_x/l_z and −l_y/l_z of a lamp
INSIDE = {"here": np.pad(np.ones((SIDE - 80, SIDE - 80), bool), 40)}
MIDDLE = SIDE // 2


def grooves(depth_mm: float = 0.15) -> np.ndarray:
    """(SIDE, SIDE) float32 mm: parallel wrinkles, narrower than their distance."""
    y, x = np.mgrid[:SIDE, :SIDE] * TEXEL_MM
    across = np.cos(0.7) * x + np.sin(0.7) * y
    return (-depth_mm * np.cos(np.pi * across / 3.0) ** 6).astype(np.float32)


def photo_of(relief: np.ndarray, light: tuple[float, float] = LIGHT) -> DetailInputs:
    """A plane with relief under one lamp, its shading that of n·l."""
    one, nothing = np.ones_like(relief), np.zeros_like(relief)
    down, right = np.gradient(relief, TEXEL_MM)
    towards = np.array([-light[0], -light[1], 1.0])
    normal = np.dstack([-right, -down, one])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    value = (np.log(np.maximum(normal @ towards, 0.1)) / VALUE_UNIT).astype(np.float32)
    metric = np.dstack([one, nothing, one])
    return DetailInputs(
        value, nothing, light[0] * one, light[1] * one, one, one, one, one, one, nothing, nothing, metric
    )


def measured(inputs: DetailInputs, relief: np.ndarray) -> Shading:
    found = region_reliefs(inputs, relief, INSIDE)["here"].shading
    assert found is not None
    return found


@pytest.fixture(scope="module")
def marks(model):
    return landmark_texels(model)


@pytest.fixture(scope="module")
def regions(marks):
    return lined_regions(marks, (BOX[3] - BOX[1], BOX[2] - BOX[0]))


def at(where: np.ndarray, point: np.ndarray) -> bool:
    column, row = np.round(point).astype(int)
    return bool(where[row, column])


@pytest.mark.parametrize("name", REGIONS)
def test_regions_are_as_large_on_both_sides(regions, marks, name):
    centre = round(marks[27:31, 0].mean())
    left, right = regions[name][:, :centre].sum(), regions[name][:, centre:].sum()
    assert left * TEXEL_MM**2 > 200
    assert right == pytest.approx(left, rel=0.1)


def test_regions_share_nothing(regions):
    assert np.sum(list(regions.values()), axis=0).max() == 1


def test_no_region_covers_lips_eyes_or_nose(regions, marks):
    everywhere = np.any(list(regions.values()), axis=0)
    rings = (list(range(36, 42)), list(range(42, 48)), list(range(48, 60)), [27, *range(31, 36)])
    for ring in (marks[numbers] for numbers in rings):
        centre = ring.mean(axis=0)
        for share in np.linspace(0, 1, 9):
            assert not any(at(everywhere, centre + share * (point - centre)) for point in ring)


def test_regions_lie_where_faces_are_lined(regions, marks):
    mm = 1 / TEXEL_MM
    for sign, brow, lid, outer, wing, corner in ((-1, 19, 41, 36, 31, 48), (1, 24, 46, 45, 35, 54)):
        assert at(regions[FOREHEAD], marks[brow] + np.array([0, -20]) * mm)
        assert not at(regions[FOREHEAD], marks[brow] + np.array([0, -3]) * mm)
        assert at(regions[EYE_BAGS], marks[lid] + np.array([0, 8]) * mm)
        assert at(regions[CROWS_FEET], marks[outer] + np.array([sign * 12, 0]) * mm)
        assert at(regions[SMILE_FOLDS], marks[wing] + np.array([sign * 16, 0]) * mm)
        assert at(regions[SMILE_FOLDS], marks[corner] + np.array([sign * 11, 10]) * mm)
        assert not at(regions[SMILE_FOLDS], (marks[corner] + marks[57]) / 2)


def test_its_own_relief_explains_a_photo():
    relief = grooves()
    found = measured(photo_of(relief), relief)
    assert found.explained == pytest.approx(1, abs=1e-3)
    assert found.factor == pytest.approx(1, abs=0.01)
    assert found.correlation == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("light", [LIGHT, (0.9, 0.2), (0.0, -0.4)])
def test_inverted_relief_is_worse_than_none(light):
    relief = grooves()
    inputs = photo_of(relief, light)
    turned = measured(inputs, -relief)
    assert turned.explained < 0
    assert turned.explained == pytest.approx(measured(inputs, relief).inverted)
    assert turned.correlation < 0
    assert turned.inverted == pytest.approx(1, abs=1e-3)


def test_no_relief_explains_nothing():
    relief = grooves()
    found = measured(photo_of(relief), np.zeros_like(relief))
    assert (found.explained, found.inverted, found.correlation, found.factor) == (0, 0, 0, 0)


def test_timid_relief_is_told_by_its_factor():
    relief = grooves(0.05)
    found = measured(photo_of(relief), 0.5 * relief)
    assert found.factor == pytest.approx(2, rel=0.05)
    assert found.explained == pytest.approx(0.75, abs=0.03)


def test_paint_is_not_explained():
    relief = grooves()
    painted = replace(photo_of(np.zeros_like(relief)), value=4 * relief)
    assert measured(painted, relief).explained < 0.5


def test_the_smooth_heads_shading_is_not_to_be_explained():
    relief = grooves()
    inputs = photo_of(relief)
    y, x = np.mgrid[:SIDE, :SIDE] * TEXEL_MM
    bent = (0.1 * np.sin(2 * np.pi * x / 4)).astype(np.float32)
    inputs = replace(inputs, value=inputs.value + bent / np.float32(VALUE_UNIT), shading=bent)
    assert measured(inputs, relief).explained == pytest.approx(1, abs=1e-3)


def test_what_is_masked_counts_nowhere():
    relief = grooves()
    inputs = photo_of(relief)
    masked = inputs.mask.copy()
    masked[:, MIDDLE:] = 0
    value = np.where(masked > 0, inputs.value, 50).astype(np.float32)
    inside = np.where(masked > 0, relief, 1).astype(np.float32)
    inside[:, MIDDLE] = relief[:, MIDDLE]  # slopes look one texel further
    found = measured(replace(inputs, value=value, mask=masked), inside)
    assert found.explained == pytest.approx(1, abs=1e-3)


def test_the_band_leaves_out_shape_and_pores():
    y, x = np.mgrid[:SIDE, :SIDE] * TEXEL_MM
    everywhere = np.ones((SIDE, SIDE), bool)
    kept = {}
    for length in (0.5, BAND_MM[0], 2.0, BAND_MM[1], 30.0):
        wave = np.sin(2 * np.pi * x / length).astype(np.float32)
        kept[length] = rms(masked_band(wave, everywhere)[40:-40, 40:-40]) / rms(wave[40:-40, 40:-40])
    assert kept[2.0] > 0.8
    assert (kept[BAND_MM[0]], kept[BAND_MM[1]]) == pytest.approx((0.5, 0.5), abs=0.06)
    assert kept[0.5] < 0.25 and kept[30.0] < 0.08


def test_smooth_skin_tells_only_its_relief():
    relief = grooves()
    inputs = replace(photo_of(relief), value=np.zeros_like(relief))
    found = region_reliefs(inputs, relief, INSIDE)["here"]
    assert found.contrast < LEAST_CONTRAST and found.shading is None
    assert found.relief_mm == pytest.approx(rms(relief[INSIDE["here"]]))


def test_a_region_that_is_hardly_seen_is_left_out():
    relief = grooves()
    assert region_reliefs(replace(photo_of(relief), mask=0.5 * np.ones_like(relief)), relief, INSIDE) == {}


def lined_face(dataset: str, name: str, age: int | None, tone: float, shares: dict[str, float | None]) -> LinedRelief:
    regions = {
        region: RegionRelief(
            0.1 if share is not None else 0.01, 0.2, None if share is None else Shading(share, -share, 0.6, 1.2)
        )
        for region, share in shares.items()
    }
    return LinedRelief(LinedFace(dataset, Path(f"{name}.jpg"), age), tone, regions)


def test_tables_and_gaps():
    found = [
        lined_face("synthetic_portraits", "a", 60, 50.0, {FOREHEAD: 0.6, EYE_BAGS: 0.4}),
        lined_face("synthetic_portraits", "b", 85, -20.0, {FOREHEAD: 0.2, CROWS_FEET: None}),
        lined_face("official_portraits", "01", None, 20.0, {SMILE_FOLDS: 0.1}),
    ]
    lines: list[str] = []
    figures = report_lined(found, 4, lines)
    assert (figures["count"], figures["missed"]) == (3, 1)
    assert figures["regions"]["all"] == summary([region for one in found for region in one.regions.values()])
    assert figures["regions"]["all"]["explained"] == pytest.approx(0.325)
    assert (figures["regions"][CROWS_FEET]["lined"], figures["regions"][CROWS_FEET]["smooth"]) == (0, 1)
    assert figures["regions"][CROWS_FEET]["explained"] is None
    assert figures["regions"][CROWS_FEET]["smooth_relief_mm"] == pytest.approx(0.2)
    assert {name: row["people"] for name, row in figures["groups"]["age"].items()} == {"51–64": 1, "80+": 1}
    assert figures["gaps"] == {"dataset": 0.3, "age": 0.3, "skin": 0.4}
    assert figures["faces"]["synthetic_portraits/a"]["by_region"] == {FOREHEAD: 0.6, EYE_BAGS: 0.4}
    for table in "\n".join(lines).split("\n\n"):
        assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) <= 1, table
    names = [line.split("|")[1].strip() for line in lines if line.startswith(("| synthetic", "| official"))]
    assert names == ["official_portraits/01", "synthetic_portraits/b", "synthetic_portraits/a"]  # the worst first
    assert json.loads(json.dumps(figures)) == figures


def test_nobody_found_is_reported():
    assert report_lined([], 2, []) == {"count": 0, "missed": 2}


@pytest.fixture
def portraits(tmp_path):
    for folder in ("synthetic_portraits", "official_portraits"):
        (tmp_path / folder).mkdir()
    rows = ["id,gender,age,country", "male-1,male,50,X", "male-2,male,51,X", "female-1,female,80,X"]
    (tmp_path / "synthetic_portraits" / "info.csv").write_text("\n".join(rows), encoding="utf-8")
    for name in ("02", "01"):
        (tmp_path / "official_portraits" / f"{name}.jpg").touch()
    return tmp_path


def test_lined_faces_are_old_or_official(portraits):
    faces = list_lined(portraits)
    assert [(face.path.stem, face.age) for face in faces] == [
        ("female-1", 80), ("male-2", 51), ("01", None), ("02", None)
    ]  # fmt: skip
    assert sorted(face.path.stem for face in quick(faces)) == ["01", "female-1"]
    assert [face.path.stem for face in list_lined(portraits, ["02", "male-2"])] == ["male-2", "02"]


def test_an_unknown_face_is_named(portraits):
    with pytest.raises(AssetError, match="male-1"):
        list_lined(portraits, ["male-1", "02"])
