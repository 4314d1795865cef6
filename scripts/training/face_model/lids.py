# SPDX-License-Identifier: GPL-3.0-or-later
"""Closing the eyelids: the kit's blink leaves a slit where its lids are meant to overlap."""

import numpy as np
from scipy.sparse import diags
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from .surface import neighbours

REACH_MM = 7.0
LOWER_SHARE = 0.55
EYEBALL_CLEARANCE_MM = 0.2
FORWARD_LIMIT_MM = 1.0


def close_blink(
    points: np.ndarray, blink: np.ndarray, faces: np.ndarray, margin: list[int], eye: np.ndarray
) -> np.ndarray:
    """Correct one ``eyeBlink`` offset so that both lid edges meet on one curve in front of the eyeball.

    Args:
        points: (V, 3) neutral skin, mm. blink: (V, 3) offset at weight 1. faces: (F, 4).
        margin: the lid edge's loop of vertices. eye: (N, 3) vertices of that eyeball.

    Returns:
        (V, 3) corrected offset; the change fades out within ``REACH_MM`` of the lid edge.
    """
    closed = points + blink
    loop = np.array(margin)
    x = points[loop, 0]
    left, right = int(x.argmin()), int(x.argmax())
    first = _walk(loop, left, right)
    second = _walk(loop[::-1], len(loop) - 1 - left, len(loop) - 1 - right)
    upper, lower = (first, second) if points[first, 1].mean() > points[second, 1].mean() else (second, first)
    stations = np.linspace(closed[loop, 0].min(), closed[loop, 0].max(), 60)
    meet = LOWER_SHARE * _curve(closed[lower], stations) + (1 - LOWER_SHARE) * _curve(closed[upper], stations)
    front = eye[eye[:, 2] > np.median(eye[:, 2])]
    _, near = cKDTree(front[:, :2]).query(meet[:, :2], k=4)
    behind = front[near, 2].max(axis=1) + EYEBALL_CLEARANCE_MM - meet[:, 2]
    meet[:, 2] += np.clip(behind, 0, FORWARD_LIMIT_MM)
    target = np.stack([np.interp(closed[loop, 0], stations, meet[:, i]) for i in range(3)], axis=1)
    shift = np.zeros_like(points)
    shift[loop] = target - closed[loop]
    shift[[loop[left], loop[right]]] = 0
    return blink + _fade(points, faces, loop, shift)


def _walk(loop: np.ndarray, start: int, end: int) -> np.ndarray:
    turned = np.roll(loop, -start)
    return turned[: (end - start) % len(loop) + 1]


def _curve(chain: np.ndarray, stations: np.ndarray) -> np.ndarray:
    order = np.argsort(chain[:, 0])
    return np.stack([np.interp(stations, chain[order, 0], chain[order, i]) for i in range(3)], axis=1)


def _fade(points: np.ndarray, faces: np.ndarray, loop: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Spread the loop's shift smoothly (squared Laplacian) to its surroundings, zero beyond ``REACH_MM``."""
    count = len(points)
    adjacency = neighbours(faces, count)
    degree = np.asarray(adjacency.sum(axis=1)).ravel()
    laplacian = diags(np.ones(count)) - diags(1 / degree) @ adjacency
    system = (laplacian @ laplacian).tocsr()
    near = np.linalg.norm(points[:, None] - points[loop][None], axis=2).min(axis=1) < REACH_MM
    near[loop] = False
    free = np.flatnonzero(near)
    out = np.zeros_like(points)
    out[loop] = shift[loop]
    out[free] = spsolve(system[free][:, free].tocsc(), -system[free][:, loop] @ shift[loop])
    return out
