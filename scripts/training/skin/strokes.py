# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves, lines and dots on a map: what wrinkles, pores, hairs and freckles have in common.

Everything is splatted as weighted points into one canvas per width and blurred once, so thousands cost little.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np


@dataclass
class Marks:
    """Lines and dots to be drawn on a map of H × W texels.

    Attributes:
        shape: (H, W). texel_mm: side of a texel.
        widths_mm: standard deviations across lines and of dots that can be drawn; others take the nearest.
    """

    shape: tuple[int, int]
    texel_mm: float
    widths_mm: tuple[float, ...] = (0.1, 0.16, 0.25, 0.4, 0.65, 1.0, 1.6, 2.5)
    _lines: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    _dots: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)

    def line(self, points: np.ndarray, height: np.ndarray | float, width_mm: float) -> None:
        """One line through (N, 2) texel positions (x, y) with a height along it, (N,) or one."""
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        count = int(along[-1] / 0.7) + 2
        at = np.linspace(0, along[-1], count)
        height = np.broadcast_to(height, len(points))
        dense = np.column_stack([np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])])
        weight = np.interp(at, along, height) * (along[-1] / count)
        self._lines.append((dense, weight, np.full(count, self._class(width_mm))))

    def short_lines(
        self, centres: np.ndarray, angles: np.ndarray, lengths: np.ndarray, heights: np.ndarray, width_mm: np.ndarray
    ) -> None:
        """(N, 2) straight lines at angles (N,) (0 along x, towards y), lengths (N,) in texels, fading at their ends."""
        count = max(int(lengths.max() / 0.9), 4) if len(lengths) else 4
        t = np.linspace(-0.5, 0.5, count)
        direction = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        points = centres[:, None] + (t[None, :, None] * lengths[:, None, None]) * direction[:, None]
        weight = heights[:, None] * (1 - (2 * t[None]) ** 2) * (lengths[:, None] / count)
        kind = np.broadcast_to(self._class(width_mm)[:, None], weight.shape)
        self._lines.append((points.reshape(-1, 2), weight.ravel(), kind.ravel()))

    def dots(self, centres: np.ndarray, heights: np.ndarray, width_mm: np.ndarray) -> None:
        """(N, 2) round dots of Gaussian profile."""
        self._dots.append((centres, np.broadcast_to(heights, len(centres)), self._class(width_mm)))

    def draw(self, shoulder: float = 0.0) -> np.ndarray:
        """(H, W) float32 sum of all marks.

        Args:
            shoulder: share of a line's height that comes back beside it with the opposite sign, as skin that a groove
                pushes aside; wider, so that a line takes away hardly any volume at 0.5.
        """
        out = np.zeros(self.shape, np.float32)
        for number, width_mm in enumerate(self.widths_mm):
            sigma = width_mm / self.texel_mm
            lines = self._canvas(self._lines, number)
            if lines is not None:
                out += _blur(lines, sigma) * np.float32(np.sqrt(2 * np.pi) * sigma)
                if shoulder:
                    wide = 2.2 * sigma
                    out -= _blur(lines, wide) * np.float32(shoulder * np.sqrt(2 * np.pi) * wide)
            dots = self._canvas(self._dots, number)
            if dots is not None:
                out += _blur(dots, sigma) * np.float32(2 * np.pi * sigma**2)
        return out

    def _class(self, width_mm: np.ndarray | float) -> np.ndarray:
        ratio = np.log(np.asarray(width_mm)[..., None] / np.array(self.widths_mm))
        return np.abs(ratio).argmin(axis=-1)

    def _canvas(self, marks: list, number: int) -> np.ndarray | None:
        """(H, W) float32 points of one width, each shared among four texels; None without any."""
        picked = [(p[k == number], w[k == number]) for p, w, k in marks if (k == number).any()]
        if not picked:
            return None
        points, weights = np.concatenate([p for p, _ in picked]), np.concatenate([w for _, w in picked])
        height, width = self.shape
        x, y = points[:, 0] - 0.5, points[:, 1] - 0.5
        inside = (x >= 0) & (y >= 0) & (x < width - 1) & (y < height - 1)
        x, y, weights = x[inside], y[inside], weights[inside]
        column, row = x.astype(int), y.astype(int)
        right, down = x - column, y - row
        corner = row * width + column
        places = np.concatenate([corner, corner + 1, corner + width, corner + width + 1])
        shares = np.concatenate([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right])
        out = np.bincount(places, shares * np.tile(weights, 4), minlength=height * width)
        return out.reshape(self.shape).astype(np.float32)


def wide_noise(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 smooth noise, standard deviation 1, of about Gaussian spectrum with ``sigma`` texels."""
    step = max(int(sigma / 2), 1)
    small = (shape[0] // step + 3, shape[1] // step + 3)
    noise = cv2.GaussianBlur(rng.standard_normal(small).astype(np.float32), (0, 0), sigma / step)
    noise = cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return noise / max(float(noise.std()), 1e-9)


def arc(start: np.ndarray, heading: float, length: float, bend: float, count: int = 16) -> np.ndarray:
    """(count, 2) points of an arc: turns by ``bend`` radians in all."""
    angles = heading + np.linspace(-0.5, 0.5, count) * bend
    steps = np.column_stack([np.cos(angles), np.sin(angles)]) * (length / count)
    return np.asarray(start) + np.cumsum(steps, axis=0)


def smooth_through(points: np.ndarray, count: int = 40) -> np.ndarray:
    """(count, 2) smooth curve through a few points."""
    t = np.linspace(0, len(points) - 1, count)
    base = t.astype(int).clip(0, len(points) - 2)
    f = (t - base)[:, None]
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    a, b, c, d = (padded[base + k] for k in range(4))
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def along(line: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(N, 2) places on a line of (K, 2) points, at shares (N,) of its number of points."""
    t = np.linspace(0, 1, len(line))
    return np.column_stack([np.interp(share, t, line[:, 0]), np.interp(share, t, line[:, 1])])


def wavy(points: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    """(N, 2) points shifted smoothly by about ``amount``."""
    knots = rng.integers(4, 10)
    shift = smooth_through(rng.normal(size=(knots, 2)) * amount, len(points))
    return points + shift


def _blur(canvas: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; wide ones on a smaller canvas."""
    step = 1
    while sigma / step > 6:
        step *= 2
    if step == 1:
        return cv2.GaussianBlur(canvas, (0, 0), max(sigma, 0.45), borderType=cv2.BORDER_CONSTANT)
    height, width = canvas.shape
    small = cv2.resize(canvas, (width // step, height // step), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step, borderType=cv2.BORDER_CONSTANT)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
