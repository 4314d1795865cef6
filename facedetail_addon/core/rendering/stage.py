# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual light stage: round lamps at the face centres of an icosahedron around a head, and even light.

After the virtual light stage of Dib et al. (Eurographics 2021), area lamps in the same places. This one is fixed in the
head frame, as everything is that is known of a photo's light, and symmetric to the head's middle: two
lamps stand before the face, a little above and below, two at each cheek, four in the directions of a portrait's key
light. So a mirrored photo has mirrored lamps, and the lamps of every head stand in the same places.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..parallel import in_threads
from .rays import RayScene

DISTANCE_MM = 1500.0
"""From the head frame's origin to a lamp's middle."""
HALF_ANGLE_DEG = 18.0
"""How large a lamp looks from there; neighbours stand 41.8° apart."""
RADIUS_MM = DISTANCE_MM * float(np.tan(np.radians(HALF_ANGLE_DEG)))
COUNT = 20
FACING = float(np.sin(np.radians(HALF_ANGLE_DEG)) ** 2)
"""What a white surface shows that faces a lamp of radiance 1 from the middle of the stage: irradiance / π."""
_OFFSET_MM = 0.3  # rays start so far above the surface
_SAMPLES = 16  # points of a lamp that are tried for shadows


@dataclass(frozen=True)
class LightStage:
    """How brightly the stage's lamps shine, linear Rec. 709 in units of the display.

    Attributes:
        radiance: (20, 3) float32 ≥ 0 of the lamps' discs, in the order of :func:`lamp_directions`.
        ambient: (3,) float32 ≥ 0 radiance from everywhere else.
    """

    radiance: np.ndarray
    ambient: np.ndarray


def lamp_directions() -> np.ndarray:
    """(20, 3) float64 unit vectors to the lamps, head frame: the vertices of a dodecahedron."""
    golden = (1 + np.sqrt(5)) / 2
    signs = list(product((1.0, -1.0), repeat=2))
    out = [*product((1.0, -1.0), repeat=3)]
    out += [(0.0, a / golden, b * golden) for a, b in signs]
    out += [(a / golden, b * golden, 0.0) for a, b in signs]
    out += [(a * golden, 0.0, b / golden) for a, b in signs]
    return np.array(out) / np.sqrt(3)


def stage_transfer(
    points: np.ndarray,
    normals: np.ndarray,
    vertices: np.ndarray,
    triangles: np.ndarray,
    scene: RayScene | None = None,
) -> np.ndarray:
    """Irradiance / π at points of a head under each lamp with radiance 1, the head's own shadows included.

    Args:
        points: (N, 3) mm. normals: (N, 3) unit. vertices: (V, 3) mm of all parts of the posed head.
        triangles: (T, 3) int of them. scene: of the same mesh, where there is one already.

    Returns:
        (N, 20) float32 ≥ 0.
    """
    scene = scene or RayScene(vertices, triangles)
    origins = (points + normals * _OFFSET_MM).astype(np.float32)
    normals = normals.astype(np.float32)
    out = np.zeros((len(points), COUNT), np.float32)
    share = np.float32(RADIUS_MM**2 / _SAMPLES)  # area over π
    lamps = lamp_directions()

    def shine(number: int) -> None:
        direction = lamps[number]
        for place in _on_lamp(direction):
            ray = place.astype(np.float32) - origins
            above = np.flatnonzero((ray * normals).sum(axis=1) > 0)
            ray = ray[above]
            squared = (ray * ray).sum(axis=1)
            cosines = (ray * normals[above]).sum(axis=1) * (ray @ direction.astype(np.float32)) / squared
            free = ~scene.occluded(origins[above], ray)
            out[above, number] += free * cosines.clip(0) * share / squared

    in_threads(shine, range(COUNT))
    return out


def _on_lamp(direction: np.ndarray) -> np.ndarray:
    """(S, 3) mm evenly spread points of the disc that faces the middle of the stage."""
    across = np.cross(direction, np.eye(3)[np.abs(direction).argmin()])
    across /= np.linalg.norm(across)
    step = np.arange(_SAMPLES) + 0.5
    radius, angle = RADIUS_MM * np.sqrt(step / _SAMPLES), np.pi * (1 + np.sqrt(5)) * step
    sides = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ np.stack([across, np.cross(direction, across)])
    return direction * DISTANCE_MM + sides * radius[:, None]
