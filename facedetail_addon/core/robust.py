# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of outliers in iteratively reweighted least squares."""

import numpy as np


def geman_mcclure(scaled: np.ndarray) -> np.ndarray:
    """Weights of squared residuals under ρ(x) = x² / (1 + x²) (Geman and McClure 1987), in (0, 1].

    Args:
        scaled: (...) float, residuals over the scale at which one counts a quarter.
    """
    return 1 / (1 + scaled**2) ** 2
