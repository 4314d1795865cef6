# SPDX-License-Identifier: GPL-3.0-or-later
"""The people that the basis is learned from: which of their skins say how bright skin is, and how much each counts."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facedetail_addon.core.colour import to_srgb
from scripts.benchmark.errors import TONES, typology_angle
from scripts.training.delit_skins.store import load_skin, stored_names

EXCLUDED = Path(__file__).parent.parent / "delit_skins" / "excluded.csv"
TRUST = {"london": 1.0, "canada": 1.0, "valid": 0.5, "makehuman": 0.25, "official": 0.6, "synthetic": 0.6}
"""How much a skin of each data set counts: light, painters' hands, and the same skin twice leave less."""
TONE_IS_KNOWN = ("london", "canada", "valid", "makehuman")
"""Data sets in even light. What others say of brightness and hue is what a statistical prior made of their photos."""
CLASSES = ("dark", "medium", "light")
"""Short names of :data:`TONES`."""
_KNOWN_LIGHT, _SCALED = "london", ("canada", "valid", "makehuman")
_WHITE = ("white", "lightskinned", "canada")  # in names, and what people said of themselves
HELD_OUT, SEED = 10, 5
"""People of each tone class that are kept apart, none of whom an earlier basis has seen."""
_TESTABLE = ("canada", "official", "synthetic")
_LEAST_SHARE = 0.55  # of the plain skin that one must show to be kept apart
_EVEN = ("london", "valid", "makehuman")  # where no photo's light is left over
_RIDGE = 0.02  # of the light that is taken off, so that little seen skin does not make much of it
_ROBUST = 0.15  # log luminance by which skin may leave the pattern before it counts less


@dataclass(frozen=True)
class Person:
    """One skin to learn from.

    Attributes:
        name, source: of the skin. log_albedo: (S, S, 3) float32. weight: (S, S) float32 in [0, 1].
        tone: (3,) logarithm of the plain skin's colour. tone_class: of :data:`CLASSES`.
        white: whether the data set says so, of its textures or people.
        trust, tone_trust: how much this person's pattern and tone count, tone class and data set taken together.
    """

    name: str
    source: str
    log_albedo: np.ndarray
    weight: np.ndarray
    tone: np.ndarray
    tone_class: str
    white: bool = False
    trust: float = 1.0
    tone_trust: float = 1.0


def load_people(folder: Path) -> list[Person]:
    """All skins that are not excluded."""
    left_out = {row["skin"] for row in read_excluded()}
    out = []
    for name in stored_names(folder):
        if name in left_out:
            continue
        skin = load_skin(folder, name)
        tone = skin.figures["tone"]
        said = f"{name} {skin.figures.get('group', '')}".lower()
        white = any(word in said for word in _WHITE)
        out.append(Person(name, skin.source, skin.log_albedo, skin.weight, tone, tone_class(tone), white))
    return out


def read_excluded() -> list[dict[str, str]]:
    """Rows of ``skin``, data set and file, and ``reason``."""
    with open(EXCLUDED, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def tone_class(tone: np.ndarray) -> str:
    """Of the (3,) logarithm of a colour."""
    angle = typology_angle(to_srgb(np.exp(tone)))
    return next(name for name, (_, low, high) in zip(CLASSES, TONES, strict=True) if low <= angle < high)


def one_scale(people: list[Person]) -> list[Person]:
    """Textures, and portraits of another studio, on the scale of the studio whose light is known."""
    for source in _SCALED:
        people = same_scale(people, source, _KNOWN_LIGHT)
    return people


def same_scale(people: list[Person], source: str, like: str) -> list[Person]:
    """One factor in each colour for all skins of a data set, which makes its white people as another's.

    How bright and how warm a set is altogether was decided by whoever made it; how one skin of it differs from another
    is kept.
    """
    if not any(person.source == source for person in people):
        return people

    def white(of: str) -> np.ndarray:
        return np.median([p.tone for p in people if p.source == of and p.white], axis=0)

    factor = (white(like) - white(source)).astype(np.float32)
    return [
        replace(p, log_albedo=p.log_albedo + factor, tone=p.tone + factor, tone_class=tone_class(p.tone + factor))
        if p.source == source
        else p
        for p in people
    ]


def without_left_light(person: Person, patterns: np.ndarray, plain: np.ndarray, stored: np.ndarray) -> Person:
    """A photo's skin without what goes with the normals of plain skin in each colour: more light than skin.

    Args:
        patterns: (N, 9) spherical harmonics of the stored texels' normals. plain: (N,) bool. stored: (S, S) bool.
    """
    if person.source in _EVEN:
        return person
    values, seen = person.log_albedo[stored], person.weight[stored]
    rows = plain & (seen > 0.3)
    if rows.sum() < 200:
        return person
    at, base = patterns[rows], seen[rows].astype(np.float64)
    ridge = np.diag([0.0] + [_RIDGE] * (patterns.shape[1] - 1)) * len(at)
    out = person.log_albedo.copy()
    for channel in range(3):
        target, robust = values[rows, channel].astype(np.float64), base
        for _ in range(6):
            found = np.linalg.solve((at * robust[:, None]).T @ at + ridge, (at * robust[:, None]).T @ target)
            robust = base / (1 + ((target - at @ found) / _ROBUST) ** 2) ** 2
        out[..., channel][stored] -= (patterns[:, 1:] @ found[1:]).astype(np.float32)
    return replace(person, log_albedo=out)


def weighted(people: list[Person]) -> list[Person]:
    """With their trust: data sets as of :data:`TRUST`, and all tone classes alike."""
    patterns = _balanced(people, [TRUST[p.source] for p in people])
    tones = _balanced(people, [TRUST[p.source] * (p.source in TONE_IS_KNOWN) for p in people])
    return [replace(p, trust=a, tone_trust=b) for p, a, b in zip(people, patterns, tones, strict=True)]


def _balanced(people: list[Person], weights: list[float]) -> list[float]:
    """The same within each tone class, whose sums become equal; 1 in the mean."""
    total = {name: sum(w for p, w in zip(people, weights, strict=True) if p.tone_class == name) for name in CLASSES}
    each = [w / max(total[p.tone_class], 1e-9) for p, w in zip(people, weights, strict=True)]
    return [value * len(people) / sum(each) for value in each]


def people_apart(people: list[Person], plain: np.ndarray) -> set[str]:
    """Names of people of every tone class, to be kept apart, of photos alone: textures show the same skin twice.

    Args:
        plain: (S, S) bool.
    """
    rng = np.random.default_rng(SEED)
    order = [people[index] for index in rng.permutation(len(people))]
    chosen: list[str] = []
    for name in CLASSES:
        able = [p.name for p in order if p.tone_class == name and _can_test(p, plain)]
        chosen += able[:HELD_OUT]
    return set(chosen)


def _can_test(person: Person, plain: np.ndarray) -> bool:
    return person.source in _TESTABLE and person.weight[plain].mean() > _LEAST_SHARE
