# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a photo and their depth: what is found of a known groove, and that paint, hair and noise stay flat."""

import cv2
import numpy as np
import pytest

from facedetail_addon.core.detail.inputs import CHROMA_UNIT, DetailInputs
from facedetail_addon.core.detail.line_view import look_for_lines, relief_light
from facedetail_addon.core.detail.lines import LineField, find_lines, hairy
from facedetail_addon.core.detail.relief_shading import ReliefLight, slopes
from facedetail_addon.core.detail.shape_from_shading import LineRelief, carve_lines
from facedetail_addon.core.detail.space import TEXEL_MM, VALUE_UNIT
from facedetail_addon.core.image import smoothstep

SHAPE = (240, 320)
"""Texels of SIDE: 48 by 64 mm."""
HALF_MM = 0.4
ROWS, COLUMNS = (np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5) * TEXEL_MM
OBLIQUE, FRONTAL = (0.6, 0.9), (0.0, 0.0)


def inputs_of(
    luminance: np.ndarray, light: tuple[float, float], hue: np.ndarray | float = 0.0, **other
) -> DetailInputs:
    """Skin with (H, W) log luminance in a light that changes by so much with slopes to the right and down."""
    one, nothing = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    given = {
        "value": (luminance / VALUE_UNIT).astype(np.float32),
        "chroma": (hue / CHROMA_UNIT * one).astype(np.float32),
        "light_x": light[0] * one,
        "light_y": light[1] * one,
        "direct_fraction": one,
        "mask": one,
        "level": 0.5 * one,
        "resolvable_mm": 0.2 * one,
        "lined": one,
        "beard": nothing,
        "shading": nothing,
        "metric": np.broadcast_to(np.float32([1, 0, 1]), (*SHAPE, 3)),
        "unseen": nothing,
    }
    return DetailInputs(**{**given, **other})


def groove(depth_mm: float, width_mm: float = 0.8) -> np.ndarray:
    """(H, W) mm along a slanting line from one side to the other."""
    away = (ROWS - 24) * np.cos(0.2) - (COLUMNS - 32) * np.sin(0.2)
    along = np.clip(1 - (np.abs(COLUMNS - 32) / 24) ** 4, 0, 1)
    return (-depth_mm * along * np.exp(-0.5 * (away / width_mm) ** 2)).astype(np.float32)


def brightness(height: np.ndarray, inputs: DetailInputs) -> np.ndarray:
    """(H, W) change of log luminance by a relief."""
    return relief_light(inputs).log_shading(*slopes(height, TEXEL_MM))[0]


def explained(seen: np.ndarray, made: np.ndarray) -> float:
    return float(1 - ((seen - made) ** 2).sum() / (seen**2).sum())


def carved(inputs: DetailInputs) -> LineRelief:
    """What the ridge filter alone takes for lines, as deep as their shading."""
    view = look_for_lines(inputs)
    return carve_lines(view, view.lines.likelihood)


def lines_of(luminance: np.ndarray, hue: np.ndarray | float = 0.0) -> LineField:
    small = [cv2.resize((part + np.zeros(SHAPE)).astype(np.float32), None, fx=0.5, fy=0.5,
                        interpolation=cv2.INTER_AREA) for part in (luminance, hue)]  # fmt: skip
    return find_lines(*small, np.ones_like(small[0]), HALF_MM)


def dots(count: int, radius_mm: float, seed: int = 1) -> np.ndarray:
    rng, out = np.random.default_rng(seed), np.zeros(SHAPE, np.float32)
    for x, y in rng.uniform([8, 8], [56, 40], (count, 2)):
        out = np.maximum(out, np.exp(-0.5 * ((COLUMNS - x) ** 2 + (ROWS - y) ** 2) / radius_mm**2))
    return out


def strands(count: int, length_mm: float, seed: int = 2) -> np.ndarray:
    """Short lines, nearly all downwards."""
    rng, out = np.random.default_rng(seed), np.zeros(SHAPE, np.float32)
    for x, y in rng.uniform([4, 4], [60, 44], (count, 2)) / TEXEL_MM:
        turn = np.array([0.2 * rng.normal(), 1.0]) * length_mm / TEXEL_MM
        end = np.array([x, y]) + turn
        cv2.line(out, (int(x), int(y)), (int(end[0]), int(end[1])), 1.0, 2, cv2.LINE_AA)
    return cv2.GaussianBlur(out, (0, 0), 0.8)


