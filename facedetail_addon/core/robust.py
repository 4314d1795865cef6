# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimates that outliers hardly change."""

import numpy as np

_LEAST_WEIGHT = 1e-3  # in all, below which a median says nothing


def geman_mcclure(scaled: np.ndarray) -> np.ndarray:
    """Weights of squared residuals under ρ(x) = x² / (1 + x²) (Geman and McClure 1987), in (0, 1].

    Args:
        scaled: (...) float, residuals over the scale at which one counts a quarter.
    """
    return 1 / (1 + scaled**2) ** 2


def weighted_median(values: np.ndarray, weights: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """(C,) median of (N, C) values by (N,) weights; the fallback where they add up to nothing."""
    if weights.sum() < _LEAST_WEIGHT:
        return np.asarray(fallback, np.float32)
    out = np.empty(values.shape[1], np.float32)
    for channel in range(values.shape[1]):
        order = np.argsort(values[:, channel])
        total = np.cumsum(weights[order])
        out[channel] = values[order[np.searchsorted(total, total[-1] / 2)], channel]
    return out
