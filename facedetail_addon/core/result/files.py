# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a result folder: written once, checked when read, because anyone may have touched them since."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np

from ..errors import OutputError
from ..eyes.types import DEFAULT_EYES, EyeLook
from ..face_model.library import load_named_model
from ..face_model.model import FaceModel
from ..geometry.camera import AffineCamera, PerspectiveCamera
from ..io.archive import read_arrays
from ..io.atomic_directory import atomic_directory
from ..io.exr import read_exr, write_exr
from ..io.obj import write_mtl, write_obj
from ..notices import Notice
from ..observe.expression.types import EMOTIONS, EXPRESSION_SOURCES, Emotion
from ..rendering.environment import environment_image
from .preview import render_preview
from .record import HeadRecord, Reconstruction, result_folder

FORMAT = "facedetail-result"
FORMAT_VERSION = 5
RECORD_FILE = "reconstruction.json"
ALBEDO_FILE = "albedo.png"
ROUGHNESS_FILE = "roughness.png"
SPECULAR_FILE = "specular.png"
DISPLACEMENT_FILE = "displacement.exr"
MEDIUM_FILE = "displacement_medium.exr"
FINE_FILE = "displacement_fine.exr"
NORMAL_FILE = "normal.png"
NORMAL_FINE_FILE = "normal_fine.png"
ENVIRONMENT_FILE = "environment.hdr"
CONFIDENCE_FILE = "confidence.png"
PHOTO_FILE = "photo.png"
PREVIEW_FILE = "preview.png"
VERTICES_FILE = "head_vertices.npz"
HEAD_FILE = "head.obj"
NEUTRAL_FILE = "head_neutral.obj"
MATERIAL_FILE = "head.mtl"
SCENE_FILE = "scene.blend"
RENDER_FILE = "render.png"
LOOKDEV_FILE = "lookdev.png"
TURNTABLE_FILE = "turntable.mp4"
EXPORT_FILES = {"fbx": "scene.fbx", "glb": "scene.glb", "usd": "scene.usdz", "obj": "scene.obj"}
"""The head for other programs, by what the command line calls the format."""
EXPORT_EXTRAS = ("scene.mtl", *(f"scene_{kind}.png" for kind in ("albedo", "roughness", "normal", "eye")))
"""What lies beside ``scene.obj``."""
SCENE_FILES = frozenset((SCENE_FILE, RENDER_FILE, LOOKDEV_FILE, TURNTABLE_FILE, *EXPORT_FILES.values(), *EXPORT_EXTRAS))
"""What the command line's ``scene`` adds to a result."""
RESULT_FILES = SCENE_FILES | frozenset(
    (RECORD_FILE, ALBEDO_FILE, ROUGHNESS_FILE, SPECULAR_FILE, CONFIDENCE_FILE, PHOTO_FILE, PREVIEW_FILE, VERTICES_FILE)
    + (DISPLACEMENT_FILE, MEDIUM_FILE, FINE_FILE, NORMAL_FILE, NORMAL_FINE_FILE)
    + (HEAD_FILE, NEUTRAL_FILE, MATERIAL_FILE, ENVIRONMENT_FILE)
)

_PNG_COMPRESSION = 2
_ENVIRONMENT_HEIGHT = 256
_MAX_BANDS = 9
_MAX_RECORD_BYTES = 4_000_000
_MAX_IMAGE_SIDE = 16384
_MAX_VERTICES = 1_000_000
_MAX_ENTRIES = 4096
_PROBABILITY_TOLERANCE = 1e-3
_MAX_DISPLACEMENT_MM = 20.0
_IRIS_MM = (5.0, 20.0)
_REMEDY = "Reconstruct the photo again, or choose a folder that FaceDetail wrote."


