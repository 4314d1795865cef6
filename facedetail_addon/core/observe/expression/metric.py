# SPDX-License-Identifier: GPL-3.0-or-later
"""From features to coordinates in which distances count what expressions change: a learned metric."""

from dataclasses import dataclass

import numpy as np
from scipy.special import erf

from .features import EMOTION_PART, GEOMETRY_PART, HOG_PART


@dataclass(frozen=True)
class FeatureMetric:
    """PCA of the gradients, then a small network of three layers with GELU between; all float32.

    Attributes:
        hog_mean: (HOG_SIZE,). hog_basis: (HOG_SIZE, P), principal directions.
        mean, deviation: (128 + P + GEOMETRY_SIZE,), of emotion features, principal coordinates and geometry.
        weights1, bias1, weights2, bias2, weights3, bias3: of the layers, (inputs, outputs) and (outputs,).
    """

    hog_mean: np.ndarray
    hog_basis: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    weights1: np.ndarray
    bias1: np.ndarray
    weights2: np.ndarray
    bias2: np.ndarray
    weights3: np.ndarray
    bias3: np.ndarray

    @property
    def size(self) -> int:
        """M, how many coordinates there are."""
        return self.weights3.shape[-1]

    def coordinates(self, rows: np.ndarray) -> np.ndarray:
        """(B, M) float32 coordinates, in mm of motion, of (B, SIZE) features."""
        return self.of_standardised(self.standardised(rows))

    def of_standardised(self, values: np.ndarray) -> np.ndarray:
        """The same of :meth:`standardised` features."""
        for weights, bias in ((self.weights1, self.bias1), (self.weights2, self.bias2)):
            values = values @ weights + bias
            values = values * (0.5 * (1 + erf(values / np.sqrt(2)))).astype(np.float32)
        return values @ self.weights3 + self.bias3

    def standardised(self, rows: np.ndarray) -> np.ndarray:
        """(B, 128 + P + GEOMETRY_SIZE) float32 standardised features, gradients as principal coordinates."""
        rows = rows.astype(np.float32)
        gradients = (rows[:, HOG_PART] - self.hog_mean) @ self.hog_basis
        joined = np.concatenate([rows[:, EMOTION_PART], gradients, rows[:, GEOMETRY_PART]], axis=1)
        return (joined - self.mean) / self.deviation

    def fits(self) -> bool:
        """Whether all shapes go together and all values are finite."""
        arrays = list(vars(self).values())
        inputs = len(self.mean)
        hidden = self.weights1.shape[-1], self.weights2.shape[-1]
        gradients = HOG_PART.stop - HOG_PART.start
        principal = self.hog_basis.shape[-1]
        others = EMOTION_PART.stop - EMOTION_PART.start + GEOMETRY_PART.stop - GEOMETRY_PART.start
        return (
            all(array.dtype == np.float32 and np.isfinite(array).all() for array in arrays)
            and self.hog_mean.shape == (gradients,)
            and self.hog_basis.shape == (gradients, principal)
            and self.mean.shape == self.deviation.shape == (others + principal,)
            and self.weights1.shape == (inputs, hidden[0])
            and self.weights2.shape == hidden
            and self.weights3.shape == (hidden[1], self.size)
            and (self.bias1.shape, self.bias2.shape, self.bias3.shape) == ((hidden[0],), (hidden[1],), (self.size,))
            and float(self.deviation.min()) > 0
        )
