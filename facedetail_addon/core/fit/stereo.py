# SPDX-License-Identifier: GPL-3.0-or-later
"""What two photos of the same skin say of the head's shape by parallax, as in stereo.

A place of the skin is known by its looks, not by the model: where the head as it stands is wrong, the same place lies
under other points of the model in both photos. How far it has slid on the surface is the same in both, and eliminated.
What remains is parallax, and belongs to shape, expressions and cameras (Hartley and Zisserman 2004, chapter 9). The
cameras are eliminated, too, as well as the landmarks know them.
"""

from dataclasses import dataclass

import numpy as np

from ..face_model.model import PointEmbedding
from ..geometry.camera import PerspectiveCamera
from ..geometry.mesh_fields import vertex_areas
from ..rendering.normals import vertex_normals
from ..robust import geman_mcclure
from .equations import NormalEquations
from .perspective import point_jacobian, pose_jacobian
from .points import LandmarkPoints, restricted
from .prepared import PreparedModel
from .types import HeadFit, PoseFit, SkinMatches

_SIGMA_MM = 0.5  # of a place's parallax
_PATCH_MM2 = 40.0  # of skin that says as much as one independent measurement: flow is smooth
_FAR_MM = 2.0  # parallax left over at which a place counts a quarter: it was mistaken for another
_STEEPEST = 0.3  # cosine between skin and line of sight, below which a slide along the skin is hardly seen


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
        jacobians = _jacobians(cameras, posed)
        slide, residual, weights = self._left_over(posed, cameras, jacobians)
        across = np.concatenate([jacobians[1], -slide @ jacobians[0]], axis=2)  # by both photos' points in mm
        alpha, beta = self.points.identity, self.points.expression
        both = np.concatenate([alpha, alpha], axis=2)
        of_alpha = np.einsum("nij,knj->nik", across, both)
        of_first = np.einsum("nij,knj->nik", across[:, :, 3:], beta)
        of_second = np.einsum("nij,knj->nik", across[:, :, :3], beta)
        rows = np.concatenate([of_alpha, of_first, of_second], axis=2) / self.px_per_mm
        turns = [pose_jacobian(camera, points) for camera, points in zip(cameras, posed, strict=True)]
        of_cameras = np.concatenate([-slide @ turns[0], turns[1]], axis=2) / self.px_per_mm
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
        _, residual, weights = self._left_over(posed, cameras, _jacobians(cameras, posed))
        return posed[1], cameras[1].project(posed[1]) + residual * self.px_per_mm, weights

    def _posed(self, values: np.ndarray, identities: int) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) mm in each photo."""
        alpha, betas = values[:identities], np.split(values[identities:], 2)
        return self.points.posed(alpha, betas[0]), self.points.posed(alpha, betas[1])

    def _left_over(
        self, posed: tuple[np.ndarray, np.ndarray], cameras: tuple[PerspectiveCamera, PerspectiveCamera],
        jacobians: list[np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """(N, 2, 2) how px of the first photo go over into px of the second along the skin, (N, 2) mm parallax, and
        (N,) weights, less of places that were mistaken for others."""
        along = [jacobian @ self.tangents for jacobian in jacobians]
        slide = along[1] @ np.linalg.inv(along[0])
        apart = [places - camera.project(points) for places, camera, points in
                 zip((self.first_px, self.second_px), cameras, posed, strict=True)]  # fmt: skip
        residual = (apart[1] - np.einsum("nij,nj->ni", slide, apart[0])) / self.px_per_mm
        return slide, residual, self.weights * geman_mcclure(np.linalg.norm(residual, axis=1) / _FAR_MM)


def _jacobians(cameras: tuple[PerspectiveCamera, PerspectiveCamera], posed: tuple[np.ndarray, np.ndarray]) -> list:
    """(N, 2, 3) of each photo."""
    return [point_jacobian(camera, points) for camera, points in zip(cameras, posed, strict=True)]


def stereo_term(matches: SkinMatches, head: HeadFit, prepared: PreparedModel) -> StereoTerm:
    """What places of the skin in two photos say, beginning from the head as it stands."""
    skin = prepared.scaled.skin
    triangles, stop = skin.triangles(), skin.stop
    poses = [head.poses[view] for view in matches.views]
    normals = [vertex_normals(pose.vertices[:stop], triangles)[matches.rows].astype(np.float64) for pose in poses]
    kept = np.flatnonzero(
        np.minimum(*(_facing(pose, matches.rows, own) for pose, own in zip(poses, normals, strict=True))) > _STEEPEST
    )
    rows, weights = matches.rows[kept], matches.weights[kept]
    areas = vertex_areas(poses[0].vertices[:stop], triangles)[rows]
    camera, points = poses[1].perspective, poses[1].vertices[rows].astype(np.float64)
    corners = skin.start + np.repeat(rows[:, None], 3, axis=1)
    return StereoTerm(
        views=matches.views,
        points=restricted(prepared.scaled, PointEmbedding(corners, np.tile(np.float32([1, 0, 0]), (len(rows), 1)))),
        tangents=_tangents(normals[0][kept]),
        first_px=matches.first_px[kept],
        second_px=matches.second_px[kept],
        weights=weights * areas / _PATCH_MM2 / _SIGMA_MM**2,
        px_per_mm=camera.focal_px / float(np.median(points @ camera.rotation[2] + camera.translation[2])),
    )


def _facing(pose: PoseFit, rows: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N,) cosines between (N, 3) normals and the line of sight."""
    towards = pose.perspective.position() - pose.vertices[rows]
    return (normals * towards).sum(axis=1) / np.linalg.norm(towards, axis=1)


def _tangents(normals: np.ndarray) -> np.ndarray:
    """(N, 3) unit normals to (N, 3, 2) unit vectors along the surface."""
    aside = np.where(np.abs(normals[:, :1]) < 0.7, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(normals, aside)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(normals, first)], axis=2)
