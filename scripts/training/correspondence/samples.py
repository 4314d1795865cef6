# SPDX-License-Identifier: GPL-3.0-or-later
"""Random dressed heads with the truth that the network learns: points, coefficients and pose."""

from dataclasses import dataclass

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel, PointEmbedding
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.correspondence.finder import CENTRE_MM, HEAD_MM
from scripts.training.correspondence.picture import Studio, draw
from scripts.training.heads.samples import head_rotation, random_expression

CROP = 256
_MAX_YAW_DEG = 100.0


@dataclass(frozen=True)
class Sample:
    """A picture and its truth.

    Attributes:
        picture: (CROP, CROP, 3) uint8 sRGB. points: (P, 2) float32, shares of the crop's side.
        alpha: (K,). beta: (E,). rotation: (3, 3) head frame to camera axes.
    """

    picture: np.ndarray
    points: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray
    rotation: np.ndarray


@dataclass(frozen=True)
class Head:
    """What is drawn, before it is dressed: (K,) and (E,) coefficients, and the crop's camera."""

    alpha: np.ndarray
    beta: np.ndarray
    camera: PerspectiveCamera


def random_head(model: FaceModel, rng: np.random.Generator, yaw_deg: float | None = None) -> Head:
    """A random person, expression and view; ``yaw_deg`` fixes the yaw, for measurements."""
    alpha = (rng.standard_normal(len(model.identity_basis)) * rng.uniform(0.7, 1.25)).clip(-3, 3).astype(np.float32)
    beta = np.zeros(len(model.expression_names), np.float32)
    if rng.random() > 0.25:
        beta = (random_expression(rng, model) * rng.uniform(0.3, 1.0)).astype(np.float32)
    return Head(alpha, beta, _camera(rng, yaw_deg))


def random_sample(
    studio: Studio, embedding: PointEmbedding, rng: np.random.Generator, yaw_deg: float | None = None
) -> Sample:
    """One head in a picture."""
    head = random_head(studio.model, rng, yaw_deg)
    vertices = studio.model.vertices(head.alpha, head.beta)
    points = head.camera.project(embedding.points(vertices).astype(np.float64)) / CROP
    picture = draw(studio, vertices, head.camera, rng)
    return Sample(picture, points.astype(np.float32), head.alpha, head.beta, head.camera.rotation)


def _camera(rng: np.random.Generator, yaw_deg: float | None) -> PerspectiveCamera:
    """A view whose crop is framed about as well as the product frames it."""
    if yaw_deg is None:
        wide = rng.random() < 0.5
        yaw_deg = rng.uniform(-_MAX_YAW_DEG, _MAX_YAW_DEG) if wide else rng.normal() * 22
    rotation = np.diag([1.0, -1.0, -1.0]) @ head_rotation(yaw_deg, rng.normal() * 11, rng.normal() * 9)
    distance = np.exp(rng.uniform(np.log(330), np.log(2500)))
    shown = HEAD_MM * np.exp(rng.normal() * 0.12)
    focal = CROP * distance / shown
    aside = rng.normal(size=2) * 0.06 * shown
    translation = np.array([*aside, distance]) - rotation @ CENTRE_MM
    # A face beside the middle of its photo is seen at an angle: the crop's principal point lies outside it.
    center = np.full(2, CROP / 2)
    if rng.random() < 0.4:
        off = rng.normal(size=2) * 0.12
        translation[:2] += off * distance
        center = center - off * focal
    return PerspectiveCamera(rotation, translation, float(focal), center, (CROP, CROP))
