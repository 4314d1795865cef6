# SPDX-License-Identifier: GPL-3.0-or-later
"""How the albedo basis is learned: who counts how much, and what is found in people whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from facedetail_addon.core.colour import LUMINANCE
from scripts.training.albedo_basis.learning import TONES, Learned, learn, precision_of, rows_of
from scripts.training.albedo_basis.people import (
    CLASSES,
    TONE_IS_KNOWN,
    Person,
    people_apart,
    same_scale,
    tone_class,
    weighted,
    without_left_light,
)

SIDE, PEOPLE = 16, 60
LIGHT, MEDIUM, DARK = (np.log(tone) for tone in ([0.55, 0.36, 0.28], [0.36, 0.2, 0.13], [0.1, 0.05, 0.03]))


def person(rng: np.random.Generator, number: int, source: str, tone: np.ndarray, pattern: np.ndarray) -> Person:
    """A made-up skin: its tone, a spot that grows with darkness, a pattern of its own, and a hole."""
    tone = tone + rng.normal(0, 0.05) + rng.normal(0, 0.01, 3)
    spot = np.zeros((SIDE, SIDE, 1), np.float32)
    spot[6:10, 6:10] = 1
    image = tone + spot * 0.4 * (tone @ LUMINANCE + 2) + rng.normal() * pattern
    weight = np.ones((SIDE, SIDE), np.float32)
    weight[: 1 + number % 5] = 0
    return Person(
        f"{source}_{number:03d}",
        source,
        image.astype(np.float32),
        weight,
        tone,
        tone_class(tone),
        tone_class(tone) == "light",
    )


@pytest.fixture(scope="module")
def pattern():
    wave = np.sin(np.linspace(0, 3 * np.pi, SIDE))
    return (0.15 * (wave[:, None] * np.abs(np.linspace(-1, 1, SIDE)))[..., None] * [0.2, 1, 1]).astype(np.float32)


@pytest.fixture(scope="module")
def people(pattern):
    """Mostly light, as such collections are; the tone of the synthetic ones is much too light."""
    rng = np.random.default_rng(1)
    out = []
    for number in range(PEOPLE):
        source = ("london", "synthetic", "valid")[number % 3]
        tone = LIGHT if number < 40 else MEDIUM if number < 54 else DARK
        out.append(person(rng, number, source, tone, pattern))
    return weighted(out, np.ones((SIDE, SIDE), bool))


def test_tone_classes_count_alike(people):
    sums = [sum(p.trust for p in people if p.tone_class == name) for name in CLASSES]
    np.testing.assert_allclose(sums, np.mean(sums))
    dark, light = (sum(p.tone_trust for p in people if p.tone_class == name) for name in ("dark", "light"))
    count = {name: sum(p.tone_class == name for p in people) for name in ("dark", "light")}
    assert count["dark"] / count["light"] < dark / light < 1
    for trust in ("trust", "tone_trust"):
        assert np.mean([getattr(p, trust) for p in people]) == pytest.approx(1)
    assert all((p.tone_trust > 0) == (p.source in TONE_IS_KNOWN) for p in people)
    london, valid = (
        next(p.trust for p in people if p.source == s and p.tone_class == "light") for s in ("london", "valid")
    )
    assert london == pytest.approx(2 * valid)


def test_photos_do_not_teach_how_bright_skin_is(people, pattern):
    stored = np.ones((SIDE, SIDE), bool)
    brighter = [
        replace(p, log_albedo=p.log_albedo + np.float32(0.7), tone=p.tone + 0.7) if p.source == "synthetic" else p
        for p in people
    ]
    one, other = (learn(rows_of(group, stored), 6) for group in (people, brighter))
    corner = slice(3 * 15 * SIDE, 3 * 15 * SIDE + 3)  # plain skin
    assert np.abs(one.mean[corner] - other.mean[corner]).max() < 0.1
    tones = [p.tone for p in people if p.tone_trust > 0]
    trust = [p.tone_trust for p in people if p.tone_trust > 0]
    assert np.abs(one.mean[corner] - np.average(tones, axis=0, weights=trust)).max() < 0.1


def test_tone_comes_first_and_patterns_are_found(people, pattern):
    stored = np.ones((SIDE, SIDE), bool)
    found = learn(rows_of(people, stored), 6)
    maps = found.modes.reshape(len(found.modes), SIDE, SIDE, 3)
    lighter = maps[0] @ LUMINANCE
    assert lighter.min() > 0.2 and np.ptp(lighter) < 1e-3, "the first mode makes all skin lighter"
    truth = pattern @ LUMINANCE
    spot = np.zeros((SIDE, SIDE))
    spot[6:10, 6:10] = 1
    own = (maps[TONES:] @ LUMINANCE).reshape(len(maps) - TONES, -1)
    for known in (truth.ravel() - truth.mean(), spot.ravel() - spot.mean()):  # both are in what the modes span
        weights = np.linalg.lstsq(np.vstack([own, np.ones(SIDE * SIDE)]).T, known, rcond=None)[0]
        left = known - weights @ np.vstack([own, np.ones(SIDE * SIDE)])
        assert np.square(left).sum() < 0.1 * np.square(known).sum()


def test_what_is_hidden_is_predicted(people, pattern):
    stored = np.ones((SIDE, SIDE), bool)
    found = learn(rows_of(people[:-1], stored), 6)
    rows = rows_of([people[-1]], stored)
    shown = rows.weights[0].copy().reshape(SIDE, SIDE, 3)
    shown[:, 8:] = 0
    gamma = found.gamma(rows.values[0], precision_of(shown.ravel()))
    off = np.abs(found.colours(gamma) - rows.values[0]).reshape(SIDE, SIDE, 3)[6:, 8:]
    mean = np.abs(Learned(found.mean, found.modes).colours(np.zeros(6)) - rows.values[0]).reshape(SIDE, SIDE, 3)[6:, 8:]
    assert off.mean() < 0.2 * mean.mean()


def test_textures_are_as_bright_as_the_studios_skins(people):
    dim = [replace(p, tone=p.tone - 0.3, log_albedo=p.log_albedo - 0.3) if p.source == "valid" else p for p in people]
    light = [p for p in same_scale(dim, "valid", "london") if p.tone_class == "light"]
    one, other = (np.median([p.tone @ LUMINANCE for p in light if p.source == s]) for s in ("valid", "london"))
    assert one == pytest.approx(other, abs=0.05)


def test_light_that_is_left_is_taken_off_photos_alone(people):
    stored = np.ones((SIDE, SIDE), bool)
    x = np.linspace(-1, 1, SIDE)
    patterns = np.column_stack([np.ones(SIDE * SIDE), np.tile(x, SIDE), np.repeat(x, SIDE)])
    lit = [replace(p, log_albedo=p.log_albedo + (0.3 * x)[None, :, None].astype(np.float32)) for p in people[:2]]
    studio, photo = (without_left_light(p, patterns, stored.ravel(), stored) for p in lit)
    assert studio is lit[0]
    before, after = (p.log_albedo[8:, -3:].mean() - p.log_albedo[8:, :3].mean() for p in (lit[1], photo))
    assert before > 0.4 and abs(after) < 0.1


def test_people_apart_are_of_every_tone_and_well_seen(people):
    named = [replace(p, name=f"synthetic_{i}", source="synthetic") for i, p in enumerate(people)]
    hidden = replace(named[-1], weight=np.zeros((SIDE, SIDE), np.float32))
    apart = {p.name for p in people_apart([*named[:-1], hidden], np.ones((SIDE, SIDE), bool))}
    classes = [p.tone_class for p in named if p.name in apart]
    assert set(classes) == set(CLASSES) and max(classes.count(name) for name in CLASSES) <= 10
    assert hidden.name not in apart
    assert not people_apart([p for p in people if p.source == "london"], np.ones((SIDE, SIDE), bool))
