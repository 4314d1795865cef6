# SPDX-License-Identifier: GPL-3.0-or-later
"""``reconstruction.json``: what other programs read of a result, strict JSON, every value checked when it is read."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...settings import EXPRESSION_SOURCES
from ..eyes.types import DEFAULT_EYES, EyeLook
from ..fit.types import HeadFit, HeadSize, PoseFit
from ..geometry.camera import AffineCamera, PerspectiveCamera
from ..notices import Notice
from ..observe.expression.types import EMOTIONS, Emotion
from ..observe.landmarks.types import FaceLandmarks
from ..observe.types import CameraPrior, Observation
from ..rendering.stage import COUNT, LightStage
from .record import MOST_PHOTOS, HeadRecord, PhotoLight

FORMAT = "facedetail-result"
FORMAT_VERSION = 6
"""Version 5 is still read: it kept no ``observation.npz``, and ``native_beta`` was called ``own_beta``."""
_READABLE = (5, FORMAT_VERSION)

_MAX_BANDS = 9
_MAX_RECORD_BYTES = 4_000_000
_MAX_ENTRIES = 4096
_PROBABILITY_TOLERANCE = 1e-3
_IRIS_MM = (5.0, 20.0)


def record_text(record: HeadRecord) -> str:
    """The file's content; what the first photo tells lies beside what is known of the head, that of others apart."""
    photos = [
        _photo_values(*one, record.expression_source)
        for one in zip(record.observations, record.fit.poses, record.lights, strict=True)
    ]
    values = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "face_model": record.face_model,
        "landmarker": record.landmarker,
        "expression_names": list(record.expression_names),
        "alpha": record.fit.alpha.tolist(),
        **photos[0],
        "eyes": {
            "iris": list(record.eyes.iris),
            "iris_inner": None if record.eyes.iris_inner is None else list(record.eyes.iris_inner),
            "sclera": list(record.eyes.sclera),
            "iris_mm": record.eyes.iris_mm,
            "confidence": record.eyes.confidence,
        },
        "size": _size_values(record.fit.size),
        "scale": record.fit.scale,
        "alpha_shown": None if record.fit.alpha_shown is None else record.fit.alpha_shown.tolist(),
        "more_photos": photos[1:],
        "stage_seconds": record.stage_seconds,
        "warnings": [{"code": notice.code, "message": notice.message} for notice in record.notices],
    }
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def _photo_values(observation: Observation, pose: PoseFit, light: PhotoLight, source: str) -> dict:
    """What one photo tells."""
    camera = pose.perspective
    return {
        "photo_name": observation.photo_name,
        "beta": pose.beta.tolist(),
        "native_beta": pose.native_beta.tolist(),
        "gamma": light.gamma.tolist(),
        "sh_radiance": light.radiance.tolist(),
        "light_stage": _stage_values(light.stage),
        "expression": {
            "source": source,
            "emotion": observation.emotion.name,
            "probability": observation.emotion.probability,
            "probabilities": dict(zip(EMOTIONS, observation.emotion.probabilities.tolist(), strict=True)),
        },
        "camera": {
            "affine": pose.affine.matrix.tolist(),
            "perspective": {
                "rotation": camera.rotation.tolist(),
                "translation_mm": camera.translation.tolist(),
                "focal_px": float(camera.focal_px),
                "center_px": camera.center_px.tolist(),
                "image_size": [int(side) for side in camera.image_size],
            },
        },
        "landmarks68_px": observation.landmarks.sparse_px.tolist(),
        "landmarks68_mm": pose.landmarks68_mm.tolist(),
        "residual_px": pose.residual_px if np.isfinite(pose.residual_px) else None,
    }


def _stage_values(stage: LightStage | None) -> dict | None:
    return None if stage is None else {"radiance": stage.radiance.tolist(), "ambient": stage.ambient.tolist()}


def _stage(values: object) -> LightStage | None:
    """None in results from before it was estimated."""
    if values is None:
        return None
    if not isinstance(values, dict):
        raise ValueError("light_stage is not an object")
    stage = LightStage(_array(values, "radiance", (COUNT, 3)), _array(values, "ambient", (3,)))
    if min(stage.radiance.min(), stage.ambient.min()) < 0:
        raise ValueError("light_stage has less than no light")
    return stage


def _size_values(size: HeadSize | None) -> dict | None:
    return None if size is None else {"factor": size.factor, "sigma": size.sigma, "irises": size.irises}


