# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair on the scalp of heads whose colours are known."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.observe.masks.types import MASK_SIDE, PhotoMasks
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.skin.completion import complete, well_known
from facedetail_addon.core.skin.hair import find_hair, scraps, short_hair, softened

SKIN = np.float32([0.45, 0.27, 0.2])
COLOURS = {"black": (0.03, 0.025, 0.02), "blond": (0.4, 0.28, 0.1), "grey": (0.3, 0.3, 0.3), "red": (0.3, 0.09, 0.03)}
HAIRLINE_MM = 118.0


@pytest.fixture(scope="module")
def rest(model):
    return model.skin.of(model.mean)


@pytest.fixture(scope="module")
def scalp(model):
    return model.in_region("scalp")


@pytest.fixture(scope="module")
def seen(rest, atlas):
    """What a photo from the front shows."""
    return (vertex_normals(rest, atlas.triangles)[:, 2] > 0.4).astype(np.float32)


@pytest.fixture
def skin(rest):
    return np.tile(SKIN, (len(rest), 1))


def with_hair(skin, rest, scalp, colour) -> np.ndarray:
    """Hair above a high hairline, skin below it."""
    out = skin.copy()
    out[scalp & (rest[:, 1] > HAIRLINE_MM)] = colour
    return out


@pytest.mark.parametrize("colour", COLOURS.values(), ids=COLOURS)
def test_hair_goes_on_where_the_photo_does_not_show_it(atlas, rest, scalp, seen, skin, colour):
    hair = find_hair(with_hair(skin, rest, scalp, colour), seen, skin, rest, scalp, atlas)
    np.testing.assert_allclose(hair.colour, colour, rtol=0.05)
    back = scalp & (rest[:, 2] < -40) & (rest[:, 1] > 60)
    assert back.sum() > 300 and hair.share[back].min() > 0.95
    assert not hair.share[~scalp].any()
    bare = scalp & (seen > 0) & (rest[:, 1] < HAIRLINE_MM - 12)
    assert bare.sum() > 50 and np.median(hair.share[bare]) < 0.1, "a high forehead that is seen stays skin"


def test_bald_heads_stay_bald(rest, scalp, atlas, seen, skin):
    assert find_hair(skin, seen, skin, rest, scalp, atlas) is None
    shaded = skin * np.linspace(0.8, 1.1, len(skin), dtype=np.float32)[:, None]
    assert find_hair(shaded, seen, skin, rest, scalp, atlas) is None


def test_the_photos_mask_decides_where_it_has_looked(atlas, rest, scalp, seen, skin):
    """A dark wall behind a bald head is no cap, and white hair on dark skin is hair."""
    dark = skin * 0.2
    wall = with_hair(skin, rest, scalp, COLOURS["black"])
    nothing, everywhere = np.zeros(len(rest), np.float32), np.ones(len(rest), np.float32)
    assert find_hair(wall, seen, skin, rest, scalp, atlas, nothing) is None
    assert find_hair(wall, seen, skin, rest, scalp, atlas, everywhere * np.nan) is not None
    white = with_hair(dark, rest, scalp, (0.5, 0.48, 0.46))
    hair = find_hair(white, seen, dark, rest, scalp, atlas, (rest[:, 1] > HAIRLINE_MM).astype(np.float32))
    np.testing.assert_allclose(hair.colour, (0.5, 0.48, 0.46), rtol=0.1)
    assert find_hair(skin, seen, skin, rest, scalp, atlas, everywhere) is None, "a shaved head looks like skin"


def test_hair_in_the_skys_light_is_not_blue_and_dyed_hair_is(atlas, rest, scalp, seen, skin):
    grey = find_hair(with_hair(skin, rest, scalp, (0.2, 0.22, 0.27)), seen, skin, rest, scalp, atlas)
    assert grey.colour[2] <= 1.05 * grey.colour[0]
    filtered = find_hair(with_hair(skin, rest, scalp, (0.084, 0.041, 0.08)), seen, skin, rest, scalp, atlas)
    assert filtered.colour[2] <= 1.05 * filtered.colour[1], "purple is what is left of an orange filter"
    dyed = find_hair(with_hair(skin, rest, scalp, (0.05, 0.08, 0.4)), seen, skin, rest, scalp, atlas)
    np.testing.assert_allclose(dyed.colour, (0.05, 0.08, 0.4), rtol=0.05)


