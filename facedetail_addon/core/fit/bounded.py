# SPDX-License-Identifier: GPL-3.0-or-later
"""Small quadratic problems with bounds on each unknown."""

import numpy as np


def minimise_in_box(
    quadratic: np.ndarray,
    linear: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    rounds: int = 200,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """argmin ½ xᵀ H x − gᵀ x with lower ≤ x ≤ upper, by an active set with projected steps.

    Each round solves for the free unknowns, walks until the first bounds are met and fixes those; when no bound is met,
    unknowns whose gradient points inwards are freed. H must be positive definite.

    Args:
        quadratic: (N, N) H. linear: (N,) g. lower, upper: (N,). start: (N,) near the end, where one is known.

    Returns:
        (N,) float64.
    """
    x = np.clip(np.zeros(len(linear)) if start is None else start, lower, upper)
    free = (x > lower) & (x < upper)
    for _ in range(rounds):
        gradient = quadratic @ x - linear
        if free.any():
            step = -np.linalg.solve(quadratic[np.ix_(free, free)], gradient[free])
            room = np.where(step > 0, upper[free] - x[free], lower[free] - x[free])
            share = np.divide(room, step, out=np.full(len(step), np.inf), where=np.abs(step) > 1e-14)
            length = min(1.0, float(share.min(initial=np.inf)))
            x[free] += length * step
            if length < 1.0:
                hit = np.flatnonzero(free)[share <= length + 1e-12]
                x[hit] = np.where(step[share <= length + 1e-12] > 0, upper[hit], lower[hit])
                free[hit] = False
                continue
            gradient = quadratic @ x - linear
        inwards = ~free & (((x <= lower) & (gradient < -1e-9)) | ((x >= upper) & (gradient > 1e-9)))
        inwards &= lower < upper
        if not inwards.any():
            return x
        # The most promising one only: freeing many at once can cycle.
        free[np.flatnonzero(inwards)[np.abs(gradient[inwards]).argmax()]] = True
    return x


def minimise_rarely_bound(
    quadratic: np.ndarray,
    linear: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    rarely: np.ndarray,
    start: np.ndarray,
) -> np.ndarray:
    """:func:`minimise_in_box` where many unknowns hardly ever meet their bounds: several times as fast.

    Those are eliminated, and looked after only where they leave their bounds.

    Args:
        rarely: (N,) bool. start: (N,) near the end.
    """
    x = np.clip(start, lower, upper)
    moves = lower < upper
    watched = moves & ~rarely
    linear = linear - quadratic[:, ~moves] @ x[~moves]
    while True:
        free, box = np.flatnonzero(moves & ~watched), np.flatnonzero(watched)
        beside = quadratic[np.ix_(free, box)]
        solved = np.linalg.solve(quadratic[np.ix_(free, free)], np.column_stack([beside, linear[free]]))
        left = quadratic[np.ix_(box, box)] - beside.T @ solved[:, :-1]
        told = linear[box] - beside.T @ solved[:, -1]
        x[box] = minimise_in_box(left, told, lower[box], upper[box], start=x[box])
        x[free] = solved[:, -1] - solved[:, :-1] @ x[box]
        beyond = free[(x[free] < lower[free]) | (x[free] > upper[free])]
        if not len(beyond):
            return x
        watched[beyond] = True
        x = np.clip(x, lower, upper)
