# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural skin for training: strokes as high and wide as asked for, relief like people's, pigment that is colour."""

import itertools
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from facedetail_addon.core.detail.space import BOX, SIDE, TEXEL_MM, split_bands
from facedetail_addon.core.uv.raster import rasterise_uv
from scripts.training.skin.folds import Person, face_lines, random_person
from scripts.training.skin.pigment import add_pigment, stain_shapes
from scripts.training.skin.relief import make_relief
from scripts.training.skin.space import SkinSpace, scatter, skin_space
from scripts.training.skin.strokes import Marks, wide_noise

CALM = Person(age=0.4, coarse=0.5, smile=0, raise_brows=0, frown=0, squint=0, pucker=0, sneer=0)
SHAPE = (240, 320)


@pytest.fixture(scope="module")
def space(model) -> SkinSpace:
    return skin_space(model, rasterise_uv(model.skin, SIDE).triangle)


@pytest.fixture(scope="module")
def cut(space) -> SkinSpace:
    """The middle of the face: cheap."""
    rows, columns = slice(280, 1080), slice(400, 1136)
    angle = space.angle[rows.start // 8 : rows.stop // 8, columns.start // 8 : columns.stop // 8]
    corner = [columns.start, rows.start]
    return SkinSpace(
        space.marks - corner, space.centre - columns.start, space.region[rows, columns], space.names, angle
    )


@pytest.fixture(scope="module")
def young(space) -> np.ndarray:
    return make_relief(space, replace(CALM, age=0.05), np.random.default_rng(1))


@pytest.fixture(scope="module")
def old(space) -> np.ndarray:
    return make_relief(space, replace(CALM, age=0.95), np.random.default_rng(1))


def spread_across(profile: np.ndarray) -> float:
    """Standard deviation of a profile of one sign, in texels."""
    at = np.arange(len(profile))
    mean = (profile * at).sum() / profile.sum()
    return float(np.sqrt((profile * (at - mean) ** 2).sum() / profile.sum()))


@pytest.mark.parametrize("width_mm", [0.16, 0.4, 1.0, 2.5])
@pytest.mark.parametrize("height", [0.3, -0.3])
def test_a_line_is_as_high_and_wide_as_asked(width_mm, height):
    marks = Marks(SHAPE, TEXEL_MM)
    marks.line(np.array([[40.5, 120.5], [160.5, 120.5], [280.5, 120.5]]), height, width_mm)
    drawn = marks.draw()
    assert drawn.shape == SHAPE and drawn.dtype == np.float32
    profile = drawn[:, 160]
    assert abs(np.abs(profile).argmax() - 120) <= (width_mm > 1) and profile[120] == pytest.approx(height, rel=0.05)
    assert spread_across(profile) == pytest.approx(width_mm / TEXEL_MM, rel=0.06)
    assert np.ptp(drawn[120, 80:240]) < 0.05 * abs(height), "no beads along it"
    assert np.abs(drawn[:, :3]).max() < 0.01 * abs(height)


def test_a_line_may_run_anyhow_and_change_its_height():
    marks = Marks(SHAPE, TEXEL_MM)
    marks.line(np.array([[60.0, 40.0], [220.0, 200.0]]), np.array([0.0, 0.4]), 0.4)
    drawn = marks.draw()
    along = np.array([drawn[40 + step, 60 + step] for step in (40, 80, 120)])
    np.testing.assert_allclose(along, [0.1, 0.2, 0.3], rtol=0.08)


def test_shoulders_give_back_what_a_groove_takes():
    def draw(shoulder):
        marks = Marks(SHAPE, TEXEL_MM)
        marks.line(np.array([[-40.0, 120.5], [360.0, 120.5]]), -0.3, 0.4)
        return marks.draw(shoulder)[:, 160]

    plain, pushed = draw(0.0), draw(0.5)
    assert plain.max() <= 0 and pushed.max() > 0.02
    assert pushed[120] < 0, "it stays a groove"
    assert abs(pushed.sum()) < 0.15 * abs(plain.sum())


@pytest.mark.parametrize("width_mm", [0.16, 0.4, 1.6])
def test_a_dot_is_as_high_and_wide_as_asked(width_mm):
    marks = Marks(SHAPE, TEXEL_MM)
    marks.dots(np.array([[160.5, 120.5]]), np.array([0.2]), np.array([width_mm]))
    drawn = marks.draw()
    assert np.unravel_index(drawn.argmax(), SHAPE) == (120, 160)
    assert drawn.max() == pytest.approx(0.2, rel=0.06)
    assert spread_across(drawn[120]) == pytest.approx(width_mm / TEXEL_MM, rel=0.06)
    assert spread_across(drawn[:, 160]) == pytest.approx(width_mm / TEXEL_MM, rel=0.06)


def test_short_lines_lie_at_their_angle_and_fade_at_their_ends():
    marks = Marks(SHAPE, TEXEL_MM)
    angle = np.radians(30)
    marks.short_lines(
        np.array([[160.5, 120.5]]), np.array([angle]), np.array([60.0]), np.array([0.1]), np.array([0.25])
    )
    drawn = marks.draw()
    assert drawn[120, 160] == pytest.approx(0.1, rel=0.1)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]] - np.array([120, 160])[:, None, None]
    found = 0.5 * np.arctan2(2 * (drawn * rows * columns).sum(), (drawn * (columns**2 - rows**2)).sum())
    assert found == pytest.approx(angle, abs=0.03)
    end = (np.array([np.sin(angle), np.cos(angle)]) * 28).round().astype(int) + [120, 160]
    assert drawn[tuple(end)] < 0.03


