# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies over skin, and colours that are not the skin's, on heads whose colours are known."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from facedetail_addon.core.face_model.model import FACE_REGIONS
from facedetail_addon.core.skin.beard import dark_below_nose
from facedetail_addon.core.skin.composition import telling_hue
from facedetail_addon.core.skin.doubt import (
    beside_covers,
    black_shade,
    collars,
    corrected,
    correction,
    not_bluer,
    plain_rims,
    shown,
    steady,
    unlike_skin,
)
from facedetail_addon.core.skin.grain import skin_grain

SKIN = np.float32([0.12, 0.06, 0.04])
PERSON, HAIR, MASKED_SKIN = range(3)


@pytest.fixture(scope="module")
def rest(model):
    return model.skin.of(model.mean)


@pytest.fixture(scope="module")
def usual(rest):
    return np.tile(SKIN, (len(rest), 1))


@pytest.fixture
def masks(rest):
    """A person of whom all is bare skin."""
    return np.tile(np.float32([1, 0, 1]), (len(rest), 1))


def test_bare_skin_is_shown_and_so_is_what_nobody_has_looked_at(model, rest, atlas, masks):
    assert shown(masks, model, atlas).min() == 1
    assert shown(np.full_like(masks, np.nan), model, atlas).min() == 1


def test_a_fringe_hides_the_forehead_and_a_beard_does_not_hide_the_chin(model, atlas, masks):
    masks[:, HAIR], masks[:, MASKED_SKIN] = 1, 0
    seen = shown(masks, model, atlas)
    assert seen[model.in_region("forehead")].max() == 0
    assert seen[model.in_region("chin")].min() == 1
    assert seen[model.in_region("scalp")].min() == 1, "hair on the scalp is the head's own"


def test_the_skin_just_below_a_fringe_is_not_shown_and_brows_are(model, atlas, rest, masks):
    left, right = (model.landmarks68.points(rest)[brow] for brow in (slice(17, 22), slice(22, 27)))
    lower_edge = float(left[:, 1].max()) + 15
    fringe = (model.in_region("forehead") | model.in_region("scalp")) & (rest[:, 1] > lower_edge)
    masks[fringe, HAIR], masks[fringe, MASKED_SKIN] = 1, 0
    brows = cKDTree(np.vstack([left, right])).query(rest)[0] < 4
    masks[brows, HAIR] = 0.6
    seen = shown(masks, model, atlas)
    forehead = model.in_region("forehead") & ~brows
    below = cKDTree(rest[fringe & model.in_region("forehead")]).query(rest)[0]
    assert seen[forehead & (below < 3)].max() < 0.01, "thin ends of hair and their shadow"
    assert seen[forehead & (below > 7)].min() == 1
    assert seen[brows & (below > 7)].min() > 0.2, "hair that hangs from nowhere hides only itself"


def test_hats_backgrounds_and_jewellery_are_not_shown(model, atlas, masks):
    masks[:, MASKED_SKIN] = 0
    seen = shown(masks, model, atlas)
    assert seen[model.in_region("scalp", "ears", "neck")].max() == 0
    assert seen[model.in_region("nose")].min() == 1, "paint on the face is the person's"
    masks[:, PERSON] = 0
    assert shown(masks, model, atlas)[model.in_region(*FACE_REGIONS)].max() == 0


