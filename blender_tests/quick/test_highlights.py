# SPDX-License-Identifier: GPL-3.0-or-later
"""Highlights of known strength on skin of known colour."""

import numpy as np
import pytest

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.image import texel_centres
from facedetail_addon.core.skin.highlights import SIDE, Highlights, find_highlights, without_highlights

TONES = {"light": (0.45, 0.28, 0.21), "dark": (0.09, 0.045, 0.03)}
UNDER = {"light": 0.2, "dark": 0.15}
"""How nearly the skin under a highlight's whole disc is found: on pale skin its border is no whiter than skin is."""
SEEN = slice(80, 432)


def blob(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.exp(-(((columns - x) ** 2 + (rows - y) ** 2) / radius**2)).astype(np.float32)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.hypot(columns - x, rows - y) < radius


def skin_of(tone: str) -> np.ndarray:
    """Smooth skin with pores: the same everywhere in the mean."""
    shade = 1 + 0.03 * np.sin(np.arange(SIDE) / 40)
    return (np.ones((SIDE, SIDE, 1)) * shade[:, None, None] * np.float32(TONES[tone])).astype(np.float32)


def pores() -> np.ndarray:
    return np.exp(0.08 * np.random.default_rng(0).standard_normal((SIDE, SIDE, 1))).astype(np.float32)


def found(image: np.ndarray, skin: np.ndarray, monochrome: bool = False, **more: np.ndarray) -> Highlights:
    confidence = np.zeros((SIDE, SIDE), np.float32)
    confidence[SEEN, SEEN] = 1
    return find_highlights(image.astype(np.float32), confidence, skin, monochrome, **more)


def removed(image: np.ndarray, highlights: Highlights) -> np.ndarray:
    here = np.ones((SIDE, SIDE), bool)
    out = without_highlights(image.reshape(-1, 3).astype(np.float32), highlights.enlarged(slice(0, SIDE), here))
    return out.reshape(SIDE, SIDE, 3)


def contrast(image: np.ndarray, where: np.ndarray) -> float:
    return float(np.log(image @ LUMINANCE)[where].std())


@pytest.mark.parametrize("tone", TONES)
def test_under_a_highlight_is_the_skin_beside_it_with_its_pores(tone):
    skin = skin_of(tone)
    painted = skin * pores()
    shining = painted + (0.25 * blob(240, 200, 14))[..., None] * pores()
    highlights = found(shining, skin)
    assert highlights.share[200, 240] > 0.9 and highlights.share[~disc(240, 200, 60)].max() < 0.05
    assert highlights.white[197:204, 237:244].mean() == pytest.approx(0.25, rel=0.3)
    bare = removed(shining, highlights)
    under, beside = disc(240, 200, 10), disc(240, 200, 70) & ~disc(240, 200, 45)
    for channel in range(3):
        assert bare[under, channel].mean() == pytest.approx(skin[under, channel].mean(), rel=UNDER[tone])
    assert 0.8 < contrast(bare, under) / contrast(bare, beside) < 1.3, "neither flat nor rough"


@pytest.mark.parametrize("tone", TONES)
def test_the_border_of_a_highlight_is_no_edge(tone):
    skin = skin_of(tone)
    shining = skin + (0.25 * blob(240, 200, 14))[..., None]
    bare = np.log(removed(shining, found(shining, skin)) @ LUMINANCE)
    slope = np.hypot(*np.gradient(bare))[disc(240, 200, 60)]
    assert slope.max() < 0.05, "log per texel; the highlight's own is ten times that on dark skin"


def test_a_narrow_highlight_leaves_no_bright_spot():
    skin = skin_of("dark")
    shining = skin + sum(0.25 * blob(x, 200, 5) for x in (200, 240, 280))[..., None]
    bare = removed(shining, found(shining, skin))
    brighter = np.log(bare @ LUMINANCE) - np.log(skin @ LUMINANCE)
    assert brighter[disc(240, 200, 3)].mean() < 0.12


@pytest.mark.parametrize("tone", TONES)
def test_skin_that_is_unevenly_red_does_not_shine(tone):
    skin = skin_of(tone)
    pale = blob(180, 250, 40)[..., None] * np.float32([-0.02, 0.04, 0.05]) + 0.04 * blob(180, 250, 40)[..., None]
    highlights = found(skin * np.exp(pale), skin)
    assert highlights.share[SEEN, SEEN].max() < 0.2


def test_skin_without_highlights_is_left():
    for tone in TONES:
        painted = skin_of(tone) * pores()
        highlights = found(painted, skin_of(tone))
        assert highlights.share[SEEN, SEEN].mean() < 0.02
        np.testing.assert_allclose(removed(painted, highlights), painted, rtol=0.2)


def test_pale_skin_of_its_own_hue_is_left():
    skin = skin_of("light")
    pale = skin * (1 + 0.6 * blob(240, 200, 14))[..., None]
    assert found(pale, skin).share.max() < 0.1


def test_red_lips_and_dark_beards_are_no_highlights():
    skin = skin_of("light")
    lips = skin + blob(200, 300, 16)[..., None] * np.float32([0.02, -0.1, -0.06])
    beard = skin * (1 - 0.7 * blob(300, 360, 28))[..., None]
    assert found(lips, skin).share.max() < 0.1 and found(beard, skin).share.max() < 0.1


@pytest.mark.parametrize("paint", [(0.05, 0.1, 0.5), (0.6, 0.05, 0.05), (0.1, 0.45, 0.1), (0.7, 0.55, 0.05)])
@pytest.mark.parametrize("tone", TONES)
def test_a_painted_face_keeps_its_paint(tone, paint):
    skin = skin_of(tone)
    painted = skin.copy()
    painted[disc(260, 256, 50)] = paint
    bare = removed(painted, found(painted, skin))
    np.testing.assert_allclose(bare[disc(260, 256, 40)].mean(axis=0), paint, rtol=0.15)


def test_pale_patches_stay():
    """Vitiligo: what is below the white is paler skin, and not the skin that is beside it."""
    skin = skin_of("dark")
    white = np.float32([0.5, 0.36, 0.3])
    patches = disc(150, 200, 25) | disc(250, 350, 25) | disc(360, 200, 25)
    painted = np.where(patches[..., None], white, skin)
    bare = removed(painted, found(painted, skin))
    kept = bare[disc(250, 350, 20)].mean(axis=0)
    np.testing.assert_allclose(kept, white, rtol=0.35)


def test_what_is_white_where_the_light_makes_nothing_shine_counts_less():
    skin = skin_of("dark")
    shining = skin + (0.25 * blob(256, 120, 14))[..., None]
    assert found(shining, skin, gloss=0.05 - 0.045 * blob(256, 120, 40)).share[120, 256] < 0.2
    assert found(shining, skin, gloss=0.01 + 0.04 * blob(256, 120, 40)).share[120, 256] > 0.8


def test_white_brows_stay_where_they_are_hair():
    skin = skin_of("dark")
    rows, columns = np.mgrid[:SIDE, :SIDE]
    brow = (abs(rows - 200) < 10) & (abs(columns - 240) < 40)
    hairs = brow & ((rows + columns) % 6 < 2)
    painted = np.where(hairs[..., None], np.float32([0.5, 0.48, 0.45]), skin)
    kept = removed(painted, found(painted, skin, brows=brow.astype(np.float32)))
    taken = removed(painted, found(painted, skin))
    assert kept[hairs].mean() > 2 * taken[hairs].mean()


def test_a_brow_beside_a_highlight_does_not_darken_the_skin_under_it():
    skin = skin_of("dark")
    rows, columns = np.mgrid[:SIDE, :SIDE]
    frame = np.maximum(abs(rows - 200), abs(columns - 240))
    hair = (frame > 24) & (frame < 60)
    painted = np.where(hair[..., None], 0.3 * skin, skin) + (0.25 * blob(240, 200, 14))[..., None]
    under = disc(240, 200, 8)
    bare = removed(painted, found(painted, skin))
    assert bare[under].mean() == pytest.approx(skin[under].mean(), rel=0.2)


def test_without_colours_only_strong_ones_count():
    grey = np.full((SIDE, SIDE, 3), 0.3, np.float32)
    assert found(grey + 0.04 * blob(240, 200, 10)[..., None], grey, monochrome=True).share.max() < 0.05
    shining = grey + 0.4 * blob(240, 200, 10)[..., None]
    highlights = found(shining, grey, monochrome=True)
    assert highlights.share.max() > 0.8
    assert np.ptp(removed(shining, highlights), axis=2).max() < 1e-3, "and grey stays grey"


def test_nothing_seen():
    skin = np.full((SIDE, SIDE, 3), 0.3, np.float32)
    assert not find_highlights(skin, np.zeros((SIDE, SIDE), np.float32), skin, False).share.any()


def test_enlarged_maps_agree_with_themselves():
    skin = skin_of("dark")
    highlights = found(skin + (0.25 * blob(240, 200, 14))[..., None], skin)
    here = np.ones((64, 2 * SIDE), bool)
    share = highlights.enlarged(slice(384, 448), here)[:, 0].reshape(64, 2 * SIDE)
    np.testing.assert_allclose(share.reshape(32, 2, SIDE, 2).mean(axis=(1, 3)), highlights.share[192:224], atol=0.02)
    texel = np.arange(384 * 2 * SIDE, 448 * 2 * SIDE)
    at = highlights.at(texel_centres(texel, 2 * SIDE))
    np.testing.assert_allclose(at[:, 0].reshape(share.shape), share, atol=1e-3)


def test_highlights_of_a_part_are_those_of_the_whole_and_none_beside():
    skin = skin_of("dark")
    seen = np.zeros((SIDE, SIDE), np.float32)
    seen[128:384, 96:416] = 1
    part = slice(96, 416), slice(64, 448)
    pictures = skin + (0.25 * blob(240, 200, 14))[..., None], seen, skin
    whole = find_highlights(*pictures, False)
    framed = find_highlights(*(one[part] for one in pictures), False).framed(part, SIDE)
    assert whole.share.max() > 0.5
    np.testing.assert_allclose(framed.share, whole.share, atol=0.02)
    shine = whole.share > 0.1
    np.testing.assert_allclose(framed.beside[shine], whole.beside[shine], rtol=0.05)
