# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrinkles and folds where faces have them: along tension lines and landmarks, deeper with age and expression."""

from dataclasses import dataclass, field

import numpy as np

from facedetail_addon.core.detail.space import TEXEL_MM
from scripts.training.skin.space import SIDES, Side, SkinSpace
from scripts.training.skin.strokes import arc, smooth_through, wavy

_PER_MM = 1 / TEXEL_MM
_SHALLOWEST_MM = 0.012


@dataclass(frozen=True)
class Person:
    """What decides a skin's relief; all from 0 to 1.

    Attributes:
        age: of the skin. coarse: of pores and grid. smile, raise_brows, frown, squint, pucker, sneer: expression.
        flat: no relief at all.
    """

    age: float
    coarse: float
    smile: float
    raise_brows: float
    frown: float
    squint: float
    pucker: float
    sneer: float
    flat: bool = False


@dataclass
class _Folds:
    """Lines of one face as they are drawn.

    Attributes:
        folding: how strongly the skin folds, by place. lines: points (N, 2), heights (N,) and width in mm.
    """

    space: SkinSpace
    rng: np.random.Generator
    folding: dict[str, float]
    lines: list[tuple[np.ndarray, np.ndarray, float]] = field(default_factory=list)

    def add(self, points: np.ndarray, depth: float, width_mm: float, taper: float = 0.35) -> None:
        """A groove along some points; wide folds are deep, those too shallow are left out."""
        depth *= 0.5 + 0.6 * width_mm
        if depth < _SHALLOWEST_MM:
            return
        rng = self.rng
        points = wavy(points, rng, 0.7 * _PER_MM * rng.uniform(0.2, 1.5))
        t = np.linspace(0, 1, len(points))
        ends = np.minimum(1, np.minimum(t, 1 - t) / taper * rng.uniform(0.8, 1.5))
        uneven = 1 + 0.45 * np.interp(t, np.linspace(0, 1, 7), rng.standard_normal(7))
        self.lines.append((points, -depth * ends * uneven.clip(0.05, 2), width_mm))


def random_person(rng: np.random.Generator, beta: dict[str, float]) -> Person:
    """A skin for a head whose expression is known, ARKit's weights by name."""

    def of(*names: str) -> float:
        weights = [beta.get(n + side, 0.0) for n in names for side in ("", "Left", "Right")]
        return float(np.clip(max(weights) * rng.uniform(0.7, 1.2), 0, 1))

    return Person(
        age=float(rng.beta(0.8, 0.8)),
        coarse=float(rng.uniform(0.15, 1)),
        smile=of("mouthSmile", "cheekSquint"),
        raise_brows=of("browInnerUp", "browOuterUp"),
        frown=of("browDown"),
        squint=of("eyeSquint", "eyeBlink"),
        pucker=of("mouthPucker", "mouthFunnel", "mouthShrugUpper"),
        sneer=of("noseSneer"),
        flat=bool(rng.random() < 0.12),
    )


def face_lines(space: SkinSpace, person: Person, rng: np.random.Generator) -> list[tuple]:
    """Wrinkles and folds as (points (N, 2), heights (N,), width mm), heights below 0."""
    folds = _Folds(space, rng, _folding(person, rng))
    _forehead(folds)
    _between_brows(folds)
    for side in SIDES:
        _beside_eye(folds, side)
        _below_eye(folds, side)
        _cheek(folds, side)
        _below_corner(folds, side)
        _beside_nose(folds, side)
    _around_lips(folds)
    _above_chin(folds, person)
    _anywhere(folds, person)
    return folds.lines


def _folding(person: Person, rng: np.random.Generator) -> dict[str, float]:
    folding = {
        "forehead": 0.5 * person.age**1.5 + 0.8 * person.raise_brows * (0.4 + person.age),
        "frown": 0.45 * person.age**1.5 + 0.9 * person.frown * (0.4 + person.age),
        "crow": 0.4 * person.age**1.5 + 0.7 * max(person.smile, person.squint) * (0.3 + person.age),
        "below_eye": 0.15 + 0.3 * person.age + 0.5 * max(person.smile, person.squint),
        "fold": 0.15 + 0.45 * person.age + 0.8 * max(person.smile, person.sneer),
        "cheek": 0.4 * person.age**2 + 0.6 * person.smile * (0.2 + person.age),
        "lip": 0.3 * person.age**2 + 0.35 * person.pucker * (0.4 + person.age),
        "mouth": 0.4 * person.age**1.5,
        "nose": 0.5 * person.sneer + 0.1 * person.age,
    }
    deep = rng.uniform(0.4, 2.6)
    return {name: deep * value * rng.gamma(2.0, 0.5) for name, value in folding.items()}


