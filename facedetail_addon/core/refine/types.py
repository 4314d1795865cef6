# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found of how a person's skin reflects."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reflectance:
    """Of skin in canonical UV, (S, S) texels, row 0 at the top; outside the island nothing is said.

    Attributes:
        pigment: (S, S, 3) float32 logarithm, what the painted albedo is to be multiplied by; 0 = nothing.
        specular: (S, S) float32, Blender's Specular IOR Level. roughness: (S, S) float32, its square is the α of GGX.
        told: (S, S) float32 in [0, 1), how much the photo says of the specular level beside what is expected of it.
    """

    pigment: np.ndarray
    specular: np.ndarray
    roughness: np.ndarray
    told: np.ndarray


@dataclass(frozen=True)
class ReflectanceTerms:
    """How much the terms of the solve count; 0 leaves one out.

    Attributes:
        photo: its colours. consistency: with the painted albedo and the reflection that is expected.
        smoothness: of each map. symmetry: of specular level and roughness, where both sides are seen.
    """

    photo: float = 1.0
    consistency: float = 1.0
    smoothness: float = 1.0
    symmetry: float = 1.0


ALL_TERMS = ReflectanceTerms()
