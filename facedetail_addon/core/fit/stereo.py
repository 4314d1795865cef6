# SPDX-License-Identifier: GPL-3.0-or-later
"""What two photos of the same skin say of the head's shape by parallax, as in stereo.

A place of the skin is known by its looks, not by the model: where the head as it stands is wrong, the same place lies
under other points of the model in both photos. How far it has slid on the surface is the same in both, and eliminated.
What remains is parallax, and belongs to shape, expressions and cameras (Hartley and Zisserman 2004, chapter 9). The
cameras are eliminated, too, as well as the landmarks know them.
"""

from dataclasses import dataclass

import numpy as np

from ..geometry.camera import PerspectiveCamera
from ..robust import geman_mcclure
from .equations import NormalEquations
from .perspective import point_jacobian, pose_jacobian
from .points import LandmarkPoints

_FAR_MM = 2.0  # parallax left over at which a place counts a quarter: it was mistaken for another
_STEEPEST = 0.2  # of the cosines between skin and line of sight, below which a slide is not told


@dataclass(frozen=True)
class StereoTerm:
    """Places of the skin in two photos: distances in the second picture, in mm at the face's scale there.

    Attributes:
        views: the two photos; the second is the more turned one, whose camera follows these places.
        points: N of the model, on the skin near the places.
        tangents: (N, 3, 2) unit, along the skin of the posed head.
        first_px, second_px: (N, 2) float64, where the photos show the places.
        weights: (N,) independent measurements per squared mm. px_per_mm: scale of the face in the second photo.
    """

    views: tuple[int, int]
    points: LandmarkPoints
    tangents: np.ndarray
    first_px: np.ndarray
    second_px: np.ndarray
    weights: np.ndarray
    px_per_mm: float

    def equations(
        self, values: np.ndarray, identities: int, cameras: tuple[PerspectiveCamera, PerspectiveCamera],
        known: tuple[NormalEquations, NormalEquations],
    ) -> NormalEquations:  # fmt: skip
        """Of α and both photos' β, (K + 2 E,), about the current ``values``.

        Args:
            known: of small turns and shifts of each camera, what else tells them.
        """
        posed = self._posed(values, identities)
        jacobians = [point_jacobian(camera, points) for camera, points in zip(cameras, posed, strict=True)]
        slide, residual = self._left_over(posed, cameras, jacobians)
        across = np.concatenate([jacobians[1], -slide @ jacobians[0]], axis=2)  # by both photos' points in mm
        alpha, beta = self.points.identity, self.points.expression
        both = np.concatenate([alpha, alpha], axis=2)
        of_alpha = np.einsum("nij,knj->nik", across, both)
        of_first = np.einsum("nij,knj->nik", across[:, :, 3:], beta)
        of_second = np.einsum("nij,knj->nik", across[:, :, :3], beta)
        rows = np.concatenate([of_alpha, of_first, of_second], axis=2) / self.px_per_mm
        turns = [pose_jacobian(camera, points) for camera, points in zip(cameras, posed, strict=True)]
        of_cameras = np.concatenate([-slide @ turns[0], turns[1]], axis=2) / self.px_per_mm
        weights = self.weights * geman_mcclure(np.linalg.norm(residual, axis=1) / _FAR_MM)
        root = np.repeat(np.sqrt(weights), 2)[:, None]
        rows, of_cameras = rows.reshape(len(root), -1) * root, of_cameras.reshape(len(root), -1) * root
        target = residual.ravel() * root[:, 0]
        own = of_cameras.T @ of_cameras
        own[:6, :6] += known[0].quadratic
        own[6:, 6:] += known[1].quadratic
        pull = of_cameras.T @ target + np.concatenate([known[0].linear, known[1].linear])
        across = rows.T @ of_cameras
        solved = np.linalg.solve(own, np.column_stack([across.T, pull]))
        quadratic = rows.T @ rows - across @ solved[:, :-1]
        linear = rows.T @ target - across @ solved[:, -1]
        return NormalEquations(quadratic, linear + quadratic @ values)

    def for_camera(
        self, values: np.ndarray, identities: int, cameras: tuple[PerspectiveCamera, PerspectiveCamera]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the second camera is to follow: (N, 3) mm, where it should see them, (N, 2) px, and (N,) weights."""
        posed = self._posed(values, identities)
        jacobians = [point_jacobian(camera, points) for camera, points in zip(cameras, posed, strict=True)]
        _, residual = self._left_over(posed, cameras, jacobians)
        weights = self.weights * geman_mcclure(np.linalg.norm(residual, axis=1) / _FAR_MM)
        return posed[1], cameras[1].project(posed[1]) + residual * self.px_per_mm, weights

    def _posed(self, values: np.ndarray, identities: int) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) mm in each photo."""
        alpha, betas = values[:identities], np.split(values[identities:], 2)
        return self.points.posed(alpha, betas[0]), self.points.posed(alpha, betas[1])

    def _left_over(
        self, posed: tuple[np.ndarray, np.ndarray], cameras: tuple[PerspectiveCamera, PerspectiveCamera],
        jacobians: list[np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """(N, 2, 2) how px of the first photo go over into px of the second along the skin, and (N, 2) mm parallax."""
        along = [jacobian @ self.tangents for jacobian in jacobians]
        slide = along[1] @ np.linalg.inv(along[0])
        apart = [places - camera.project(points) for places, camera, points in
                 zip((self.first_px, self.second_px), cameras, posed, strict=True)]  # fmt: skip
        return slide, (apart[1] - np.einsum("nij,nj->ni", slide, apart[0])) / self.px_per_mm
