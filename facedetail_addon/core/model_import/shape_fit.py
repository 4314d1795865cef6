# SPDX-License-Identifier: GPL-3.0-or-later
"""A face model's identity laid on another surface: what is only pulled by closest points slides along smooth cheeks,
while a statistical head knows how far cheeks go along with noses and chins.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ..face_model.model import FaceModel
from ..face_model.normalise import similarity
from ..rendering.normals import vertex_normals
from .nonrigid import Landmarks
from .surface import Surface

_POINTS = 3000
_ROUNDS = 12
_SURFACE_MM, _LANDMARK_MM = 1.5, 3.0  # usual distances that no identity of the model explains
_REACH_MM = (40.0, 8.0)  # of closest points, in the first and in the last round
_LEAST_FACING = 0.5
_PER_POINT = 25.0  # neighbouring points of a surface err alike: so many of them count as one


@dataclass(frozen=True)
class Similarity:
    """x → scale · rotation · x + translation; lengths in mm."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points."""
        return self.scale * points @ self.rotation.T + self.translation


@dataclass(frozen=True)
class FittedShape:
    """A head of the model near the surface.

    Attributes:
        alpha: (K,) float64. placed: from the head frame to the surface's.
        points: (V_skin, 3) float64 mm, of that head, on the surface.
    """

    alpha: np.ndarray
    placed: Similarity
    points: np.ndarray


def fit_shape(model: FaceModel, matched: np.ndarray, target: Surface, landmarks: Landmarks) -> FittedShape:
    """Pose, size and identity of the model by closest points, measured along the normals, and landmarks.

    Args:
        matched: (V_skin,) bool, vertices that have a counterpart on the surface.
        landmarks: ``points`` on the mean head, ``targets`` on the surface.
    """
    triangles = model.skin.triangles()
    mean, modes = model.skin.of(model.mean).astype(np.float64), model.skin.of(model.identity_basis)
    used = np.flatnonzero(matched)
    used = used[:: max(1, len(used) // _POINTS)]
    placed = Similarity(*similarity(landmarks.points, landmarks.targets, landmarks.weights))
    alpha = np.zeros(len(modes))
    for reach_mm in np.geomspace(*_REACH_MM, _ROUNDS):
        head = mean + np.tensordot(alpha, modes, 1)
        points = placed(head)
        normals = vertex_normals(points, triangles)[used]
        closest = target.match(points[used], normals)
        worth = (closest.distance < reach_mm) & ~closest.on_border & (closest.facing > _LEAST_FACING)
        rows, values = _surface_rows(points[used], closest.position, normals, _turned(modes[:, used], placed))
        weight = worth / (_SURFACE_MM**2 * _PER_POINT)
        mark_rows, mark_values = _landmark_rows(landmarks, alpha, modes, placed)
        mark_weight = np.repeat(landmarks.weights, 3) / _LANDMARK_MM**2
        normal = (rows * weight[:, None]).T @ rows + (mark_rows * mark_weight[:, None]).T @ mark_rows
        right = rows.T @ (weight * values) + mark_rows.T @ (mark_weight * mark_values)
        # α of unit variance about 0; pose and size are free.
        prior = np.append(np.ones(len(alpha)), np.full(7, 1e-9))
        right[: len(alpha)] -= alpha
        step = np.linalg.solve(normal + np.diag(prior), right)
        alpha = alpha + step[: len(alpha)]
        placed = _moved(placed, step[len(alpha) :])
    return FittedShape(alpha, placed, placed(mean + np.tensordot(alpha, modes, 1)))


def _turned(modes: np.ndarray, placed: Similarity) -> np.ndarray:
    """(K, N, 3) modes of the head in the surface's frame."""
    return placed.scale * modes @ placed.rotation.T


def _pose_rows(points: np.ndarray) -> np.ndarray:
    """(N, 3, 7): how points move by small turns about the origin (radians), by shifts (mm), and in size (logarithm)."""
    zero = np.zeros(len(points))
    x, y, z = points.T
    turns = [[zero, z, -y], [-z, zero, x], [y, -x, zero]]
    turns = np.array(turns).transpose(2, 0, 1)
    return np.concatenate([turns, np.broadcast_to(np.eye(3), (len(points), 3, 3)), points[:, :, None]], axis=2)


def _surface_rows(
    points: np.ndarray, targets: np.ndarray, normals: np.ndarray, modes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N, K + 7) and (N,): distance along the normal as a linear function of the unknowns' steps."""
    shape = np.einsum("knc,nc->nk", modes, normals)
    pose = np.einsum("ncp,nc->np", _pose_rows(points), normals)
    return np.concatenate([shape, pose], axis=1), ((targets - points) * normals).sum(axis=1)


def _landmark_rows(
    landmarks: Landmarks, alpha: np.ndarray, modes: np.ndarray, placed: Similarity
) -> tuple[np.ndarray, np.ndarray]:
    """(3L, K + 7) and (3L,), alike."""
    at = modes[:, landmarks.vertices]
    points = placed(landmarks.points + np.tensordot(alpha, at, 1))
    shape = _turned(at, placed).transpose(1, 2, 0)
    rows = np.concatenate([shape, _pose_rows(points)], axis=2)
    return rows.reshape(-1, rows.shape[2]), (landmarks.targets - points).ravel()


def _moved(placed: Similarity, step: np.ndarray) -> Similarity:
    turn, grow = Rotation.from_rotvec(step[:3]).as_matrix(), np.exp(step[6])
    return Similarity(placed.scale * grow, turn @ placed.rotation, grow * turn @ placed.translation + step[3:6])
