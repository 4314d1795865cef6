# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the expression of a face from its whole look: Emotion-Net, appearance, dictionary."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....settings import LANDMARKS, PRIOR
from ...face_model.calibration import LandmarkCalibration
from ...face_model.model import FaceModel
from ...face_model.normalise import normalise_landmarks
from ...notices import Notice
from ..landmarks.types import FaceLandmarks
from .appearance import CROP
from .dictionary import ExpressionDictionary, load_dictionary
from .emotion_net import EmotionNet, load_emotion_net
from .face_crop import crop_face
from .features import FaceFeatures, describe_faces
from .types import Emotion, ExpressionPrior

# Beyond so many usual distances from the dictionary a face is called unlike all of it.
UNLIKE = 2.5


@dataclass(frozen=True)
class ExpressionReader:
    """Network, dictionary and landmark reference, loaded once for many photos."""

    network: EmotionNet
    dictionary: ExpressionDictionary
    calibration: LandmarkCalibration

    @classmethod
    def load(
        cls, model: FaceModel, calibration: LandmarkCalibration, dictionary: Path | None = None
    ) -> "ExpressionReader":
        """The shipped network and a dictionary, for a face model.

        Args:
            dictionary: a file that was made of the model itself; the shipped one where None.

        Raises:
            AssetError: a file is missing or damaged, or the dictionary is another model's.
        """
        calibration.require_model(model)
        return cls(load_emotion_net(), load_dictionary(dictionary).for_model(model), calibration)

    def describe(self, picture: np.ndarray, landmarks: FaceLandmarks) -> FaceFeatures:
        """Features (one row) of a face in an (H, W, 3) uint8 RGB picture."""
        return describe_photo(self.network, self.calibration, picture, landmarks)

    def read(self, picture: np.ndarray, landmarks: FaceLandmarks) -> tuple[Emotion, ExpressionPrior]:
        """Emotion and expression prior of a face.

        The farther a face is from all of the dictionary (covered, blurred, no face at all), the less certain the prior.
        Where the landmarks were not seen the face is taken to be at rest.

        Args:
            picture: (H, W, 3) uint8 RGB. landmarks: of the face.
        """
        features = self.describe(picture, landmarks)
        if not landmarks.seen:
            return Emotion(features.emotions[0]), self._at_rest()
        beta, distance = self.dictionary.look_up(self.dictionary.metric.coordinates(features.rows)[0])
        distance /= self.dictionary.reference_distance
        precision = self.dictionary.precision.astype(np.float64) / max(distance, 1.0) ** 2
        return Emotion(features.emotions[0]), ExpressionPrior(beta_prior=beta, precision=precision, distance=distance)

    def _at_rest(self) -> ExpressionPrior:
        precision = self.dictionary.precision.astype(np.float64)
        return ExpressionPrior(beta_prior=np.zeros(len(precision), np.float32), precision=precision, distance=0.0)


def describe_photo(
    network: EmotionNet, calibration: LandmarkCalibration, picture: np.ndarray, landmarks: FaceLandmarks
) -> FaceFeatures:
    """Features (one row) of a face in an (H, W, 3) uint8 RGB picture."""
    view = normalise_landmarks(landmarks.mesh_px, calibration.mean, calibration.mean_sigma)
    return describe_faces(network, crop_face(picture, landmarks.mesh_px, CROP)[None], view.points[None])


def notices(prior: ExpressionPrior, source: str) -> tuple[Notice, ...]:
    """A notice with code ``unlike_dictionary`` where the expression prior is not to be relied on.

    Args:
        source: what β was taken from; the landmarks alone do not need the prior.
    """
    if prior.distance <= UNLIKE or source == LANDMARKS:
        return ()
    also = "Take the expression from the landmarks too, and check" if source == PRIOR else "Check"
    return (
        Notice(
            "unlike_dictionary",
            "This face looks unlike all faces the expression dictionary knows: something may cover it, or it is "
            f"blurred. Its expression is uncertain. {also} the preview.",
        ),
    )
