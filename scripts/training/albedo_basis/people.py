# SPDX-License-Identifier: GPL-3.0-or-later
"""The people that the basis is learned from: which of their skins say how bright skin is, and how much each counts."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facedetail_addon.core.colour import LUMINANCE, to_srgb
from scripts.benchmark.errors import TONES, typology_angle
from scripts.training.delit_skins.store import load_skin, stored_names

EXCLUDED = Path(__file__).parent.parent / "delit_skins" / "excluded.csv"
TRUST = {"london": 1.0, "canada": 1.0, "valid": 0.5, "makehuman": 0.25, "official": 0.6, "synthetic": 0.6}
"""How much a skin of each data set counts: light, painters' hands, and the same skin twice leave less."""
TONE_IS_KNOWN = ("london", "canada", "valid", "makehuman")
"""Data sets in even light. What others say of brightness and hue is what a statistical prior made of their photos."""
TEXTURES = ("valid", "makehuman")
"""Data sets that show skin which photos of faces do not; where only they do, too few people are known."""
CLASSES = ("dark", "medium", "light")
"""Short names of :data:`TONES`."""
_KNOWN_LIGHT, _SCALED = "london", ("canada", *TEXTURES)
_WHITE = ("white", "lightskinned", "canada")  # in names, and what people said of themselves
HELD_OUT, SEED = 10, 5
"""People of each tone class that are kept apart, none of whom an earlier basis has seen."""
_TESTABLE = ("canada", "valid", "official", "synthetic")
_LEAST_SHARE, _EVEN_ENOUGH = 0.25, 0.2  # of plain skin that one must show to be kept apart, and unevenness at most
_EVEN = ("london", *TEXTURES)  # where no photo's light is left over
_SEEN, _LEAST_TEXELS = 0.2, 200  # weight of texels that say something of light, and how many it takes
_UNEVEN = 0.12  # unevenness at which a photo counts half
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
    rows = plain & (seen > _SEEN)
    if rows.sum() < _LEAST_TEXELS:
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


def unevenness(person: Person, plain: np.ndarray) -> float:
    """Mean log difference of brightness between both sides of the plain skin: faces are even, light seldom is.

    Args:
        plain: (S, S) bool.
    """
    light = person.log_albedo @ LUMINANCE
    both = plain & (np.minimum(person.weight, person.weight[:, ::-1]) > _SEEN)
    return float(np.abs(light - light[:, ::-1])[both].mean()) if both.sum() > _LEAST_TEXELS else np.inf


def evened(person: Person) -> Person:
    """A photo's skin as the mean of both its sides, so that what is left of light from one side teaches nothing."""
    if person.source in _EVEN:
        return person
    other, weight = person.log_albedo[:, ::-1], person.weight + person.weight[:, ::-1]
    mean = person.log_albedo * person.weight[..., None] + other * person.weight[:, ::-1, None]
    mean = np.where(weight[..., None] > 0.01, mean / np.maximum(weight, 0.01)[..., None], person.log_albedo)
    return replace(person, log_albedo=mean.astype(np.float32), weight=np.minimum(weight, 1))


def weighted(people: list[Person], plain: np.ndarray) -> list[Person]:
    """With their trust: data sets as of :data:`TRUST`, and uneven photos less.

    For patterns all tone classes count alike; for how bright skin is, by the square root of what they have.

    Args:
        plain: (S, S) bool.
    """
    even = [1.0 if p.source in _EVEN else 1 / (1 + (unevenness(p, plain) / _UNEVEN) ** 2) for p in people]
    patterns = _balanced(people, [TRUST[p.source] * share for p, share in zip(people, even, strict=True)])
    tones = _balanced(people, [TRUST[p.source] * (p.source in TONE_IS_KNOWN) for p in people], 0.5)
    return [replace(p, trust=a, tone_trust=b) for p, a, b in zip(people, patterns, tones, strict=True)]


def _balanced(people: list[Person], weights: list[float], power: float = 1.0) -> list[float]:
    """The same within each tone class, whose sums become equal, or nearer to it for lower powers; 1 in the mean."""
    total = {name: sum(w for p, w in zip(people, weights, strict=True) if p.tone_class == name) for name in CLASSES}
    each = [w / max(total[p.tone_class], 1e-9) ** power for p, w in zip(people, weights, strict=True)]
    return [value * len(people) / sum(each) for value in each]


def people_apart(people: list[Person], plain: np.ndarray) -> list[Person]:
    """People of every tone class whose skin is well seen and even, to be kept apart; none that an earlier basis knew.

    Args:
        plain: (S, S) bool.
    """
    rng = np.random.default_rng(SEED)
    order = [people[index] for index in rng.permutation(len(people))]
    able = [person for person in order if _can_test(person, plain)]
    return [person for name in CLASSES for person in [p for p in able if p.tone_class == name][:HELD_OUT]]


def kin(person: Person) -> str:
    """Who must be kept apart together: textures of one group were made from few people."""
    return "_".join(person.name.split("_")[:2]) if person.source in TEXTURES else person.name


def _can_test(person: Person, plain: np.ndarray) -> bool:
    seen = person.weight[plain].mean() > _LEAST_SHARE
    return person.source in _TESTABLE and seen and unevenness(person, plain) < _EVEN_ENOUGH
