# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos beside renders of the heads fitted to them: what the step from renders to photos does to features."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.calibration import LandmarkCalibration
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.types import HeadFit
from facedetail_addon.core.observe.expression.emotion_net import EmotionNet
from facedetail_addon.core.observe.expression.features import describe_faces
from facedetail_addon.core.observe.expression.reader import describe_photo
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.photo import Photo, read_photo
from facedetail_addon.core.observe.types import CameraPrior, Observation
from scripts.training.fast_heads.renderer import FaceRenderer, render_faces
from scripts.training.fast_heads.scenes import sample_scenes, simulate_landmarks

# Each fitted head is drawn in so many scenes, whose features are averaged.
SCENES = 8
SEED = 37


@dataclass(frozen=True)
class PhotoPairs:
    """P photos and the heads fitted to their landmarks.

    Attributes:
        photos: (P, SIZE) float32 features. renders: (P, SIZE) float32, mean over some scenes.
    """

    photos: np.ndarray
    renders: np.ndarray


def training_photos(data: Path) -> list[Path]:
    """London's portraits with odd numbers and every second photo of ``wild``; the others are kept for measuring."""
    london = [data / "london" / mood / f"{name}.jpg" for mood in ("neutral", "smiling") for name in odd_portraits(data)]
    return [*london, *sorted((data / "wild").glob("*.jpg"))[::2]]


def odd_portraits(data: Path) -> list[str]:
    """IDs of the London portraits with odd numbers."""
    with open(data / "london" / "info.csv", encoding="utf-8", newline="") as stream:
        names = [row["face_id"] for row in csv.DictReader(stream)]
    return [name for name in names if int(name) % 2 == 1 and (data / "london" / "neutral" / f"{name}.jpg").exists()]


def fit_alone(photo: Photo, landmarks: FaceLandmarks, model: FaceModel, calibration: LandmarkCalibration) -> HeadFit:
    """Fit a head as the product does where it has no dictionary yet."""
    height, width = photo.pixels.shape[:2]
    observation = Observation(landmarks, CameraPrior.centred((width, height), photo.focal_px))
    return fit_dense((observation,), model, calibration)


def photo_pairs(
    photos: list[Path], model: FaceModel, calibration: LandmarkCalibration, renderer: FaceRenderer, network: EmotionNet
) -> PhotoPairs:
    """Features of photos, and of renders of the heads fitted to them; photos without a face are left out."""
    landmarker, rng = MeshLandmarker.load(), np.random.default_rng(SEED)
    seen, drawn = [], []
    for path in photos:
        photo = read_photo(path)
        faces = landmarker.find(photo.pixels)
        if not faces:
            continue
        head = fit_alone(photo, faces[0], model, calibration)
        seen.append(describe_photo(network, calibration, photo.pixels, faces[0]).rows[0])
        alpha, beta = (np.repeat(part[None], SCENES, 0) for part in (head.alpha, head.pose.beta))
        scenes = sample_scenes(rng, SCENES, len(renderer.looks))
        points = simulate_landmarks(calibration, alpha, beta, scenes.yaw_deg, scenes.pitch_deg, None)
        crops = render_faces(renderer, alpha, beta, scenes, points)
        drawn.append(describe_faces(network, crops, points).rows.mean(0))
    return PhotoPairs(np.stack(seen), np.stack(drawn))