def test_what_is_not_seen_says_nothing(atlas, rest, scalp, skin):
    colours = with_hair(skin, rest, scalp, COLOURS["black"])
    assert find_hair(colours, np.zeros(len(skin), np.float32), skin, rest, scalp, atlas) is None
    some = np.zeros(len(skin), np.float32)
    some[np.flatnonzero(scalp & (rest[:, 1] > HAIRLINE_MM))[:3]] = 1
    assert find_hair(colours, some, skin, rest, scalp, atlas) is None, "three dark points may be anything"


def test_hair_that_shines_is_not_taken_for_grey(atlas, rest, scalp, seen, skin):
    colours = with_hair(skin, rest, scalp, COLOURS["black"])
    shining = np.flatnonzero(scalp & (rest[:, 1] > HAIRLINE_MM))[::3]
    colours[shining] = 0.5
    hair = find_hair(colours, seen, skin, rest, scalp, atlas)
    np.testing.assert_allclose(hair.colour, COLOURS["black"], rtol=0.05)


def test_the_completed_scalp_has_the_hairs_colour(model, atlas, rest, scalp, seen, skin):
    colours = with_hair(skin, rest, scalp, COLOURS["black"])
    known = (~scalp).astype(np.float32)
    completed = complete(colours, seen, skin, known, model, atlas)
    back = scalp & (rest[:, 2] < -40) & (rest[:, 1] > 60)
    np.testing.assert_allclose(completed.colour[back], np.tile(COLOURS["black"], (back.sum(), 1)), atol=0.02)
    assert completed.hair[back].min() > 0.95
    bald = complete(skin, seen, skin, known, model, atlas)
    np.testing.assert_allclose(bald.colour[back], skin[back], rtol=0.05)
    assert not bald.hair.any()


def test_the_hairs_colour_does_not_run_over_unseen_ears(model, atlas, rest, scalp, seen, skin):
    colours = with_hair(skin, rest, scalp, COLOURS["black"])
    ears = model.in_region("ears")
    known = (~scalp & ~ears & ~model.in_region("neck")).astype(np.float32)
    completed = complete(colours, seen * ~ears, skin, known, model, atlas)
    away = cKDTree(rest[scalp]).query(rest)[0]
    assert (ears & (away > 12)).sum() > 100
    np.testing.assert_allclose(completed.colour[ears & (away > 12)], skin[ears & (away > 12)], rtol=0.1)


def test_a_scarfs_colour_at_the_rim_of_the_face_does_not_run_over_unseen_ears(model, atlas, rest, scalp, seen, skin):
    ears = model.in_region("ears")
    unknown = scalp | ears | model.in_region("neck")
    to_ears = cKDTree(rest[ears]).query(rest)[0]
    rim = ~unknown & (to_ears < 12)
    blue = np.float32([1, 1, 4]) * skin
    colours = np.where(rim[:, None], blue * ((skin @ LUMINANCE) / (blue @ LUMINANCE))[:, None], skin)
    completed = complete(colours, seen * ~unknown, skin, (~unknown).astype(np.float32), model, atlas)
    ratio = completed.colour[ears] / skin[ears]
    assert np.median(ratio[:, 2] / ratio[:, 0]) < 1.15, "4 at the rim"