def test_strands_beside_hair_or_a_scarf_do_not_count_and_beards_brows_and_fair_skin_do(model, rest, masks, usual):
    marks = model.landmarks68.points(rest)
    face, scalp = model.in_region(*FACE_REGIONS), model.in_region("scalp", "ears")
    to_scalp, to_brows = (cKDTree(points).query(rest)[0] for points in (rest[scalp], marks[17:27]))
    dark = usual * np.float32(0.5)
    for covered in (HAIR, MASKED_SKIN):
        masks[:] = [1, 0, 1]
        masks[scalp, HAIR], masks[scalp, MASKED_SKIN] = covered == HAIR, 0
        found = beside_covers(dark, usual, masks, model)
        upper = face & (rest[:, 1] > marks[33, 1])
        assert found[upper & (to_scalp < 6)].min() > 0.9
        assert found[upper & (to_scalp > 45)].max() == 0
        assert found[face & (rest[:, 1] < marks[33, 1] - 14)].max() == 0, "a beard"
        assert beside_covers(usual, usual, masks, model).max() == 0
    masks[:] = [1, 0, 1]
    hairy = scalp & (rest[:, 1] > marks[:, 1].max() + 70)
    masks[hairy, HAIR], masks[hairy, MASKED_SKIN] = 1, 0
    bare = scalp & ~hairy & (cKDTree(rest[hairy]).query(rest)[0] < 8)
    assert beside_covers(dark, usual, masks, model)[bare].min() > 0.9, "a high forehead lies on the head's scalp"
    masks[:] = [1, 0, 1]
    masks[to_brows < 5, HAIR] = 1
    assert beside_covers(dark, usual, masks, model).max() == 0, "brows"


def test_collars_and_scarves_have_a_hue_and_hair_has_none(model, usual):
    height = model.mean[: len(usual), 1] - model.landmarks68.points(model.mean)[33, 1]
    edge = model.in_region("neck") | (model.in_region("scalp") & (height > 0))
    no_skin = np.zeros(len(usual), np.float32)
    red, grey, blue = (
        np.tile(np.float32(colour), (len(usual), 1)) for colour in ((0.3, 0.02, 0.02), (0.1, 0.1, 0.1), (0.0, 0.3, 0.6))
    )
    assert collars(red, usual, no_skin, model)[edge].min() > 0.95
    assert collars(red, usual, no_skin, model)[model.in_region("nose", "eyes")].max() == 0, "paint in the face stays"
    jaw = model.in_region("cheeks") & (height < -20)
    assert np.median(collars(red, usual, no_skin, model)[jaw]) < 0.3, "red beards stay"
    assert collars(grey, usual, no_skin, model).max() < 0.05
    assert collars(red, usual, no_skin + 1, model).max() == 0, "where the mask sees skin it is blushed"
    assert collars(blue, usual, no_skin + 1, model)[edge].min() > 0.95, "nobody's skin is blue, whatever the mask says"


def test_scraps_of_neck_do_not_count_and_a_neck_does(model, atlas, rest):
    neck, sure = model.in_region("neck"), np.ones(len(rest), np.float32)
    assert np.median(steady(sure, sure, model, atlas)[neck]) > 0.95
    scrap = np.zeros(len(rest), np.float32)
    middle = np.flatnonzero(neck)[np.argmax(rest[neck, 2])]
    scrap[np.linalg.norm(rest - rest[middle], axis=1) < 6] = 1
    assert steady(scrap, sure, model, atlas)[neck].max() < 0.1
    assert steady(scrap, sure, model, atlas)[model.in_region(*FACE_REGIONS)].min() == 1, "the face is as it was"


def test_purple_shade_takes_the_persons_hue_and_keeps_what_is_fine(model, atlas, rest, usual):
    side = rest[:, 0] > 20
    purple = np.where(side[:, None], np.float32([0.06, 0.035, 0.09]), SKIN)
    fine = np.exp(0.1 * np.random.default_rng(0).standard_normal((len(rest), 1))).astype(np.float32)
    shading = np.where(side, 0.15, 1.0).astype(np.float32)
    ones = np.ones(len(rest), np.float32)
    photo = purple * fine * shading[:, None]
    factors = np.exp(correction(purple * fine, usual, ones, ones, shading, photo, model, atlas))
    inside = (rest[:, 0] > 40) & model.in_region("cheeks")
    assert inside.sum() > 100
    after = (purple * fine * factors)[inside]
    hue = np.median(after, axis=0)
    assert hue[2] / hue[0] == pytest.approx(SKIN[2] / SKIN[0], rel=0.35), "0.33 and not 1.5"
    assert np.log(after[:, 0]).std() > 0.09
    lit = correction(purple, usual, ones, ones, ones, purple, model, atlas)
    face = np.abs(lit[model.in_region(*FACE_REGIONS)])
    assert np.quantile(face, 0.98) < 0.02 and face.max() < 0.2, "in good light purple is paint, and so is its border"