def _size(values: object) -> HeadSize | None:
    """None in results from before it was estimated."""
    if values is None:
        return None
    if not isinstance(values, dict):
        raise ValueError("size is not an object")
    irises = values["irises"]
    if not isinstance(irises, int) or irises < 0:
        raise ValueError("size has no number of irises")
    return HeadSize(_number(values["factor"]), _number(values["sigma"]), irises)


def _scale(values: dict) -> float:
    """1 in results from before the size was apart from α."""
    scale = _number(values.get("scale", 1.0))
    if scale <= 0:
        raise ValueError("scale is not above 0")
    return scale


def read_json(path: Path) -> dict:
    """The file's object, of a version that can be read.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read, or is something else.
    """
    if path.stat().st_size > _MAX_RECORD_BYTES:
        raise ValueError("it is too large")
    values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError("it is not a result of FaceDetail")
    return values


def parse_record(
    values: dict, posed: Sequence[np.ndarray], vertices_neutral: np.ndarray, seen: Sequence[dict | None]
) -> HeadRecord:
    """The record of a result.

    Args:
        values: of :func:`read_json`. posed: (V, 3) of each photo, of the same result. vertices_neutral: (V, 3).
        seen: of each photo, fields of the :class:`~..observe.types.Observation` that lie in their own file; None in
            format 5.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: a value is missing or cannot be.
    """
    names = _names(values["expression_names"])
    seconds = values["stage_seconds"]
    if not isinstance(seconds, dict):
        raise ValueError("stage_seconds is not an object")
    photos = photos_of(values)
    old = values["format_version"] == 5
    poses = tuple(_pose(photo, len(names), vertices, old) for photo, vertices in zip(photos, posed, strict=True))
    alpha = _array(values, "alpha", (None,))
    return HeadRecord(
        face_model=_text(values["face_model"]),
        landmarker=_text(values["landmarker"]),
        expression_source=_source(values["expression"]),
        expression_names=names,
        observations=tuple(
            _observation(photo, pose.perspective, own) for photo, pose, own in zip(photos, poses, seen, strict=True)
        ),
        fit=HeadFit(
            alpha=alpha,
            vertices_neutral=vertices_neutral,
            poses=poses,
            size=_size(values.get("size")),
            scale=_scale(values),
            alpha_shown=None if values.get("alpha_shown") is None else _array(values, "alpha_shown", alpha.shape),
        ),
        lights=tuple(
            PhotoLight(_array(photo, "gamma", (None,)), _light(photo), _stage(photo.get("light_stage")))
            for photo in photos
        ),
        eyes=_eyes(values),
        stage_seconds={_text(key): _number(value) for key, value in seconds.items()},
        notices=tuple(Notice(_text(item["code"]), _text(item["message"])) for item in values["warnings"]),
    )


def photos_of(values: dict) -> list[dict]:
    """What each photo tells, the first's beside the head's.

    Raises:
        ValueError: it is no list of as many photos as there may be.
    """
    more = values.get("more_photos", [])
    if not isinstance(more, list) or len(more) >= MOST_PHOTOS or not all(isinstance(one, dict) for one in more):
        raise ValueError("more_photos is no list of photos")
    return [values, *more]


def _pose(values: dict, expressions: int, vertices: np.ndarray, old: bool) -> PoseFit:
    beta = _array(values, "beta", (expressions,))
    if beta.min(initial=0) < 0 or beta.max(initial=0) > 1:
        raise ValueError("beta leaves 0 to 1")
    return PoseFit(
        beta=beta,
        native_beta=_array(values, "own_beta" if old else "native_beta", (None,)),
        affine=AffineCamera(_array(values["camera"], "affine", (2, 4), np.float64)),
        perspective=_perspective(values["camera"]["perspective"]),
        vertices=vertices,
        landmarks68_mm=_array(values, "landmarks68_mm", (68, 3)),
        residual_px=_residual(None if old else values["residual_px"]),
    )


def require_readable(values: dict) -> None:
    """Raises ValueError where the result is of another version."""
    if values["format_version"] not in _READABLE:
        versions = " and ".join(map(str, _READABLE))
        raise ValueError(f"format version {values['format_version']!r}, this version reads {versions}")


