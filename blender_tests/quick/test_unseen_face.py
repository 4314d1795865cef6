# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in for a face that neither side shows: hairs where people have brows, and the lines of skin nearby."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.brows import FAR_MM, usual_brows
from facedetail_addon.core.skin.basis import load_basis
from facedetail_addon.core.skin.brows import BrowLook, look_with_hair, seen_look, sharp_picture, without_lines
from facedetail_addon.core.skin.eye_skin import (
    FORMAT_VERSION,
    as_people_are,
    how_lined,
    load_eye_skin,
    of_another_basis,
    with_eye_lines,
)
from facedetail_addon.core.skin.grain import seen_pieces

SIDE = 1024


def log(picture: np.ndarray) -> np.ndarray:
    return np.log(picture @ LUMINANCE)


def fine(values: np.ndarray) -> np.ndarray:
    return values - cv2.GaussianBlur(values, (0, 0), 4)


@pytest.fixture(scope="module")
def mean_skin(model):
    basis = load_basis(model)
    return basis.albedo_map(np.zeros(len(basis.modes)))


@pytest.fixture(scope="module")
def smooth(mean_skin):
    """(SIDE, SIDE) the same enlarged."""
    return log(cv2.resize(mean_skin, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="module")
def usual(model, atlas):
    """(SIDE, SIDE) mm inside of people's brows."""
    small = atlas.picture(usual_brows(model) + np.float32(FAR_MM)) - FAR_MM
    return cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


@pytest.fixture(scope="module")
def brow(usual):
    """(SIDE, SIDE) bool: the middle of both brows."""
    return usual > 0


@pytest.fixture(scope="module")
def drawn(mean_skin, model, usual):
    return sharp_picture(mean_skin, model, usual, usual)


def test_brows_get_hairs_and_are_as_dark_as_peoples(drawn, smooth, brow, mean_skin, model, usual):
    sharp = log(drawn)
    assert fine(sharp)[brow].std() > 2.5 * fine(smooth)[brow].std()
    skin = smooth[(usual < -8) & (usual > -14)].mean()
    assert 1.2 < (sharp[brow].mean() - skin) / (smooth[brow].mean() - skin) < 2.2  # a mean of people is paler than they
    np.testing.assert_array_equal(drawn, sharp_picture(mean_skin, model, usual, usual))


def test_hairs_grow_where_this_persons_brows_are_and_the_smear_is_gone(mean_skin, model, usual, smooth):
    down = 20  # texels, 8 mm
    own = np.full_like(usual, -FAR_MM)
    own[down:] = usual[:-down]
    sharp = log(sharp_picture(mean_skin, model, usual, own))
    core, former = own > 0, (usual > 0) & (own < -3)
    around = sharp[(usual < -8) & (own < -8) & (usual > -16)].mean()
    assert sharp[core].mean() < around - 0.3
    assert abs(sharp[former].mean() - around) < 0.3 * abs(smooth[former].mean() - around)


def test_unseen_hairs_are_as_dark_of_the_hue_and_as_crisp_as_seen_ones(mean_skin, model, usual, brow):
    plain = np.broadcast_to(np.float32([0.4, 0.25, 0.18]), (SIDE, SIDE, 3))
    apart, spread = np.float32([-0.6, -0.8, -0.9]), []
    for crisp in (0.1, 0.3):
        hairs = 1 + crisp * np.random.default_rng(0).standard_normal((SIDE, SIDE, 1)).astype(np.float32)
        seen = plain * np.exp(apart * brow[..., None] * hairs)
        look = seen_look(seen, np.ones((SIDE, SIDE), np.float32), usual)
        np.testing.assert_allclose(look.apart, apart, atol=0.12)
        found = np.log(sharp_picture(mean_skin, model, usual, usual, look))
        skin = np.log(sharp_picture(mean_skin, model, usual, usual, BrowLook(0 * apart, 0.0)))
        core = usual > 0.5
        np.testing.assert_allclose((found - skin)[core].mean(axis=0), look.apart, atol=0.25)
        spread.append(fine((found - skin) @ LUMINANCE)[core].std())
    assert spread[1] > 1.4 * spread[0]


def test_a_brow_of_which_nothing_is_seen_tells_nothing(usual, mean_skin):
    picture = cv2.resize(mean_skin, (SIDE, SIDE))
    assert seen_look(picture, np.zeros((SIDE, SIDE), np.float32), usual) is None
    assert seen_look(picture, np.ones((SIDE, SIDE), np.float32), np.full_like(usual, -FAR_MM)) is None


def test_brows_follow_the_hair_on_the_scalp(mean_skin, model, usual, brow):
    black, fair, white = (
        np.log(sharp_picture(mean_skin, model, usual, usual, look_with_hair(np.float32(apart))))[brow].mean(axis=0)
        for apart in ([-3.0, -2.6, -2.2], [-0.6, -0.7, -1.1], [0.1, 0.6, 1.1])
    )
    assert (black < fair - 0.3).all() and (fair < white).all()
    assert fair[0] - fair[2] > black[0] - black[2] > white[0] - white[2]


def test_elsewhere_skin_is_only_sharper(drawn, smooth, brow):
    away = cv2.dilate(brow.astype(np.uint8), np.ones((61, 61), np.uint8)) == 0
    np.testing.assert_allclose(
        cv2.GaussianBlur(log(drawn), (0, 0), 12)[away], cv2.GaussianBlur(smooth, (0, 0), 12)[away], atol=0.08
    )


def test_people_without_brows_get_none(model, usual):
    plain = np.full((256, 256, 3), [0.4, 0.25, 0.18], np.float32)
    found = sharp_picture(plain, model, usual, usual)
    np.testing.assert_allclose(found, np.broadcast_to(plain[0, 0], (SIDE, SIDE, 3)), rtol=1e-3)


@pytest.fixture(scope="module")
def lined():
    """(SIDE, SIDE) luminance with level lines above row 512, upright ones below, and a deep fold; where it is seen."""
    down, across = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    waves = np.where(down < SIDE / 2, np.sin(down), np.sin(across)) * 0.1
    waves[300:304] -= 1.5
    seen = (across > 300) & (across < 724) & (np.abs(down - 512) > 80)
    return 0.3 * np.exp(waves), seen


def test_lines_go_on_from_skin_nearby_as_strong_and_folds_do_not(lined):
    luminance, seen = lined
    wanted = np.zeros((SIDE, SIDE), bool)
    wanted[440:584, 350:680] = True
    found = seen_pieces(luminance, seen, wanted)
    above, below = found[450:490, 380:650], found[535:575, 380:650]
    for part, lines, across in ((above, 0, 1), (below, 1, 0)):
        assert 0.04 < part.std() < 0.11
        slopes = [np.abs(np.diff(part, axis=axis)).mean() for axis in (lines, across)]
        assert slopes[0] > 2 * slopes[1]
    assert found.min() > -0.5
    assert not found[~cv2.dilate(wanted.astype(np.uint8), np.ones((65, 65), np.uint8)).astype(bool)].any()


def test_pieces_need_skin_to_be_taken_from(lined):
    luminance, seen = lined
    assert seen_pieces(luminance, np.zeros_like(seen), ~seen) is None


@pytest.fixture(scope="module")
def eyes(model):
    return load_eye_skin(model)


@pytest.fixture(scope="module")
def lids(model):
    """(SIDE, SIDE) bool: within 6 mm of the rims of lids, and not on these."""
    uv = model.landmarks68.points(model.skin.vertex_uv())
    out = np.zeros((2, SIDE, SIDE), np.uint8)
    for part in (slice(36, 42), slice(42, 48)):
        at = np.round(np.column_stack([uv[part, 0], 1 - uv[part, 1]]) * SIDE).astype(np.int32)
        for picture, width in zip(out, (33, 7), strict=True):
            cv2.fillConvexPoly(picture, at, 1)
            cv2.polylines(picture, [at], True, 1, width)
    return (out[0] > 0) & (out[1] == 0)


def test_lids_have_creases_that_the_mean_of_people_lacks(drawn, eyes, lids):
    mean = drawn
    lined = with_eye_lines(mean, eyes, None, False)
    assert fine(log(lined))[lids].std() > 1.5 * fine(log(mean))[lids].std()
    below = np.s_[SIDE * 3 // 4 :]
    np.testing.assert_array_equal(lined[below], mean[below])


def test_brows_keep_their_own_hairs(drawn, eyes, brow, usual):
    lined = with_eye_lines(drawn, eyes, None, False)
    found = without_lines(lined, drawn, usual)
    np.testing.assert_allclose(found[brow], drawn[brow], rtol=1e-6)
    np.testing.assert_array_equal(found[usual < -3], lined[usual < -3])


def test_lined_people_have_deeper_lines_around_the_eyes(drawn, eyes, lids):
    mean = drawn
    contrasts = [fine(log(with_eye_lines(mean, eyes, lined, False)))[lids].std() for lined in (-4.0, -2.8, -1.4)]
    assert contrasts[0] < contrasts[1] < contrasts[2]
    assert contrasts[2] > 1.4 * contrasts[0]


def test_lines_are_redder_but_in_photos_without_colours(drawn, eyes, lids):
    grey = np.repeat((drawn @ LUMINANCE)[..., None], 3, axis=2)
    lined, plain = (with_eye_lines(grey, eyes, None, without) for without in (False, True))
    dark = lids & (log(lined) < log(grey) - 0.1)
    assert lined[dark, 0].mean() > 1.02 * lined[dark, 2].mean()
    np.testing.assert_allclose(plain[..., 0], plain[..., 2], rtol=1e-5)


def test_how_lined_skin_is_its_smoothest_part_tells(lined):
    luminance, _ = lined
    smooth = np.exp(0.1 * np.log(luminance / 0.3)) * 0.3
    left, right = (np.zeros((SIDE, SIDE), bool) for _ in range(2))
    left[100:250, 100:400], right[100:250, 600:900] = True, True
    both = np.where(right, smooth, luminance)
    measured = [how_lined(both, parts) for parts in ((left,), (right,), (left, right))]
    assert measured[0] > measured[1] + 1
    assert measured[2] == measured[1]
    assert how_lined(both, (np.zeros_like(left),)) is None


def test_people_differ_from_the_basis_around_the_eyes_alone(mean_skin, eyes, brow, model):
    apart = np.log(as_people_are(mean_skin, eyes, False) / mean_skin)
    small = cv2.resize(brow.astype(np.float32), mean_skin.shape[1::-1], interpolation=cv2.INTER_AREA) > 0.99
    assert 0.02 < (apart @ LUMINANCE)[small].mean() < 0.4  # people of all ages have lighter brows
    assert not apart[len(apart) * 2 // 3 :].any()
    np.testing.assert_array_equal(as_people_are(mean_skin, of_another_basis(eyes), False), mean_skin)
    grey = np.log(as_people_are(mean_skin, eyes, True) / mean_skin)
    np.testing.assert_allclose(grey[..., 0], grey[..., 2], atol=1e-5)


def test_damaged_skin_around_the_eyes_is_refused(eyes, model, tmp_path):
    arrays = {
        "format_version": FORMAT_VERSION, "fingerprint": model.canonical(), "corner": (eyes.row, eyes.column),
        "lines": np.round(eyes.lines * 100).astype(np.int8), "step": 0.01, "lined": eyes.lined,
        "share": np.round(eyes.share * 255).astype(np.uint8), "apart": eyes.apart.astype(np.float16),
    }  # fmt: skip
    path = tmp_path / "eyes.npz"
    np.savez(path, **arrays)
    np.testing.assert_allclose(load_eye_skin(model, path).lines, eyes.lines, atol=0.006)
    damage = (
        {"format_version": FORMAT_VERSION + 1}, {"corner": (500, 0)}, {"share": arrays["share"][1:]},
        {"lined": np.full_like(eyes.lined, np.nan)}, {"lines": arrays["lines"].astype(np.int16)},
    )  # fmt: skip
    for changed in damage:
        np.savez(path, **{**arrays, **changed})
        with pytest.raises(AssetError, match="cannot be read"):
            load_eye_skin(model, path)
    np.savez(path, **arrays)
    with pytest.raises(AssetError, match="another head"):
        load_eye_skin(replace(model, mean=model.mean + 1), path)