def _forehead(folds: _Folds) -> None:
    p, rng, mm = folds.space.marks, folds.rng, _PER_MM
    top, brow = p[19, 1] - 34 * mm, (p[19, 1] + p[24, 1]) / 2 - 5 * mm
    for y in np.linspace(brow, top, rng.integers(3, 10)):
        if rng.random() < 0.2:
            continue
        x = np.linspace(p[17, 0] - 2 * mm, p[26, 0] + 2 * mm, 24)
        lo, hi = sorted(rng.integers(0, 24, 2)) if rng.random() < 0.4 else (0, 24)
        arch = rng.normal() * 3 * mm * np.cos((x - folds.space.centre) / (p[26, 0] - p[17, 0]) * 2 * np.pi)
        line = np.column_stack([x, y + arch + rng.normal() * 1.5 * mm])
        if hi - lo >= 6:
            folds.add(line[lo:hi], folds.folding["forehead"] * rng.uniform(0.3, 1), rng.uniform(0.35, 1.4))


def _between_brows(folds: _Folds) -> None:
    p, rng, mm = folds.space.marks, folds.rng, _PER_MM
    middle = (p[21] + p[22]) / 2
    for _ in range(rng.integers(1, 4)):
        start = middle + [rng.normal() * 4 * mm, -rng.uniform(2, 12) * mm]
        line = arc(start, np.pi / 2 + rng.normal() * 0.2, rng.uniform(10, 26) * mm, rng.normal() * 0.3)
        folds.add(line, folds.folding["frown"] * rng.uniform(0.3, 1), rng.uniform(0.4, 1.3))


def _beside_eye(folds: _Folds, side: Side) -> None:
    """Crow's feet."""
    p, rng, mm = folds.space.marks, folds.rng, _PER_MM
    for angle in np.radians(np.linspace(-50, 50, rng.integers(3, 8))):
        away = np.array([side.sign * rng.uniform(4, 9), rng.normal() * 2 + 4 * np.sin(angle)])
        heading = (angle if side.sign > 0 else np.pi - angle) + rng.normal() * 0.12
        line = arc(p[side.outer_eye] + away * mm, heading, rng.uniform(8, 30) * mm, side.sign * rng.normal() * 0.4)
        folds.add(line, folds.folding["crow"] * rng.uniform(0.2, 1), rng.uniform(0.25, 0.9))


def _below_eye(folds: _Folds, side: Side) -> None:
    rng = folds.rng
    rim = smooth_through(folds.space.marks[list(side.lid)])
    for away in np.sort(rng.uniform(3, 15, rng.integers(1, 5))):
        push = np.column_stack([np.linspace(side.sign * 0.4, -side.sign * 0.1, len(rim)), np.ones(len(rim))])
        part = (rim + push * away * _PER_MM)[rng.integers(0, 10) : len(rim) - rng.integers(0, 12)]
        folds.add(part, folds.folding["below_eye"] * rng.uniform(0.2, 0.9), rng.uniform(0.3, 1.3))


