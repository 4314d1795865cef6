# SPDX-License-Identifier: GPL-3.0-or-later
"""The point of a triangle that is nearest to another point."""

import numpy as np


def closest_weights(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N, 3) points and (N, 3, 3) triangles: (N, 3) weights of the point of each triangle closest to its point."""
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    to_point = points - corners[:, 0]
    d11, d12, d22 = _dot(edge1, edge1), _dot(edge1, edge2), _dot(edge2, edge2)
    p1, p2 = _dot(to_point, edge1), _dot(to_point, edge2)
    area = np.maximum(d11 * d22 - d12 * d12, 1e-20)
    second, third = (d22 * p1 - d12 * p2) / area, (d11 * p2 - d12 * p1) / area
    inside = np.stack([1 - second - third, second, third], axis=1)
    best = np.where(inside.min(axis=1) >= 0, 0.0, np.inf)
    out = inside
    for start, end in ((0, 1), (1, 2), (2, 0)):
        edge = corners[:, end] - corners[:, start]
        along = _dot(points - corners[:, start], edge) / np.maximum(_dot(edge, edge), 1e-20)
        along = along.clip(0, 1)
        off = corners[:, start] + along[:, None] * edge - points
        distance = _dot(off, off)
        closer = distance < best
        on_edge = np.zeros_like(inside)
        on_edge[:, start], on_edge[:, end] = 1 - along, along
        best = np.where(closer, distance, best)
        out = np.where(closer[:, None], on_edge, out)
    return out


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N,) products of (N, 3) vectors; a sum over three is slow in numpy when it is along the rows."""
    x, y, z = (one * other).T
    return x + y + z
