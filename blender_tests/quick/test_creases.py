# SPDX-License-Identifier: GPL-3.0-or-later
"""Creases that the photo has lighter or darker than their shading says; and what must stay as the photo shows it."""

import numpy as np
import pytest

from facedetail_addon.core.skin.creases import FineLight, plain_creases, unexpected_creases

SIDE = 512  # texels of 0.8 mm
SKIN = np.float32([0.5, 0.3, 0.2])
DARK = np.float32([-0.3, -0.5, -0.8])
"""Logarithm of the crease's shading."""
ALL = np.ones((SIDE, SIDE), np.float32)
CREASE = np.repeat(np.exp(-0.5 * ((np.arange(SIDE) - 256) / 4.0) ** 2)[None], SIDE, axis=0).astype(np.float32)
"""3 mm to each side of a line down the middle."""
NO_HAIR = 0 * ALL
MIDDLE = np.s_[100:400, 254:258]


def shading() -> np.ndarray:
    return np.exp(CREASE[..., None] * DARK)


def evenly(colour: np.ndarray) -> np.ndarray:
    return np.broadcast_to(colour, (SIDE, SIDE, 3)).astype(np.float32)


def test_a_crease_that_the_photo_does_not_have_is_not_painted_light():
    albedo = SKIN / shading()
    found = unexpected_creases(albedo, shading(), evenly(SKIN), ALL, ALL, ALL, NO_HAIR)
    assert found.shape == (SIDE, SIDE, 3) and found.min() >= 0
    before, after = (np.log(one / SKIN)[MIDDLE].mean(axis=(0, 1)) for one in (albedo, albedo * np.exp(-found)))
    assert (before > 0.27).all()
    assert (np.abs(after) < 0.3 * before).all()
    assert found[:, :100].max() < 0.01


def test_colour_by_colour_so_that_shade_is_not_grey():
    photo = SKIN * np.exp(CREASE[..., None] * [-0.3, -0.5, -0.5])  # shading says that blue is darker
    found = unexpected_creases(photo / shading(), shading(), evenly(SKIN), ALL, ALL, ALL, NO_HAIR)
    assert found[MIDDLE][..., 2].mean() > 0.15
    assert found[..., :2].max() < 0.01


@pytest.mark.parametrize(
    ("photo", "light", "statistical"),
    [
        (SKIN * shading(), shading(), evenly(SKIN)),  # a crease as it should be
        (SKIN * np.exp(0.6 * CREASE)[..., None], np.ones_like(shading()), evenly(SKIN)),  # a pale patch in even light
        (SKIN * np.exp(-0.8 * CREASE)[..., None] * shading(), shading(), evenly(SKIN)),  # a mole in a crease
        (SKIN * np.exp(-0.8 * CREASE)[..., None], 1 / shading(), evenly(SKIN)),  # a brow on a ridge
        (SKIN * np.exp(0.6 * CREASE)[..., None] * shading(), shading(), SKIN * np.exp(0.6 * CREASE)[..., None]),
    ],
    ids=["crease", "patch", "mole", "brow", "where skin is lighter"],
)
def test_what_the_photo_shows_stays(photo, light, statistical):
    albedo, light, skin = ((one * ALL[..., None]).astype(np.float32) for one in (photo / light, light, statistical))
    found = unexpected_creases(albedo, light, skin, ALL, ALL, ALL, NO_HAIR)
    assert found.max() < 0.02


def test_crests_between_folds_are_lighter_by_light_but_pale_skin_stays_paler():
    waves = np.exp(0.2 * np.sin(np.arange(SIDE) * 0.8))[None].repeat(SIDE, axis=0).astype(np.float32)
    left = []
    for excess in (0.4, 1.2):
        albedo = SKIN * np.exp(excess * CREASE)[..., None]
        found = unexpected_creases(albedo, evenly(np.ones(3)), evenly(SKIN), ALL, ALL, waves, NO_HAIR)
        assert np.abs(found[:, :150]).max() < 0.01
        left.append((excess * CREASE[..., None] - found)[MIDDLE].mean())
    assert 0.1 < left[0] < 0.22
    assert 0.7 < left[1]


@pytest.mark.parametrize(("folded", "hairy"), [(True, 0), (True, 1), (False, 0)], ids=["folds", "brow", "mole"])
def test_grooves_between_folds_are_mostly_dark_by_shade_but_moles_and_brows_stay(folded, hairy):
    waves = np.exp(0.2 * folded * np.sin(np.arange(SIDE) * 0.8))[None].repeat(SIDE, axis=0).astype(np.float32)
    albedo = SKIN * np.exp(-0.8 * CREASE)[..., None]
    found = unexpected_creases(albedo, evenly(np.ones(3)), evenly(SKIN), ALL, ALL, waves, hairy * ALL)
    shade = -found[MIDDLE].mean()
    assert 0.35 < shade < 0.6 if folded and not hairy else abs(shade) < 0.02
    assert np.abs(found[:, :150]).max() < 0.01


def test_wide_shade_on_folded_skin_is_no_groove():
    waves = np.exp(0.2 * np.sin(np.arange(SIDE) * 0.8))[None].repeat(SIDE, axis=0).astype(np.float32)
    wide = np.exp(-0.5 * ((np.arange(SIDE) - 256) / 40.0) ** 2)[None].repeat(SIDE, axis=0)  # 3 cm to each side
    albedo = (SKIN * np.exp(-0.6 * wide)[..., None]).astype(np.float32)
    found = unexpected_creases(albedo, evenly(np.ones(3)), evenly(SKIN), ALL, ALL, waves, NO_HAIR)
    assert np.abs(found[MIDDLE]).max() < 0.1


def test_nothing_is_found_where_no_skin_is_seen_or_no_light_is_known():
    albedo = SKIN / shading()
    assert not unexpected_creases(albedo, shading(), evenly(SKIN), 0 * ALL, ALL, ALL, NO_HAIR).any()
    assert not unexpected_creases(albedo, shading(), evenly(SKIN), ALL, 0 * ALL, ALL, NO_HAIR).any()


def test_relief_reddens_light_in_grooves_of_photos_in_colour():
    relief = np.linspace(0.5, 1.5, 64, dtype=np.float32)[None].repeat(64, axis=0)
    texel = np.arange(16 * 64, 24 * 64)
    red, _, blue = FineLight(relief, plain_creases(), False).factor(texel).reshape(3, 8, 64)
    assert (red[:, :30] > blue[:, :30]).all() and np.array_equal(red[:, 34:], blue[:, 34:])
    grey = FineLight(relief, plain_creases(), True).factor(texel)
    np.testing.assert_allclose(grey, relief[16:24].reshape(1, -1).repeat(3, axis=0), rtol=1e-5)