def test_unseen_ears_are_redder_than_the_plain_skin_and_necks_a_little_darker(model, atlas, rest, scalp, seen, skin):
    ears, neck = model.in_region("ears"), model.in_region("neck")
    known = (~scalp & ~ears & ~neck).astype(np.float32)
    shaded = model.in_region("mouth", "eyes") | ((rest[:, 1] < -50) & ~neck)
    colours = np.where(shaded[:, None], np.float32(0.4) * skin, skin)
    completed = complete(colours, seen * known, skin, known, model, atlas).colour
    ratio = {
        name: np.median(completed[where] / skin[where], axis=0) for name, where in (("ears", ears), ("neck", neck))
    }
    assert ratio["ears"][0] == pytest.approx(1, abs=0.02), "whatever lips and shade are like"
    assert 0.02 < ratio["ears"][0] - ratio["ears"][1] < 0.08
    assert 0.8 < ratio["neck"] @ LUMINANCE < 0.95
    grey = np.repeat((skin @ LUMINANCE)[:, None], 3, axis=1)
    without_colours = complete(grey, seen * known, grey, known, model, atlas).colour[ears | neck]
    assert np.ptp(without_colours, axis=1).max() < 1e-3


def test_a_speck_of_hair_on_a_bald_head_does_not_run_over_the_scalp(model, atlas, rest, scalp, skin):
    top = np.flatnonzero(scalp)[np.argmax(rest[scalp, 1])]
    away = np.linalg.norm(rest - rest[top], axis=1)
    speck = (away < 5).astype(np.float32)
    known = (~scalp & ~model.in_region("neck", "ears")).astype(np.float32)
    colours = np.where(speck[:, None] > 0, np.float32([0.05, 0.03, 0.05]), skin)
    completed = complete(colours, np.where(scalp, 0.02 * speck, known), skin, known, model, atlas)
    around = scalp & (away > 8) & (away < 25)
    np.testing.assert_allclose(completed.colour[around], skin[around], rtol=0.05)
    assert not completed.hair.any()


def test_hair_thins_out_over_its_border(atlas, rest, scalp):
    share = softened(scalp.astype(np.float32), atlas)
    border = scalp & (cKDTree(rest[~scalp]).query(rest)[0] < 4)
    assert 0.4 < share[border].mean() < 0.85
    assert share[~scalp & (cKDTree(rest[scalp]).query(rest)[0] > 15)].max() < 0.1


def test_short_hair_is_dots_about_its_colour():
    for side in (1024, 2048):
        dots = short_hair(side)
        assert dots.shape == (side, side) and dots.dtype == np.float32
        assert abs(float(dots.mean())) < 0.01 and 0.05 < float(dots.std()) < 0.3
    np.testing.assert_array_equal(short_hair(1024), short_hair(1024))
    assert not short_hair(512).any(), "a texel of more than a millimetre shows no dots"


def test_the_statistical_albedos_border_counts_less_than_its_inside(model, atlas, rest):
    from facedetail_addon.core.skin.basis import load_basis

    known = load_basis(model).known
    trusted = well_known(known, model, atlas)
    assert (trusted <= known).all()
    nose, mouth = (model.in_region(name) for name in ("nose", "mouth"))
    for inside in (nose, mouth):
        certain = inside & (known == 1)
        assert certain.sum() > 100 and np.median(trusted[certain]) == 1
    border = (known > 0.5) & (np.abs(rest[:, 0]) > 60) & (rest[:, 1] > 0)
    assert border.sum() > 20 and trusted[border].mean() < 0.5 * known[border].mean()


def test_teeth_beside_the_lips_colour_neither_their_line_nor_their_inner_side(model, atlas, rest, seen):
    from facedetail_addon.core.skin.basis import load_basis

    known = load_basis(model).known
    inner = model.in_region("mouth") & (known == 0)
    known = well_known(known, model, atlas)
    beside = cKDTree(rest[inner]).query(rest)[0]
    mouth = model.in_region("mouth") & ~inner
    assert known[mouth & (beside < 1)].max() == 0 and np.median(known[mouth & (beside > 4)]) == 1
    skin = np.tile(SKIN, (len(rest), 1))
    lips = SKIN * np.float32([0.9, 0.6, 0.7])
    skin[mouth & (beside < 6)] = lips
    teeth = skin.copy()
    teeth[mouth & (beside < 2)] = 0.8
    completed = complete(teeth, seen * ~inner, skin, known, model, atlas)
    deep = inner & (cKDTree(rest[mouth]).query(rest)[0] > 4)
    assert deep.sum() > 20
    np.testing.assert_allclose(np.median(completed.colour[deep], axis=0), lips, rtol=0.1)