@pytest.mark.parametrize("direct", [1.0, 0.4])
def test_shadings_derivatives_are_those_of_its_differences(direct):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 200)) * 0.5
    channels = rng.normal(size=200) * 0.5, rng.normal(size=200) * 0.5, np.full(200, direct), 1.1, 0.2, 0.8
    light, step = ReliefLight(*channels), 1e-5
    value, by_x, by_y = light.log_shading(x, y)
    inside = value > -1.5  # it is cut off below
    for found, ahead, behind in (
        (by_x, light.log_shading(x + step, y)[0], light.log_shading(x - step, y)[0]),
        (by_y, light.log_shading(x, y + step)[0], light.log_shading(x, y - step)[0]),
    ):
        np.testing.assert_allclose(found[inside], ((ahead - behind) / (2 * step))[inside], rtol=1e-5, atol=1e-7)
    assert inside.sum() > 150


def test_a_line_is_found_and_which_way_it_runs():
    found = lines_of(1.2 * groove(0.3))
    rows = (24 + (np.arange(60, 100) * HALF_MM - 32) * np.tan(0.2)) / HALF_MM
    assert found.likelihood[rows.round().astype(int), np.arange(60, 100)].min() > 0.9
    assert found.likelihood[:20].max() == 0
    turn = np.arctan2(found.across_sin[60, 80], found.across_cos[60, 80]) - (np.pi + 0.4)
    assert np.cos(turn) > np.cos(0.2)
    assert found.coherence[60, 80] > 0.95


@pytest.mark.parametrize(
    "paint",
    [-0.4 * dots(40, 0.7), -0.5 * dots(4, 2.5), -0.4 * smoothstep(COLUMNS, 31, 33), -0.6 * groove(0.3)],
    ids=["freckles", "moles", "an edge", "a bright line"],
)
def test_what_is_no_dark_line_is_not_found(paint):
    assert lines_of(paint).likelihood.mean() < 0.01


def test_where_hue_has_an_edge_the_dark_beside_it_is_paint():
    """A lip's border: darker and redder on one side, with a dark line along it."""
    line = 0.6 * groove(0.3)
    side = smoothstep(ROWS - 24 - (COLUMNS - 32) * np.tan(0.2), -1, 1)
    assert lines_of(line, 0.5 * side).likelihood.sum() < 0.3 * lines_of(line).likelihood.sum()


@pytest.mark.parametrize("light", [OBLIQUE, (-0.6, -0.9), (0.0, 0.9)])
def test_a_groove_comes_back_in_oblique_light(light):
    truth = groove(0.3)
    inputs = inputs_of(brightness(truth, inputs_of(np.zeros(SHAPE), light)), light)
    found = carved(inputs)
    line = truth < -0.02
    assert np.corrcoef(found.height_mm[line], truth[line])[0, 1] > 0.7
    assert 0.5 < np.abs(found.height_mm[line]).mean() / np.abs(truth[line]).mean() < 1.5
    seen = inputs.value * VALUE_UNIT
    assert explained(seen, brightness(found.height_mm, inputs)) > 0.6
    assert explained(seen, brightness(-found.height_mm, inputs)) < 0
    assert np.abs(found.height_mm[found.likelihood == 0]).max() < 0.02


def test_in_frontal_light_a_dark_line_is_a_groove_without_beads():
    """Such light says how steep, and not which way; little of it comes to the bottom."""
    truth = groove(0.6)
    seen = brightness(truth, inputs_of(np.zeros(SHAPE), FRONTAL)) + 0.4 * truth
    inputs = inputs_of(seen, FRONTAL)
    found = carved(inputs).height_mm
    assert explained(inputs.value * VALUE_UNIT, brightness(found, inputs)) > 0.3
    along = slopes(
        cv2.warpAffine(found, cv2.getRotationMatrix2D((160, 120), np.degrees(0.2), 1), SHAPE[::-1]), TEXEL_MM
    )
    middle = (slice(105, 135), slice(90, 230))
    assert np.abs(along[0][middle]).mean() < 0.2 * np.abs(along[1][middle]).mean()


