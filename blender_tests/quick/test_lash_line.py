# SPDX-License-Identifier: GPL-3.0-or-later
"""The lids' rims have a dark line where lashes grow, and eyes a pink inner corner, where no photo has brought them."""

import numpy as np
import pytest

from facedetail_addon.core.colour import LUMINANCE, to_linear
from facedetail_addon.core.skin.lash_line import paint_lid_rims

SIDE = 1024
SKINS = {"fair": (224, 180, 160), "dark": (96, 62, 46)}


def plain(skin: tuple[int, int, int]) -> np.ndarray:
    return np.tile(np.uint8(skin), (SIDE, SIDE, 1))


def darker(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(R, R) log."""
    return np.log((to_linear(before) @ LUMINANCE) / np.maximum(to_linear(after) @ LUMINANCE, 1e-4))


def along_eye(model, index: int, up_mm: float) -> tuple[slice, slice]:
    """Some texels above or below the middle between two of iBUG's lids' landmarks."""
    u, v = model.landmarks68.points(model.skin.vertex_uv())[[index, index + 1]].mean(axis=0)
    row, column = int((1 - v - up_mm / 409.6) * SIDE), int(u * SIDE)
    return slice(row - 3, row + 4), slice(column - 1, column + 2)


@pytest.mark.parametrize("skin", SKINS.values(), ids=SKINS)
def test_the_upper_rim_is_dark_the_lower_less_and_skin_beside_stays(model, skin):
    before, after = plain(skin), plain(skin)
    paint_lid_rims(after, model, grey=False)
    change = darker(before, after)
    for upper, lower in ((37, 40), (43, 46)):
        above, below = (change[along_eye(model, at, 0.0)].max() for at in (upper, lower))
        assert above > 0.4 and 0.05 < below < 0.7 * above
        assert abs(change[along_eye(model, upper, 5.0)]).max() < 0.02
        assert abs(change[along_eye(model, lower, -5.0)]).max() < 0.02
    assert not (change != 0)[: SIDE // 4].any() and not (change != 0)[3 * SIDE // 4 :].any()


def test_what_is_dark_already_becomes_no_darker(model):
    once = plain(SKINS["fair"])
    paint_lid_rims(once, model, grey=False)
    twice = once.copy()
    paint_lid_rims(twice, model, grey=False)
    assert np.abs(darker(once, twice)).max() < 0.1


def test_dark_brows_come_with_darker_lashes(model):
    fair, dark = plain(SKINS["fair"]), plain(SKINS["fair"])
    for index in range(17, 27):
        u, v = model.landmarks68.points(model.skin.vertex_uv())[index]
        dark[int((1 - v) * SIDE) - 12 : int((1 - v) * SIDE) + 12, int(u * SIDE) - 12 : int(u * SIDE) + 12] = 20
    strengths = []
    for albedo in (fair, dark):
        before = albedo.copy()
        paint_lid_rims(albedo, model, grey=False)
        strengths.append(darker(before, albedo)[along_eye(model, 37, 0.0)].max())
    assert strengths[1] > 1.3 * strengths[0]


def test_the_inner_corner_is_pink_and_grey_in_grey_photos(model):
    before = plain(SKINS["fair"])
    colour, grey = before.copy(), plain((180, 180, 180))
    paint_lid_rims(colour, model, grey=False)
    paint_lid_rims(grey, model, grey=True)
    assert not np.ptp(grey, axis=2).any()
    redder = np.log(to_linear(colour)[..., 0] / to_linear(colour)[..., 1]) - np.log(
        np.divide(*to_linear(before[0, 0, :2]))
    )
    uv = model.landmarks68.points(model.skin.vertex_uv())
    rows, columns = np.nonzero(redder > 0.2)
    places = np.stack([(columns + 0.5) / SIDE, 1 - (rows + 0.5) / SIDE], axis=1) * 409.6
    away = np.linalg.norm(places[:, None] - uv[[39, 42]] * 409.6, axis=2)
    assert (away.min(axis=0) < 3).all() and away.min(axis=1).max() < 6
