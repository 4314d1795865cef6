# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dense fit needs of a face model and its landmarks alone, computed once for many photos."""

from dataclasses import dataclass

import numpy as np

from ..face_model.calibration import LandmarkCalibration
from ..face_model.canonical_points import load_canonical_points
from ..face_model.model import FaceModel
from .lips import LipContacts, lip_contacts
from .outline import OutlineSkin, outline_skin
from .photometric.skin import PhotometricSkin, photometric_skin
from .points import LandmarkPoints, embedded_paths, embedded_points, restricted
from .size import size_rate


@dataclass(frozen=True)
class PreparedModel:
    """A face model restricted to the points that the terms of the dense fit look at.

    Attributes:
        model: what it was made of, with its ``calibration``.
        landmarks: the face mesh's 478. paths: of :func:`.points.embedded_paths`. outline: the skin of outlines.
        size_rate: (K,) of :func:`.size.size_rate`.
        contacts: of the lips; None for imported heads, which may have no inner lips, or lips that are one.
        canonical: the P points of the correspondence network; None for imported heads, which have other vertices, and
            for a new built-in one until a network has learned it.
        photometric: the skin as photos show it; None for imported heads, on whose finer meshes it was not measured.
    """

    model: FaceModel
    calibration: LandmarkCalibration
    landmarks: LandmarkPoints
    paths: LandmarkPoints
    outline: OutlineSkin
    size_rate: np.ndarray
    contacts: LipContacts | None
    canonical: LandmarkPoints | None
    photometric: PhotometricSkin | None

    def require(self, model: FaceModel, calibration: LandmarkCalibration) -> None:
        """Raises ValueError where it was made of others."""
        if self.model is not model or self.calibration is not calibration:
            raise ValueError("what was prepared for the fit is of another face model")


def prepare(model: FaceModel, calibration: LandmarkCalibration) -> PreparedModel:
    """A tenth of a second's work.

    Raises:
        AssetError: another model's calibration, or the file of the canonical points is missing or damaged.
    """
    calibration.require_model(model)
    canonical = load_canonical_points().on(model)
    return PreparedModel(
        model=model,
        calibration=calibration,
        landmarks=embedded_points(model, calibration),
        paths=embedded_paths(model, calibration),
        outline=outline_skin(model),
        size_rate=size_rate(model),
        contacts=lip_contacts(model) if model.origin is None else None,
        canonical=restricted(model, canonical) if canonical else None,
        photometric=photometric_skin(model) if model.origin is None else None,
    )