def write_result(
    reconstruction: Reconstruction, directory: Path, model: FaceModel | None, also: Callable[[Path], None] | None
) -> Path:
    """See :meth:`Reconstruction.save`."""
    model = model or load_named_model(reconstruction.face_model)
    target = result_folder(directory, reconstruction.photo_name)
    record = json.dumps(_record(reconstruction), indent=1, allow_nan=False)
    with atomic_directory(target, RESULT_FILES, marker=RECORD_FILE) as folder:
        write_png(folder / PHOTO_FILE, reconstruction.photo)
        write_png(folder / ALBEDO_FILE, reconstruction.albedo)
        write_png(folder / ROUGHNESS_FILE, reconstruction.roughness)
        write_png(folder / SPECULAR_FILE, reconstruction.specular)
        _write_relief(folder, reconstruction)
        write_png(folder / CONFIDENCE_FILE, np.round(reconstruction.confidence.clip(0, 1) * 65535).astype(np.uint16))
        write_png(folder / PREVIEW_FILE, render_preview(reconstruction, model))
        write_obj(folder / HEAD_FILE, model, reconstruction.vertices, MATERIAL_FILE)
        write_obj(folder / NEUTRAL_FILE, model, reconstruction.vertices_neutral, MATERIAL_FILE)
        write_mtl(folder / MATERIAL_FILE, model, ALBEDO_FILE)
        write_hdr(folder / ENVIRONMENT_FILE, environment_image(reconstruction.sh_radiance, _ENVIRONMENT_HEIGHT))
        np.savez(folder / VERTICES_FILE, posed=reconstruction.vertices, neutral=reconstruction.vertices_neutral)
        (folder / RECORD_FILE).write_text(record + "\n", encoding="utf-8")
        if also is not None:
            also(folder)
    return target


def read_result(folder: Path) -> Reconstruction:
    """See :meth:`Reconstruction.load`."""
    head = read_record(folder)
    try:
        maps = _maps(folder)
        if head.perspective.image_size != maps["photo"].shape[1::-1]:
            raise ValueError("the camera does not belong to the photo")
    except ValueError as error:
        raise OutputError(f"{folder} holds pictures that cannot be: {error}.", _REMEDY) from error
    return Reconstruction(**{field.name: getattr(head, field.name) for field in fields(HeadRecord)}, **maps)


def read_record(folder: Path) -> HeadRecord:
    """What a result folder holds beside its pictures, every value checked.

    Raises:
        OutputError: as of :meth:`Reconstruction.load`.
    """
    record_path = folder / RECORD_FILE
    try:
        if record_path.stat().st_size > _MAX_RECORD_BYTES:
            raise ValueError("it is too large")
        record = json.loads(record_path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(f"{record_path} cannot be read: {error}.", _REMEDY) from error
    try:
        return _head(record, folder)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise OutputError(f"{record_path} holds values that cannot be: {reason}.", _REMEDY) from error


def write_png(path: Path, image: np.ndarray) -> None:
    """Write (H, W, 3) RGB or (H, W), uint8 or uint16. OSError when it cannot be written."""
    path.write_bytes(png_bytes(image))  # OpenCV's own writer fails on names outside the code page on Windows


def png_bytes(image: np.ndarray) -> bytes:
    """The file that :func:`write_png` writes. OSError when the picture cannot be encoded."""
    stored = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    done, data = cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION])
    if not done:
        raise OSError("a picture cannot be encoded as PNG")
    return data.tobytes()


def _write_relief(folder: Path, reconstruction: Reconstruction) -> None:
    write_exr(folder / DISPLACEMENT_FILE, reconstruction.displacement)  # for other programs; its parts are read back
    write_exr(folder / MEDIUM_FILE, reconstruction.displacement_medium)
    write_exr(folder / FINE_FILE, reconstruction.displacement_fine)
    write_png(folder / NORMAL_FILE, reconstruction.normal)
    write_png(folder / NORMAL_FINE_FILE, reconstruction.normal_fine)