def test_marks_beyond_the_map_are_left_out():
    marks = Marks(SHAPE, TEXEL_MM)
    beyond = np.array([[-3.0, 50.0], [50.0, -3.0], [330.0, 100.0], [100.0, 250.0], [-1e6, 1e6]])
    marks.dots(beyond, np.ones(5), np.full(5, 0.4))
    marks.line(np.array([[400.0, 10.0], [500.0, 90.0]]), 1.0, 0.4)
    assert not marks.draw().any()


def test_marks_add_up():
    one, two, both = (Marks(SHAPE, TEXEL_MM) for _ in range(3))
    first, second = (np.array([[50.0, 60.0]]), np.array([0.1]), np.array([0.4])), (
        np.array([[53.0, 60.0]]), np.array([-0.3]), np.array([1.0]))  # fmt: skip
    one.dots(*first)
    two.dots(*second)
    both.dots(*first)
    both.dots(*second)
    np.testing.assert_allclose(both.draw(), one.draw() + two.draw(), atol=1e-6)
    assert not Marks(SHAPE, TEXEL_MM).draw().any()


@pytest.mark.parametrize("sigma", [1.0, 8.0])
def test_wide_noise_is_as_wide_as_asked(sigma):
    """Noise blurred by a Gaussian of σ is correlated by exp(−d²/4σ²): 1/e at 2σ."""
    noise = wide_noise((512, 512), sigma, np.random.default_rng(3))
    assert noise.std() == pytest.approx(1, abs=0.01) and noise.dtype == np.float32
    away = int(2 * sigma)
    correlation = np.corrcoef(noise[:, :-away].ravel(), noise[:, away:].ravel())[0, 1]
    assert 0.2 < correlation < 0.6


def test_scatter_gives_so_many_per_square_centimetre():
    density = np.zeros((400, 600), np.float32)
    density[:, 300:] = 50
    found = scatter(density, np.random.default_rng(0))
    area_cm2 = 400 * 300 * TEXEL_MM**2 / 100
    assert len(found) == pytest.approx(50 * area_cm2, rel=0.1)
    assert found[:, 0].min() >= 300 and found[:, 0].max() < 600 and found[:, 1].max() < 400


def test_landmarks_lie_where_the_face_is(space):
    """Rows grow downwards, columns to the subject's left; BOX's corner is the origin."""
    assert space.shape == (BOX[3] - BOX[1], BOX[2] - BOX[0])
    marks = space.marks
    assert marks[27, 1] < marks[30, 1] < marks[57, 1] < marks[8, 1]
    assert marks[36, 0] < marks[45, 0] and abs(marks[30, 0] - space.centre) < 3
    at = np.round(marks[[30, 19, 24]]).astype(int)
    found = [space.names[space.region[y, x]] for x, y in at]
    assert found[0] == "nose" and set(found[1:]) <= {"forehead", "eyes"}
    lower = marks[8] - [0, 60]
    assert space.names[space.region[int(lower[1]), int(lower[0])]] == "chin"


def test_tension_lines_run_across_the_forehead(space):
    middle = np.array([[space.centre - 80, space.marks[19, 1] - 130], [space.centre + 80, space.marks[19, 1] - 130]])
    angle = space.angles_at(middle)
    assert (np.abs(np.sin(angle)) < 0.4).all()


def test_the_same_seed_gives_the_same_skin(space, old):
    again = make_relief(space, replace(CALM, age=0.95), np.random.default_rng(1))
    np.testing.assert_array_equal(again, old)


def test_flat_people_are_flat(space):
    assert not make_relief(space, replace(CALM, age=1, flat=True), np.random.default_rng(0)).any()


def test_relief_is_skins_and_in_millimetres(space, young, old):
    outside = ~cv2.dilate((space.region != 255).astype(np.uint8), np.ones((33, 33))).astype(bool)
    for relief in (young, old):
        assert relief.shape == space.shape and relief.dtype == np.float32 and np.isfinite(relief).all()
        assert not relief[outside].any()
        assert np.quantile(np.abs(relief), 0.99) < 1.5
        assert relief.std() > 0.01
    assert outside.sum() > 1000


