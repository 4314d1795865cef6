# SPDX-License-Identifier: GPL-3.0-or-later
"""The model seen through its landmark points; those of the outline mean the silhouette where their own is hidden."""

from dataclasses import dataclass

import numpy as np

from ..errors import FaceDetailError
from ..face_model.calibration import LandmarkCalibration
from ..face_model.model import FaceModel, PointEmbedding

_MIN_SIZE_PX = 8.0


@dataclass(frozen=True)
class LandmarkPoints:
    """A model restricted to N points; mm.

    Attributes:
        base: (N, 3) on the mean head. identity: (K, N, 3). expression: (E, N, 3). offset: (N, 3) or
            (1, 3) added to the points.
    """

    base: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    offset: np.ndarray

    def posed(self, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """(N, 3) float64 mm."""
        return self.base + self.offset + np.tensordot(alpha, self.identity, 1) + np.tensordot(beta, self.expression, 1)

    def only(self, rows: np.ndarray) -> "LandmarkPoints":
        """Some of the points."""
        offset = np.broadcast_to(self.offset, self.base.shape)[rows]
        return LandmarkPoints(self.base[rows], self.identity[:, rows], self.expression[:, rows], offset)


def embedded_points(model: FaceModel, calibration: LandmarkCalibration) -> LandmarkPoints:
    """The 478 landmarks with their systematic offsets."""
    return restricted(model, calibration.embedding, calibration.offset)


def embedded_paths(model: FaceModel, calibration: LandmarkCalibration) -> LandmarkPoints:
    """The C·M points of the contour's paths, without offsets."""
    return restricted(model, calibration.contour_paths)


def with_silhouette(
    points: LandmarkPoints,
    paths: LandmarkPoints,
    contour: np.ndarray,
    alpha: np.ndarray,
    beta: np.ndarray,
    rotation: np.ndarray,
) -> LandmarkPoints:
    """The landmark points with hidden contour points replaced by the silhouette's.

    Args:
        points, paths: of :func:`embedded_points` and :func:`embedded_paths`.
        contour: (C,) landmarks the paths belong to.
        alpha, beta: current coefficients. rotation: (3, 3) head frame to camera axes.
    """
    count = len(contour)
    posed = paths.posed(alpha, beta)
    flat = posed @ rotation[:2].T
    center = points.posed(alpha, beta).mean(0) @ rotation[:2].T
    choice = silhouette_choice(flat.reshape(count, -1, 2), center)
    moved = np.flatnonzero(choice > 0)
    place = moved * (len(posed) // count) + choice[moved]
    at = contour[moved]
    out = LandmarkPoints(points.base.copy(), points.identity.copy(), points.expression.copy(), points.offset.copy())
    out.base[at], out.offset[at] = paths.base[place], 0
    out.identity[:, at], out.expression[:, at] = paths.identity[:, place], paths.expression[:, place]
    return out


def restricted(model: FaceModel, place: PointEmbedding, offset: np.ndarray | None = None) -> LandmarkPoints:
    """N points of the model with its named expressions, (N, 3) ``offset`` added; none by default."""
    bases = (model.mean, model.identity_basis, model.expression_basis)
    offset = np.zeros((len(place.vertices), 3)) if offset is None else np.asarray(offset, np.float64)
    return LandmarkPoints(*(place.points(basis).astype(np.float64) for basis in bases), offset)


def usable_px(points_px: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Landmarks as float64.

    Raises:
        FaceDetailError: they have another shape, are not finite or fall in one place.
    """
    points_px = np.asarray(points_px, np.float64)
    usable = points_px.shape == shape and np.isfinite(points_px).all()
    if not usable or np.ptp(points_px[:, :2], axis=0).min() < _MIN_SIZE_PX:
        raise FaceDetailError(
            "The landmarks of this face are not usable: they are not finite or lie in one place.",
            "Use a larger picture of the face, or another photo.",
        )
    return points_px


def silhouette_choice(projected_paths: np.ndarray, center_px: np.ndarray) -> np.ndarray:
    """For each contour landmark the place on its path that reaches farthest out in the picture.

    Args:
        projected_paths: (C, M, 2) px, paths from the landmark's own point (first) towards the middle of the face.
        center_px: (2,) the projected middle of the face.

    Returns:
        (C,) int, 0 where the own point is on the silhouette or in view.
    """
    outward = projected_paths[:, 0] - center_px
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    reach = np.einsum("cmk,ck->cm", projected_paths - center_px, outward)
    return reach.argmax(1)
