# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes, teeth and gums of the built-in head, and how they follow the source's modes."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from facedetail_addon.core.face_model.model_file import fit_affine_modes

from .source import PART_RANGES, SourceHead

COLUMNS = 32
IRIS_ANGLE = np.radians(23.5)
IRIS_UV_RADIUS = 0.25
SCLERA_RADIUS_MM, CORNEA_BULGE_MM = 14.95, 1.5
RING_ANGLES = np.radians([3, 6, 9, 12, 15, 18, 21, 23.5, 26, 30, 36, 44, 54, 66, 80, 96, 114, 132, 150, 166])


@dataclass(frozen=True)
class PartShape:
    """One part with its own vertices.

    Attributes:
        mean: (N, 3) mm. identity: (100, N, 3). expression: (53, N, 3).
        faces: (F, 4), −1 pads triangles. uv: (U, 2). face_uv: (F, 4). face_material: (F,). materials: names.
    """

    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    face_uv: np.ndarray
    face_material: np.ndarray
    materials: tuple[str, ...]


def eyeball(source: SourceHead, name: str) -> PartShape:
    """A sphere with a cornea, its pole the pupil, driven by the affine motion of the kit's eyeball."""
    start, stop = PART_RANGES[name]
    kit = source.neutral[start:stop].astype(float)
    shell = source.faces[source.material == source.material_names.index("M_Sclera" + name[4:].capitalize())]
    outer = source.neutral[np.unique(shell[shell >= 0])].astype(float)
    centre = _sphere_centre(outer)
    unit, faces, face_material, angles, turns = _globe()
    gaze = source.pupils[name] - centre
    unit = Rotation.align_vectors(gaze[None], [[0.0, 0.0, 1.0]])[0].apply(unit)
    bulge = CORNEA_BULGE_MM * np.clip(1 - (angles / IRIS_ANGLE) ** 2, 0, 1) ** 1.5
    mean = centre + unit * (SCLERA_RADIUS_MM + bulge)[:, None]
    radius = np.where(
        angles < IRIS_ANGLE,
        IRIS_UV_RADIUS * angles / IRIS_ANGLE,
        IRIS_UV_RADIUS + (0.49 - IRIS_UV_RADIUS) * (angles - IRIS_ANGLE) / (np.pi - IRIS_ANGLE),
    )
    uv = 0.5 + radius[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    homogeneous = np.concatenate([mean, np.ones((len(mean), 1))], axis=1)
    modes = [
        homogeneous @ fit_affine_modes(kit, basis[:, start:stop])[0] for basis in (source.identity, source.expression)
    ]
    return PartShape(mean, *modes, faces, uv, faces.copy(), face_material, ("sclera", "iris"))


def _sphere_centre(points: np.ndarray) -> np.ndarray:
    design = np.concatenate([2 * points, np.ones((len(points), 1))], axis=1)
    return np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)[0][:3]


def _globe() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Unit directions, faces, materials (1 = iris), angle from the pole and turn around it of every vertex."""
    rings = len(RING_ANGLES)
    turn = 2 * np.pi * np.arange(COLUMNS) / COLUMNS
    angles = np.concatenate([[0.0], np.repeat(RING_ANGLES, COLUMNS), [np.pi]])
    turns = np.concatenate([[0.0], np.tile(turn, rings), [0.0]])
    unit = np.stack([np.sin(angles) * np.cos(turns), np.sin(angles) * np.sin(turns), np.cos(angles)], axis=1)
    here, ahead = np.arange(COLUMNS), (np.arange(COLUMNS) + 1) % COLUMNS
    none = np.full(COLUMNS, -1)
    faces = [np.stack([np.zeros(COLUMNS, int), 1 + here, 1 + ahead, none], axis=1)]
    for ring in range(rings - 1):
        a, b = 1 + ring * COLUMNS, 1 + (ring + 1) * COLUMNS
        faces.append(np.stack([a + here, b + here, b + ahead, a + ahead], axis=1))
    last = 1 + (rings - 1) * COLUMNS
    faces.append(np.stack([last + here, np.full(COLUMNS, len(unit) - 1), last + ahead, none], axis=1))
    faces = np.concatenate(faces)
    iris = np.where(faces >= 0, angles[faces], 0).max(axis=1) <= IRIS_ANGLE + 1e-6
    return unit, faces.astype(np.int32), iris.astype(np.uint8), angles, turns


def kit_part(source: SourceHead, name: str) -> PartShape:
    """Teeth or gums as the kit has them."""
    start, stop = PART_RANGES[name]
    lowest = np.where(source.faces >= 0, source.faces, source.faces.max()).min(axis=1)
    chosen = (lowest >= start) & (source.faces.max(axis=1) < stop)
    faces, face_uv = source.faces[chosen], source.face_uv[chosen]
    used, compact = np.unique(face_uv[face_uv >= 0], return_inverse=True)
    local_uv = np.full(face_uv.shape, -1, np.int32)
    local_uv[face_uv >= 0] = compact
    return PartShape(
        source.neutral[start:stop].astype(float), source.identity[:, start:stop], source.expression[:, start:stop],
        np.where(faces >= 0, faces - start, -1).astype(np.int32), source.uv[used], local_uv,
        np.zeros(len(faces), np.uint8), (name.split("_")[0],),
    )  # fmt: skip