def test_blue_in_shade_goes_and_blue_paint_stays():
    skin = np.tile(SKIN, (3, 1))
    shade, paint, light = np.float32([0.05, 0.03, 0.03]), np.float32([0.03, 0.05, 0.3]), np.float32([0.3, 0.2, 0.2])
    out = not_bluer(np.stack([shade, paint, light]), skin)
    assert out[0, 2] < 0.75 * shade[2]
    np.testing.assert_allclose(out[1:], np.stack([paint, light]), rtol=1e-5)
    white_hair = np.float32([[0.5, 0.55, 0.7]])
    assert not_bluer(white_hair, skin[:1])[0, 2] == pytest.approx(0.5)
    grey = np.full((3, 3), 0.05, np.float32)
    np.testing.assert_array_equal(not_bluer(grey, np.full((3, 3), 0.2, np.float32)), grey)


def test_grain_is_as_strong_as_what_is_seen_and_always_the_same():
    side = 1024
    noise = np.random.default_rng(0).standard_normal((side, side)).astype(np.float32)
    luminance = 0.2 * np.exp(0.04 * noise)
    seen = np.zeros((side, side), np.float32)
    seen[200:600, 200:600] = 1
    grain = skin_grain(luminance, seen)
    assert grain.shape == (side, side) and grain.std() == pytest.approx(0.04, rel=0.2)
    assert abs(grain.mean()) < 1e-3
    np.testing.assert_array_equal(grain, skin_grain(luminance, seen))
    rough = skin_grain(0.2 * np.exp(0.5 * noise), seen)
    assert rough.std() < 0.1, "a beard is no skin"
    assert not skin_grain(luminance, np.zeros_like(seen)).any()


def test_a_face_more_uneven_than_skin_is_drawn_back_and_single_marks_and_paint_stay(model, atlas, rest, usual):
    ones = np.ones(len(rest), np.float32)
    everywhere = np.sin(rest[:, :1] / 12) * np.sin(rest[:, 1:2] / 12)
    mark = np.linalg.norm(rest - rest[model.in_region("cheeks") & (rest[:, 0] > 0)].mean(0), axis=1)[:, None] < 15

    def left(where: np.ndarray, log: tuple[float, float, float]) -> np.ndarray:
        change = (where * np.float32(log)).astype(np.float32)
        seen = usual * np.exp(change)
        factors = correction(seen, usual, ones, ones, ones, seen, model, atlas)
        inside = model.in_region(*FACE_REGIONS) & (np.abs(np.float32(where[:, 0])) > 0.7)
        return np.median((change + factors)[inside] * np.sign(np.float32(where[inside])), axis=0)

    misunderstood = (0.4, 0.0, -0.6)
    assert np.ptp(left(everywhere, misunderstood)) < 0.5 * 0.8
    np.testing.assert_allclose(left(mark, misunderstood), misunderstood, atol=0.02)
    blush = left(everywhere, (0.08, 0.0, 0.0))
    assert blush[0] - blush[1] > 0.05
    green = (-0.8, 0.4, -0.8)
    np.testing.assert_allclose(left(rest[:, :1] > 0, green), green, atol=0.05)


