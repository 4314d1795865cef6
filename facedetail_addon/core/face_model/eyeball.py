# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an eyeball's centre, pupil and iris are, and how far it turns."""

from dataclasses import dataclass

import numpy as np

from ..image import smoothstep
from .model import MeshPart

IRIS_RADIUS_MM = 6.3
"""Half of the visible iris diameter that portraits show on fitted heads, which hardly varies between people."""

FULL_GAZE_DEG = 30.0
"""How far an eye turns at weight 1 of an eyeLook expression."""

IRIS_HOLLOW = 1.25
"""What the drawn iris is hollower by than flat: the cornea bends light towards the side away from the lamp, which so is
brighter, as in a bowl."""

_FRONT = 0.3
"""Cosine of the angle from the pupil up to which lids may leave an eye open."""
_FLAT, _ROUND = 0.8, 1.1
"""Iris radii up to which an eye is lit as a flat iris, and from which on as a ball."""


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

    def axes(self) -> np.ndarray:
        """(2, 3) unit vectors across the gaze: to the subject's left, and up."""
        side = np.cross([0.0, 1.0, 0.0], self.gaze)
        side /= np.linalg.norm(side)
        return np.stack([side, np.cross(self.gaze, side)])


def eye_centre(eye: np.ndarray) -> np.ndarray:
    """(3,) about which an eyeball of (N, 3) vertices turns."""
    return (eye.min(0) + eye.max(0)) / 2


def pupil_vertex(part: MeshPart, eye: np.ndarray) -> int:
    """The vertex in the middle of the pupil: in front, with UV (0.5, 0.5).

    Args:
        part: an eye. eye: (N, 3) its vertices, facing +Z more than back.
    """
    corners = part.faces[:, :3].ravel()
    distance = np.linalg.norm(part.uv[part.face_uv[:, :3].ravel()] - 0.5, axis=1)
    front = eye[corners, 2] > eye[:, 2].mean()
    return int(corners[np.where(front, distance, np.inf).argmin()])


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


def seen_front(eye: Eyeball, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M, 3) mm those of an eye's (N, 3) vertices that lie in front, and (M, 3) float32 normals that light falls on."""
    directions = vertices - eye.center
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    front = directions @ eye.gaze > _FRONT
    return vertices[front], lit_normals(eye, vertices, directions)[front]


def lit_normals(eye: Eyeball, vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N, 3) float32 of an eye's (N, 3) vertices: that of the flat iris where the clear cornea stands over one."""
    radius = np.linalg.norm(iris_coordinates(eye, vertices)[:, :2], axis=1, keepdims=True)
    share = smoothstep(radius, _FLAT, _ROUND)
    mixed = (1 - share) * eye.gaze + share * normals
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def cornea_height(eye: Eyeball, vertices: np.ndarray) -> float:
    """mm that an eye's (N, 3) vertices bulge over the iris: h in z = z₀ + h (1 − r²)² for radii r < 0.9."""
    radius = np.linalg.norm(iris_coordinates(eye, vertices)[:, :2], axis=1)
    near = radius < 0.9
    bowl = (1 - radius[near] ** 2) ** 2
    system = np.stack([bowl, np.ones_like(bowl)], axis=1)
    return float(np.linalg.lstsq(system, (vertices[near] - eye.center) @ eye.gaze, rcond=None)[0][0])


def iris_coordinates(eye: Eyeball, vertices: np.ndarray) -> np.ndarray:
    """(N, 3) mm to (N, 3) float32: place around the pupil in iris radii; length = angle from the pupil, third value 0.

    Equidistant from the pupil outwards, so the back of the eye lies far out and never looks like a second pupil.
    """
    directions = vertices - eye.center
    distance = np.linalg.norm(directions, axis=1, keepdims=True)
    directions = directions / distance
    flat = directions @ eye.axes().T
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    # The median is the white's: the cornea stands out of the sphere.
    limbus = np.arcsin(min(IRIS_RADIUS_MM / float(np.median(distance)), 0.99))
    angle = np.arctan2(length, (directions @ eye.gaze)[:, None])
    placed = np.where(length > 1e-9, flat / np.maximum(length, 1e-9) * (angle / limbus), 0.0)
    return np.concatenate([placed, np.zeros_like(length)], axis=1).astype(np.float32)
