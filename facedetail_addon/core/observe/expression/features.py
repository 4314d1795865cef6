# SPDX-License-Identifier: GPL-3.0-or-later
"""All features of a face in one row: emotion, gradients and geometry (Chen et al. 2019, section 3.2)."""

from dataclasses import dataclass

import cv2
import numpy as np

from .appearance import GEOMETRY_SIZE, HOG_SIZE, gradient_histograms, landmark_geometry
from .emotion_net import FEATURES, INPUT, EmotionNet, read_emotions

SIZE = FEATURES + HOG_SIZE + GEOMETRY_SIZE
EMOTION_PART = slice(0, FEATURES)
HOG_PART = slice(FEATURES, FEATURES + HOG_SIZE)
GEOMETRY_PART = slice(FEATURES + HOG_SIZE, SIZE)


@dataclass(frozen=True)
class FaceFeatures:
    """Features of B faces.

    Attributes:
        rows: (B, SIZE) float32: 128 of Emotion-Net, histograms of gradients, geometry in mm.
        emotions: (B, 7) float32 probabilities.
    """

    rows: np.ndarray
    emotions: np.ndarray


def describe_faces(network: EmotionNet, crops: np.ndarray, points: np.ndarray) -> FaceFeatures:
    """Features of aligned faces.

    Args:
        crops: (B, 96, 96) uint8 grey, of :func:`.face_crop.crop_face`.
        points: (B, 478, 3) mm, their landmarks in the head frame, of ``normalise_landmarks``.
    """
    small = np.stack([cv2.resize(crop, (INPUT, INPUT), interpolation=cv2.INTER_AREA) for crop in crops])
    emotions, features = read_emotions(network, small)
    rows = np.concatenate([features, gradient_histograms(crops), landmark_geometry(points)], axis=1)
    return FaceFeatures(rows, emotions)
