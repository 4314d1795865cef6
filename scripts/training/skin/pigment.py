# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour that is no relief: freckles, moles, blotches, veins, brows, stubble, strands of hair, make-up, glasses.

What a network must learn to leave flat. Logarithms of linear Rec. 709 albedo are added up, as pigments do.
"""

import cv2
import numpy as np

from facedetail_addon.core.detail.space import TEXEL_MM
from scripts.training.skin.space import SkinSpace, scatter
from scripts.training.skin.strokes import Marks, wide_noise

MELANIN = np.array([-0.45, -0.85, -1.1], np.float32)
BLOOD = np.array([-0.12, -0.75, -0.6], np.float32)
_HAIR = np.array([-1.0, -1.05, -1.1], np.float32)
_MOST = 2.5  # of the logarithm, either way


def add_pigment(space: SkinSpace, albedo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) linear albedo with random pigment over it.

    Args:
        albedo: (H, W, 3) linear, of the bare skin.
    """
    amount = np.exp(rng.uniform(np.log(0.05), np.log(0.9)))
    out = np.zeros((*space.shape, 3), np.float32)
    out += (amount * _spots(space, rng))[..., None] * MELANIN
    out += (amount * _redness(space, rng))[..., None] * BLOOD
    if rng.random() < 0.85:
        out += _brows(space, rng)[..., None] * _HAIR
    if rng.random() < 0.4:
        out += _stubble(space, rng)[..., None] * _HAIR
    if rng.random() < 0.35:
        out += _strands(space, rng)[..., None] * _HAIR
    if rng.random() < 0.4:
        out += _make_up(space, rng)
    if rng.random() < 0.25:
        out += _lines(space, rng)[..., None] * (MELANIN if rng.random() < 0.5 else BLOOD)
    if rng.random() < 0.12:
        out += _glasses(space, rng)[..., None] * _HAIR
    return (albedo * np.exp(out.clip(-_MOST, _MOST))).clip(0.004, 0.95)


def stain_shapes(shape: tuple[int, int], rng: np.random.Generator, edge: float, size: float) -> np.ndarray:
    """(H, W) float32 0 to 1 in random blobs with borders as soft as ``edge`` texels."""
    noise = wide_noise(shape, size, rng)
    threshold = float(np.quantile(noise[::8, ::8], rng.uniform(0.55, 0.95)))
    slope = 2.0 / max(edge / size, 1e-3)
    return (0.5 + (noise - threshold) * np.float32(slope)).clip(0, 1)


def _spots(space: SkinSpace, rng: np.random.Generator) -> np.ndarray:
    """Freckles and moles, and melanin that is spread unevenly."""
    marks = Marks(space.shape, TEXEL_MM)
    height, width = space.shape
    if rng.random() < 0.3:
        per_cm2 = rng.uniform(1, 30) * np.exp(0.8 * wide_noise(space.shape, 80, rng))
        at = scatter(per_cm2, rng)
        marks.dots(at, rng.gamma(2.0, 0.12, len(at)), rng.choice([0.25, 0.4, 0.65, 1.0], len(at)))
    count = rng.poisson(8)
    marks.dots(
        rng.uniform([0, 0], [width, height], (count, 2)),
        rng.uniform(0.3, 1.5, count),
        rng.choice([0.4, 0.65, 1.0, 1.6], count),
    )
    out = marks.draw()
    for sigma, most in ((2, 0.05), (5, 0.04), (15, 0.04), (50, 0.1)):
        out += wide_noise(space.shape, sigma, rng) * np.float32(rng.uniform(0, most))
    return out


