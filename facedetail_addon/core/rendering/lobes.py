# SPDX-License-Identifier: GPL-3.0-or-later
"""What a light stage's round lamps send off a surface: lobes of GGX, wide as the roughness says, over a lamp's disc.

Harmonics of few bands know no highlight that is narrower than a face. Lamps do, and roughness tells how wide it is.
"""

import numpy as np

from .harmonics import bands_of, evaluate
from .normals import unit
from .specular import directional_albedo, lobe_factors, specular_occlusion
from .stage import HALF_ANGLE_DEG, LightStage, lamp_directions

_ANGLES = 121  # between mirror direction and lamp that are tabulated
_STEPS, _AROUND = 240, 48  # of the lobe's integral, outwards and around
_LEAST_COSINE = 0.02  # between normal and view
_UNIFORM = np.sqrt(4 * np.pi)  # first coefficient of an even light of radiance 1


def lamp_reflection(
    points: np.ndarray,
    normals: np.ndarray,
    camera_position: np.ndarray,
    visibility: np.ndarray,
    stage: LightStage,
    roughness: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """What a surface of Specular IOR Level 0.5 reflects of a stage to the camera (split sum, Karis 2013).

    Args:
        points: (V, 3) mm. normals: (V, 3) unit. camera_position: (3,) mm.
        visibility: (V,) cosine-weighted share of the sky that is free. roughness: (K,) that are tried.

    Returns:
        (K, V, 3) float32 radiance ≥ 0, and (K, V) float32 share of all light that is reflected.
    """
    mirror, facing, shown = _mirror(points, normals, camera_position)
    angles = np.arccos((mirror @ lamp_directions().T).clip(-1, 1))
    out, shares = [], []
    for one in roughness:
        lit = np.interp(angles, np.linspace(0, np.pi, _ANGLES), lobe_on_disc(one, np.radians(HALF_ANGLE_DEG)))
        albedo, free = _reflected(facing, shown, visibility, one)
        out.append((lit @ stage.radiance + stage.ambient) * (albedo * free)[:, None])
        shares.append(albedo)
    return np.array(out, np.float32), np.array(shares, np.float32)


def sky_reflection(
    points: np.ndarray,
    normals: np.ndarray,
    camera_position: np.ndarray,
    visibility: np.ndarray,
    radiance: np.ndarray,
    roughness: np.ndarray,
) -> np.ndarray:
    """The same, (K, V, 3), of (B², 3) harmonics of the light, as :func:`.specular.specular_transfer` has it."""
    mirror, facing, shown = _mirror(points, normals, camera_position)
    bands = bands_of(radiance)
    harmonics = evaluate(mirror, bands)
    out = []
    for one in roughness:
        albedo, free = _reflected(facing, shown, visibility, one)
        lit = (harmonics * lobe_factors(np.float32([one]), bands)) @ radiance
        out.append(lit.clip(0) * (albedo * free)[:, None])
    return np.array(out, np.float32)


def _mirror(points: np.ndarray, normals: np.ndarray, camera_position: np.ndarray) -> tuple[np.ndarray, ...]:
    """(V, 3) mirror directions of the view, (V,) cosines between normal and view, and whether there is a view."""
    view = unit(camera_position - points)
    cosine = (normals * view).sum(axis=1)
    return unit(2 * cosine[:, None] * normals - view), cosine.clip(_LEAST_COSINE, 1), cosine > 0


def _reflected(
    facing: np.ndarray, shown: np.ndarray, visibility: np.ndarray, roughness: float
) -> tuple[np.ndarray, np.ndarray]:
    """(V,) directional albedo at a level of 0.5, and the share of the reflected light that the head leaves."""
    rough = np.full(len(facing), roughness)
    return directional_albedo(facing, rough, 0.5), np.where(shown, specular_occlusion(facing, visibility, rough), 0)


def sky_visibility(diffuse: np.ndarray) -> np.ndarray:
    """(V,) cosine-weighted share of the sky that is free, of (V, B²) diffuse transfer."""
    return (diffuse[:, 0] * _UNIFORM).clip(0, 1)


def lobe_on_disc(roughness: float, half_angle: float) -> np.ndarray:
    """(121,) share of a lobe of GGX, α = roughness², that lies on a round disc, by the angle from the mirror direction
    to the disc's middle, 0 to π.

    The lobe is that at normal incidence, D(θ / 2) / 4, and adds up to 1.
    """
    alpha = roughness**2
    theta = (np.arange(_STEPS) + 0.5) * np.pi / _STEPS
    half = np.cos(theta / 2) ** 2 * (alpha**2 - 1) + 1
    density = 1 / half**2 * np.sin(theta)
    density /= density.sum()
    around = np.cos((np.arange(_AROUND) + 0.5) * np.pi / _AROUND)
    offset = np.linspace(0, np.pi, _ANGLES)
    cosines = np.cos(offset)[:, None, None] * np.cos(theta)[:, None]
    cosines = cosines + np.sin(offset)[:, None, None] * np.sin(theta)[:, None] * around
    return (cosines > np.cos(half_angle)).mean(axis=2) @ density
