# SPDX-License-Identifier: GPL-3.0-or-later
"""Which colours eyes have, as normal distributions of the logarithm: noise must not give purple irises.

Measured on the Face Research Lab London Set (82 adults, CC BY 4.0) by ``scripts.benchmark.eyes --people``.
"""

from dataclasses import dataclass

import numpy as np

_OTHER_CAMERAS = 0.10  # relative standard deviation: how much more colourful or paler other cameras draw eyes


@dataclass(frozen=True)
class ColourPrior:
    """Of log reflectance, linear Rec. 709.

    Attributes:
        mean: (3,). covariance: (3, 3).
    """

    mean: np.ndarray
    covariance: np.ndarray

    def posterior_mean(self, measured: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """(3,) the most likely log reflectance, given a measurement (3,) with covariance (3, 3) of its errors."""
        wide = self._wide()
        gain = wide @ np.linalg.inv(wide + noise)
        return self.mean + gain @ (measured - self.mean)

    def unlikeliness(self, measured: np.ndarray, noise: np.ndarray) -> float:
        """Squared Mahalanobis distance of the same from all eyes; about 3 where the errors are as told."""
        apart = measured - self.mean
        return float(apart @ np.linalg.solve(self._wide() + noise, apart))

    def _wide(self) -> np.ndarray:
        return self.covariance + _OTHER_CAMERAS**2 * np.eye(3)


IRIS_PRIOR = ColourPrior(
    np.array([-3.007, -3.245, -3.347]),
    np.array([[0.3700, 0.4294, 0.4195], [0.4294, 0.5327, 0.5474], [0.4195, 0.5474, 0.5888]]),
)
"""With the gloss of the cornea, so that even black is some colour. Nearly a line: dark brown, hazel, grey, blue."""
SCLERA_PRIOR = ColourPrior(
    np.array([-0.793, -0.896, -0.914]),
    np.array([[0.0825, 0.0911, 0.0938], [0.0911, 0.1077, 0.1143], [0.0938, 0.1143, 0.1271]]),
)
"""Of the white of the eye."""