def _redness(space: SkinSpace, rng: np.random.Generator) -> np.ndarray:
    marks = Marks(space.shape, TEXEL_MM)
    height, width = space.shape
    count = rng.poisson(rng.choice([3, 40]))
    marks.dots(
        rng.uniform([0, 0], [width, height], (count, 2)),
        rng.uniform(0.1, 0.6, count),
        rng.choice([0.4, 0.65, 1.0, 1.6, 2.5], count),
    )
    out = marks.draw()
    for sigma, most in ((2, 0.05), (5, 0.05), (15, 0.06), (50, 0.15)):
        out += wide_noise(space.shape, sigma, rng) * np.float32(rng.uniform(0, most))
    return out


def _lines(space: SkinSpace, rng: np.random.Generator) -> np.ndarray:
    """Veins, scratches, pencil: lines as wrinkles have them, without any depth."""
    marks = Marks(space.shape, TEXEL_MM)
    height, width = space.shape
    count = int(rng.choice([10, 60, 400]))
    at = rng.uniform([0, 0], [width, height], (count, 2))
    angle = space.angles_at(at) + rng.normal(size=count) * rng.choice([0.2, 2.0])
    heights = rng.uniform(0.1, 0.7) * rng.gamma(2, 0.5, count) * rng.choice([1, 1, -0.5])
    marks.short_lines(at, angle, rng.uniform(8, 90, count), heights, rng.choice([0.16, 0.25, 0.4, 0.65], count))
    return marks.draw()


def _brows(space: SkinSpace, rng: np.random.Generator) -> np.ndarray:
    """Hairs that stand in the brows, outwards and up; or brows that are plucked to a line, or drawn."""
    marks, p = Marks(space.shape, TEXEL_MM), space.marks
    thick, dark = np.exp(rng.uniform(np.log(3), np.log(26))), rng.uniform(0.5, 2.2)
    drawn = rng.random() < 0.3
    for side, first in ((-1, (21, 20, 19, 18, 17)), (1, (22, 23, 24, 25, 26))):
        curve = p[list(first)] + rng.normal(size=2) * [4, 6]
        if drawn:
            height = dark * rng.uniform(0.3, 1) * np.array([0.6, 1, 1, 1, 0.3])
            marks.line(curve, height, rng.choice([0.4, 0.65, 1.0, 1.6]))
        count = int(rng.integers(100, 1400))
        t = rng.random(count)
        knots = np.linspace(0, 1, 5)
        at = np.column_stack([np.interp(t, knots, curve[:, k]) for k in range(2)])
        at[:, 1] += rng.normal(size=count) * thick * np.interp(t, [0, 0.3, 1], [0.6, 0.7, 0.25])
        up = np.interp(t, [0, 0.5, 1], [-1.1, -0.45, 0.25]) + rng.normal(size=count) * 0.25
        angle = up if side > 0 else np.pi - up
        length = rng.uniform(15, 45, count)
        marks.short_lines(at, angle, length, dark * rng.uniform(0.3, 1, count), rng.choice([0.1, 0.16], count))
    return marks.draw()


def _glasses(space: SkinSpace, rng: np.random.Generator) -> np.ndarray:
    """A frame: rims round or with corners, a bridge, temples; dark, or bright as metal."""
    marks, p = Marks(space.shape, TEXEL_MM), space.marks
    width, dark = rng.choice([0.25, 0.4, 0.65, 1.0, 1.6]), rng.choice([1, 1, -0.4]) * rng.uniform(0.4, 2.4)
    half = np.array([rng.uniform(20, 29), rng.uniform(13, 24)]) / TEXEL_MM
    power, shift = rng.uniform(0.45, 1.0), np.array([0, rng.uniform(-2, 5) / TEXEL_MM])
    turn = np.linspace(0, 2 * np.pi, 60)
    rim = np.column_stack([np.cos(turn), np.sin(turn)])
    rim = np.sign(rim) * np.abs(rim) ** power * half
    inner, outer = [], []
    for side, eye in ((-1, range(36, 42)), (1, range(42, 48))):
        centre = p[list(eye)].mean(axis=0) + shift + np.array([side * 2 / TEXEL_MM, 0])
        marks.line(centre + rim, dark, width)
        inner.append(centre - [side * half[0], 0.2 * half[1]])
        outer.append(centre + [side * half[0], -0.3 * half[1]])
    marks.line(np.array([inner[0], (inner[0] + inner[1]) / 2 - [0, 15], inner[1]]), dark, width)
    for side, end in zip((-1, 1), outer, strict=True):
        marks.line(np.array([end, end + [side * 400, rng.normal() * 40]]), dark, width)
    return marks.draw()