def test_what_is_blue_in_the_photo_is_paint_and_what_only_warm_light_makes_blue_is_shade(model, atlas, rest, usual):
    ones = np.ones(len(rest), np.float32)
    uneven = np.sin(rest[:, :1] / 12) * np.sin(rest[:, 1:2] / 12) * np.float32([0.4, 0.0, -0.6])
    side = rest[:, :1] > 40
    blue = np.where(side, np.float32([0.02, 0.03, 0.12]), usual * np.exp(uneven)).astype(np.float32)
    inside = side[:, 0] & model.in_region("cheeks")

    def left(photo: np.ndarray) -> np.ndarray:
        factors = correction(blue, usual, ones, ones, ones, photo, model, atlas)
        after = np.median((blue * np.exp(factors))[inside], axis=0)
        return after[2] / after[0]

    lamp = np.float32([2.0, 1.0, 0.3])
    brown = np.where(side, np.float32([0.045, 0.03, 0.032]), usual * np.exp(uneven) * lamp)
    assert left(brown) == pytest.approx(SKIN[2] / SKIN[0], rel=0.5), "0.33, and not 6"
    assert left(blue) > 5


def test_brows_are_as_dark_after_an_uneven_face_is_drawn_back(model, atlas, rest, usual):
    ones = np.ones(len(rest), np.float32)
    uneven = 0.8 * np.sin(rest[:, :1] / 12) * np.sin(rest[:, 1:2] / 12)
    marks = model.landmarks68.points(model.mean)[17:27]
    brow = (cKDTree(marks).query(rest)[0] < 6).astype(np.float32)
    seen = usual * np.exp(uneven - 1.0 * brow[:, None])

    def lifted(hairy: np.ndarray | float) -> float:
        factors = correction(seen, usual, ones, ones, ones, seen, model, atlas, hairy)
        return float((factors + uneven)[brow > 0].mean())

    assert abs(lifted(brow)) < 0.05
    assert lifted(0.0) > 0.2, "as the skin of a misunderstood face is"


def test_a_colour_that_has_next_to_nothing_of_blue_takes_what_it_lacks():
    orange, brown = np.float32([[0.12, 0.04, 0.0005]]), np.float32([[0.12, 0.05, 0.02]])
    floor = 0.004
    whole = corrected(orange, np.log(brown + floor) - np.log(orange + floor))
    np.testing.assert_allclose(whole, brown, rtol=0.02)
    darker = corrected(brown, np.full((1, 3), -1.0, np.float32))
    np.testing.assert_allclose(darker, brown * np.exp(-1), rtol=1e-5)


def test_black_shade_on_a_misunderstood_face_gets_the_skins_hue(model, atlas, rest, usual):
    ones = np.ones(len(rest), np.float32)
    uneven = 0.8 * np.sin(rest[:, :1] / 12) * np.sin(rest[:, 1:2] / 12)
    fold = np.abs(rest[:, 0] - 30) < 8
    unlike = usual * np.exp(uneven * np.float32([1.0, 0.6, -0.4]))
    seen = np.where(fold[:, None], np.float32(0.004), unlike).astype(np.float32)
    factors = correction(seen, usual, ones, ones, ones, seen, model, atlas)
    inside = fold & model.in_region("cheeks")
    left = np.log(corrected(seen, factors)[inside]) - np.log(usual[inside])
    assert np.ptp(np.median(left, axis=0)) < 0.6, "black itself has 2.3, and 1.1 where each colour is bounded by itself"


def test_a_fold_of_some_millimetres_on_a_misunderstood_face_is_drawn_back(model, atlas, rest, usual):
    ones = np.ones(len(rest), np.float32)
    uneven = 0.8 * np.sin(rest[:, :1] / 12) * np.sin(rest[:, 1:2] / 12)
    fold = np.abs(rest[:, 0] - 30) < 3
    change = uneven - 1.0 * fold[:, None]
    seen = usual * np.exp(change)
    factors = correction(seen, usual, ones, ones, ones, seen, model, atlas)
    inside = fold & model.in_region("cheeks")
    assert np.median((change + factors)[inside]) > -0.6, "of 1.0"


