# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the light on a head."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Transfer:
    """How light from far away reaches the skin of one posed head, and how much of it goes on to the camera.

    Spherical harmonics are real and orthonormal, index l² + l + m, in the head frame; B² coefficients for B bands.
    The environment's radiance is Σ radiance[i] · Y_i.

    Attributes:
        diffuse: (V, B²) float32; ``diffuse @ radiance`` is the light that a white diffuse surface there would send on
            (irradiance / π), with the head's own shadows, straight from the environment. 1 in an even light of
            radiance 1 where nothing is in the way.
        interreflection: (V, V) float32 sparse; row v weighs the points of the skin that v sees: what they
            send on reaches v.
        vector: (V, 3, B²) float32; ``vector @ radiance`` is the light vector over π (Gershun 1939), head frame: its
            product with the normal is the diffuse light, with a normal that tips a little the light it has then, as
            long as the same head casts the same shadows.
        gloss: (V, B²) float32; ``gloss @ radiance`` is what the surface reflects to the camera without colouring it.
        transmission: (V,) float32 in [0, 1], the share of the diffuse light that this reflection leaves.
    """

    diffuse: np.ndarray
    vector: np.ndarray
    interreflection: csr_matrix
    gloss: np.ndarray
    transmission: np.ndarray


@dataclass(frozen=True)
class LightEstimate:
    """The light and the skin's colours of one photo, after Chen et al. (ICCV 2019), section 4.3.

    At every point of the skin: linear photo colour = albedo · shading + gloss.

    Attributes:
        radiance: (B², 3) float32 linear Rec. 709, spherical harmonics of the environment's radiance, head frame.
        gamma: (G,) float32 coefficients of the albedo basis in σ units.
        shading: (V_skin, 3) float32, positive: what a white diffuse skin would show, shadows and light from skin to
            skin included.
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
