# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural relief of facial skin in canonical UV, in millimetres: wrinkles where faces have them, pores, fine grid.

Lines follow the face's tension lines and its 68 landmarks, deepen with age and with the expression that folds the skin
there. Sizes: facial pores of 0.1 to 0.6 mm at 20 to 150 per cm² on cheeks and nose (Flament et al. 2015, Clin. Cosmet.
Investig. Dermatol. 8), roughness Ra of 10 to 40 µm (Tchvialeva et al. 2010, Skin Roughness Assessment), wrinkles of
0.05 to 0.9 mm (Lemperle et al. 2001, Plast. Reconstr. Surg. 108, for the order of their depths).
"""

import cv2
import numpy as np

from facedetail_addon.core.detail.space import TEXEL_MM
from scripts.training.skin.folds import Person, face_lines
from scripts.training.skin.space import SkinSpace, scatter
from scripts.training.skin.strokes import Marks, along, smooth_through, wide_noise

_SKIN = ("forehead", "cheeks", "nose", "mouth", "chin", "eyes", "scalp", "neck", "ears")
_PORES_CM2 = {"nose": 150.0, "cheeks": 75.0, "chin": 60.0, "forehead": 50.0, "mouth": 30.0, "eyes": 5.0}
_PORE_DEPTH = {"nose": 1.0, "cheeks": 0.8, "chin": 0.7, "forehead": 0.6, "mouth": 0.5, "eyes": 0.2}


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
        upper[:, None],
        along(smooth_through(p[48:55]), share),
        along(smooth_through(p[[48, 59, 58, 57, 56, 55, 54]]), share),
    )
    inner = np.where(
        upper[:, None], along(smooth_through(p[60:65]), share), along(smooth_through(p[[60, 67, 66, 65, 64]]), share)
    )
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
