# SPDX-License-Identifier: GPL-3.0-or-later
"""Converted copies of external face models in the user's folder, each under the SHA-256 of what it was made from.

A copy is an npz of plain arrays, so that a model can be matched again when its file is gone.
"""

from dataclasses import fields
from pathlib import Path

import numpy as np

from ..errors import FaceModelError, OutputError
from ..face_model.model import MeshPart
from ..io.archive import declared_arrays, read_arrays, require_format, write_arrays
from .external import ExternalModel, require_sound
from .importers.source import MAX_BASES_BYTES

FORMAT_VERSION = 1
_MAX_BYTES = 2 * MAX_BASES_BYTES
_REMEDY = "Import the model again from the file it came with."
_PART_ARRAYS = ("faces", "uv", "face_uv", "face_material")
_OPTIONAL = ("albedo_mean", "albedo_basis", "landmarks68")


def write_copy(model: ExternalModel, path: Path) -> None:
    """Write a model, whole or not at all.

    Raises:
        OutputError: it cannot be written; what was there before is still there.
    """
    try:
        write_arrays(path, _encode(model))
    except OSError as error:
        raise OutputError(
            f"The converted face model cannot be written to {path}: {error.strerror or error}.",
            "Make room on the disk of the user folder, and check that you may write there.",
        ) from error


def read_copy(path: Path) -> ExternalModel:
    """Read a converted copy, with all checks.

    Raises:
        FaceModelError: it is missing, damaged, of another version, or not under its own hash.
    """
    if not path.is_file():
        raise FaceModelError(f"The converted face model {path} is missing.", _REMEDY)
    try:
        declared_arrays(path)
        arrays = read_arrays(path, max_bytes=_MAX_BYTES)
        require_format(arrays, FORMAT_VERSION)
        model = _decode(arrays)
    except KeyError as error:
        raise FaceModelError(f"The converted face model {path} has no array {error}.", _REMEDY) from error
    except (ValueError, TypeError) as error:
        raise FaceModelError(f"The converted face model {path} cannot be read: {error}.", _REMEDY) from error
    require_sound(model, str(path))
    if model.source_sha256 != path.stem:
        raise FaceModelError(f"The converted face model {path} was made from another file.", _REMEDY)
    return model


def _encode(model: ExternalModel) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {"format_version": np.int32(FORMAT_VERSION)}
    for field in fields(model):
        value = getattr(model, field.name)
        if field.name != "parts" and value is not None:
            arrays[field.name] = np.asarray(value)
    arrays["part_names"] = np.array([part.name for part in model.parts])
    arrays["part_ranges"] = np.array([(part.start, part.stop) for part in model.parts], np.int32)
    for part in model.parts:
        arrays |= {f"part.{part.name}.{key}": getattr(part, key) for key in _PART_ARRAYS}
        arrays[f"part.{part.name}.materials"] = np.array(part.materials)
    return arrays


def _decode(arrays: dict[str, np.ndarray]) -> ExternalModel:
    values = {}
    for field in fields(ExternalModel):
        if field.name == "parts":
            values["parts"] = _decode_parts(arrays)
        elif field.name in _OPTIONAL:
            values[field.name] = arrays.get(field.name)
        elif field.type is str or field.type is bool:
            values[field.name] = arrays[field.name].item()
        elif field.type is np.ndarray:
            values[field.name] = arrays[field.name]
        else:
            values[field.name] = tuple(arrays[field.name].tolist())
    return ExternalModel(**values)


def _decode_parts(arrays: dict[str, np.ndarray]) -> tuple[MeshPart, ...]:
    ranges = zip(arrays["part_names"].tolist(), arrays["part_ranges"].tolist(), strict=True)
    return tuple(
        MeshPart(
            name=name,
            start=start,
            stop=stop,
            materials=tuple(arrays[f"part.{name}.materials"].tolist()),
            **{key: arrays[f"part.{name}.{key}"] for key in _PART_ARRAYS},
        )
        for name, (start, stop) in ranges
    )
