# SPDX-License-Identifier: GPL-3.0-or-later
"""Glasses drawn before the band of the eyes, and what of it they cover."""

import cv2
import numpy as np

from facedetail_addon.core.colour import to_linear, to_srgb
from facedetail_addon.core.observe.masks.glasses_net import GLASSES_HIGH, GLASSES_WIDE

_FINER = 4  # a canvas has so many pixels per pixel
_COLOURS = (
    (0.01, 0.01, 0.01), (0.015, 0.012, 0.01), (0.08, 0.03, 0.015), (0.2, 0.09, 0.04), (0.35, 0.2, 0.1),
    (0.5, 0.33, 0.12), (0.3, 0.3, 0.31), (0.55, 0.55, 0.57), (0.1, 0.02, 0.02), (0.03, 0.05, 0.12),
)  # fmt: skip
_HALF, _DARK_LENSES, _SHADOW, _GLARE, _GLINT = 0.25, 0.05, 0.5, 0.3, 0.6  # shares of glasses
_STRONG_SHADOW = 0.25  # of the light it takes, from which on it counts as covered


def draw_glasses(band: np.ndarray, eyes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Wear a pair.

    Args:
        band: (GLASSES_HIGH, GLASSES_WIDE, 3) uint8. eyes: (2, 2) px of their centres.

    Returns:
        The picture, and (GLASSES_HIGH, GLASSES_WIDE) float32, 1 where frames, dark lenses or strong shadows lie.
    """
    unit = float(np.linalg.norm(eyes[1] - eyes[0])) / 63.0  # px per mm
    rims, thick = _rims(eyes, unit, rng)
    cover = _frame(rims, thick, unit, rng)
    linear = to_linear(band).astype(np.float32)
    covered = cover.copy()
    lens = np.zeros_like(cover)
    for rim in rims:
        lens = np.maximum(lens, _filled(rim))
    if rng.random() < _GLARE:
        linear = _with_glare(linear, lens, unit, rng)
    if rng.random() < _SHADOW:
        away = np.float32([[1, 0, rng.normal() * 1.5 * unit], [0, 1, abs(rng.normal()) * 3 * unit]])
        shadow = cv2.warpAffine(cover, away, cover.shape[::-1])
        shadow = rng.uniform(0.1, 0.7) * cv2.GaussianBlur(shadow, (0, 0), rng.uniform(0.3, 1.6) * unit)
        linear = linear * (1 - shadow[..., None])
        covered = np.maximum(covered, (shadow > _STRONG_SHADOW).astype(np.float32))
    if rng.random() < _DARK_LENSES:
        dark = rng.uniform(0.6, 0.98)
        linear = linear * (1 - dark * lens[..., None])
        covered = np.maximum(covered, lens)
    colour = np.float32(_COLOURS[rng.integers(len(_COLOURS))]) * np.float32(np.exp(rng.normal() * 0.4))
    colour = colour * max(float(np.median(linear)) / 0.2, 0.15) ** rng.uniform(0.3, 1)
    shade = 1 + rng.uniform(0, 0.8) * cv2.GaussianBlur(rng.normal(size=cover.shape).astype(np.float32), (0, 0), 6) * 6
    paint = (colour * shade.clip(0.3, 3)[..., None]).astype(np.float32)
    if rng.random() < _GLINT:  # light along upper edges
        edge = np.maximum(cover - cv2.warpAffine(cover, np.float32([[1, 0, 0], [0, 1, 0.8]]), cover.shape[::-1]), 0)
        paint = paint + rng.uniform(0.1, 0.8) * edge[..., None]
    opaque = cover[..., None] * (rng.uniform(0.45, 0.9) if rng.random() < 0.12 else 1.0)
    linear = linear * (1 - opaque) + paint * opaque
    return (to_srgb(linear.clip(0, 1)) * 255 + 0.5).astype(np.uint8), covered.clip(0, 1)


def _rims(eyes: np.ndarray, unit: float, rng: np.random.Generator) -> tuple[list[np.ndarray], float]:
    """(N, 2) px of both rims, each closed or, of half frames, open; and how thick they are, px."""
    right = (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0])
    half = np.array([rng.uniform(19, 30), rng.uniform(12, 24)])
    power, drop, lean = rng.uniform(0.45, 1.0), rng.uniform(-2, 8), rng.normal() * 0.15
    turn = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    rim = np.column_stack([np.cos(turn), np.sin(turn)])
    rim = np.sign(rim) * np.abs(rim) ** power
    rim[:, 0] *= 1 - rng.uniform(0, 0.3) * (rim[:, 1] > 0) * rim[:, 1]  # narrower below
    rim = rim * half
    apart, tilt, yaw = rng.uniform(0, 4), rng.normal() * 0.04, rng.normal() * 0.08
    out = []
    for sign, eye in zip((-1, 1), eyes, strict=True):
        one = rim * [sign * (1 + sign * yaw), 1]
        one = one + np.outer(one[:, 0] * sign, [0, -lean])  # towards the temples it rises, or falls
        place = np.array([sign * apart, drop]) + [0, sign * 31 * tilt]
        axes = np.array([right, [-right[1], right[0]]]) * unit
        out.append(eye + (one + place) @ axes)
    return out, float(np.exp(rng.uniform(np.log(0.5), np.log(5.0)))) * unit


def _frame(rims: list[np.ndarray], thick: float, unit: float, rng: np.random.Generator) -> np.ndarray:
    """(GLASSES_HIGH, GLASSES_WIDE) float32 cover of rims, bridge, pads and temples."""
    canvas = np.zeros((GLASSES_HIGH * _FINER, GLASSES_WIDE * _FINER), np.uint8)
    style = rng.random()
    for rim in rims:
        middle = rim[:, 1].mean()
        above, below = _half(rim, rim[:, 1] <= middle), _half(rim, rim[:, 1] > middle)
        if style < _HALF:  # half frames
            _stroke(canvas, above, thick)
            if rng.random() < 0.5:
                _stroke(canvas, below, 0.3 * unit, 90)
        elif style < 2 * _HALF:  # thick above, thin below
            _stroke(canvas, rim, thick * 0.5, closed=True)
            _stroke(canvas, above, thick)
        else:
            _stroke(canvas, rim, thick, closed=True)
    inner = [rims[0][np.argmax(rims[0][:, 0])], rims[1][np.argmin(rims[1][:, 0])]]
    outer = [rims[0][np.argmin(rims[0][:, 0])], rims[1][np.argmax(rims[1][:, 0])]]
    up = rng.uniform(0, 9) * unit
    bridge = np.array(
        [inner[0] - [0, up * 0.6], (inner[0] + inner[1]) / 2 - [0, up + 2 * unit], inner[1] - [0, up * 0.6]]
    )
    _stroke(canvas, _smooth(bridge), max(thick * rng.uniform(0.6, 1.2), 0.7 * unit))
    if rng.random() < 0.2:
        _stroke(canvas, bridge - [0, 6 * unit], 0.8 * unit)
    if rng.random() < 0.4:
        for sign, place in zip((1, -1), inner, strict=True):
            _stroke(canvas, place + np.array([[0, 0], [sign * 2, 4], [sign * 2.5, 9]]) * unit, 0.9 * unit)
    slope = rng.normal() * 6
    for sign, place in zip((-1, 1), outer, strict=True):
        high = place - [0, rng.uniform(0, 8) * unit]
        end = high + np.array([sign * rng.uniform(15, 50), slope + rng.normal() * 3]) * unit
        _stroke(canvas, np.array([place, high, end]), max(thick * rng.uniform(0.6, 1.3), 0.7 * unit))
    small = cv2.resize(canvas, (GLASSES_WIDE, GLASSES_HIGH), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), 0.4)


def _half(rim: np.ndarray, which: np.ndarray) -> np.ndarray:
    part = rim[which]
    return part[np.argsort(part[:, 0])]


def _smooth(points: np.ndarray) -> np.ndarray:
    """(12, 2) of the parabola through three points."""
    t = np.linspace(0, 1, 12)[:, None]
    start, middle, end = points
    bent = 2 * middle - (start + end) / 2
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * bent + t**2 * end


def _stroke(canvas: np.ndarray, points: np.ndarray, thick: float, cover: int = 255, closed: bool = False) -> None:
    at = np.round(points * (_FINER * 8)).astype(np.int32)
    cv2.polylines(canvas, [at], closed, cover, max(1, round(thick * _FINER)), cv2.LINE_AA, 3)


def _filled(rim: np.ndarray) -> np.ndarray:
    canvas = np.zeros((GLASSES_HIGH, GLASSES_WIDE), np.uint8)
    cv2.fillPoly(canvas, [np.round(rim * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    return canvas.astype(np.float32) / 255


def _with_glare(linear: np.ndarray, lens: np.ndarray, unit: float, rng: np.random.Generator) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.normal(size=lens.shape).astype(np.float32), (0, 0), rng.uniform(2, 8) * unit)
    patch = np.maximum(noise / max(float(noise.std()), 1e-6) - rng.uniform(0.5, 2), 0).clip(0, 1)
    return linear + (rng.uniform(0.05, 0.8) * patch * lens)[..., None]
