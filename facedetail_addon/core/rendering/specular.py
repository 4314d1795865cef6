# SPDX-License-Identifier: GPL-3.0-or-later
"""What a surface reflects without colouring it: the split-sum approximation (Karis 2013) for GGX.

The light around the mirror direction, blurred by the lobe, times the lobe's directional albedo, times the share that
the head itself does not occlude.
"""

import numpy as np

from .harmonics import band_index, evaluate
from .normals import unit
from .types import SkinGloss

_ALBEDO_FIT = np.array([  # directional albedo: powers of 1 − cosine by powers of roughness
    [0.0217, 0.0333, -0.0505], [0.1087, -0.3287, 0.2442], [-0.6849, 2.3549, -1.7754], [1.3888, -3.8331, 2.4119],
    [0.1824, -0.6435, 0.7658],
])  # fmt: skip
_FITTED_ROUGHNESS = (0.2, 0.8)  # range of the fit
_MOST_ALBEDO = 0.95  # something is always left for the skin below
_LEAST_COSINE = 0.02  # between normal and view


def specular_transfer(
    points: np.ndarray,
    normals: np.ndarray,
    camera_position: np.ndarray,
    gloss: SkinGloss,
    visibility: np.ndarray,
    bands: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Reflection to the camera for each coefficient of the light.

    Args:
        points: (V, 3) mm. normals: (V, 3) unit. camera_position: (3,) mm. gloss: of the V points.
        visibility: (V,) cosine-weighted share of the sky that is free. bands: B.

    Returns:
        (V, B²) float32, and (V,) float32 transmission: the share of the diffuse light that this reflection leaves.
    """
    view = camera_position - points
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    cosine = (normals * view).sum(axis=1)
    facing = cosine.clip(_LEAST_COSINE, 1).astype(np.float32)
    mirror = unit(2 * cosine[:, None] * normals - view)
    albedo = directional_albedo(facing, gloss.roughness, gloss.specular)
    lobe = lobe_factors(gloss.roughness, bands)
    visible = np.where(cosine > 0, specular_occlusion(facing, visibility, gloss.roughness), 0)
    transfer = evaluate(mirror, bands) * lobe * (albedo * visible)[:, None]
    return transfer.astype(np.float32), (1 - albedo).astype(np.float32)


def directional_albedo(cosine: np.ndarray, roughness: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Share of even light that the skin's surface reflects.

    Integrals of GGX with Smith's shadowing and the exact Fresnel reflection at the index 1.4, fitted to 2 % (9 % at
    most) for roughness 0.2 to 0.8.

    Args:
        cosine: between normal and view. roughness: GGX with α = roughness². level: Blender's Specular IOR Level, which
            scales the reflection; 0.5 is that of the index.
    """
    grazing = np.power.outer(1 - cosine, np.arange(5))
    rough = np.power.outer(np.clip(roughness, *_FITTED_ROUGHNESS), np.arange(3))
    integral = np.einsum("...i,ij,...j->...", grazing, _ALBEDO_FIT, rough)
    return (2 * level * integral).clip(0, _MOST_ALBEDO)


def lobe_factors(roughness: np.ndarray, bands: int) -> np.ndarray:
    """(V, B²) how far the lobe of GGX, α = roughness², blurs each band of light around the mirror direction.

    exp(−0.65 α l^1.4), fitted to integrals of the lobe. (Ramamoorthi and Hanrahan 2002 have a Gaussian in l for
    facets of Beckmann's kind; GGX has longer tails.)
    """
    band = band_index(bands)
    return np.exp(-0.65 * np.square(roughness)[:, None] * band**1.4).astype(np.float32)


def specular_occlusion(cosine: np.ndarray, visibility: np.ndarray, roughness: np.ndarray) -> np.ndarray:
    """(V,) share of the reflected light that the head itself leaves: Lagarde and de Rousiers (2014), 4.10.2."""
    return ((cosine + visibility) ** np.exp2(-16 * roughness - 1) - 1 + visibility).clip(0, 1)
