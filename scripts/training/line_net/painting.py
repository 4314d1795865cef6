# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of glasses and strands of hair painted over what was unwrapped of a person's photo, and wrinkles carved in."""

import cv2
import numpy as np

from facedetail_addon.core.detail.line_view import STEP_MM
from facedetail_addon.core.detail.relief_shading import ReliefLight, log_occlusion, slopes
from scripts.training.skin.strokes import Marks, arc, wavy, wide_noise

_PER_MM = 1 / STEP_MM
_VALUE, _HUE, _LIGHT = 0, 1, slice(8, 14)  # channels of a view
_REDDER = 0.15  # log of red over green, per log luminance that a groove loses
_FRAMES = 0.75  # share that has frames; the others have strands, and a third of these with frames, too
_NEAR_MM = 1.2  # beside a stroke that is its own
_LEAST = 0.15  # of a stroke's cover


def paint_over(channels: np.ndarray, marks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, C) channels of a view with strokes on them, and (h, w) float32, 1 where these are.

    Args:
        channels: of :func:`facedetail_addon.core.detail.line_view.view_channels`. marks: (68, 2) of its texels.
    """
    shape, out = channels.shape[:2], channels.copy()
    cover = np.zeros(shape, np.float32)
    frames = rng.random() < _FRAMES
    if frames:
        cover += _frames(shape, marks, rng)
    if not frames or rng.random() < 1 / 3:
        cover += _strands(shape, marks, rng)
    dark, tint = rng.uniform(0.3, 1.6), rng.uniform(-0.15, 0.2)
    speckled = (1 + rng.uniform(0, 0.8) * wide_noise(shape, rng.uniform(2, 8) * _PER_MM, rng)).clip(0.1, 2)
    sign = -1.0 if rng.random() < 0.85 else 0.6  # metal shines
    ink = (dark * cover * speckled).astype(np.float32)
    out[..., _VALUE] += np.float32(sign) * ink
    out[..., _HUE] += np.float32(tint) * ink
    if rng.random() < 0.5:
        away = rng.normal(size=2) * 2 * _PER_MM + [0, 1.5 * _PER_MM]
        shadow = cv2.warpAffine(cover, np.float32([[1, 0, away[0]], [0, 1, away[1]]]), shape[::-1])
        shadow = cv2.GaussianBlur(shadow, (0, 0), rng.uniform(0.4, 1.2) * _PER_MM)
        out[..., _VALUE] -= np.float32(rng.uniform(0.1, 0.5)) * shadow
        cover = np.maximum(cover, shadow)
    reach = 2 * round(_NEAR_MM * _PER_MM) + 1
    return out, cv2.dilate((cover > _LEAST).astype(np.float32), np.ones((reach, reach), np.uint8))


def carve_into(channels: np.ndarray, marks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, C) channels with a few groups of wrinkles in the photo's own light, and what these change of it, (h, w).

    Args:
        channels, marks: as for :func:`paint_over`.
    """
    relief = _wrinkles(channels.shape[:2], marks, rng)
    light = ReliefLight(*np.moveaxis(channels[..., _LIGHT], -1, 0))
    dark = light.log_shading(*slopes(relief, STEP_MM))[0] + log_occlusion(relief, STEP_MM)
    out = channels.copy()
    out[..., _VALUE] += dark
    out[..., _HUE] -= np.float32(_REDDER * rng.uniform(0.3, 1.5)) * dark
    return out, dark.astype(np.float32)


def _wrinkles(shape: tuple[int, int], marks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(h, w) mm: groups of nearly parallel lines, on the forehead across, elsewhere in any direction."""
    canvas = Marks(shape, STEP_MM)
    for _ in range(rng.integers(2, 7)):
        forehead = rng.random() < 0.4
        at = (
            marks[17:27].mean(axis=0) - [0, 20 * _PER_MM]
            if forehead
            else marks[rng.choice([1, 4, 36, 41, 45, 46, 12, 15])]
        )
        at = at + rng.normal(size=2) * [14 * _PER_MM, 7 * _PER_MM]
        heading = rng.normal() * 0.15 if forehead else rng.uniform(0, np.pi)
        beside = np.array([-np.sin(heading), np.cos(heading)]) * rng.uniform(2.5, 7) * _PER_MM
        depth, width = np.exp(rng.uniform(np.log(0.3), np.log(2.5))), rng.choice([0.25, 0.4, 0.65, 1.0])
        length, bend = rng.uniform(10, 55) * _PER_MM, rng.normal() * 0.4
        for number in range(rng.integers(1, 6)):
            start = at + number * beside - np.array([np.cos(heading), np.sin(heading)]) * length / 2
            curve = wavy(arc(start, heading + rng.normal() * 0.06, length, bend), rng, 0.6 * _PER_MM)
            ends = np.sin(np.linspace(0.1, np.pi - 0.1, len(curve)))
            canvas.line(curve, -depth * rng.uniform(0.5, 1.2) * ends, width)
    return canvas.draw(shoulder=rng.uniform(0.2, 0.5))


def _frames(shape: tuple[int, int], marks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    canvas, width = Marks(shape, STEP_MM), rng.choice([0.25, 0.4, 0.65, 1.0])
    half = np.array([rng.uniform(19, 29), rng.uniform(13, 24)]) * _PER_MM
    power, drop = rng.uniform(0.5, 1.0), rng.uniform(-3, 9) * _PER_MM
    turn = np.linspace(0, 2 * np.pi, 80)
    if rng.random() < 0.2:
        turn = np.linspace(0.0, np.pi, 40)  # the lower half
    rim = np.column_stack([np.cos(turn), np.sin(turn)])
    rim = np.sign(rim) * np.abs(rim) ** power * half
    ends = []
    for sign, eye in ((-1, range(36, 42)), (1, range(42, 48))):
        centre = marks[list(eye)].mean(axis=0) + [sign * rng.uniform(0, 4) * _PER_MM, drop]
        canvas.line(centre + rim, 1.0, width)
        ends.append(centre - [sign * half[0], 0.2 * half[1]])
        side = centre + [sign * half[0], -0.3 * half[1]]
        canvas.line(np.array([side, side + [sign * 60 * _PER_MM, rng.normal() * 6 * _PER_MM]]), 1.0, width)
    canvas.line(np.array([ends[0], (ends[0] + ends[1]) / 2 - [0, 3 * _PER_MM], ends[1]]), 1.0, width)
    return canvas.draw().clip(0, 1)


def _strands(shape: tuple[int, int], marks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    canvas = Marks(shape, STEP_MM)
    top = marks[17:27].mean(axis=0) - [0, 38 * _PER_MM]
    for _ in range(rng.integers(1, 5)):
        start = top + rng.normal(size=2) * [32 * _PER_MM, 10 * _PER_MM]
        heading, bend, length = np.pi / 2 + rng.normal() * 0.6, rng.normal() * 0.7, rng.uniform(12, 60) * _PER_MM
        spread, width = rng.uniform(1, 7) * _PER_MM, rng.choice([0.16, 0.25, 0.4])
        for _ in range(rng.integers(1, 14)):
            curve = arc(start + rng.normal(size=2) * spread, heading + rng.normal() * 0.07, length, bend)
            canvas.line(curve, rng.uniform(0.5, 1), width)
    return canvas.draw().clip(0, 1)