def _cheek(folds: _Folds, side: Side) -> None:
    """The nasolabial fold, the cheek that lies over it, and folds of a smile further out."""
    p, rng, mm = folds.space.marks, folds.rng, _PER_MM
    wing = p[side.wing] + np.array([side.sign * 5.5, -7.0]) * mm
    corner = p[side.corner] + np.array([side.sign * rng.uniform(5, 9), rng.normal()]) * mm
    bend = (wing + corner) / 2 + np.array([side.sign * rng.uniform(2, 6), -3]) * mm
    end = corner + np.array([side.sign * 1.0, rng.uniform(2, 14)]) * mm
    fold = smooth_through(np.array([wing, bend, corner, end]))
    depth = folds.folding["fold"] * rng.uniform(0.5, 1.2)
    folds.add(fold, depth, rng.uniform(0.6, 1.8), taper=0.25)
    bulge = fold + np.array([side.sign * rng.uniform(3.5, 5.5), -1.0]) * mm
    folds.lines.append((bulge, 0.8 * depth * np.sin(np.linspace(0, np.pi, len(bulge))), 2.5))
    for away in np.sort(rng.uniform(6, 34, rng.integers(0, 5))):
        moved = fold + np.array([side.sign * away, -0.25 * away]) * mm
        part = moved[rng.integers(0, 14) :]
        folds.add(part, folds.folding["cheek"] * rng.uniform(0.2, 1), rng.uniform(0.4, 1.6))


def _below_corner(folds: _Folds, side: Side) -> None:
    """Marionette lines."""
    rng, mm = folds.rng, _PER_MM
    start = folds.space.marks[side.corner] + np.array([side.sign * 2.5, 3]) * mm
    line = arc(start, np.pi / 2 - side.sign * 0.15, rng.uniform(10, 28) * mm, 0.2 * side.sign)
    folds.add(line, folds.folding["mouth"] * rng.uniform(0.3, 1), rng.uniform(0.5, 1.6))


def _beside_nose(folds: _Folds, side: Side) -> None:
    rng, mm = folds.rng, _PER_MM
    for height in rng.uniform(-6, 10, rng.integers(1, 4)):
        start = folds.space.marks[28] + np.array([side.sign * 3, height]) * mm
        line = arc(start, np.pi / 2 - side.sign * rng.uniform(0.3, 1.0), rng.uniform(6, 14) * mm, 0.2)
        folds.add(line, folds.folding["nose"] * rng.uniform(0.2, 1), rng.uniform(0.3, 0.8))


def _around_lips(folds: _Folds) -> None:
    p, rng, mm = folds.space.marks, folds.rng, _PER_MM
    mouth = p[48:60].mean(axis=0)
    for number in range(rng.integers(6, 22)):
        upper = number % 3 != 0
        edge = smooth_through(p[48:55] if upper else p[[54, 55, 56, 57, 58, 59, 48]])
        start = edge[rng.integers(4, len(edge) - 4)] + rng.normal(size=2) * mm
        out_of = np.arctan2(*(start - mouth)[::-1]) + rng.normal() * 0.2
        heading = 0.5 * out_of + 0.5 * (-np.pi / 2 if upper else np.pi / 2)
        line = arc(start, heading, rng.uniform(3, 11) * mm, rng.normal() * 0.2)
        folds.add(line, folds.folding["lip"] * rng.uniform(0.2, 1), rng.uniform(0.2, 0.6))


def _above_chin(folds: _Folds, person: Person) -> None:
    p, rng = folds.space.marks, folds.rng
    crease = smooth_through(p[[59, 58, 57, 56, 55]]) + np.array([0, rng.uniform(6, 11)]) * _PER_MM
    folds.add(crease, (0.1 + 0.3 * person.age) * rng.uniform(0, 0.8), rng.uniform(1.0, 2.4))


def _anywhere(folds: _Folds, person: Person) -> None:
    """Lines along the tension lines anywhere: no two faces fold alike; and a scar now and then."""
    space, rng = folds.space, folds.rng
    height, width = space.shape
    for _ in range(rng.poisson(10 + 160 * person.age**1.5)):
        start = rng.uniform([0, 0], [width, height])
        angle = space.angles_at(start[None])[0] + rng.normal() * 0.25
        line = wavy(arc(start, angle, rng.uniform(20, 160), rng.normal() * 0.4), rng, 3.0)
        depth = 0.4 * person.age * rng.random() ** 2 + 0.015
        folds.lines.append((line, -depth * np.sin(np.linspace(0, np.pi, len(line))), rng.uniform(0.15, 1.0)))
    for _ in range(rng.poisson(0.4)):
        line = arc(rng.uniform([0, 0], [width, height]), rng.uniform(0, 6.3), rng.uniform(20, 120), rng.normal() * 0.4)
        folds.lines.append((line, np.full(len(line), rng.normal() * 0.12), rng.uniform(0.3, 1.2)))
