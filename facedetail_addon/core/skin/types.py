# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of skin in general, and what is found out about one."""

from dataclasses import dataclass, replace

import numpy as np

from ..colour import LUMINANCE

SKIN_IOR = 1.4
"""Index of refraction (Tuchin 2000; 1.38 to 1.44 in the literature); 2.8 % is reflected at normal incidence."""
SUBSURFACE_RADIUS_MM = (3.67, 1.37, 0.68)
"""Diffuse mean free path in red, green and blue: 1 / √(3 σa (σa + σs′)) of "skin1" in Jensen et al. (2001), where
σs′ = (0.74, 0.88, 1.01) and σa = (0.032, 0.17, 0.48) per mm."""
SUBSURFACE_ALBEDO = (0.44, 0.22, 0.13)
"""Diffuse reflectance of that skin, from the same table."""
SUBSURFACE_POWER = 0.5
"""The mean free path goes with this power of the albedo, channel by channel: darker skin scatters less far. Between the
paper's two skins ("skin2": 0.63, 0.44, 0.34 and 4.82, 1.69, 1.09 mm) powers are 0.76, 0.30 and 0.49. Evenly coloured
matter that scatters as "skin1" would have about 1 at dark skin's albedos, but melanin lies in the epidermis, like a
filter that leaves scattering below it as it is (Donner and Jensen 2006): half of that is between both."""

_AT_ONCE = 10  # maps of modes that are made floats


@dataclass(frozen=True)
class EyeSkin:
    """People's skin around the eyes, in canonical UV of 512 texels.

    Attributes:
        row, column: of its first texel.
        apart: (H/4, W/4, 3) float32, logarithms by which it differs from the albedo basis in the mean.
        lines: (N, H, W) float32, log luminance of the fine pattern of N people, 0 at the border.
        lined: (N,) float32, logarithms of the fine contrast of their cheeks and foreheads.
        share: (H, W) float32 in [0, 1], where these stand in for the basis' own fine pattern; not on brows.
    """

    row: int
    column: int
    apart: np.ndarray
    lines: np.ndarray
    lined: np.ndarray
    share: np.ndarray


@dataclass(frozen=True)
class AlbedoBasis:
    """Statistical albedo of the skin: log M_alb(γ) = a + E γ (after Chen et al., ICCV 2019, section 4.3).

    The paper has M_alb itself there. In logarithms pigment adds up as it does in skin (Beer and Lambert), no γ gives a
    negative colour, and dark skin does not get the contrasts of light skin. Colours are linear Rec. 709. Per vertex for
    fitting, per texel for textures; both describe the same skin.

    Attributes:
        lowest, highest: (G,) float32, the range of γ among the people it was learned from.
        mean: (V_skin, 3) float32 log albedo. modes: (G, V_skin, 3) float32 per σ.
        residual_sigma: (V_skin,) float32, what the modes leave over: standard deviation of log luminance.
        known: (V_skin,) float32, 1 = skin that the portraits showed, 0 = hair, inside of mouth and sockets.
        plain: (V_skin,) bool, forehead, cheeks, nose and chin, where skin is mostly of one colour.
        mean_map: (S, S, 3) float32 in canonical UV, row 0 at the top, padded beyond the island.
        mode_maps: (G, S, S, 3) int8 or int16, in units of ``mode_steps``, (G,) float32.
        eyes: what is known of the skin around the eyes beside it.
    """

    lowest: np.ndarray
    highest: np.ndarray
    mean: np.ndarray
    modes: np.ndarray
    residual_sigma: np.ndarray
    known: np.ndarray
    plain: np.ndarray
    mean_map: np.ndarray
    mode_maps: np.ndarray
    mode_steps: np.ndarray
    eyes: EyeSkin

    def albedo(self, gamma: np.ndarray) -> np.ndarray:
        """(G,) to (V_skin, 3) float32 albedo, at most 1."""
        return _colours(self.mean + _mixed(gamma, self.modes))

    def albedo_map(self, gamma: np.ndarray) -> np.ndarray:
        """(G,) to (S, S, 3) float32."""
        weights, mixed = np.asarray(gamma, np.float32) * self.mode_steps, self.mean_map.copy()
        for start in range(0, len(weights), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            mixed += _mixed(weights[some], self.mode_maps[some].astype(np.float32))
        return _colours(mixed)

    def grey(self) -> "AlbedoBasis":
        """The same people without colours: each mode changes luminance as it does around the mean."""
        mean, modes = _grey(self.mean, self.modes)
        mean_map, grey_maps = _grey(self.mean_map, self.mode_maps * self.mode_steps[:, None, None, None])
        mode_maps, steps = in_steps(grey_maps)
        return replace(self, mean=mean, modes=modes, mean_map=mean_map, mode_maps=mode_maps, mode_steps=steps)


def in_steps(modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(G, …) modes as int16 and (G,) float32 steps: ``mode_maps`` and ``mode_steps`` of a basis."""
    most = np.abs(modes).reshape(len(modes), -1).max(axis=1)
    steps = np.maximum(most / np.iinfo(np.int16).max, 1e-12).astype(np.float32)
    return np.round(modes / steps.reshape(-1, *[1] * (modes.ndim - 1))).astype(np.int16), steps


def _mixed(gamma: np.ndarray, modes: np.ndarray) -> np.ndarray:
    # In double precision, which fits ask for, all modes would be copied.
    return np.tensordot(np.asarray(gamma, np.float32), modes, axes=1)


def _colours(logarithms: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(logarithms, 0)).astype(np.float32)


def _grey(mean: np.ndarray, modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    parts = np.exp(mean) * LUMINANCE
    total = parts.sum(axis=-1, keepdims=True)
    grey_modes = (modes * (parts / total)).sum(axis=-1, keepdims=True)
    return np.repeat(np.log(total), 3, axis=-1), np.repeat(grey_modes, 3, axis=-1)


@dataclass(frozen=True)
class SkinMaps:
    """The skin of one person in canonical UV, (R, R) texels, row 0 at the top, complete and padded beyond the island.

    Attributes:
        albedo: (R, R, 3) uint8, sRGB-encoded diffuse colour without light.
        roughness: (R, R) uint8, 255 = 1; the square of its value is the α of GGX.
        specular: (R, R) uint8, 255 = 1; Blender's Specular IOR Level: 0.5 leaves the reflection as the IOR says.
        confidence: (R, R) float32, 1 = seen straight on, 0 = filled in or outside the island.
        known: (R, R) float32 in [0, 1], where the photo shows this person's bare skin without shine; None where nobody
            has asked.
        creases: (S, S, 3) float32, logarithm of what the photo's shading was taken to be lighter by in creases; None:
            it was as estimated.
    """

    albedo: np.ndarray
    roughness: np.ndarray
    specular: np.ndarray
    confidence: np.ndarray
    creases: np.ndarray | None = None
    known: np.ndarray | None = None
