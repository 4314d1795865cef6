# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dense fit needs of a face model and its landmarks alone, computed once for many photos."""

from dataclasses import dataclass

import numpy as np

from ..face_model.calibration import LandmarkCalibration
from ..face_model.canonical_points import load_canonical_points
from ..face_model.model import FaceModel
from .fitted_model import scaled_model, scaled_response
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
        scaled, response: of :func:`.fitted_model.scaled_model` and its response; all points below are on the former.
        smile: (K,) σ of α that the fit takes a full smile for; 0 for heads on which nobody has measured it.
        landmarks: the face mesh's 478. paths: of :func:`.points.embedded_paths`. outline: the skin of outlines.
        size_rate: (K + 1,) of :func:`.size.size_rate`.
        contacts: of the lips; None for imported heads, which may have no inner lips, or lips that are one.
        canonical: the P points of the correspondence network; None for imported heads, which have other vertices, and
            for a new built-in one until a network has learned it.
        photometric: the skin as photos show it; None for imported heads, on whose finer meshes it was not measured.
    """

    model: FaceModel
    calibration: LandmarkCalibration
    scaled: FaceModel
    response: np.ndarray
    smile: np.ndarray
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


def prepare(model: FaceModel, calibration: LandmarkCalibration, smile: np.ndarray | None = None) -> PreparedModel:
    """A tenth of a second's work.

    Args:
        smile: of the result; None: not measured.

    Raises:
        AssetError: another model's calibration, or the file of the canonical points is missing or damaged.
    """
    calibration.require_model(model)
    canonical = load_canonical_points().on(model)
    built_in = model.origin is None
    scaled = scaled_model(model)
    return PreparedModel(
        model=model,
        calibration=calibration,
        scaled=scaled,
        response=scaled_response(calibration),
        smile=np.zeros(len(model.identity_basis), np.float32) if smile is None else smile,
        landmarks=embedded_points(scaled, calibration),
        paths=embedded_paths(scaled, calibration),
        outline=outline_skin(scaled),
        size_rate=size_rate(scaled),
        contacts=lip_contacts(scaled) if built_in else None,
        canonical=restricted(scaled, canonical) if canonical else None,
        photometric=photometric_skin(scaled) if built_in else None,
    )
