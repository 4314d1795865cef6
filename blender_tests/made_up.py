# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up observations, fits and reconstructions, and changed copies of them."""

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np

from facedetail_addon.core.face_model.calibration import LandmarkCalibration
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.fit.dense import fit_dense
from facedetail_addon.core.fit.sparse import fit_sparse
from facedetail_addon.core.fit.types import HeadFit, PoseFit
from facedetail_addon.core.observe.expression.types import ExpressionPrior
from facedetail_addon.core.observe.landmarks.types import FaceLandmarks
from facedetail_addon.core.observe.types import CameraPrior, Observation
from facedetail_addon.core.result.maps import MAPS
from facedetail_addon.core.result.record import HeadRecord, PhotoLight, Reconstruction


def observed(
    landmarks: FaceLandmarks,
    image_size: tuple[int, int],
    reading: ExpressionPrior | None = None,
    focal_px: float | None = None,
) -> Observation:
    """An observation of landmarks alone."""
    return Observation(landmarks, CameraPrior.centred(image_size, focal_px), expression_prior=reading)


def flattened(head: HeadFit) -> SimpleNamespace:
    """A head and its first pose as one record: alpha, vertices_neutral, beta, vertices, perspective …"""
    return SimpleNamespace(alpha=head.alpha, vertices_neutral=head.vertices_neutral, **vars(head.pose))


def fit_one(
    landmarks: FaceLandmarks,
    image_size: tuple[int, int],
    model: FaceModel,
    calibration: LandmarkCalibration,
    *,
    reading: ExpressionPrior | None = None,
    focal_px: float | None = None,
    beta: np.ndarray | None = None,
    **how: object,
) -> SimpleNamespace:
    """``fit_dense`` to one photo, flattened."""
    betas = None if beta is None else [beta]
    photo = observed(landmarks, image_size, reading, focal_px)
    return flattened(fit_dense([photo], model, calibration, betas=betas, **how))


def fit_one_sparse(
    landmarks: FaceLandmarks,
    image_size: tuple[int, int],
    model: FaceModel,
    *,
    reading: ExpressionPrior | None = None,
    focal_px: float | None = None,
    **how: object,
) -> SimpleNamespace:
    """``fit_sparse`` to one photo, flattened."""
    return flattened(fit_sparse([observed(landmarks, image_size, reading, focal_px)], model, **how))


def changed(reconstruction: Reconstruction, **values: object) -> Reconstruction:
    """With other values of the record, its first photo, pose or light, or other maps, whichever has that name."""
    record = reconstruction.record
    maps = {name: value for name, value in values.items() if name in {spec.name for spec in MAPS}}
    taken = set(maps)

    def part(item: object, kind: type) -> object:
        names = {field.name for field in fields(kind)} & set(values) - taken
        taken.update(names)
        return replace(item, **{name: values[name] for name in names})

    pose = part(record.pose, PoseFit)
    fit = replace(part(record.fit, HeadFit), poses=(pose, *record.fit.poses[1:]))
    light = part(record.light, PhotoLight)
    observation = part(record.observation, Observation)
    if "photo" in maps:
        observation = replace(observation, pixels=maps["photo"])
    record = replace(
        part(record, HeadRecord), fit=fit, lights=(light, *record.lights[1:]),
        observations=(observation, *record.observations[1:]),
    )  # fmt: skip
    assert taken == set(values), f"no such values: {set(values) - taken}"
    return Reconstruction(record, {**reconstruction.maps, **maps})
