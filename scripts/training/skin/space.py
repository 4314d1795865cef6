# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical UV as ground for synthetic skin: landmarks, regions and the face's tension lines."""

from dataclasses import dataclass

import cv2
import numpy as np

from facedetail_addon.core.detail.space import BOX, SIDE, TEXEL_MM
from facedetail_addon.core.face_model.model import FaceModel
from scripts.training.skin.strokes import along

_LEVEL = 8  # texels per step of the tension lines' map


@dataclass(frozen=True)
class Side:
    """One half of the face: sign of x towards its ear, and its landmarks."""

    sign: int
    outer_eye: int
    wing: int
    corner: int
    lid: tuple[int, ...]


SIDES = (Side(-1, 36, 31, 48, (36, 41, 40, 39)), Side(1, 45, 35, 54, (45, 46, 47, 42)))


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
    marks = landmark_texels(model)
    part = triangle[y0:y1, x0:x1]
    region = np.where(part >= 0, model.region[model.skin.triangles()[part, 0]], 255).astype(np.uint8)
    centre = SIDE / 2 - x0
    return SkinSpace(marks, centre, region, tuple(model.region_names), _tension(marks, region.shape))


def landmark_texels(model: FaceModel) -> np.ndarray:
    """(68, 2) texels (x, y) over BOX of the landmarks in canonical UV."""
    marks = model.landmarks68.points(model.skin.vertex_uv())
    return np.column_stack([marks[:, 0] * SIDE - BOX[0], (1 - marks[:, 1]) * SIDE - BOX[1]])


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
        line = np.array([along(guide, np.array([t]))[0] for t in np.linspace(0, 1, 40)])
        turn = np.arctan2(*np.diff(line, axis=0).T[::-1]) * 2
        for (x, y), double in zip(line[:-1] / _LEVEL, turn, strict=True):
            if 0 <= y < small[0] and 0 <= x < small[1]:
                total[int(y), int(x)] += [np.cos(double), np.sin(double)]
    spread = sum(cv2.GaussianBlur(total, (0, 0), s) / w for s, w in ((4, 30.0), (12, 1.0), (40, 0.2)))
    return (np.arctan2(spread[..., 1], spread[..., 0]) / 2).astype(np.float32)
