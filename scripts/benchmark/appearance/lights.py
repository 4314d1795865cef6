# SPDX-License-Identifier: GPL-3.0-or-later
"""Light around a head: random but known, made of sky, ground and soft lamps; and the simplest estimate of it."""

from dataclasses import dataclass

import numpy as np

from facedetail_addon.core.rendering.environment import image_directions
from facedetail_addon.core.rendering.harmonics import evaluate, fibonacci_sphere, lambert, project

_SAMPLES = 20000
_SEED = 55  # of the known lights
_BANDS = 3  # of the simplest estimate
_ROUNDS = 10
_OUTLIER = 0.3  # relative difference at which a vertex counts half
_LEAST_SHADING = 0.02
_WIDTHS_DEG = (12.0, 45.0)  # how wide lamps are, at 1/e of their centre's radiance


@dataclass(frozen=True)
class Lamp:
    """A soft lamp far away: radiance = colour · exp(sharpness · (cos − 1)) around its direction.

    Attributes:
        direction: (3,) unit vector towards it, head frame. sharpness: > 0. colour: (3,) linear Rec. 709.
    """

    direction: np.ndarray
    sharpness: float
    colour: np.ndarray

    def radiance(self, directions: np.ndarray) -> np.ndarray:
        return self.colour * np.exp(self.sharpness * (directions @ self.direction - 1))[..., None]


@dataclass(frozen=True)
class Light:
    """All light from far away.

    Attributes:
        up: (3,) unit vector, head frame. sky, ground: (3,) radiance straight above and below, linear Rec. 709.
        lamps: any number.
    """

    up: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    lamps: tuple[Lamp, ...]

    def radiance(self, directions: np.ndarray) -> np.ndarray:
        """(..., 3) unit vectors to (..., 3) radiance."""
        share = ((1 + directions @ self.up) / 2)[..., None]
        out = self.sky * share + self.ground * (1 - share)
        for lamp in self.lamps:
            out = out + lamp.radiance(directions)
        return out

    def image(self, height: int) -> np.ndarray:
        """(height, 2·height, 3) float32 for Blender's Environment Texture."""
        return self.radiance(image_directions(height)).astype(np.float32)

    def harmonics(self, bands: int) -> np.ndarray:
        """(B², 3) float64 spherical harmonics of the radiance."""
        directions = fibonacci_sphere(_SAMPLES)
        return project(self.radiance(directions), directions, np.full(_SAMPLES, 4 * np.pi / _SAMPLES), bands)


def lamp(direction: np.ndarray, width_deg: float, colour: np.ndarray) -> Lamp:
    """A lamp of some width at 1/e of its centre's radiance; alone it gives as much light as radiance ``colour`` all
    around would."""
    sharpness = 1 / (1 - np.cos(np.radians(width_deg)))
    power = 2 * np.pi / sharpness * (1 - np.exp(-2 * sharpness))
    return Lamp(np.asarray(direction, np.float64), sharpness, colour * (4 * np.pi / power))


def random_light(rng: np.random.Generator, to_camera: np.ndarray, directed: float) -> Light:
    """Light as photographers and rooms have it: mostly from above and from the camera's side.

    Args:
        to_camera: (3, 3) head axes to the camera's (x right, y down, z forward).
        directed: share of the lamps in the light, 0 = sky and ground only, 1 = lamps only.
    """
    lamps = []
    for strength in (1.0, rng.uniform(0, 0.4)):
        azimuth, elevation = np.radians([rng.normal() * 50, rng.uniform(-10, 65)])
        seen = [np.cos(elevation) * np.sin(azimuth), -np.sin(elevation), -np.cos(elevation) * np.cos(azimuth)]
        colour = strength * directed * _tint(rng)
        lamps.append(lamp(to_camera.T @ np.array(seen), rng.uniform(*_WIDTHS_DEG), colour))
    level = 1 - directed
    ground = level * rng.uniform(0.2, 0.8) * _tint(rng)
    return Light(to_camera.T @ np.array([0.0, -1.0, 0.0]), level * _tint(rng) * 1.2, ground, tuple(lamps))


def known_lights() -> dict[str, np.ndarray]:
    """Spherical harmonics of soft and hard lights, by name; the hard ones ring below zero."""
    rng = np.random.default_rng(_SEED)
    upright = np.diag([1.0, -1.0, -1.0])
    dark = np.full(3, 0.02)
    up = np.array([0.0, 1.0, 0.0])
    one = lamp(np.array([0.6, 0.48, 0.64]), 5.0, np.array([1.0, 0.9, 0.75]))
    other = lamp(np.array([-0.8, 0.0, 0.6]), 5.0, np.array([0.5, 0.7, 1.0]))
    behind = lamp(np.array([0.8, 0.0, -0.6]), 8.0, np.ones(3))
    return {
        "soft, 3 bands": random_light(rng, upright, 0.2).harmonics(3),
        "half lamps, 3 bands": random_light(rng, upright, 0.5).harmonics(3),
        "half lamps, 6 bands": random_light(rng, upright, 0.5).harmonics(6),
        "mostly lamps, 3 bands": random_light(rng, upright, 0.85).harmonics(3),
        "one small lamp, 3 bands": Light(up, dark, dark, (one,)).harmonics(3),
        "one small lamp, 5 bands": Light(up, dark, dark, (one,)).harmonics(5),
        "two coloured lamps, 3 bands": Light(up, dark, dark, (one, other)).harmonics(3),
        "from behind, 3 bands": Light(up, 10 * dark, dark, (behind,)).harmonics(3),
    }


def plain_light(colour: np.ndarray, normals: np.ndarray, albedo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The simplest estimate: colour = albedo · irradiance(normal), no shadows, no gloss, everyone's skin the same.

    Args:
        colour, normals, albedo: (N, 3).

    Returns:
        (9, 3) radiance by least squares with weights that drop with the residual, and (N, 3) positive shading.
    """
    design = evaluate(normals, _BANDS) * lambert(_BANDS)
    weight, radiance = np.ones(len(colour)), np.zeros((_BANDS**2, 3))
    for _ in range(_ROUNDS):
        for channel in range(3):
            system = design * (albedo[:, channel] * weight)[:, None]
            radiance[:, channel] = np.linalg.lstsq(system, colour[:, channel] * weight, rcond=None)[0]
        model = albedo * (design @ radiance)
        off = (colour - model).mean(1) / np.maximum(model.mean(1), _LEAST_SHADING)
        weight = 1 / (1 + (off / _OUTLIER) ** 2)
    return radiance, np.maximum(design @ radiance, _LEAST_SHADING)


def _tint(rng: np.random.Generator) -> np.ndarray:
    """(3,) colour of about one unit: from warm to cold, hardly green or magenta."""
    return np.exp(rng.normal() * 0.14 * np.array([1.0, 0.0, -1.0]) + rng.normal() * 0.03 * np.array([-1.0, 1.0, -1.0]))
