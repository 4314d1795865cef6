# SPDX-License-Identifier: GPL-3.0-or-later
"""What the forward model needs of a head besides its shape."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # who reads results need not load it
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class SkinGloss:
    """How the surface of the skin reflects, by place.

    Attributes:
        roughness: (V_skin,) float32 in [0, 1], its square is the α of GGX.
        specular: (V_skin,) float32 in [0, 1], Blender's Specular IOR Level: 0.5 leaves the reflection as the IOR says.
    """

    roughness: np.ndarray
    specular: np.ndarray


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
    interreflection: "csr_matrix"
    gloss: np.ndarray
    transmission: np.ndarray


@dataclass(frozen=True)
class SkinLight:
    """What one light makes of the skin of one posed head, as one camera sees it.

    Attributes:
        shading: (V, 3) float32, positive: irradiance / π. gloss: (V, 3) float32, what the surface adds.
        sky: (V,) float32 in [0, 1], how much of an even sky each vertex sees, cosine-weighted.
    """

    shading: np.ndarray
    gloss: np.ndarray
    sky: np.ndarray
