# SPDX-License-Identifier: GPL-3.0-or-later
"""Perspective camera from point pairs, focal length known or taken from what portraits usually are."""

import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry.camera import AffineCamera, PerspectiveCamera
from ..observe.types import CameraPrior
from .affine import closest_scaled_orthography

# A lens of this field of view over the longer side, unless the face were then nearer than in portraits: that is rather
# a longer lens, or a part of a picture. A small face is far away: nearer, it would ask for a field that no lens has, in
# which a face beside the centre is stretched to a cone. Landmarks show little of that stretch, even where it is there:
# so a face is not taken to lie further beside the lens's axis than this. The nearest distance: in studio portraits the
# landmarks are explained best at 1 m, outlines at 1.3 m and beyond; at 0.7 m heads are 1 mm too narrow.
DEFAULT_FIELD_DEG = 50.0
NEAREST_MM = 1100.0
BESIDE_DEG = 15.0
ROUNDS = 8
_LONGER, _NEAR = 1.3, 1.3


def default_focal_px(image_size: tuple[int, int], px_per_mm: float, beside_px: float = 0.0) -> float:
    """A focal length for a photo without EXIF.

    Args:
        image_size: (width, height) px. px_per_mm: the face's scale in the photo.
        beside_px: distance of the face's middle from the photo's.
    """
    beside = beside_px / np.tan(np.radians(BESIDE_DEG))
    return float(max(_usual_focal_px(image_size), NEAREST_MM * px_per_mm, beside))


def guesses_a_longer_lens(camera: PerspectiveCamera) -> bool:
    """Whether a photo without EXIF shows its face so large that it may as well be taken from much nearer."""
    near = np.linalg.norm(camera.position()) < _NEAR * NEAREST_MM
    return bool(near and camera.focal_px > _LONGER * _usual_focal_px(camera.image_size))


def lies_far_beside(camera: PerspectiveCamera, points_px: np.ndarray) -> bool:
    """Whether the middle of (N, 2) px would be further beside the usual lens's axis than faces are taken to be."""
    beside_px = np.linalg.norm(points_px.mean(0) - camera.center_px)
    return bool(beside_px > np.tan(np.radians(BESIDE_DEG)) * _usual_focal_px(camera.image_size))


def _usual_focal_px(image_size: tuple[int, int]) -> float:
    return max(image_size) / 2 / np.tan(np.radians(DEFAULT_FIELD_DEG / 2))


def initial_perspective(
    scale: float,
    rotation: np.ndarray,
    translation: np.ndarray,
    anchor_mm: np.ndarray,
    prior: CameraPrior,
    focal_px: float,
) -> PerspectiveCamera:
    """The perspective camera that agrees with a scaled orthography at one point of the head.

    Args:
        scale: px per mm. rotation: (3, 3). translation: (2,) px. anchor_mm: (3,) head frame.
        prior: its size and principal point are taken. focal_px: focal length in px.
    """
    depth = focal_px / scale
    at_px = scale * rotation[:2] @ anchor_mm + translation
    in_camera = np.append((at_px - prior.center_px) / scale, depth)
    return PerspectiveCamera(rotation, in_camera - rotation @ anchor_mm, focal_px, prior.center_px, prior.image_size)


def perspective_like(affine: AffineCamera, posed: np.ndarray, prior: CameraPrior, focal_px: float) -> PerspectiveCamera:
    """The perspective camera nearest to an affine one that looks at (N, 3) mm points."""
    scale, rotation, translation = closest_scaled_orthography(affine)
    return initial_perspective(scale, rotation, translation, posed.mean(0), prior, focal_px)


def refine_perspective(
    camera: PerspectiveCamera, points_mm: np.ndarray, points_px: np.ndarray, weights: np.ndarray
) -> PerspectiveCamera:
    """Gauss–Newton over rotation and translation; focal length and centre stay.

    Args:
        points_mm: (N, 3) head frame. points_px: (N, 2). weights: (N,) non-negative.
    """
    root = np.sqrt(weights / weights.mean())[:, None]
    rotation, translation, damping = camera.rotation, camera.translation, 1e-6
    error = np.inf
    for _ in range(ROUNDS):
        candidate = PerspectiveCamera(rotation, translation, camera.focal_px, camera.center_px, camera.image_size)
        residual = ((points_px - candidate.project(points_mm)) * root).ravel()
        new_error = float(residual @ residual)
        if new_error > error * (1 - 1e-8):
            break
        camera, error = candidate, new_error
        jacobian = pose_jacobian(candidate, points_mm) * root[:, :, None]
        jacobian = jacobian.reshape(-1, 6)
        normal = jacobian.T @ jacobian
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), jacobian.T @ residual)
        rotation = Rotation.from_rotvec(step[:3]).as_matrix() @ rotation
        translation = translation + step[3:]
    return camera


def point_jacobian(camera: PerspectiveCamera, points_mm: np.ndarray) -> np.ndarray:
    """(N, 2, 3) change of the picture per mm of each point, head frame."""
    return _camera_jacobian(camera, points_mm) @ camera.rotation


def _camera_jacobian(camera: PerspectiveCamera, points_mm: np.ndarray) -> np.ndarray:
    cam = points_mm @ camera.rotation.T + camera.translation
    out = np.zeros((len(cam), 2, 3))
    out[:, 0, 0] = out[:, 1, 1] = camera.focal_px / cam[:, 2]
    out[:, :, 2] = -camera.focal_px * cam[:, :2] / cam[:, 2:3] ** 2
    return out


def pose_jacobian(camera: PerspectiveCamera, points_mm: np.ndarray) -> np.ndarray:
    """(N, 2, 6): small turns about the head's origin in camera axes, then translation."""
    turned = points_mm @ camera.rotation.T
    zero = np.zeros(len(turned))
    x, y, z = turned.T
    # Columns are ω × turned for ω along each axis.
    turn = np.stack([np.stack([zero, -z, y], 1), np.stack([z, zero, -x], 1), np.stack([-y, x, zero], 1)], axis=2)
    to_px = _camera_jacobian(camera, points_mm)
    return np.concatenate([to_px @ turn, to_px], axis=2)
