# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a result folder: written once, checked when read, because anyone may have touched them since."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import FaceDetailError, OutputError
from ..face_model.library import load_named_model
from ..face_model.model import FaceModel
from ..io.archive import read_arrays
from ..io.atomic_directory import atomic_directory
from ..io.exr import read_exr, write_exr
from ..io.images import REMEDY, read_png, write_hdr, write_png
from ..notices import Notice
from ..parallel import thread_count
from .maps import MAPS, MapSpec, check_maps, map_spec
from .obj import write_mtl, write_objs
from .observation_file import read_observation, write_observation
from .pin_file import pins_text, read_automatic, read_pins, write_automatic
from .record import MORE_OBSERVATIONS, MORE_PHOTOS, ByHand, HeadRecord, Reconstruction, result_folder, result_key
from .record_json import FORMAT_VERSION, parse_record, photos_of, read_json, record_text, require_readable

RECORD_FILE = "reconstruction.json"
OBSERVATION_FILE = "observation.npz"
PINS_FILE, AUTOMATIC_FILE = "pins.json", "automatic.npz"
"""What was pinned by hand, and the fit before; only where something was."""
ALBEDO_FILE = next(spec.file for spec in MAPS if spec.name == "albedo")
DISPLACEMENT_FILE = "displacement.exr"
"""The whole relief that the photo shows, for other programs; its two parts are read back."""
_SKIN_PICTURES = {
    "map_Kd": ALBEDO_FILE,
    "map_Pr": map_spec("roughness").file,
    "norm": map_spec("normal").file,
    "disp": DISPLACEMENT_FILE,
}
"""Of ``head.mtl``."""
ENVIRONMENT_FILE = "environment.hdr"
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
EXPORT_EXTRAS = (
    "scene.mtl",
    "scene_neutral.obj",
    *(f"scene_{kind}.png" for kind in ("albedo", "roughness", "normal", "eye")),
)
"""What lies beside ``scene.obj``."""
SCENE_FILES = frozenset((SCENE_FILE, RENDER_FILE, LOOKDEV_FILE, TURNTABLE_FILE, *EXPORT_FILES.values(), *EXPORT_EXTRAS))
"""What the command line's ``scene`` adds to a result."""
RESULT_FILES = SCENE_FILES | frozenset(
    (RECORD_FILE, OBSERVATION_FILE, PINS_FILE, AUTOMATIC_FILE, PREVIEW_FILE, VERTICES_FILE, DISPLACEMENT_FILE)
    + (HEAD_FILE, NEUTRAL_FILE, MATERIAL_FILE, ENVIRONMENT_FILE)
    + tuple(spec.file for spec in MAPS)
    + MORE_OBSERVATIONS
    + MORE_PHOTOS
)

_ENVIRONMENT_HEIGHT = 256
_MAX_VERTICES = 1_000_000


def write_result(
    reconstruction: Reconstruction,
    directory: Path,
    model: FaceModel | None = None,
    also: Callable[[Path], None] | None = None,
    name: str = "",
) -> Path:
    """Write the result folder ``directory/<photo stem>``, whole or not at all.

    An older result there is replaced; a folder that holds anything else is left alone.

    Args:
        directory: where result folders go; made when missing.
        model: the face model of this reconstruction; found by its name when not given.
        also: writes more files (``scene.blend``, ``render.png``) into the folder it is given, before the result
            appears in its place; what it raises leaves nothing behind.
        name: of the folder, in the place of the photo's.

    Returns:
        The result folder.

    Raises:
        OutputError: it cannot be written, or something else lies there.
    """
    record = reconstruction.record
    model = model or load_named_model(record.face_model)
    target = result_folder(Path(directory), name or record.observation.photo_name)
    text = record_text(record)
    check_maps(reconstruction.maps)
    with atomic_directory(target, RESULT_FILES, marker=RECORD_FILE) as folder:
        _write_files(folder, reconstruction, model, text)
        if also is not None:
            also(folder)
    return target