def _observation(values: dict, camera: PerspectiveCamera, seen: dict | None) -> Observation:
    sparse_px = _array(values, "landmarks68_px", (68, 2))
    if seen is None:
        landmarks = FaceLandmarks(None, sparse_px, np.zeros(4, np.float32), 0.0, 0, 0.0)
        seen = {"landmarks": landmarks, "camera_prior": CameraPrior(camera.image_size, camera.center_px)}
    elif not np.array_equal(seen["landmarks"].sparse_px, sparse_px):
        raise ValueError("the landmarks are not those of the observation")
    elif seen["camera_prior"].image_size != camera.image_size:
        raise ValueError("the camera does not belong to the photo of the observation")
    return Observation(**seen, photo_name=_file_name(values["photo_name"]), emotion=_emotion(values["expression"]))


def _light(record: dict) -> np.ndarray:
    light = _array(record, "sh_radiance", (None, 3))
    if round(len(light) ** 0.5) ** 2 != len(light) or not 1 <= len(light) <= _MAX_BANDS**2:
        raise ValueError("sh_radiance is no whole number of bands")
    return light


def _source(record: dict) -> str:
    source = _text(record["source"])
    if source not in EXPRESSION_SOURCES:
        raise ValueError(f"{source!r:.60} is no source of an expression")
    return source


def _emotion(record: dict) -> Emotion:
    named = record["probabilities"]
    if not isinstance(named, dict) or set(named) != set(EMOTIONS):
        raise ValueError("probabilities does not have one entry for each emotion")
    probabilities = np.array([_number(named[name]) for name in EMOTIONS])
    outside = probabilities.min() < 0 or probabilities.max() > 1
    if outside or abs(probabilities.sum() - 1) > _PROBABILITY_TOLERANCE:
        raise ValueError("probabilities leave 0 to 1, or their sum is not 1")
    emotion = Emotion(probabilities.astype(np.float32))
    differs = abs(emotion.probability - _number(record["probability"])) > _PROBABILITY_TOLERANCE
    if emotion.name != _text(record["emotion"]) or differs:
        raise ValueError("the emotion is not the likeliest of the probabilities")
    return emotion


def _eyes(record: dict) -> EyeLook:
    """Older results of the same version do not have them."""
    if "eyes" not in record:
        return DEFAULT_EYES
    found = record["eyes"]
    iris, sclera = (tuple(_array(found, key, (3,), np.float64).tolist()) for key in ("iris", "sclera"))
    inner = None
    if found.get("iris_inner") is not None:
        inner = tuple(_array(found, "iris_inner", (3,), np.float64).tolist())
    look = EyeLook(iris, sclera, _number(found["iris_mm"]), _number(found["confidence"]), inner)
    colors = iris + sclera + (inner or ())
    if min(colors) < 0 or max(colors) > 1 or not 0 <= look.confidence <= 1:
        raise ValueError("the eyes' colours or their confidence leave 0 to 1")
    if not _IRIS_MM[0] <= look.iris_mm <= _IRIS_MM[1]:
        raise ValueError("the irises' size is none")
    return look


def _perspective(record: dict) -> PerspectiveCamera:
    rotation = _array(record, "rotation", (3, 3), np.float64)
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-4 or np.linalg.det(rotation) < 0:
        raise ValueError("the camera's rotation is not one")
    focal_px = _number(record["focal_px"])
    if focal_px <= 0:
        raise ValueError("the focal length is not positive")
    size = record["image_size"]
    if not isinstance(size, list) or [type(side) for side in size] != [int, int] or min(size) < 1:
        raise ValueError("the camera's image_size is not that of a picture")
    translation = _array(record, "translation_mm", (3,), np.float64)
    center_px = _array(record, "center_px", (2,), np.float64)
    return PerspectiveCamera(rotation, translation, focal_px, center_px, tuple(size))


def _residual(value: object) -> float:
    """NaN where it is not known: format 5 did not keep it."""
    return float("nan") if value is None else _number(value)


def _array(record: dict, key: str, shape: tuple[int | None, ...], dtype: type = np.float32) -> np.ndarray:
    array = np.array(record[key], dtype=np.float64)
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits or array.size > _MAX_ENTRIES or not (np.abs(array) <= np.finfo(dtype).max).all():
        raise ValueError(f"{key} has the wrong shape or is not finite")
    return array.astype(dtype)


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MAX_ENTRIES or len(set(map(str, value))) != len(value):
        raise ValueError("expression_names is not a list of different names")
    return tuple(_text(name) for name in value)


def _file_name(value: object) -> str:
    name = _text(value)
    if not name or name != Path(name).name or "\\" in name or "\0" in name:
        raise ValueError("photo_name is not a plain file name")
    return name


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 10_000:
        raise ValueError(f"{value!r:.60} is not a text")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ValueError(f"{value!r:.60} is not a number")
    return float(value)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