def write_hdr(path: Path, image: np.ndarray) -> None:
    """Write (H, W, 3) float32 linear RGB as Radiance HDR. OSError when it cannot be written."""
    done, data = cv2.imencode(".hdr", np.ascontiguousarray(image[..., ::-1], np.float32))
    if not done:
        raise OSError(f"{path.name} cannot be encoded")
    path.write_bytes(data)


def read_png(path: Path) -> np.ndarray:
    """(H, W, 3) RGB or (H, W), uint8 or uint16.

    Raises:
        OutputError: missing, damaged, not a PNG of those kinds, or larger than 16384 pixels a side.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}.", _REMEDY) from error
    # Width and height stand at a fixed place in the first chunk: refuse a bomb before decoding it.
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    if data[:8] != b"\x89PNG\r\n\x1a\n" or not (0 < width <= _MAX_IMAGE_SIDE and 0 < height <= _MAX_IMAGE_SIDE):
        raise OutputError(f"{path} is not a PNG of a usable size.", _REMEDY)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype not in (np.uint8, np.uint16) or (image.ndim == 3 and image.shape[2] != 3):
        raise OutputError(f"{path} is damaged or of another kind.", _REMEDY)
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])


def _record(result: Reconstruction) -> dict:
    camera = result.perspective
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "photo_name": result.photo_name,
        "face_model": result.face_model,
        "landmarker": result.landmarker,
        "expression_names": list(result.expression_names),
        "alpha": result.alpha.tolist(),
        "beta": result.beta.tolist(),
        "native_beta": result.native_beta.tolist(),
        "gamma": result.gamma.tolist(),
        "sh_radiance": result.sh_radiance.tolist(),
        "expression": _expression_record(result),
        "eyes": {
            "iris": list(result.eyes.iris),
            "sclera": list(result.eyes.sclera),
            "iris_mm": result.eyes.iris_mm,
            "confidence": result.eyes.confidence,
        },
        "camera": {
            "affine": result.affine.matrix.tolist(),
            "perspective": {
                "rotation": camera.rotation.tolist(),
                "translation_mm": camera.translation.tolist(),
                "focal_px": float(camera.focal_px),
                "center_px": camera.center_px.tolist(),
                "image_size": [int(side) for side in camera.image_size],
            },
        },
        "landmarks68_px": result.landmarks68_px.tolist(),
        "landmarks68_mm": result.landmarks68_mm.tolist(),
        "stage_seconds": result.stage_seconds,
        "warnings": [{"code": notice.code, "message": notice.message} for notice in result.notices],
    }


def _expression_record(result: Reconstruction) -> dict:
    emotion = result.emotion
    return {
        "source": result.expression_source,
        "emotion": emotion.name,
        "probability": emotion.probability,
        "probabilities": dict(zip(EMOTIONS, emotion.probabilities.tolist(), strict=True)),
    }


def _head(record: dict, folder: Path) -> HeadRecord:
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError("it is not a result of FaceDetail")
    if record["format_version"] != FORMAT_VERSION:
        raise ValueError(f"format version {record['format_version']!r}, this version reads {FORMAT_VERSION}")
    names = _names(record["expression_names"])
    vertices, neutral = _read_vertices(folder / VERTICES_FILE)
    beta = _array(record, "beta", (len(names),))
    if beta.min(initial=0) < 0 or beta.max(initial=0) > 1:
        raise ValueError("beta leaves 0 to 1")
    seconds = record["stage_seconds"]
    if not isinstance(seconds, dict):
        raise ValueError("stage_seconds is not an object")
    return HeadRecord(
        photo_name=_file_name(record["photo_name"]),
        face_model=_text(record["face_model"]),
        landmarker=_text(record["landmarker"]),
        expression_names=names,
        alpha=_array(record, "alpha", (None,)),
        beta=beta,
        native_beta=_array(record, "native_beta" if "native_beta" in record else "own_beta", (None,)),
        expression_source=_source(record["expression"]),
        emotion=_emotion(record["expression"]),
        affine=AffineCamera(_array(record["camera"], "affine", (2, 4), np.float64)),
        perspective=_perspective(record["camera"]["perspective"]),
        landmarks68_px=_array(record, "landmarks68_px", (68, 2)),
        landmarks68_mm=_array(record, "landmarks68_mm", (68, 3)),
        vertices=vertices,
        vertices_neutral=neutral,
        gamma=_array(record, "gamma", (None,)),
        sh_radiance=_light(record),
        stage_seconds={_text(key): _number(value) for key, value in seconds.items()},
        notices=tuple(Notice(_text(item["code"]), _text(item["message"])) for item in record["warnings"]),
        eyes=_eyes(record),
    )


def _maps(folder: Path) -> dict[str, np.ndarray]:
    """The pictures of a :class:`Reconstruction`, by field."""
    photo, albedo, confidence = (read_png(folder / name) for name in (PHOTO_FILE, ALBEDO_FILE, CONFIDENCE_FILE))
    if photo.ndim != 3 or photo.dtype != np.uint8 or albedo.ndim != 3 or albedo.dtype != np.uint8:
        raise ValueError("the photo or the albedo is not 8-bit RGB")
    if albedo.shape[0] != albedo.shape[1]:
        raise ValueError("the albedo is not square")
    if confidence.ndim != 2 or confidence.dtype != np.uint16 or confidence.shape != albedo.shape[:2]:
        raise ValueError("the confidence map does not belong to the albedo")
    return {
        "photo": photo,
        "albedo": albedo,
        "roughness": _grey_map(folder / ROUGHNESS_FILE, albedo.shape[:2]),
        "specular": _grey_map(folder / SPECULAR_FILE, albedo.shape[:2]),
        "displacement_medium": _displacement(folder / MEDIUM_FILE, albedo.shape[:2]),
        "displacement_fine": _displacement(folder / FINE_FILE, albedo.shape[:2]),
        "normal": _normals(folder / NORMAL_FILE, albedo.shape),
        "normal_fine": _normals(folder / NORMAL_FINE_FILE, albedo.shape),
        "confidence": confidence.astype(np.float32) / 65535,
    }


def _grey_map(path: Path, shape: tuple[int, int]) -> np.ndarray:
    image = read_png(path)
    if image.dtype != np.uint8 or image.shape != shape:
        raise ValueError(f"{path.name} is not 8-bit grey of the albedo's size")
    return image


def _displacement(path: Path, shape: tuple[int, int]) -> np.ndarray:
    try:
        height_mm = read_exr(path, shape)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be read: {error}.", _REMEDY) from error
    if not (np.abs(height_mm) <= _MAX_DISPLACEMENT_MM).all():  # NaN compares false
        raise OutputError(f"{path} holds more than {_MAX_DISPLACEMENT_MM:g} mm, or no numbers.", _REMEDY)
    return height_mm


def _normals(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    image = read_png(path)
    if image.dtype != np.uint16 or image.shape != shape:
        raise ValueError(f"{path.name} is not 16-bit RGB of the albedo's size")
    return image


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
    look = EyeLook(iris, sclera, _number(found["iris_mm"]), _number(found["confidence"]))
    if min(iris + sclera) < 0 or max(iris + sclera) > 1 or not 0 <= look.confidence <= 1:
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


def _read_vertices(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        arrays = read_arrays(path, max_bytes=2 * 12 * _MAX_VERTICES + 4096)
        posed, neutral = arrays["posed"], arrays["neutral"]
    except (ValueError, KeyError) as error:
        raise OutputError(f"{path} cannot be read: {error}.", _REMEDY) from error
    for array in (posed, neutral):
        fits = array.dtype == np.float32 and array.ndim == 2 and array.shape[1] == 3 and array.shape == posed.shape
        if not fits or not np.isfinite(array).all():
            raise OutputError(f"{path} holds wrong shapes or values.", _REMEDY)
    return posed, neutral


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
