# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural relief of facial skin in canonical UV, in millimetres: wrinkles where faces have them, pores, fine grid.

Lines follow the face's tension lines and its 68 landmarks, deepen with age and with the expression that folds the skin
there. Sizes: facial pores of 0.1 to 0.6 mm at 20 to 150 per cm² on cheeks and nose (Flament et al. 2015, Clin. Cosmet.
Investig. Dermatol. 8), roughness Ra of 10 to 40 µm (Tchvialeva et al. 2010, Skin Roughness Assessment), wrinkles of
0.05 to 0.9 mm (Lemperle et al. 2001, Plast. Reconstr. Surg. 108, for the order of their depths).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from facedetail_addon.core.detail.space import BOX, SIDE, TEXEL_MM
from facedetail_addon.core.face_model.model import FaceModel
from scripts.training.skin_strokes import Marks, wide_noise

_LEVEL = 8  # texels per step of the tension lines' map
_SKIN = ("forehead", "cheeks", "nose", "mouth", "chin", "eyes", "scalp", "neck", "ears")
_PORES_CM2 = {"nose": 150.0, "cheeks": 75.0, "chin": 60.0, "forehead": 50.0, "mouth": 30.0, "eyes": 5.0}
_PORE_DEPTH = {"nose": 1.0, "cheeks": 0.8, "chin": 0.7, "forehead": 0.6, "mouth": 0.5, "eyes": 0.2}


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


@dataclass(frozen=True)
class SkinSpace:
    """The texels of BOX and where the face's features lie in them.

    Attributes:
        marks: (68, 2) texels (x, y) of the landmarks. centre: x of the middle.
        region: (H, W) uint8 index into ``names``, 255 outside. names: of the regions.
        angle: (H/8, W/8) float32 radians of the tension lines, from x towards y.
    """

    marks: np.ndarray
    centre: float
    region: np.ndarray
    names: tuple[str, ...]
    angle: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return self.region.shape

    def of(self, weights: dict[str, float]) -> np.ndarray:
        """(H, W) float32 value by region."""
        table = np.zeros(256, np.float32)
        for name, value in weights.items():
            table[self.names.index(name)] = value
        return table[self.region]

    def angles_at(self, points: np.ndarray) -> np.ndarray:
        """(N,) tension lines' direction at (N, 2) texels."""
        height, width = self.angle.shape
        column = (points[:, 0] / _LEVEL).astype(int).clip(0, width - 1)
        row = (points[:, 1] / _LEVEL).astype(int).clip(0, height - 1)
        return self.angle[row, column]


def skin_space(model: FaceModel, triangle: np.ndarray) -> SkinSpace:
    """Prepare the space of a model whose UV raster at SIDE is ``triangle`` (SIDE, SIDE)."""
    x0, y0, x1, y1 = BOX
    uv = np.zeros((model.skin.stop, 2))
    uv[model.skin.triangles().ravel()] = model.skin.uv[model.skin.uv_triangles().ravel()]
    marks = model.landmarks68.points(uv)
    marks = np.column_stack([marks[:, 0] * SIDE - x0, (1 - marks[:, 1]) * SIDE - y0])
    part = triangle[y0:y1, x0:x1]
    region = np.where(part >= 0, model.region[model.skin.triangles()[part, 0]], 255).astype(np.uint8)
    centre = SIDE / 2 - x0
    return SkinSpace(marks, centre, region, tuple(model.region_names), _tension(marks, region.shape))


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


