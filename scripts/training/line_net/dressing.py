# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies on skin and is no form, painted into a photo: strands of hair, thin frames of glasses, shine."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from facedetail_addon.core.colour import to_linear, to_srgb
from scripts.training.skin.strokes import arc, smooth_through, wide_noise

_FINER = 3  # a line's canvas has so many pixels per pixel
_EYES_MM = 90.0  # between the outer corners of the eyes
_HAIR = ((0.02, 0.015, 0.01), (0.06, 0.03, 0.015), (0.2, 0.11, 0.05), (0.3, 0.3, 0.3))
_FRAMES = ((0.02, 0.02, 0.02), (0.12, 0.05, 0.025), (0.22, 0.1, 0.05), (0.5, 0.35, 0.15), (0.35, 0.35, 0.36))
_HAIRS, _FRAME, _SHINE = 0.5, 0.5, 0.45  # shares of photos that have them
_EYES = (range(36, 42), range(42, 48))


@dataclass
class _Canvas:
    """Curves of one colour over a square photo, as how much of each pixel they cover."""

    side: int
    cover: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.cover = np.zeros((self.side * _FINER, self.side * _FINER), np.uint8)

    def curve(self, points: np.ndarray, width: float, cover: float, closed: bool = False) -> None:
        """Through (N, 2) px, so many px wide."""
        at = np.round(points * (_FINER * 8)).astype(np.int32)
        thick = max(1, round(width * _FINER))
        cv2.polylines(self.cover, [at], closed, round(255 * cover), thick, cv2.LINE_AA, 3)

    def draw(self) -> np.ndarray:
        """(S, S, 1) float32 0 to 1."""
        small = cv2.resize(self.cover, (self.side, self.side), interpolation=cv2.INTER_AREA)
        return cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), 0.5)[..., None]


def dress(photo: np.ndarray, marks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3) uint8 photo with some of these.

    Args:
        marks: (68, 2) px, the head's landmarks.
    """
    linear = to_linear(photo).astype(np.float32)
    skin = np.median(linear[tuple(np.round(marks[27:36]).astype(int).clip(0, len(photo) - 1).T[::-1])], axis=0)
    px_per_mm = max(float(np.linalg.norm(marks[36] - marks[45])) / _EYES_MM, 0.5)
    if rng.random() < _SHINE:
        linear += _shine(marks, px_per_mm, len(photo), rng) * (0.3 + 0.7 * skin / max(skin.max(), 1e-3))
    if rng.random() < _HAIRS:
        linear = _hairs(linear, marks, px_per_mm, rng)
    if rng.random() < _FRAME:
        linear = _glasses(linear, marks, px_per_mm, rng)
    return (to_srgb(linear.clip(0, 1)) * 255 + 0.5).astype(np.uint8)


def _hairs(linear: np.ndarray, marks: np.ndarray, px_per_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Locks that hang into forehead and temples, of nearly parallel hairs."""
    canvas = _Canvas(len(linear))
    top = marks[17:27].mean(axis=0) * [1, 1] - [0, 45 * px_per_mm]
    for _ in range(rng.integers(1, 5)):
        start = top + rng.normal(size=2) * [35 * px_per_mm, 14 * px_per_mm]
        heading, bend = np.pi / 2 + rng.normal() * 0.7, rng.normal() * 0.8
        length, spread = rng.uniform(20, 90) * px_per_mm, rng.uniform(0.5, 8) * px_per_mm
        width, cover = rng.uniform(0.1, 0.9) * px_per_mm, rng.uniform(0.35, 1)
        for _ in range(rng.integers(1, 25)):
            turn = rng.normal(size=2) * [0.06, 0.2]
            curve = arc(start + rng.normal(size=2) * spread, heading + turn[0], length, bend + turn[1])
            canvas.curve(curve, width * rng.uniform(0.6, 1.3), cover * rng.uniform(0.5, 1))
    return _painted(linear, canvas.draw(), _HAIR, rng)


