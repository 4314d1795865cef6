# SPDX-License-Identifier: GPL-3.0-or-later
"""A head with known colours, photographed through a known camera."""

from collections.abc import Callable

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.fit.types import PoseFit
from facedetail_addon.core.geometry.camera import AffineCamera, PerspectiveCamera
from facedetail_addon.core.rendering.primary_rays import interpolate, trace_image

EYES, TEETH, BACKGROUND = (20, 230, 30), (20, 30, 235), (10, 220, 220)  # none of them has red above green or blue


def camera_at(yaw_deg: float, size: tuple[int, int] = (420, 480), focal_px: float | None = None) -> PerspectiveCamera:
    """A camera 0.8 m before the face; positive yaw: the subject turned to their own left, the right cheek is seen."""
    yaw = np.radians(yaw_deg)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    rotation = np.diag([1.0, -1.0, -1.0]) @ turn
    translation = np.array([0, 0, 800.0]) - rotation @ np.array([0, 0, 40.0])
    center = np.array(size) / 2
    return PerspectiveCamera(rotation, translation, focal_px or 2.6 * size[1], center, size)


def fit_of(model: FaceModel, camera: PerspectiveCamera, expression: dict[str, float] | None = None) -> PoseFit:
    """The mean head with some expression as if it had been fitted perfectly."""
    beta = np.zeros(len(model.expression_names), np.float32)
    for name, weight in (expression or {}).items():
        beta[model.expression_names.index(name)] = weight
    vertices = model.vertices(None, beta)
    return PoseFit(beta, AffineCamera(np.eye(2, 4)), camera, vertices, model.landmarks68.points(vertices), 0.0)


def skin_colours(model: FaceModel, symmetric: bool = True) -> np.ndarray:
    """(V_skin, 3) float32: a smooth pattern in space, as uneven as skin; red above green and blue everywhere."""
    x, y, z = (model.skin.of(model.mean) / 14).T
    x = np.abs(x) if symmetric else x
    red = 205 + 10 * np.sin(x + 0.5 * y)
    green = 140 + 6 * np.sin(y - x)
    blue = 115 + 5 * np.sin(z + y)
    return np.stack([red, green, blue], axis=1).astype(np.float32)


def photograph(
    model: FaceModel, fit: PoseFit, colours: np.ndarray, light: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray:
    """(H, W, 3) uint8 photo: the skin's colours, green eyes, blue teeth and gums, cyan background, no shading.

    Args:
        light: from (N, 3) places on the head at rest to (N, 1) factors of brightness; none by default.
    """
    width, height = fit.perspective.image_size
    painted = np.zeros((len(model.mean), 3), np.float32)
    for part in model.parts:
        painted[part.rows] = EYES if part.name.startswith("eye") else TEETH
    painted[model.skin.rows] = colours * (light(model.skin.of(model.mean)) if light else 1)
    triangles = model.triangles()
    fine = 2
    hits = trace_image(fit.vertices, triangles, fit.perspective, (width * fine, height * fine))
    image = np.where(hits.triangle[:, None] >= 0, interpolate(hits, triangles, painted), BACKGROUND)
    image = image.reshape(height, fine, width, fine, 3).mean(axis=(1, 3))
    return np.round(image.clip(0, 255)).astype(np.uint8)