def _write_files(folder: Path, reconstruction: Reconstruction, model: FaceModel, text: str) -> None:
    """All of a result; the maps are compressed in threads of their own while the preview is drawn."""
    from ..rendering.environment import environment_image  # who reads results need not load what draws them
    from .preview import render_preview

    record = reconstruction.record
    with ThreadPoolExecutor(thread_count()) as pool:
        encoded = [pool.submit(_write_map, folder / spec.file, spec, reconstruction.maps[spec.name]) for spec in MAPS]
        encoded.append(pool.submit(_write_displacement, folder / DISPLACEMENT_FILE, reconstruction))
        write_png(folder / PREVIEW_FILE, render_preview(reconstruction, model))
        shapes = {folder / HEAD_FILE: record.pose.vertices, folder / NEUTRAL_FILE: record.fit.vertices_neutral}
        write_objs(shapes, model, MATERIAL_FILE)
        write_mtl(folder / MATERIAL_FILE, model, _SKIN_PICTURES)
        write_hdr(folder / ENVIRONMENT_FILE, environment_image(record.light.radiance, _ENVIRONMENT_HEIGHT))
        _write_vertices(folder / VERTICES_FILE, record)
        if record.observation.landmarks.mesh_px is not None:  # else it was read from format 5
            write_observation(folder / OBSERVATION_FILE, record.observation)
        for observation, file, picture in zip(record.observations[1:], MORE_OBSERVATIONS, MORE_PHOTOS, strict=False):
            write_observation(folder / file, observation)
            write_png(folder / picture, observation.pixels)
        if record.by_hand is not None:
            (folder / PINS_FILE).write_text(pins_text(record.by_hand.edit), encoding="utf-8")
            write_automatic(folder / AUTOMATIC_FILE, record.by_hand.automatic)
        (folder / RECORD_FILE).write_text(text, encoding="utf-8")
        for one in encoded:
            one.result()


def add_notices(folder: Path, record: HeadRecord, notices: tuple[Notice, ...]) -> None:
    """Write a result's record once more with what was found out after it."""
    text = record_text(replace(record, notices=(*record.notices, *notices)))
    (folder / RECORD_FILE).write_text(text, encoding="utf-8")


def read_result(folder: Path) -> Reconstruction:
    """Read a result folder back; every value is checked.

    The maps, the photo and all numbers come back exactly, ``confidence`` to 1/65535.

    Raises:
        OutputError: not a result folder, of another version, incomplete, or with values that cannot be.
    """
    folder = Path(folder)
    record = read_record(folder)
    try:
        maps = _read_maps(folder)
        count = len(record.observations)
        photos = [maps["photo"], *(read_png(folder / file) for file in MORE_PHOTOS[: count - 1])]
        for photo, pose in zip(photos, record.fit.poses, strict=True):
            if photo.dtype != np.uint8 or photo.shape != (*pose.perspective.image_size[::-1], 3):
                raise ValueError("the camera does not belong to the photo")
    except ValueError as error:
        raise OutputError(f"{folder} holds pictures that cannot be: {error}.", REMEDY) from error
    observations = tuple(
        replace(observation, pixels=photo) for observation, photo in zip(record.observations, photos, strict=True)
    )
    return Reconstruction(replace(record, observations=observations), maps)


def require_result(folder: Path, record: HeadRecord, key: str) -> None:
    """Raises OutputError where a result is another than the one with that key of :func:`~.record.result_key`."""
    if result_key(record) != key:
        raise OutputError(
            f"{folder} holds another photo's result by now.", "Reconstruct the head's photo again, to another folder."
        )


def read_record(folder: Path) -> HeadRecord:
    """What a result folder holds beside its pictures, every value checked.

    Raises:
        OutputError: as of :func:`read_result`.
    """
    record_path = folder / RECORD_FILE
    try:
        values = read_json(record_path)
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(f"{record_path} cannot be read: {error}.", REMEDY) from error
    try:
        require_readable(values)
        count = len(photos_of(values))
        posed, neutral = _read_vertices(folder / VERTICES_FILE, count)
        files = (OBSERVATION_FILE, *MORE_OBSERVATIONS)[:count]
        seen = [_read_observation(folder / file, values) for file in files]
        record = parse_record(values, posed, neutral, seen)
        return _with_pins(record, folder)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise OutputError(f"{record_path} holds values that cannot be: {reason}.", REMEDY) from error