@pytest.mark.parametrize("light", [OBLIQUE, FRONTAL])
@pytest.mark.parametrize(
    "paint",
    [np.zeros(SHAPE), -0.4 * dots(60, 0.6), 0.02 * np.random.default_rng(3).normal(size=SHAPE)],
    ids=["nothing", "freckles", "noise of 2 %"],
)
def test_flat_skin_stays_flat(light, paint):
    assert carved(inputs_of(paint, light)).height_mm.std() < 0.01


def test_a_stubbly_chin_is_hairy_and_lined_skin_elsewhere_is_not():
    beard = (ROWS > 24).astype(np.float32)
    rough = np.where(ROWS > 26, -0.4 * strands(700, 3.0), 0).astype(np.float32)
    small = [cv2.resize(part, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for part in (rough, beard)]
    found = hairy(small[0], np.ones_like(small[1]), small[1], HALF_MM)
    assert found[75:110].mean() > 0.9 and found[:55].max() == 0
    inputs = inputs_of(rough, OBLIQUE, beard=beard)
    assert carved(inputs).height_mm.std() < 0.01
    assert carved(inputs_of(rough[::-1].copy(), OBLIQUE, beard=beard)).height_mm.std() > 0.01


def test_no_line_where_none_may_be_and_none_on_hidden_skin():
    dark = 0.6 * groove(0.3)
    left = (COLUMNS < 32).astype(np.float32)
    for name in ("mask", "lined"):
        found = carved(inputs_of(dark, OBLIQUE, **{name: left})).height_mm
        assert np.abs(found[:, :140]).max() > 0.05 and np.abs(found[:, 165:]).max() < 1e-3


def test_what_the_heads_own_shape_explains_is_not_carved_again():
    dark = (0.6 * groove(0.3)).astype(np.float32)
    assert np.abs(carved(inputs_of(dark, OBLIQUE, shading=dark)).height_mm).max() < 1e-3


@pytest.mark.parametrize("case", ["black", "wild", "no light", "glaring", "all hidden"])
def test_hostile_inputs_give_finite_heights_twice_the_same(case):
    rng = np.random.default_rng(5)
    luminance = {"black": np.full(SHAPE, -4.6)}.get(case, rng.normal(size=SHAPE) * 2)
    light = {"no light": FRONTAL, "glaring": (3.0, -3.0)}.get(case, OBLIQUE)
    other = {"mask": np.zeros(SHAPE, np.float32)} if case == "all hidden" else {}
    if case == "no light":
        other["direct_fraction"] = np.zeros(SHAPE, np.float32)
    first, second = (carved(inputs_of(luminance, light, **other)).height_mm for _ in range(2))
    assert first.dtype == np.float32 and np.isfinite(first).all() and np.abs(first).max() < 20
    np.testing.assert_array_equal(first, second)


def test_a_fold_has_no_ropes_where_what_looks_for_lines_still_answers():
    """A dark line beside skin that gets slowly brighter, as at a smile, within a wide band taken for lined."""
    off = np.abs(COLUMNS - 32 - 0.15 * (ROWS - 24))
    luminance = -0.5 * np.exp(-0.5 * (off / 0.7) ** 2) + 0.12 * smoothstep(off, 0.5, 5.0) * (COLUMNS > 32)
    view = look_for_lines(inputs_of(luminance.astype(np.float32), OBLIQUE))
    wide = cv2.resize(smoothstep(-off, -5.0, -4.0).astype(np.float32), view.mask.shape[::-1])
    height = carve_lines(view, wide).height_mm[80:160]
    fold, beside = np.abs(off[80:160]) < 1, (off[80:160] > 3) & (off[80:160] < 6)
    assert height[fold].min() < -0.15
    assert np.abs(height[beside]).max() < 0.2 * -height[fold].min()
