# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an eyeball's centre and pupil are, for aiming and shading."""

from dataclasses import dataclass

import numpy as np

from ..core.face_model.gaze import pupil_vertex
from ..core.face_model.model import MeshPart

IRIS_RADIUS_MM = 5.9
"""Half of the visible iris diameter of adults, 11.8 mm, which hardly varies between people."""


@dataclass(frozen=True)
class Eyeball:
    """A sphere with a pupil.

    Attributes:
        center: (3,) mm. radius: mm.
        gaze: (3,) unit vector from the centre to the pupil.
    """

    center: np.ndarray
    radius: float
    gaze: np.ndarray


def fit_eyeball(part: MeshPart, vertices: np.ndarray) -> Eyeball:
    """The eyeball of an eye part.

    Args:
        part: its UV has the pupil at (0.5, 0.5).
        vertices: (N, 3) mm of this part.
    """
    system = np.concatenate([2 * vertices, np.ones_like(vertices[:, :1])], axis=1).astype(np.float64)
    # |v|² = 2 v·c + (r² - |c|²) is linear in the centre c.
    solution = np.linalg.lstsq(system, (vertices.astype(np.float64) ** 2).sum(1), rcond=None)[0]
    center = solution[:3]
    radius = float(np.sqrt(solution[3] + center @ center))
    pupil = vertices[pupil_vertex(part, vertices)] - center
    return Eyeball(center, radius, pupil / np.linalg.norm(pupil))


def iris_coordinates(eye: Eyeball, vertices: np.ndarray) -> np.ndarray:
    """(N, 3) mm to (N, 3) float32: place around the pupil in iris radii; length = arc from the pupil, third value 0.

    Equidistant from the pupil outwards, so the back of the eye lies far out and never looks like a second pupil.
    """
    directions = vertices - eye.center
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    side = np.cross([0.0, 1.0, 0.0], eye.gaze)
    side /= np.linalg.norm(side)
    up = np.cross(eye.gaze, side)
    flat = np.stack([directions @ side, directions @ up], axis=1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    arc = np.arctan2(length, (directions @ eye.gaze)[:, None]) * eye.radius / IRIS_RADIUS_MM
    placed = np.where(length > 1e-9, flat / np.maximum(length, 1e-9) * arc, 0.0)
    return np.concatenate([placed, np.zeros_like(length)], axis=1).astype(np.float32)