def test_the_hairline_below_a_scarf_is_no_stain_and_a_head_of_hair_stays(rest, scalp, atlas, seen, skin):
    told, black = np.ones(len(rest), np.float32), np.float32([0.01, 0.01, 0.01])
    strip = scalp & (rest[:, 1] > HAIRLINE_MM) & (rest[:, 1] < HAIRLINE_MM + 1.5)
    below = (seen * (rest[:, 1] < HAIRLINE_MM + 1.5)).astype(np.float32)
    told[~strip] = 0
    out = scraps(np.where(strip[:, None], black, skin), below, skin, told, scalp, atlas)
    assert out[strip].min() > 0.9 and out[~strip].max() < 0.01
    grey = np.full_like(skin, float(skin[0] @ LUMINANCE))
    assert scraps(np.where(strip[:, None], grey, skin), below, skin, told, scalp, atlas)[strip].min() > 0.9
    told = np.ones(len(rest), np.float32)
    assert not scraps(with_hair(skin, rest, scalp, black), seen, skin, told, scalp, atlas).any()
    nobody_looked = np.full(len(rest), np.nan, np.float32)
    assert not scraps(with_hair(skin, rest, scalp, black), seen, skin, nobody_looked, scalp, atlas).any()


def test_little_of_a_scalp_that_is_all_hair_is_a_head_of_hair(rest, scalp, atlas, seen, skin):
    grey, told = np.full_like(skin, float(skin[0] @ LUMINANCE)), np.ones(len(rest), np.float32)
    rising = np.argsort(np.where(scalp & (seen > 0), rest[:, 1], np.inf))
    area = np.cumsum((atlas.areas * seen)[rising])
    strip = np.zeros(len(rest), bool)
    strip[rising[area < 300]] = True
    colours = np.where(strip[:, None], grey, skin)
    assert scraps(colours, seen * strip, skin, told, scalp, atlas)[strip].max() < 0.5
    rest_is_skin = np.where(strip, told, 0).astype(np.float32)
    assert scraps(colours, seen, skin, rest_is_skin, scalp, atlas)[strip].min() > 0.5


def test_little_hair_close_to_the_scalp_covers_it_where_the_photo_shows_a_head_of_hair(rest, scalp, atlas, seen, skin):
    colours = with_hair(skin, rest, scalp, COLOURS["grey"])
    rising = np.argsort(np.where(scalp & (seen > 0) & (colours != skin).any(axis=1), rest[:, 1], np.inf))
    strip = np.zeros(len(rest), np.float32)
    strip[rising[np.cumsum((atlas.areas * seen)[rising]) < 200]] = 1
    told = np.ones(len(rest), np.float32)
    few, head = (
        find_hair(colours, seen * strip, skin, rest, scalp, atlas, told, haired=haired) for haired in (0.0, 1.0)
    )
    back = scalp & (rest[:, 2] < np.median(rest[scalp, 2]))
    assert few is None or few.share[back].max() < 0.3
    assert head.share[back].mean() > 0.8


@pytest.mark.parametrize(("rows", "expected"), [(0, 0.0), (40, 0.0), (100, 1.0)])
def test_a_head_of_hair_is_told_by_what_lies_above_the_brows(rows, expected):
    """Brows at row 100 of the masks, the chin at row 200, hair as wide as that in so many rows above."""
    hair, skin = np.zeros((MASK_SIDE, MASK_SIDE), np.float32), np.ones((MASK_SIDE, MASK_SIDE), np.float32)
    hair[100 - rows : 100, 80:180] = 0.6 * (rows > 40) + 0.2
    hair[150:, :60] = 1  # long hair beside the neck says nothing
    masks = PhotoMasks(Region(np.array([128.0, 128.0]), 256.0), (256, 256), skin, hair, skin)
    mesh = np.zeros((478, 3), np.float32)
    mesh[[105, 334], 1], mesh[152, 1] = 100, 200
    assert masks.head_of_hair(mesh) == expected