def make_relief(space: SkinSpace, person: Person, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 mm of displacement along the smooth normal."""
    if person.flat:
        return np.zeros(space.shape, np.float32)
    marks = Marks(space.shape, TEXEL_MM)
    for stroke in face_lines(space, person, rng):
        marks.line(*stroke)
    out = marks.draw(shoulder=rng.uniform(0.25, 0.5))
    out += _fine_lines(space, person, rng).draw(shoulder=0.4)
    out += _dots(space, person, rng).draw()
    for sigma_mm, most in ((0.12, 0.03), (0.25, 0.045), (0.6, 0.04), (1.3, 0.03), (2.5, 0.04)):
        amount = most * rng.uniform(0.1, 1) ** 1.5 * (0.4 + person.coarse)
        out += wide_noise(space.shape, sigma_mm / TEXEL_MM, rng) * np.float32(amount)
    skin = cv2.GaussianBlur(space.of(dict.fromkeys(_SKIN, 1.0)), (0, 0), 4)
    return out * skin


def face_lines(space: SkinSpace, person: Person, rng: np.random.Generator) -> list[tuple]:
    """Wrinkles and folds as (points (N, 2), heights (N,), width mm), heights below 0."""
    p, out = space.marks, []
    mm = 1 / TEXEL_MM
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
    folding = {name: deep * value * rng.gamma(2.0, 0.5) for name, value in folding.items()}

    def add(points: np.ndarray, depth: float, width_mm: float, taper: float = 0.35) -> None:
        depth *= 0.5 + 0.6 * width_mm  # wide folds are deep
        if depth < 0.012:
            return
        points = _wavy(points, rng, 0.7 * mm * rng.uniform(0.2, 1.5))
        t = np.linspace(0, 1, len(points))
        ends = np.minimum(1, np.minimum(t, 1 - t) / taper * rng.uniform(0.8, 1.5))
        uneven = 1 + 0.45 * np.interp(t, np.linspace(0, 1, 7), rng.standard_normal(7))
        out.append((points, -depth * ends * uneven.clip(0.05, 2), width_mm))

    top, brow = p[19, 1] - 34 * mm, (p[19, 1] + p[24, 1]) / 2 - 5 * mm
    for y in np.linspace(brow, top, rng.integers(3, 10)):
        if rng.random() < 0.2:
            continue
        x = np.linspace(p[17, 0] - 2 * mm, p[26, 0] + 2 * mm, 24)
        lo, hi = sorted(rng.integers(0, 24, 2)) if rng.random() < 0.4 else (0, 24)
        arch = rng.normal() * 3 * mm * np.cos((x - space.centre) / (p[26, 0] - p[17, 0]) * 2 * np.pi)
        line = np.column_stack([x, y + arch + rng.normal() * 1.5 * mm])
        if hi - lo >= 6:
            add(line[lo:hi], folding["forehead"] * rng.uniform(0.3, 1), rng.uniform(0.35, 1.4))
    middle = (p[21] + p[22]) / 2
    for _ in range(rng.integers(1, 4)):
        start = middle + [rng.normal() * 4 * mm, -rng.uniform(2, 12) * mm]
        add(_curve(start, np.pi / 2 + rng.normal() * 0.2, rng.uniform(10, 26) * mm, rng.normal() * 0.3),
            folding["frown"] * rng.uniform(0.3, 1), rng.uniform(0.4, 1.3))  # fmt: skip
    for side, outer, wing, corner, lid in (
        (-1, 36, 31, 48, (36, 41, 40, 39)), (1, 45, 35, 54, (45, 46, 47, 42)),
    ):  # fmt: skip
        for angle in np.radians(np.linspace(-50, 50, rng.integers(3, 8))):
            start = p[outer] + np.array([side * rng.uniform(4, 9), rng.normal() * 2 + 4 * np.sin(angle)]) * mm
            heading = (angle if side > 0 else np.pi - angle) + rng.normal() * 0.12
            add(_curve(start, heading, rng.uniform(8, 30) * mm, side * rng.normal() * 0.4),
                folding["crow"] * rng.uniform(0.2, 1), rng.uniform(0.25, 0.9))  # fmt: skip
        rim = _through(p[list(lid)])
        for away in np.sort(rng.uniform(3, 15, rng.integers(1, 5))):
            push = np.column_stack([np.linspace(side * 0.4, -side * 0.1, len(rim)), np.ones(len(rim))])
            part = rim + push * away * mm
            add(part[rng.integers(0, 10):len(rim) - rng.integers(0, 12)],
                folding["below_eye"] * rng.uniform(0.2, 0.9), rng.uniform(0.3, 1.3))  # fmt: skip
        wing_at = p[wing] + np.array([side * 5.5, -7.0]) * mm
        corner_at = p[corner] + np.array([side * rng.uniform(5, 9), rng.normal()]) * mm
        bend = (wing_at + corner_at) / 2 + np.array([side * rng.uniform(2, 6), -3]) * mm
        fold = _through(
            np.array([wing_at, bend, corner_at, corner_at + np.array([side * 1.0, rng.uniform(2, 14)]) * mm])
        )
        depth = folding["fold"] * rng.uniform(0.5, 1.2)
        add(fold, depth, rng.uniform(0.6, 1.8), taper=0.25)
        bulge = fold + np.array([side * rng.uniform(3.5, 5.5), -1.0]) * mm  # the cheek lies over the fold
        out.append((bulge, 0.8 * depth * np.sin(np.linspace(0, np.pi, len(bulge))), 2.5))
        for away in np.sort(rng.uniform(6, 34, rng.integers(0, 5))):
            moved = fold + np.array([side * away, -0.25 * away]) * mm
            add(moved[rng.integers(0, 14) :], folding["cheek"] * rng.uniform(0.2, 1), rng.uniform(0.4, 1.6))
        below = p[corner] + np.array([side * 2.5, 3]) * mm
        add(_curve(below, np.pi / 2 - side * 0.15, rng.uniform(10, 28) * mm, 0.2 * side),
            folding["mouth"] * rng.uniform(0.3, 1), rng.uniform(0.5, 1.6))  # fmt: skip
        for height in rng.uniform(-6, 10, rng.integers(1, 4)):
            start = p[28] + np.array([side * 3, height]) * mm
            add(_curve(start, np.pi / 2 - side * rng.uniform(0.3, 1.0), rng.uniform(6, 14) * mm, 0.2),
                folding["nose"] * rng.uniform(0.2, 1), rng.uniform(0.3, 0.8))  # fmt: skip
    mouth = p[48:60].mean(axis=0)
    for number in range(rng.integers(6, 22)):
        upper = number % 3 != 0
        edge = _through(p[48:55] if upper else p[[54, 55, 56, 57, 58, 59, 48]])
        start = edge[rng.integers(4, len(edge) - 4)] + rng.normal(size=2) * mm
        out_of = np.arctan2(*(start - mouth)[::-1]) + rng.normal() * 0.2
        heading = 0.5 * out_of + 0.5 * (-np.pi / 2 if upper else np.pi / 2)
        add(_curve(start, heading, rng.uniform(3, 11) * mm, rng.normal() * 0.2),
            folding["lip"] * rng.uniform(0.2, 1), rng.uniform(0.2, 0.6))  # fmt: skip
    crease = _through(p[[59, 58, 57, 56, 55]]) + np.array([0, rng.uniform(6, 11)]) * mm
    add(crease, (0.1 + 0.3 * person.age) * rng.uniform(0, 0.8), rng.uniform(1.0, 2.4))
    out += _random_lines(space, person, rng)
    return out


def _random_lines(space: SkinSpace, person: Person, rng: np.random.Generator) -> list[tuple]:
    """Lines along the tension lines anywhere: no two faces fold alike; and a scar now and then."""
    out = []
    height, width = space.shape
    for _ in range(rng.poisson(10 + 160 * person.age**1.5)):
        start = rng.uniform([0, 0], [width, height])
        angle = space.angles_at(start[None])[0] + rng.normal() * 0.25
        line = _wavy(_curve(start, angle, rng.uniform(20, 160), rng.normal() * 0.4), rng, 3.0)
        depth = 0.4 * person.age * rng.random() ** 2 + 0.015
        out.append((line, -depth * np.sin(np.linspace(0, np.pi, len(line))), rng.uniform(0.15, 1.0)))
    for _ in range(rng.poisson(0.4)):
        line = _curve(
            rng.uniform([0, 0], [width, height]), rng.uniform(0, 6.3), rng.uniform(20, 120), rng.normal() * 0.4
        )
        out.append((line, np.full(len(line), rng.normal() * 0.12), rng.uniform(0.3, 1.2)))
    return out


def _fine_lines(space: SkinSpace, person: Person, rng: np.random.Generator) -> Marks:
    """The grid of the skin's surface: short lines along the tension lines and, weaker, across them."""
    marks = Marks(space.shape, TEXEL_MM)
    height, width = space.shape
    depth = 0.015 + 0.09 * person.coarse * rng.random() + 0.08 * person.age**2 * rng.random()
    for turn, share in ((0.0, 1.0), (rng.uniform(0.8, 1.2), 0.6), (-rng.uniform(0.8, 1.2), 0.6)):
        count = int(rng.uniform(9000, 22000))
        at = rng.uniform([0, 0], [width, height], (count, 2))
        angle = space.angles_at(at) + turn + rng.normal(size=count) * 0.2
        length = rng.uniform(1.0, 6.0, count) / TEXEL_MM * (1 + person.age * rng.random())
        heights = -depth * share * rng.gamma(2.0, 0.5, count)
        marks.short_lines(
            at, angle, length, heights, rng.choice([0.1, 0.16, 0.25, 0.4], count, p=[0.3, 0.35, 0.25, 0.1])
        )
    lips = _lip_lines(space, rng)
    marks.short_lines(*lips)
    return marks


def _lip_lines(space: SkinSpace, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    p, count = space.marks, 260
    share = rng.random(count)
    upper = rng.random(count) < 0.5
    outer = np.where(
        upper[:, None], _at(_through(p[48:55]), share), _at(_through(p[[48, 59, 58, 57, 56, 55, 54]]), share)
    )
    inner = np.where(upper[:, None], _at(_through(p[60:65]), share), _at(_through(p[[60, 67, 66, 65, 64]]), share))
    centre = inner + (outer - inner) * rng.uniform(0.2, 0.8, (count, 1))
    angle = np.arctan2(*(outer - inner).T[::-1]) + rng.normal(size=count) * 0.15
    length = rng.uniform(2, 5, count) / TEXEL_MM
    return (
        centre,
        angle,
        length,
        -rng.uniform(0.01, 0.1) * rng.gamma(2, 0.5, count),
        rng.choice([0.16, 0.25, 0.4], count),
    )


def _dots(space: SkinSpace, person: Person, rng: np.random.Generator) -> Marks:
    """Pores, pits of acne, raised moles and spots."""
    marks = Marks(space.shape, TEXEL_MM)
    density = space.of(_PORES_CM2) * np.float32(rng.uniform(0.3, 1.2))
    depth = space.of(_PORE_DEPTH)
    at = scatter(density * np.exp(0.4 * wide_noise(space.shape, 60, rng)), rng)
    deep = -(0.012 + 0.075 * person.coarse) * depth[at[:, 1].astype(int), at[:, 0].astype(int)]
    marks.dots(at, deep * rng.gamma(3.0, 1 / 3, len(at)), rng.choice([0.1, 0.16, 0.25], len(at), p=[0.35, 0.45, 0.2]))
    height, width = space.shape
    for count, low, high, widths in (
        (rng.poisson(25 * person.coarse**2), -0.18, -0.01, (0.25, 0.4, 0.65, 1.0)),
        (rng.poisson(8), 0.01, 0.12, (0.4, 0.65, 1.0)),
        (rng.poisson(1.2), 0.1, 0.5, (0.65, 1.0, 1.6)),
    ):
        places = rng.uniform([0, 0], [width, height], (count, 2))
        marks.dots(places, rng.uniform(low, high, count), rng.choice(widths, count))
    return marks


def scatter(per_cm2: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 2) random texels (x, y) with (H, W) so many per cm²."""
    step = 4
    expected = per_cm2[step // 2 :: step, step // 2 :: step] * ((step * TEXEL_MM) ** 2 / 100)
    count = rng.poisson(expected.clip(0))
    rows, columns = np.nonzero(count)
    times = count[rows, columns]
    corner = np.repeat(np.column_stack([columns, rows]), times, axis=0) * step
    return (corner + rng.uniform(0, step, corner.shape)).clip(0, np.array(per_cm2.shape[::-1]) - 1)


def _tension(p: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Directions of the tension lines, spread from lines known to follow them (after Langer and Kraissl)."""
    guides = [
        np.array([p[17] + [0, -150 - k], (p[19] + p[24]) / 2 + [0, -160 - k], p[26] + [0, -150 - k]]) for k in (0, 90)
    ]
    guides += [np.array([p[21] + [20, -30], p[27] + [0, 0]]), np.array([p[31] + [-40, 0], p[35] + [40, 0]]) - [0, 90]]
    for side, outer, wing, corner, jaw in ((-1, 36, 31, 48, 4), (1, 45, 35, 54, 12)):
        away = np.array([side, 0.0])
        guides += [
            np.array([p[outer] + away * 20 + [0, 10 * k], p[outer] + away * 150 + [0, 90 * k]]) for k in (-1, 0, 1)
        ]
        fold = np.array([p[wing] + away * 28 + [0, -30], p[corner] + away * 40, p[corner] + away * 50 + [0, 140]])
        guides += [fold + away * k + [0, -0.2 * k] for k in (0, 90, 180, 280)]
        guides.append(np.array([p[outer] + [side * 10, 60], (p[outer] + p[27]) / 2 + [0, 110], p[27] + [0, 90]]))
        guides.append(np.array([p[jaw] + [-side * 40, -60], p[jaw + side * -1 if jaw > 8 else jaw + 1]]))
    guides += [np.array([p[k], p[k] + [0, -60]]) for k in (50, 51, 52)] + [
        np.array([p[k], p[k] + [0, 50]]) for k in (56, 57, 58)
    ]
    guides.append(p[[6, 7, 8, 9, 10]] + [0, -20])
    small = (shape[0] // _LEVEL, shape[1] // _LEVEL)
    total = np.zeros((*small, 2), np.float32)
    for guide in guides:
        line = np.array([_at(guide, np.array([t]))[0] for t in np.linspace(0, 1, 40)])
        turn = np.arctan2(*np.diff(line, axis=0).T[::-1]) * 2
        for (x, y), double in zip(line[:-1] / _LEVEL, turn, strict=True):
            if 0 <= y < small[0] and 0 <= x < small[1]:
                total[int(y), int(x)] += [np.cos(double), np.sin(double)]
    spread = sum(cv2.GaussianBlur(total, (0, 0), s) / w for s, w in ((4, 30.0), (12, 1.0), (40, 0.2)))
    return (np.arctan2(spread[..., 1], spread[..., 0]) / 2).astype(np.float32)


def _curve(start: np.ndarray, heading: float, length: float, bend: float, count: int = 16) -> np.ndarray:
    """(count, 2) points of an arc: turns by ``bend`` radians in all."""
    angles = heading + np.linspace(-0.5, 0.5, count) * bend
    steps = np.column_stack([np.cos(angles), np.sin(angles)]) * (length / count)
    return np.asarray(start) + np.cumsum(steps, axis=0)


def _through(points: np.ndarray, count: int = 40) -> np.ndarray:
    """(count, 2) smooth curve through a few points."""
    t = np.linspace(0, len(points) - 1, count)
    base = t.astype(int).clip(0, len(points) - 2)
    f = (t - base)[:, None]
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    a, b, c, d = (padded[base + k] for k in range(4))
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def _at(line: np.ndarray, share: np.ndarray) -> np.ndarray:
    t = np.linspace(0, 1, len(line))
    return np.column_stack([np.interp(share, t, line[:, 0]), np.interp(share, t, line[:, 1])])


def _wavy(points: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    knots = rng.integers(4, 10)
    shift = _through(rng.normal(size=(knots, 2)) * amount, len(points))
    return points + shift
