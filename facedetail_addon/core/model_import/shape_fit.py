# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose, size and identity of a face model fitted to a surface, before any non-rigid registration.

What only closest points pull at slides along smooth cheeks; a statistical head knows how cheeks vary with noses and
chins.
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
_SURFACE_SIGMA_MM, _LANDMARK_SIGMA_MM = 1.5, 3.0  # standard deviation of what no identity of the model explains
_REACH_MM = (40.0, 8.0)  # of closest points, in the first and in the last round
_LEAST_FACING = 0.5
_PER_SAMPLE = 25.0  # residuals of neighbouring points are correlated: so many points count as one sample


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
    """The head of the model that is nearest to the surface.

    Attributes:
        alpha: (K,) float64. pose: from the head frame to the surface's.
        points: (V_skin, 3) float64 mm, of that head in the surface's frame.
    """

    alpha: np.ndarray
    pose: Similarity
    points: np.ndarray


def fit_shape(model: FaceModel, matchable: np.ndarray, target: Surface, landmarks: Landmarks) -> FittedShape:
    """Pose, size and identity of the model by closest points, measured along the normals, and landmarks.

    Args:
        matchable: (V_skin,) bool, vertices that may have a counterpart on the surface.
        landmarks: ``points`` on the mean head, ``targets`` on the surface.
    """
    triangles = model.skin.triangles()
    mean, modes = model.skin.of(model.mean).astype(np.float64), model.skin.of(model.identity_basis)
    used = np.flatnonzero(matchable)
    used = used[:: max(1, len(used) // _POINTS)]
    pose = Similarity(*similarity(landmarks.points, landmarks.targets, landmarks.weights))
    alpha = np.zeros(len(modes))
    for reach_mm in np.geomspace(*_REACH_MM, _ROUNDS):
        head = mean + np.tensordot(alpha, modes, 1)
        points = pose(head)
        normals = vertex_normals(points, triangles)[used]
        closest = target.match(points[used], normals)
        usable = (closest.distance < reach_mm) & ~closest.on_border & (closest.facing > _LEAST_FACING)
        rows, values = _surface_rows(points[used], closest.position, normals, _rotated(modes[:, used], pose))
        weight = usable / (_SURFACE_SIGMA_MM**2 * _PER_SAMPLE)
        mark_rows, mark_values = _landmark_rows(landmarks, alpha, modes, pose)
        mark_weight = np.repeat(landmarks.weights, 3) / _LANDMARK_SIGMA_MM**2
        normal = (rows * weight[:, None]).T @ rows + (mark_rows * mark_weight[:, None]).T @ mark_rows
        right = rows.T @ (weight * values) + mark_rows.T @ (mark_weight * mark_values)
        # α of unit variance about 0; pose and size are free.
        prior = np.append(np.ones(len(alpha)), np.full(7, 1e-9))
        right[: len(alpha)] -= alpha
        step = np.linalg.solve(normal + np.diag(prior), right)
        alpha = alpha + step[: len(alpha)]
        pose = _stepped(pose, step[len(alpha) :])
    return FittedShape(alpha, pose, pose(mean + np.tensordot(alpha, modes, 1)))


def _rotated(modes: np.ndarray, pose: Similarity) -> np.ndarray:
    """(K, N, 3) modes of the head in the surface's frame."""
    return pose.scale * modes @ pose.rotation.T


def _pose_rows(points: np.ndarray) -> np.ndarray:
    """(N, 3, 7): motion by small rotations about the origin (radians), translations (mm), and growth (logarithm)."""
    zero = np.zeros(len(points))
    x, y, z = points.T
    rotations = [[zero, z, -y], [-z, zero, x], [y, -x, zero]]
    rotations = np.array(rotations).transpose(2, 0, 1)
    return np.concatenate([rotations, np.broadcast_to(np.eye(3), (len(points), 3, 3)), points[:, :, None]], axis=2)


def _surface_rows(
    points: np.ndarray, targets: np.ndarray, normals: np.ndarray, modes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N, K + 7) and (N,): distance along the normal as a linear function of the unknowns' steps."""
    shape = np.einsum("knc,nc->nk", modes, normals)
    pose = np.einsum("ncp,nc->np", _pose_rows(points), normals)
    return np.concatenate([shape, pose], axis=1), ((targets - points) * normals).sum(axis=1)


def _landmark_rows(
    landmarks: Landmarks, alpha: np.ndarray, modes: np.ndarray, pose: Similarity
) -> tuple[np.ndarray, np.ndarray]:
    """(3L, K + 7) and (3L,), alike."""
    at = modes[:, landmarks.vertices]
    points = pose(landmarks.points + np.tensordot(alpha, at, 1))
    shape = _rotated(at, pose).transpose(1, 2, 0)
    rows = np.concatenate([shape, _pose_rows(points)], axis=2)
    return rows.reshape(-1, rows.shape[2]), (landmarks.targets - points).ravel()


def _stepped(pose: Similarity, step: np.ndarray) -> Similarity:
    rotation, growth = Rotation.from_rotvec(step[:3]).as_matrix(), np.exp(step[6])
    translation = growth * rotation @ pose.translation + step[3:6]
    return Similarity(pose.scale * growth, rotation @ pose.rotation, translation)
