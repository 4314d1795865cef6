# SPDX-License-Identifier: GPL-3.0-or-later
"""From transfer, light and albedo to colours: what a photo shows of skin is albedo · shading + gloss.

Shading is irradiance / π, what a white diffuse surface would show; gloss is what the surface adds without colouring it.
"""

import numpy as np

from .types import Transfer

_BOUNCES = 2  # of light between skin
_LEAST_SHARE, _LEAST = 0.01, 1e-4  # of the median, and at least: the floor of shading


def shade(transfer: Transfer, radiance: np.ndarray, albedo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shading and gloss of every vertex in some light.

    Args:
        transfer: of V vertices. radiance: (B², 3). albedo: (V, 3), which colours the light from skin to skin.

    Returns:
        (V, 3) float32 positive shading and (V, 3) float32 gloss ≥ 0.
    """
    direct = transfer.diffuse @ radiance
    total = direct
    for _ in range(_BOUNCES):
        total = direct + transfer.interreflection @ (albedo * total)
    shading = np.maximum(transfer.transmission[:, None] * total, shading_floor(total))
    return shading.astype(np.float32), np.maximum(transfer.gloss @ radiance, 0).astype(np.float32)


def shading_floor(shading: np.ndarray) -> float:
    """Shading is nowhere less than this: what the rings of few harmonics would take away."""
    return max(_LEAST_SHARE * float(np.median(shading)), _LEAST)


def reflected(albedo: np.ndarray, shading: np.ndarray, gloss: np.ndarray) -> np.ndarray:
    """(…, 3) linear radiance to the camera: albedo · shading + gloss."""
    return albedo * shading + gloss
