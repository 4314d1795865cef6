# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring landmarks of a photo into the head frame: what is left is identity, expression and error, not pose."""

from dataclasses import dataclass

import numpy as np

OUTLIER_SIGMAS = 4.0
# How fast weight falls beyond that distance: three halves of it leave 9 %.
OUTLIER_POWER = 6


@dataclass(frozen=True)
class NormalisedLandmarks:
    """Landmarks in the head frame, and the view they were taken from.

    Attributes:
        points: (N, 3) float64 mm, head frame.
        rotation: (3, 3) float64 head frame to camera axes (x right, y down, z away).
        scale: px per mm. translation: (3,) px; landmark = scale · rotation · point + translation.
        yaw, pitch, roll: radians; yaw positive to the subject's left, pitch positive downwards.
        weights: (N,) float64 in (0, 1], below 1 for points far from where any face has them.
    """

    points: np.ndarray
    rotation: np.ndarray
    scale: float
    translation: np.ndarray
    yaw: float
    pitch: float
    roll: float
    weights: np.ndarray


def normalise_landmarks(
    mesh_px: np.ndarray, reference: np.ndarray, sigma: np.ndarray | None = None
) -> NormalisedLandmarks:
    """The similarity from a reference face to the landmarks, and the landmarks seen from it.

    Args:
        mesh_px: (N, 3) px, z smaller towards the viewer, as the landmarker returns them.
        reference: (N, 3) mm, mean face in the head frame.
        sigma: (N,) mm, how far landmarks usually lie from the reference; with it, points far beyond lose weight.
    """
    mesh_px, reference = mesh_px.astype(np.float64), reference.astype(np.float64)
    weights = np.ones(len(reference))
    for _ in range(1 if sigma is None else 4):
        scale, rotation, translation = similarity(reference, mesh_px, weights)
        points = (mesh_px - translation) @ rotation / scale
        if sigma is not None:
            distance = np.linalg.norm(points - reference, axis=1)
            weights = np.minimum(1, OUTLIER_SIGMAS * sigma / np.maximum(distance, 1e-9)) ** OUTLIER_POWER
    yaw, pitch, roll = head_angles(rotation)
    return NormalisedLandmarks(points, rotation, scale, translation, yaw, pitch, roll, weights)


def head_angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch, roll (radians) of a head-to-camera rotation: roll after pitch after yaw."""
    upright = np.diag([1.0, -1.0, -1.0]) @ rotation
    yaw = np.arctan2(-upright[2, 0], upright[2, 2])
    pitch = np.arcsin(np.clip(upright[2, 1], -1, 1))
    return float(yaw), float(pitch), float(np.arctan2(-upright[0, 1], upright[1, 1]))


def similarity(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation (3, 3), translation (3,) from (N, 3) source to target, weighted (Umeyama 1991)."""
    weights = np.full(len(source), 1 / len(source)) if weights is None else weights / weights.sum()
    source_mean, target_mean = weights @ source, weights @ target
    source_centred, target_centred = source - source_mean, target - target_mean
    left, singular, right = np.linalg.svd((target_centred * weights[:, None]).T @ source_centred)
    sign = np.array([1.0, 1.0, np.linalg.det(left) * np.linalg.det(right)])
    rotation = (left * sign) @ right
    scale = float((singular * sign).sum() / (weights @ (source_centred**2).sum(1)))
    return scale, rotation, target_mean - scale * rotation @ source_mean