def _glasses(linear: np.ndarray, marks: np.ndarray, px_per_mm: float, rng: np.random.Generator) -> np.ndarray:
    """A thin frame in front of the eyes, turned with them, and often its soft shadow."""
    canvas = _Canvas(len(linear))
    right = (marks[45] - marks[36]) / np.linalg.norm(marks[45] - marks[36])
    axes = np.array([right, [-right[1], right[0]]]) * px_per_mm
    half = np.array([rng.uniform(20, 29), rng.uniform(13, 23)])
    power, drop, width = rng.uniform(0.5, 1.0), rng.uniform(-3, 6), rng.uniform(0.5, 2.6) * px_per_mm
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    rim = np.column_stack([np.cos(turn), np.sin(turn)])
    rim = np.sign(rim) * np.abs(rim) ** power * half
    if rng.random() < 0.25:
        rim = rim[rim[:, 1] >= 0] if rng.random() < 0.5 else rim[rim[:, 1] <= 0]  # half rims
    ends = []
    for sign, eye in zip((-1, 1), _EYES, strict=True):
        centre = marks[list(eye)].mean(axis=0) + np.array([2.0 * sign, drop]) @ axes
        canvas.curve(centre + rim[np.argsort(np.arctan2(*rim.T))] @ axes, width, 1.0, len(rim) > 50)
        ends.append([centre + np.array([sign * x, -0.25 * half[1]]) @ axes for x in (-half[0], half[0])])
    middle = (ends[0][0] + ends[1][0]) / 2 - axes[1] * 3
    canvas.curve(smooth_through(np.array([ends[0][0], middle, ends[1][0]])), width, 1.0)
    for sign, end in zip((-1, 1), ends, strict=True):
        canvas.curve(np.array([end[1], end[1] + np.array([sign * 45.0, rng.normal() * 8]) @ axes]), width, 1.0)
    cover = canvas.draw()
    if rng.random() < 0.6:
        away = rng.normal(size=2) * 2.5 * px_per_mm + [0, 2.0 * px_per_mm]
        shadow = cv2.warpAffine(cover, np.float32([[1, 0, away[0]], [0, 1, away[1]]]), cover.shape[1::-1])
        shadow = cv2.GaussianBlur(shadow, (0, 0), rng.uniform(0.3, 1.5) * px_per_mm)
        linear = linear * (1 - rng.uniform(0.1, 0.6) * shadow[..., None])
    return _painted(linear, cover, _FRAMES, rng)


def _shine(marks: np.ndarray, px_per_mm: float, side: int, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 1) light that blotches of damp skin mirror, on forehead, cheeks, nose and chin."""
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    noise = wide_noise((side, side), rng.uniform(0.8, 5) * px_per_mm, rng)
    patchy = 1 / (1 + np.exp(-(noise - rng.uniform(-0.5, 1)) * rng.uniform(1, 5)))
    brows = marks[17:27].mean(axis=0) - [0, 22 * px_per_mm]
    places = [brows + rng.normal(size=2) * [16 * px_per_mm, 8 * px_per_mm] for _ in range(2)]
    places += [(marks[a] + marks[b]) / 2 for a, b in ((41, 48), (46, 54), (30, 33), (57, 8))]
    out = np.zeros((side, side), np.float32)
    for place in places:
        sizes = rng.uniform(4, 18, 2) * px_per_mm
        out += rng.random() * np.exp(
            -0.5 * (((columns - place[0]) / sizes[0]) ** 2 + ((rows - place[1]) / sizes[1]) ** 2)
        )
    return (rng.uniform(0.05, 0.45) * out * patchy)[..., None].astype(np.float32)


def _painted(
    linear: np.ndarray, cover: np.ndarray, colours: tuple[tuple[float, float, float], ...], rng: np.random.Generator
) -> np.ndarray:
    colour = np.float32(colours[rng.integers(len(colours))]) * np.float32(np.exp(rng.normal() * 0.3))
    return linear * (1 - cover) + colour * cover