def test_black_sockets_and_folds_tell_nothing_where_the_light_was_misunderstood(model, rest, usual):
    marks = model.landmarks68.points(model.mean)
    ones, none = np.ones(len(rest), np.float32), np.zeros(len(rest), np.float32)
    socket = np.linalg.norm(rest - (marks[39] + marks[21]) / 2, axis=1) < 5
    fold = np.linalg.norm(rest - (marks[48] + [-10, 5, 0]), axis=1) < 12
    fold &= model.in_region("cheeks")
    moustache = np.linalg.norm(rest - (marks[33] + marks[51]) / 2, axis=1) < 5
    black = (socket | fold | moustache)[:, None]
    uneven = 0.6 * np.sin(rest[:, :1] / 12) * np.sin(rest[:, 1:2] / 12)

    def told(uneven: np.ndarray | float, hairy: np.ndarray = none, bearded: float = 0.0) -> tuple[float, ...]:
        seen = np.where(black, usual * np.exp(-2), usual * np.exp(uneven)).astype(np.float32)
        out = black_shade(seen, usual, ones, hairy, bearded, model)
        assert out[~black[:, 0]].max() < 0.1
        return tuple(float(np.median(out[where])) for where in (socket, fold, moustache))

    assert told(uneven) == pytest.approx((1, 1, 0), abs=0.05)
    assert told(uneven, bearded=1.0) == pytest.approx((1, 0, 0), abs=0.05)
    assert told(uneven, hairy=ones) == (0, 0, 0)
    assert told(0.0) == (0, 0, 0), "on an even face it is paint"


def test_at_the_rim_what_is_dark_or_of_another_hue_is_no_skin_and_inside_marks_and_paint_stay():
    skin = np.tile(SKIN, (4, 1))
    seen = np.stack([SKIN * np.float32(1.1), SKIN * np.float32(0.5), np.float32([0.03, 0.06, 0.2]), SKIN])
    rim, inside = np.full(4, 0.05, np.float32), np.full(4, 0.7, np.float32)
    np.testing.assert_allclose(unlike_skin(seen, skin, rim), [0, 1, 1, 0], atol=0.05)
    assert unlike_skin(seen, skin, inside).max() == 0


def test_a_beards_rim_stays_and_a_rim_above_the_nose_is_bare_skin_in_any_case(model, rest):
    face = model.in_region("cheeks", "chin", "forehead")
    height = rest[:, 1] - model.landmarks68.points(model.mean)[33, 1]
    assert plain_rims(0.0, model)[face].min() == 1
    bearded = plain_rims(1.0, model)
    assert bearded[face & (height < -14)].max() == 0
    assert bearded[face & (height > 0)].min() == 1
    assert bearded[model.in_region("eyes", "mouth")].max() == 0, "lashes and lips are darker than skin"


def test_lip_and_jaw_that_are_both_dark_are_a_beard_and_the_shade_of_nose_or_scarf_is_none(model, rest):
    sure = np.ones(len(rest), bool)
    marks = model.landmarks68.points(model.mean)
    below = (rest[:, 1] < marks[33, 1]).astype(np.float32)
    jaw = (rest[:, 1] < marks[57, 1] - 4).astype(np.float32)
    assert dark_below_nose(0.5 * below, sure, model) == 1
    assert dark_below_nose(0.5 * (1 - below), sure, model) == 0
    assert dark_below_nose(0.5 * jaw, sure, model) == 0, "shade of a scarf"
    assert dark_below_nose(0.5 * (below - jaw), sure, model) == 0, "shade of the nose"
    assert dark_below_nose(0.5 * below, ~sure, model) == 0, "nobody has seen it"


def test_shade_that_has_one_colour_left_tells_no_hue_and_lips_and_grey_things_do():
    shade, lips, grey = (77, 3, 1), (200, 20, 40), (60, 60, 60)
    told = telling_hue(np.uint8([shade, lips, grey]).T)
    assert told[0] < 30 and told[1] > 80 and told[2] == 60