def test_fine_relief_is_as_rough_as_skin(space, young, old):
    """Mean height of the waves below 2 mm on the cheeks, beside Ra of 10 to 40 µm of measured skin."""
    cheeks = cv2.erode((space.region == space.names.index("cheeks")).astype(np.uint8), np.ones((21, 21))) > 0
    for relief in (young, old):
        _, fine = split_bands(relief)
        assert 0.005 < np.abs(fine[cheeks]).mean() < 0.08


@pytest.fixture(scope="module")
def wrinkles(space):
    """The function that gives the lines on a person's face for each of some seeds; of everybody they are drawn once."""

    @cache
    def of(person: Person, seeds: int = 40) -> list[list]:
        return [list(face_lines(space, person, np.random.default_rng(seed))) for seed in range(seeds)]

    return of


def folded(faces: list[list], where) -> float:
    """Volume that wrinkles take, mm² · texels per face, where ``where`` is true of (N, 2) texels."""
    total = 0.0
    for points, heights, width_mm in itertools.chain(*faces):
        steps = np.linalg.norm(np.gradient(points, axis=0), axis=1)
        total += float((np.abs(heights) * steps * width_mm)[where(points)].sum())
    return total / len(faces)


def on_forehead(space: SkinSpace):
    top = space.marks[17:27, 1].min()
    return lambda points: points[:, 1] < top - 10


def by_the_mouth(space: SkinSpace):
    """Between the wings of the nose and the corners of the mouth, on both sides."""
    p = space.marks
    return lambda points: (
        (points[:, 1] > p[33, 1] - 40)
        & (points[:, 1] < p[48, 1] + 20)
        & (np.abs(points[:, 0] - space.centre) > 60)
        & (np.abs(points[:, 0] - space.centre) < 330)
    )


@pytest.mark.parametrize(
    ("expression", "folds", "elsewhere"),
    [("smile", by_the_mouth, on_forehead), ("raise_brows", on_forehead, by_the_mouth)],
)
def test_expressions_fold_the_skin_where_they_do(space, wrinkles, expression, folds, elsewhere):
    moved, calm = wrinkles(replace(CALM, **{expression: 1.0})), wrinkles(CALM)
    deeper = folded(moved, folds(space)) / folded(calm, folds(space))
    other = folded(moved, elsewhere(space)) / folded(calm, elsewhere(space))
    assert deeper > 1.4 and deeper > 1.3 * other


def test_old_skin_has_more_wrinkles(wrinkles):
    young, middling, old = (
        folded(wrinkles(replace(CALM, age=age), seeds=12), lambda points: points[:, 0] > 0) for age in (0.05, 0.5, 0.95)
    )
    assert old > 1.5 * middling > 3 * young


def test_wrinkles_are_grooves(wrinkles):
    lines = list(itertools.chain(*wrinkles(CALM)[:10]))
    deep = np.concatenate([heights for _, heights, _ in lines])
    assert (deep <= 0).mean() > 0.95 and deep.min() < -0.1 and np.isfinite(deep).all()
    assert all(0.1 < width_mm < 3 for *_, width_mm in lines)


def test_people_move_as_their_head_does():
    rng = np.random.default_rng(0)
    smiling = [random_person(rng, {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}) for _ in range(200)]
    calm = [random_person(rng, {}) for _ in range(200)]
    assert min(person.smile for person in smiling) >= 0.7 and max(person.smile for person in calm) == 0
    assert all(person.frown == person.pucker == 0 for person in smiling)
    ages = np.array([person.age for person in smiling + calm])
    assert ages.min() < 0.1 and ages.max() > 0.9 and 0.02 < np.mean([person.flat for person in calm + smiling]) < 0.25


def test_pigment_stays_an_albedo(cut):
    bare = np.full((*cut.shape, 3), [0.5, 0.33, 0.25], np.float32)
    painted = [add_pigment(cut, bare, np.random.default_rng(seed)) for seed in range(5)]
    for albedo in painted:
        assert albedo.shape == bare.shape and albedo.dtype == np.float32
        assert albedo.min() > 0 and albedo.max() <= 0.95
        assert np.std(np.log(albedo / bare)) > 0.01
    assert np.mean([np.log(albedo / bare).mean() for albedo in painted]) < 0, "pigment darkens"
    assert np.abs(painted[0] - painted[1]).max() > 0.05
    assert (bare == np.float32([0.5, 0.33, 0.25])).all(), "the bare skin is left as it was"


def test_the_same_seed_gives_the_same_pigment(cut):
    bare = np.full((*cut.shape, 3), 0.3, np.float32)
    first, second = (add_pigment(cut, bare, np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_stains_have_borders_as_soft_as_asked():
    hard, soft = (stain_shapes((300, 400), np.random.default_rng(2), edge, 40.0) for edge in (1.0, 40.0))
    for stain in (hard, soft):
        assert stain.min() == 0 and stain.max() == 1
    between = [((stain > 0.02) & (stain < 0.98)).mean() for stain in (hard, soft)]
    assert between[0] < 0.3 * between[1]
