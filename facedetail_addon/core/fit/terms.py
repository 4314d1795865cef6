# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms of the fit: what is known of the coefficients beforehand, and landmarks of the photos."""

from dataclasses import dataclass

import numpy as np

from ..geometry.camera import PerspectiveCamera
from .equations import NormalEquations
from .points import LandmarkPoints, with_silhouette


@dataclass(frozen=True)
class PriorTerm:
    """What is known of the coefficients whatever the camera: linear equations that stay as they are.

    Attributes:
        equations: of α and a photo's β; of α alone where ``view`` is None.
        view: the photo.
    """

    equations: NormalEquations
    view: int | None = None


@dataclass(frozen=True)
class Contour:
    """Landmarks of the face's outline: where their own point is hidden they mean the silhouette, not the skin.

    Attributes:
        landmarks: (C,) which of a term's landmarks they are.
        paths: C·M points, for each M places from its own point towards the middle of the face.
        rotation: (3, 3) head frame to camera axes, where the pose is known beforehand; None: the current camera's.
    """

    landmarks: np.ndarray
    paths: LandmarkPoints
    rotation: np.ndarray | None = None


@dataclass(frozen=True)
class LandmarkTerm:
    """Landmarks of one photo: distances in the picture, in mm at the face's scale.

    Attributes:
        view: the photo.
        points: N points of the model that the landmarks mean. points_px: (N, 2) float64, where the photo shows them.
        weights: (N,) ≥ 0, of the squared distances among each other; the camera follows them, too.
        strength: factor of the weights beside the other terms.
        contour: those that may mean the silhouette; None: none of them.
        px_per_mm: scale of the face in the photo where it is known; None: as the current camera has it.
    """

    view: int
    points: LandmarkPoints
    points_px: np.ndarray
    weights: np.ndarray
    strength: float
    contour: Contour | None = None
    px_per_mm: float | None = None

    def points_for(self, alpha: np.ndarray, beta: np.ndarray, camera: PerspectiveCamera | None) -> LandmarkPoints:
        """The points that the landmarks mean with the head and camera as they stand."""
        if self.contour is None:
            return self.points
        rotation = self.contour.rotation
        if rotation is None:
            if camera is None:
                return self.points
            rotation = camera.rotation
        return with_silhouette(self.points, self.contour.paths, self.contour.landmarks, alpha, beta, rotation)