def _with_pins(record: HeadRecord, folder: Path) -> HeadRecord:
    """The record with what was pinned by hand, where something was."""
    if not (folder / PINS_FILE).exists():
        return record
    try:
        edit = read_pins(folder / PINS_FILE)
    except FaceDetailError as error:
        raise OutputError(error.message, REMEDY) from error
    try:
        automatic = read_automatic(folder / AUTOMATIC_FILE, record.fit)
    except ValueError as error:
        raise OutputError(f"{folder / AUTOMATIC_FILE} cannot be read: {error}.", REMEDY) from error
    return replace(record, by_hand=ByHand(edit, automatic))


def _write_map(path: Path, spec: MapSpec, array: np.ndarray) -> None:
    if spec.is_height:
        write_exr(path, array)
    elif spec.dtype == spec.stored:
        write_png(path, array)
    else:
        most = np.iinfo(spec.stored).max
        write_png(path, np.round(array.clip(0, 1) * most).astype(spec.stored))


def _write_displacement(path: Path, reconstruction: Reconstruction) -> None:
    write_exr(path, reconstruction.displacement)


def _read_maps(folder: Path) -> Mapping[str, np.ndarray]:
    there = [spec for spec in MAPS if not spec.optional or (folder / spec.file).exists()]
    stored = {spec.name: read_png(folder / spec.file) for spec in there if not spec.is_height}
    shape = stored["albedo"].shape[:2]
    maps = {}
    for spec in MAPS:
        if spec not in there:
            maps[spec.name] = spec.nothing(shape[0])
        elif spec.is_height:
            maps[spec.name] = _read_heights(folder / spec.file, spec, shape)
        elif (stored[spec.name].dtype, stored[spec.name].ndim) != (spec.stored, 2 if spec.channels == 1 else 3):
            raise ValueError(f"{spec.file} is not {spec.kind}")
        elif spec.dtype == spec.stored:
            maps[spec.name] = stored[spec.name]
        else:
            maps[spec.name] = stored[spec.name].astype(spec.dtype) / np.iinfo(spec.stored).max
    check_maps(maps)
    return maps


def _read_heights(path: Path, spec: MapSpec, shape: tuple[int, int]) -> np.ndarray:
    try:
        height_mm = read_exr(path, shape)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be read: {error}.", REMEDY) from error
    if not (np.abs(height_mm) <= spec.limit).all():  # NaN compares false
        raise OutputError(f"{path} holds more than {spec.limit:g} {spec.unit}, or no numbers.", REMEDY)
    return height_mm


def _read_observation(path: Path, values: dict) -> dict[str, object] | None:
    """None in format 5."""
    if values["format_version"] != FORMAT_VERSION or not path.exists():
        return None
    try:
        return read_observation(path, len(values["expression_names"]))
    except ValueError as error:
        raise OutputError(f"{path} cannot be read: {error}.", REMEDY) from error


def _write_vertices(path: Path, record: HeadRecord) -> None:
    posed = {
        name: pose.vertices for name, pose in zip(_posed_names(len(record.fit.poses)), record.fit.poses, strict=True)
    }
    np.savez(path, **posed, neutral=record.fit.vertices_neutral)


def _posed_names(count: int) -> list[str]:
    return ["posed", *(f"posed_{number}" for number in range(2, count + 1))]


def _read_vertices(path: Path, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Of each of so many photos, and at rest."""
    try:
        arrays = read_arrays(path, max_bytes=(count + 1) * 12 * _MAX_VERTICES + 4096)
        posed, neutral = [arrays[name] for name in _posed_names(count)], arrays["neutral"]
    except (ValueError, KeyError) as error:
        raise OutputError(f"{path} cannot be read: {error}.", REMEDY) from error
    for array in (*posed, neutral):
        fits = array.dtype == np.float32 and array.ndim == 2 and array.shape[1] == 3 and array.shape == neutral.shape
        if not fits or not np.isfinite(array).all():
            raise OutputError(f"{path} holds wrong shapes or values.", REMEDY)
    return posed, neutral
