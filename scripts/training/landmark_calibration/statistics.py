# SPDX-License-Identifier: GPL-3.0-or-later
"""All the statistics of a landmark calibration from measured heads."""

import numpy as np

from facedetail_addon.core.face_model.calibration import (
    LandmarkCalibration,
    pose_terms,
)
from facedetail_addon.core.face_model.model import FaceModel, PointEmbedding
from facedetail_addon.core.face_model.normalise import normalise_landmarks
from scripts.training.landmark_calibration.embedding import contour_paths, embed_landmarks
from scripts.training.landmark_calibration.measuring import Measured

# Shrinks the measured responses as if so many more heads had shown none; a few per cent of the default count.
RESPONSE_RIDGE = 10.0


def calibrate(model: FaceModel, measured: Measured) -> LandmarkCalibration:
    """All the statistics of :class:`LandmarkCalibration` from measured heads."""
    embedding = embed_landmarks(model, measured)
    offset, sigma = _offsets(model, embedding, measured)
    reference = embedding.points(model.mean) + offset
    normalised, poses = _normalised(measured, reference)
    for _ in range(2):
        # The mean of what is normalised becomes the reference it is normalised to.
        reference = normalised.mean(0)
        normalised, poses = _normalised(measured, reference)
    mean = reference.astype(np.float32)
    flat = (normalised - mean).reshape(len(normalised), -1)
    count = min(250, len(flat) // 8)
    _, singular, right = np.linalg.svd(flat, full_matrices=False)
    directions = right[:count].T.astype(np.float16).astype(np.float64)
    coordinates = flat @ directions
    response, whitener = _responses(coordinates, poses, measured)
    pose_count, identities = poses.shape[1], measured.alpha.shape[1]
    contour, paths = contour_paths(model, embedding)
    return LandmarkCalibration(
        model_name=model.name,
        model_fingerprint=model.fingerprint(),
        samples=len(flat),
        embedding=embedding,
        offset=offset.astype(np.float32),
        sigma=sigma.astype(np.float32),
        mean=mean,
        mean_sigma=np.sqrt((flat.reshape(-1, 478, 3) ** 2).sum(-1).mean(0)).astype(np.float32),
        directions=directions.astype(np.float32),
        deviation=(singular[:count] / np.sqrt(len(flat))).astype(np.float32),
        whitener=whitener.astype(np.float32),
        alpha_response=response[pose_count : pose_count + identities].T.astype(np.float32),
        beta_response=response[pose_count + identities :].T.astype(np.float32),
        pose_response=response[:pose_count].T.astype(np.float32),
        yaw_knots=np.array([-np.pi / 2, np.pi / 2], np.float32),
        yaw_noise=np.ones(2, np.float32),
        yaw_shift=np.zeros((count, 2), np.float32),
        contour=contour,
        contour_paths=paths,
    )


def _responses(coordinates: np.ndarray, poses: np.ndarray, measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Regression of landmark coordinates on pose, α and β, (7+K+E, Q), and what whitens the rest, (Q, Q)."""
    design = np.concatenate([poses, measured.alpha, measured.beta], axis=1).astype(np.float64)
    ridge = np.concatenate(
        [np.full(poses.shape[1], 1e-6), np.full(measured.alpha.shape[1], RESPONSE_RIDGE),
         RESPONSE_RIDGE * measured.beta.var(0) + 1e-3]
    )  # fmt: skip
    response = np.linalg.solve(design.T @ design + np.diag(ridge), design.T @ coordinates)
    rest = coordinates - design @ response
    covariance = rest.T @ rest / max(len(rest) - design.shape[1], 1)
    return response, np.linalg.inv(np.linalg.cholesky(covariance))


def _normalised(measured: Measured, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    views = [normalise_landmarks(landmarks, reference) for landmarks in measured.landmarks]
    return np.array([view.points for view in views]), np.array([pose_terms(view.yaw, view.pitch) for view in views])


def _offsets(model: FaceModel, embedding: PointEmbedding, measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Offset (478, 3) in the head frame that best explains the error in the picture, and the rest's spread."""
    bases = (embedding.points(b) for b in (model.mean, model.identity_basis, model.expression_basis))
    mean, identity, expression = (basis.astype(np.float64) for basis in bases)
    normal, right, errors = np.zeros((3, 3)), np.zeros((478, 3)), []
    for alpha, beta, landmarks, camera in zip(
        measured.alpha, measured.beta, measured.landmarks, measured.cameras, strict=True
    ):
        points = mean + np.tensordot(alpha, identity, 1) + np.tensordot(beta, expression, 1)
        depth = (points @ camera.rotation.T + camera.translation)[:, 2:]
        error = (landmarks[:, :2] - camera.project(points)) * depth / camera.focal_px
        normal += camera.rotation[:2].T @ camera.rotation[:2]
        right += error @ camera.rotation[:2]
        errors.append(error)
    # Views are mostly frontal: a little ridge keeps the hardly seen depth of the offset small.
    offset = np.linalg.solve(normal + 0.1 * len(errors) * np.eye(3), right.T).T
    left = [error - offset @ camera.rotation[:2].T for error, camera in zip(errors, measured.cameras, strict=True)]
    return offset, np.sqrt((np.array(left) ** 2).mean((0, 2)))
