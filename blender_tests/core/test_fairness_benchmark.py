# SPDX-License-Identifier: GPL-3.0-or-later
"""Skins sorted by who wears them, and the gaps between their groups."""

from itertools import product

import numpy as np
import pytest
from skimage.color import rgb2lab

from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from scripts.benchmark.geometry.fairness import FIGURES, Paired, gap, report
from scripts.benchmark.geometry.groups import PORTRAITS, SPLITS, Wearers, skin_tone, wearers
from scripts.training.correspondence.picture import draw, make_studio
from scripts.training.correspondence.skins import SIDE, Skins

TONES = np.uint8([[70, 45, 35], [170, 120, 90], [235, 200, 180]])
AGES = (18, 34, 35, 54, 55, 89)
SHAPE = (2, 3, 3)


def plain(colours) -> np.ndarray:
    """(N, SIDE, SIDE, 3) skins of one colour each."""
    return np.broadcast_to(np.uint8(colours)[:, None, None], (len(colours), SIDE, SIDE, 3))


@pytest.fixture(scope="module")
def people():
    """Sex, age and tone of one portrait each."""
    return list(product(SPLITS["sex"], AGES, range(3)))


def sorted_people(people, model, folder):
    (folder / PORTRAITS).mkdir()
    lines = [f"p{number},{sex},{age},Nowhere" for number, (sex, age, _) in enumerate(people)]
    (folder / PORTRAITS / "info.csv").write_text("\n".join(["id,gender,age,country", *lines]), encoding="utf-8")
    names = [f"{PORTRAITS}_p{number}" for number in range(len(people))]
    skins = Skins(("canada_001f", *names), plain(TONES[[1, *(tone for *_, tone in people)]]))
    return wearers(skins, model, folder)


def test_skins_are_sorted_by_sex_age_and_tone(people, model, tmp_path):
    worn = sorted_people(people, model, tmp_path)
    for (sex, age, tone), skins in worn.cells.items():
        for skin in skins:
            was = people[skin - 1]  # the first skin is nobody's of these portraits
            assert was[0] == SPLITS["sex"][sex] and was[2] == tone
            assert AGES.index(was[1]) // 2 == age
    assert sorted(skin for skins in worn.cells.values() for skin in skins) == list(range(1, len(people) + 1))
    assert [worn.people(split, 0) for split in range(3)] == [18, 12, 12]
    assert worn.skin((0, 0, 0), 0) != worn.skin((0, 0, 0), 1) and worn.skin((0, 0, 0), 0) == worn.skin((0, 0, 0), 2)


def test_a_group_that_nobody_wears_is_named(people, model, tmp_path):
    with pytest.raises(AssetError, match=r"male, 55\+, light\."):
        sorted_people([one for one in people if one not in (("male", 55, 2), ("male", 89, 2))], model, tmp_path)


@pytest.mark.parametrize("colour", TONES.tolist())
def test_the_typology_angle_is_that_of_the_colour(colour, model):
    lightness, _, yellow = rgb2lab(np.uint8([[colour]]))[0, 0]
    found = skin_tone(plain([colour])[0], model)
    assert found == pytest.approx(np.degrees(np.arctan2(lightness - 50, yellow)), abs=0.5)


def test_all_but_the_chosen_skin_is_the_same(model, data_dir):
    studio = make_studio(model, Skins(("a", "b", "c"), plain(TONES[[0, 0, 2]])), data_dir)
    rotation = np.diag([1.0, -1.0, -1.0])
    camera = PerspectiveCamera(rotation, np.array([0, 0, 900.0]), 320.0, np.full(2, 80.0), (160, 160))
    pictures = [draw(studio, model.mean, camera, np.random.default_rng(5), skin) for skin in (0, 1, 2, None)]
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] != pictures[2]).any()
    assert any((pictures[3] == one).all() for one in pictures[:3])


def errors_of(heads: int, slow: dict[tuple[int, int], float]) -> np.ndarray:
    """(heads, 2, 3, 3) that differ much between heads, and by a little in some groups, (split, number)."""
    values = np.random.default_rng(1).uniform(0.5, 3, (heads, 1, 1, 1)) * np.ones(SHAPE)
    for (split, number), more in slow.items():
        np.moveaxis(values, split + 1, 0)[number] += more
    return values


def test_gaps_are_those_of_the_groups_and_not_of_the_heads():
    values = errors_of(40, {(2, 0): 0.1, (2, 2): -0.05})
    found = gap(values, 2)
    assert (found.worst, found.best) == (0, 2)
    assert found.share == pytest.approx(0.15 / values.mean()) and found.sigma == pytest.approx(0, abs=1e-9)
    assert gap(values, 0).share == pytest.approx(0, abs=1e-9)


def test_sigma_is_how_much_the_gap_differs_between_heads():
    values = errors_of(400, {})
    each = np.random.default_rng(2).normal(0.3, 0.2, len(values))
    values[:, 1] += each[:, None, None]
    found = gap(values, 0)
    assert found.share == pytest.approx(each.mean() / values.mean())
    assert found.sigma * values.mean() == pytest.approx(0.2 / np.sqrt(400), rel=0.1)


def test_heads_that_are_not_found_in_every_skin_do_not_count(model):
    fit = np.stack([errors_of(4, {(1, 2): 0.4})] * len(FIGURES), axis=-1)
    before = gap(fit[:3, ..., 0], 1).share
    fit[3, 0, 0, 0] = np.nan
    worn = Wearers(dict.fromkeys(np.ndindex(SHAPE), (0,)), np.array([0.0, 30.0]))
    lines, figures = report(Paired(fit, 2 * fit, np.ones((4, 2))), worn)
    assert figures["gaps"]["age"]["mean mm"]["share"] == pytest.approx(before, abs=1e-4)
    assert any("71 of 72" in line for line in lines) and any("3 of 4 (mean mm)" in line for line in lines)
    assert any(line.startswith("Largest gap") and "by age" in line for line in lines)


def test_one_head_tells_no_gap():
    worn = Wearers(dict.fromkeys(np.ndindex(SHAPE), (0,)), np.array([0.0, 30.0]))
    lines, figures = report(Paired(*np.ones((2, 1, *SHAPE, len(FIGURES))), np.ones((1, 2))), worn)
    assert figures["gaps"]["sex"] == dict.fromkeys(FIGURES)
    assert any("too few heads" in line for line in lines)
