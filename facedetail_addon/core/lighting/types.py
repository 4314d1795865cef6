# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the light on a head."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LightEstimate:
    """The light and the skin's colours of one photo, after Chen et al. (ICCV 2019), section 4.3.

    At every point of the skin: linear photo colour = albedo · shading + gloss.

    Attributes:
        radiance: (B², 3) float32 linear Rec. 709, spherical harmonics of the environment's radiance, head frame.
        gamma: (G,) float32 coefficients of the albedo basis in σ units.
        shading: (V_skin, 3) float32, positive: irradiance / π, what a white diffuse skin would show, shadows and light
            from skin to skin included.
        gloss: (V_skin, 3) float32, what the surface adds.
        residual: median relative difference between photo and model where plain skin is seen, 0 = perfect.
        monochrome: the photo has no colours; albedo and light are grey.
    """

    radiance: np.ndarray
    gamma: np.ndarray
    shading: np.ndarray
    gloss: np.ndarray
    residual: float
    monochrome: bool