def _stubble(space: SkinSpace, rng: np.random.Generator) -> np.ndarray:
    """A shaved or grown beard: dots to hairs, downwards, where beards grow; and the shade under the skin."""
    marks, p = Marks(space.shape, TEXEL_MM), space.marks
    height, width = space.shape
    y, x = np.mgrid[0:height:8, 0:width:8].astype(np.float32)
    line = p[33, 1] + 25 + 0.9 * np.maximum(np.abs(x - space.centre) - 150, 0) * (np.abs(x - space.centre) < 420)
    where = 1 / (1 + np.exp(-(y - line) / 25))
    inside = cv2.fillPoly(np.zeros(where.shape, np.uint8), [(p[48:60] / 8).astype(np.int32)], 1)
    where = cv2.resize((where * (1 - inside)).astype(np.float32), (width, height))
    at = scatter(where * rng.uniform(15, 70), rng)
    length = rng.choice([1.0, 4.0, 25.0]) * rng.uniform(0.6, 1.6, len(at))
    angle = np.pi / 2 + rng.normal(size=len(at)) * 0.5
    marks.short_lines(
        at, angle, length, rng.uniform(0.2, 1.6) * rng.uniform(0.4, 1, len(at)), rng.choice([0.1, 0.16], len(at))
    )
    return marks.draw() + where * np.float32(rng.uniform(0, 0.4))


def _strands(space: SkinSpace, rng: np.random.Generator) -> np.ndarray:
    """Hair over forehead and temples: long, thin, nearly parallel."""
    marks = Marks(space.shape, TEXEL_MM)
    height, width = space.shape
    for _ in range(rng.integers(1, 4)):
        start = rng.uniform([0, -50], [width, 200])
        heading = np.pi / 2 + rng.normal() * 0.8
        for _ in range(rng.integers(2, 60)):
            angles = heading + np.linspace(0, rng.normal() * 0.6, 24) + rng.normal() * 0.06
            steps = np.column_stack([np.cos(angles), np.sin(angles)]) * rng.uniform(6, 26)
            points = start + rng.normal(size=2) * 12 + np.cumsum(steps, axis=0)
            marks.line(points, rng.uniform(0.3, 2.0), rng.choice([0.1, 0.16, 0.25]))
    return marks.draw()


def _make_up(space: SkinSpace, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) lipstick, eye shadow, powder, paint: areas with borders from hard to soft."""
    p = space.marks
    height, width = space.shape
    mask = np.zeros(space.shape, np.uint8)
    if rng.random() < 0.6:
        cv2.fillPoly(mask, [p[48:60].astype(np.int32)], 255)
        cv2.fillPoly(mask, [p[60:68].astype(np.int32)], 0)
    if rng.random() < 0.5:
        for ring in (range(36, 42), range(42, 48)):
            points = p[list(ring)]
            grown = points.mean(0) + (points - points.mean(0)) * rng.uniform(1.2, 1.9) - [0, rng.uniform(0, 25)]
            cv2.fillPoly(mask, [grown.astype(np.int32)], 255)
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), rng.choice([1.0, 3.0, 12.0]))
    out = soft[..., None] * rng.uniform(-1.2, 0.1, 3).astype(np.float32)
    if rng.random() < 0.4:
        blobs = stain_shapes((height, width), rng, rng.choice([2.0, 10.0, 40.0]), rng.uniform(20, 120))
        out += blobs[..., None] * rng.uniform(-0.7, 0.4, 3).astype(np.float32)
    return out
