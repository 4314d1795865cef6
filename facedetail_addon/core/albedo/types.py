# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of skin in general, and what is found out about one."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AlbedoBasis:
    """Statistical albedo of the skin, M_alb(γ) = a + E γ (Chen et al., ICCV 2019, equation 4 in the words of section 3).

    Colours are linear Rec. 709. Per vertex for fitting, per texel for textures; both describe the same skin.

    Attributes:
        mean: (V_skin, 3) float32. modes: (G, V_skin, 3) float32 per σ.
        spread: (V_skin,) float32, what the modes leave over: standard deviation relative to the albedo.
        known: (V_skin,) float32, 1 = skin that the portraits showed, 0 = hair, inside of mouth and sockets.
        mean_map: (S, S, 3) float32 in canonical UV, row 0 at the top, padded beyond the island.
        mode_maps: (G, S, S, 3) float32.
    """

    mean: np.ndarray
    modes: np.ndarray
    spread: np.ndarray
    known: np.ndarray
    mean_map: np.ndarray
    mode_maps: np.ndarray

    def albedo(self, gamma: np.ndarray) -> np.ndarray:
        """(G,) to (V_skin, 3) float32, never below a very dark skin."""
        return np.maximum(self.mean + np.tensordot(gamma, self.modes, axes=1), DARKEST)

    def albedo_map(self, gamma: np.ndarray) -> np.ndarray:
        """(G,) to (S, S, 3) float32."""
        return np.maximum(self.mean_map + np.tensordot(gamma, self.mode_maps, axes=1), DARKEST)


DARKEST = np.float32(0.008)


@dataclass(frozen=True)
class SkinMaps:
    """The skin of one person in canonical UV, (R, R) texels, row 0 at the top, complete and padded beyond the island.

    Attributes:
        albedo: (R, R, 3) uint8, sRGB-encoded diffuse colour without light.
        roughness: (R, R) uint8, 255 = 1; the square of its value is the α of GGX.
        specular: (R, R) uint8, 255 = 1; Blender's Specular IOR Level: 0.5 leaves the reflection as the IOR says.
        confidence: (R, R) float32, 1 = seen straight on, 0 = filled in or outside the island.
    """

    albedo: np.ndarray
    roughness: np.ndarray
    specular: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True)
class SkinGloss:
    """Surface reflection of skin by place, from measurements.

    Attributes:
        roughness, specular: (V_skin,) float32, as in :class:`SkinMaps` but 0 to 1.
    """

    roughness: np.ndarray
    specular: np.ndarray
