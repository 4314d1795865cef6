# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares of the relief that belong to the photo's expression: none without one, each in its own region and side."""

import numpy as np
import pytest

from facedetail_addon.core.detail.expression_shares import GROUPS, expression_shares, share_maps, sides
from facedetail_addon.core.detail.types import EXPRESSION_GROUPS

FOLDED_MM, PLAIN_MM = 0.1, 0.01


def beta_of(model, **weights: float) -> np.ndarray:
    """By the beginnings of names: both sides."""
    beta = np.zeros(len(model.expression_names), np.float32)
    for index, name in enumerate(model.expression_names):
        beta[index] = next((weight for stem, weight in weights.items() if name.startswith(stem)), 0)
    return beta


def most(model, **weights: float) -> dict[str, float]:
    shares = expression_shares(model, beta_of(model, **weights))
    assert shares.dtype == np.float32 and shares.shape == (model.skin.stop, len(EXPRESSION_GROUPS))
    assert shares.min() >= 0 and shares.sum(axis=1).max() <= 1
    return dict(zip(EXPRESSION_GROUPS, shares.max(axis=0), strict=True))


def places(model, group: str, beta: np.ndarray) -> np.ndarray:
    """(N, 3) mm where most of a group's share is."""
    share = expression_shares(model, beta)[:, EXPRESSION_GROUPS.index(group)]
    return model.skin.of(model.mean)[share > 0.5 * share.max()]


@pytest.mark.parametrize("weight", [0.0, 0.05])
def test_without_expression_nothing_belongs_to_one(model, weight):
    assert not any(most(model, browInner=weight, browOuter=weight, browDown=weight, mouthSmile=weight, eye=0).values())


@pytest.mark.parametrize(
    ("weights", "moved"),
    [({"mouthSmile": 0.8}, {"eyes", "mouth"}), ({"browInnerUp": 0.6}, {"forehead"}),
     ({"browOuterUp": 0.6}, {"forehead"}), ({"browDown": 0.6}, {"frown"}), ({"eyeSquint": 0.6}, {"eyes"}),
     ({"cheekSquint": 0.6}, {"eyes"}), ({"noseSneer": 0.6}, {"mouth"}), ({"mouthPucker": 0.9}, {"mouth"}),
     ({"jawOpen": 1.0, "eyeBlink": 1.0}, set())],
)  # fmt: skip
def test_expressions_take_their_own_regions(model, weights, moved):
    found = most(model, **weights)
    assert {name for name, share in found.items() if share > 0} == moved
    for name in moved:
        assert 0.2 < found[name] <= GROUPS[name].most + 1e-6 < 0.9, "lines of old skin stay partly at rest"


def test_shares_grow_with_the_expression(model):
    grown = [most(model, mouthSmile=weight)["mouth"] for weight in (0.15, 0.25, 0.35, 0.6, 1.0)]
    assert all(np.diff(grown[:4]) > 0) and grown[3] == pytest.approx(grown[4]) == pytest.approx(GROUPS["mouth"].most)


@pytest.mark.parametrize(("side", "sign"), [("Left", 1), ("Right", -1)])
@pytest.mark.parametrize(
    ("group", "stem"), [("forehead", "browOuterUp"), ("eyes", "eyeSquint"), ("mouth", "mouthSmile")]
)
def test_one_side_stays_on_its_side(model, side, sign, group, stem):
    where = places(model, group, beta_of(model, **{stem + side: 0.8}))
    assert len(where) > 50 and (sign * where[:, 0]).min() > -6
    both = places(model, group, beta_of(model, **{stem: 0.8}))
    assert both[:, 0].min() < -15 and both[:, 0].max() > 15


def test_regions_lie_where_anatomy_has_them(model):
    marks = model.landmarks68.points(model.mean)
    brows, eyes, mouth = marks[17:27, 1].mean(), marks[36:48, 1].mean(), marks[48:60, 1].mean()
    forehead = places(model, "forehead", beta_of(model, browInnerUp=1, browOuterUp=1))
    assert forehead[:, 1].min() > brows - 8 and forehead[:, 2].min() > 0
    frown = places(model, "frown", beta_of(model, browDown=1))
    assert np.abs(frown[:, 0]).max() < 20 and abs(frown[:, 1].mean() - brows) < 15
    crow = places(model, "eyes", beta_of(model, eyeSquint=1))
    assert crow[:, 1].max() < brows + 6 and np.abs(crow[:, 0]).max() > np.abs(marks[36, 0]) + 12
    fold = places(model, "mouth", beta_of(model, mouthSmile=1))
    assert fold[:, 1].max() < eyes + 3 and fold[:, 1].min() > 2.2 * mouth - 20
    assert np.abs(fold - marks[66]).sum(axis=1).min() > 8, "lips have their own"


def test_names_without_sides_count_on_both():
    group = GROUPS["forehead"]
    assert group.sliders("Left", ["browInnerUp", "browOuterUpLeft", "browOuterUpRight"]) == {
        "browInnerUp": 1.0, "browOuterUpLeft": 1.0,
    }  # fmt: skip
    assert group.sliders("Left", ["smile"]) == {}


def test_sides_share_the_middle(model):
    both = sides(model)
    np.testing.assert_allclose(both.sum(axis=1), 1, atol=1e-6)
    x = model.skin.of(model.mean)[:, 0]
    assert both[x > 13, 0].min() == 1 and both[x < -13, 0].max() == 0
    assert both[np.abs(x) < 0.1, 0] == pytest.approx(0.5, abs=0.02)


def test_maps_keep_to_folded_skin(model, atlas):
    shares = expression_shares(model, beta_of(model, browOuterUp=1, browInnerUp=1, mouthSmile=1))
    side = atlas.resolution
    checker = 2 * (np.add(*np.mgrid[:side, :side]) % 2) - 1
    folded = np.where(np.arange(side)[:, None] < side // 2, FOLDED_MM, PLAIN_MM)  # in the upper half alone
    maps = share_maps(shares, (checker * folded).astype(np.float32), atlas)
    assert maps.dtype == np.uint8 and maps.shape == (side, side, len(EXPRESSION_GROUPS))
    upper, lower = slice(8, side // 2 - 8), slice(side // 2 + 8, side)
    assert maps[upper, ..., 0].max() > 200 and not maps[lower].any()
    covered = atlas.covered[upper]
    np.testing.assert_allclose(maps[upper][covered] / 255, atlas.texels(shares, upper), atol=0.5 / 255 + 1e-6)


def test_smooth_skin_has_no_shares(model, atlas):
    shares = expression_shares(model, beta_of(model, browOuterUp=1, mouthSmile=1))
    assert not share_maps(shares, np.zeros((64, 64), np.float32), atlas).any()
