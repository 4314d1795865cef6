# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up observations, fits and reconstructions, and changed copies of them."""

import zipfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
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


def values_of(reconstruction: Reconstruction) -> dict[str, object]:
    """Arrays and values by name: of the record, its first photo, landmarks, pose and light, and the maps."""
    record = reconstruction.record
    photo = {name: value for name, value in vars(record.observation).items() if name != "notices"}
    parts = (vars(record), photo, vars(photo["landmarks"]), vars(record.fit), vars(record.pose), vars(record.light))
    return {name: value for part in (*parts, reconstruction.maps) for name, value in part.items()}


def assert_same(got: object, wanted: object, where: str = "it") -> None:
    """Equal through and through: kinds of objects, names, shapes, dtypes and values."""
    assert type(got) is type(wanted), where
    if is_dataclass(wanted):
        for name in [field.name for field in fields(wanted)]:
            assert_same(getattr(got, name), getattr(wanted, name), f"{where}.{name}")
    elif isinstance(wanted, Mapping):
        assert got.keys() == wanted.keys(), where
        for name in wanted:
            assert_same(got[name], wanted[name], f"{where}[{name!r}]")
    elif isinstance(wanted, tuple):
        assert len(got) == len(wanted), where
        for index, pair in enumerate(zip(got, wanted, strict=True)):
            assert_same(*pair, f"{where}[{index}]")
    elif isinstance(wanted, np.ndarray):
        assert got.dtype == wanted.dtype, where
        np.testing.assert_array_equal(got, wanted, err_msg=where)
    else:
        assert got == wanted or (got != got and wanted != wanted), where  # NaN is not known, here as there


def unpack_format5(directory: Path) -> Path:
    """The folder of a result as version 2f63e44 wrote it, without what is not read; its maps have 64 texels a side.

    Of ``make_reconstruction`` there: the photo "Zoë 5.png" of 160 by 120 pixels, head turned by 10°, jawOpen 0.4,
    mouthSmileLeft 0.25, own_beta 0.5 and −1.25, one warning; coordinates of vertices are multiples of 1/1024 mm.
    """
    with zipfile.ZipFile(Path(__file__).parent / "core" / "data" / "result_format5.zip") as archive:
        archive.extractall(directory)
    (folder,) = (path for path in directory.iterdir() if (path / "reconstruction.json").exists())
    return folder


def changed(reconstruction: Reconstruction, **values: object) -> Reconstruction:
    """With other values of the record, its first photo, pose or light, or other maps, whichever has that name."""
    record = reconstruction.record
    maps = {name: value for name, value in values.items() if name in {spec.name for spec in MAPS}}
    taken = set(maps)

    def part(item: object, kind: type) -> object:
        names = {field.name for field in fields(kind)} & set(values) - taken
        taken.update(names)
        return replace(item, **{name: values[name] for name in names})

    record = part(record, HeadRecord)
    pose = part(record.pose, PoseFit)
    fit = replace(part(record.fit, HeadFit), poses=(pose, *record.fit.poses[1:]))
    light = part(record.light, PhotoLight)
    observation = part(record.observation, Observation)
    if "photo" in maps:
        observation = replace(observation, pixels=maps["photo"])
    record = replace(
        record, fit=fit, lights=(light, *record.lights[1:]),
        observations=(observation, *record.observations[1:]),
    )  # fmt: skip
    assert taken == set(values), f"no such values: {set(values) - taken}"
    return Reconstruction(record, {**reconstruction.maps, **maps})
