# SPDX-License-Identifier: GPL-3.0-or-later
"""The light stage in the terms of the other estimates: its harmonics, and what it makes of the skin."""

from dataclasses import replace

import numpy as np

from facedetail_addon.core.lighting.types import LightEstimate
from facedetail_addon.core.rendering.harmonics import bands_of, fibonacci_sphere, project
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.shade import shading_floor
from facedetail_addon.core.rendering.stage import HALF_ANGLE_DEG, LightStage, lamp_directions, stage_transfer
from facedetail_addon.core.rendering.types import Transfer
from facedetail_addon.core.skin.types import AlbedoBasis

_SAMPLES = 20000
_BOUNCES = 2  # of light between skin


def stage_harmonics(stage: LightStage, bands: int) -> np.ndarray:
    """(B², 3) spherical harmonics of the radiance in the middle of the stage."""
    directions = fibonacci_sphere(_SAMPLES)
    on_lamp = directions @ lamp_directions().T > np.cos(np.radians(HALF_ANGLE_DEG))
    radiance = on_lamp @ stage.radiance.astype(np.float64) + stage.ambient
    return project(radiance, directions, np.full(_SAMPLES, 4 * np.pi / _SAMPLES), bands)


def lit_by_stage(
    light: LightEstimate,
    stage: LightStage,
    transfer: Transfer,
    basis: AlbedoBasis,
    vertices: np.ndarray,
    triangles: np.ndarray,
) -> LightEstimate:
    """The estimate with shading and gloss of the stage instead of the harmonics.

    Args:
        vertices: (V, 3) mm, all parts of the posed head, the skin's first. triangles: (T, 3) int of all parts.
    """
    skin = len(transfer.diffuse)
    normals = vertex_normals(vertices[:skin], triangles[(triangles < skin).all(axis=1)])
    albedo = (basis.grey() if light.monochrome else basis).albedo(light.gamma)
    sky = transfer.diffuse[:, :1] * np.sqrt(4 * np.pi)
    direct = stage_transfer(vertices[:skin], normals, vertices, triangles) @ stage.radiance + sky * stage.ambient
    total = direct
    for _ in range(_BOUNCES):
        total = direct + transfer.interreflection @ (albedo * total)
    shading = np.maximum(transfer.transmission[:, None] * total, shading_floor(total)).astype(np.float32)
    gloss = transfer.gloss @ stage_harmonics(stage, bands_of(transfer.gloss.T))
    return replace(light, shading=shading, gloss=np.maximum(gloss, 0).astype(np.float32))
