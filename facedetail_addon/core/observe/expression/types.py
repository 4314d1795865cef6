# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from the look of a whole face."""

from dataclasses import dataclass

import numpy as np

EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@dataclass(frozen=True)
class Emotion:
    """What Emotion-Net says of a face.

    Attributes:
        probabilities: (7,) float32 of :data:`EMOTIONS`, sum 1.
    """

    probabilities: np.ndarray

    @property
    def name(self) -> str:
        """The likeliest emotion."""
        return EMOTIONS[int(self.probabilities.argmax())]

    @property
    def probability(self) -> float:
        """Its probability, 0 to 1."""
        return float(self.probabilities.max())


@dataclass(frozen=True)
class ExpressionPrior:
    """An expression prior found by the features of a face (Chen et al. 2019, section 3.2, equation 5).

    Attributes:
        beta_prior: (E,) float32 in [0, 1], the expression of the dictionary's nearest faces.
        precision: (E, E) float64, inverse covariance of β about ``beta_prior``, as measured on faces with known β.
        distance: to the nearest face of the dictionary, in units of the median distance between its faces.
    """

    beta_prior: np.ndarray
    precision: np.ndarray
    distance: float
