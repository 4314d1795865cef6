# SPDX-License-Identifier: GPL-3.0-or-later
"""From measured eyes to the prior of their colours."""

import numpy as np

from facedetail_addon.core.eyes.prior import ColourPrior


def prior_of(colors: np.ndarray) -> ColourPrior:
    """The distribution of (N, 3) reflectances, as wide as they scatter."""
    logs = np.log(colors)
    return ColourPrior(logs.mean(axis=0), np.cov(logs.T))
