# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of heads fitted to two photos each of several people."""

from dataclasses import dataclass

import numpy as np

from facedetail_addon.core.face_model.normalise import similarity


@dataclass(frozen=True)
class Likeness:
    """How alike the two heads of a person are.

    Attributes:
        within_mm: mean distance of the two heads of a person. between_mm: of two people's, by one photo of each kind.
        rank1: share of heads whose nearest head of the other kind is the same person's, mean of both directions.
        size_sigma: one σ of the logarithm of a person's size. size_bias: mean logarithm of the size beside the mean
            head's.
    """

    within_mm: float
    between_mm: float
    rank1: float
    size_sigma: float
    size_bias: float


def compare(first: np.ndarray, second: np.ndarray, mean: np.ndarray, normals: np.ndarray) -> Likeness:
    """Compare the heads of N people; distances along the normals of the mean face, each head moved onto it first.

    Args:
        first, second: (N, F, 3) mm, points of the neutral face by each photo, N ≥ 2. mean: (F, 3) mm of the mean head.
        normals: (F, 3) unit, of the mean head.
    """
    heights = [_heights(faces, mean, normals) for faces in (first, second)]
    apart = np.array([np.abs(one - heights[1]).mean(1) for one in heights[0]])
    people = np.arange(len(apart))
    sizes = [np.log([radius(face) for face in faces]) for faces in (first, second)]
    return Likeness(
        within_mm=float(np.diag(apart).mean()),
        between_mm=float(apart[people[:, None] != people].mean()),
        rank1=float(((apart.argmin(1) == people).mean() + (apart.argmin(0) == people).mean()) / 2),
        size_sigma=float(np.sqrt(((sizes[0] - sizes[1]) ** 2).mean() / 2)),
        size_bias=float(np.mean(sizes) - np.log(radius(mean))),
    )


def radius(points: np.ndarray) -> float:
    """Root mean square distance of (N, 3) points to their mean."""
    points = np.asarray(points, np.float64)
    return float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()))


def _heights(faces: np.ndarray, mean: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N, F) float32 mm over the mean face along its normals, after a similarity onto it."""
    target = mean.astype(np.float64)
    out = []
    for face in np.asarray(faces, np.float64):
        scale, rotation, translation = similarity(face, target)
        out.append((((scale * face @ rotation.T + translation) - target) * normals).sum(1))
    return np.array(out, np.float32)
