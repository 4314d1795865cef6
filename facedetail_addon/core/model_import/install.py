# SPDX-License-Identifier: GPL-3.0-or-later
"""Import a face model into the user's folder: read it, match it to the built-in head, transfer what is known."""

import json
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import FaceModelError
from ..face_model.calibration import LandmarkCalibration, save_calibration
from ..face_model.model import FaceModel
from ..face_model.model_file import save_face_model
from ..face_model.store import (
    CALIBRATION_FILE,
    DICTIONARY_FILE,
    FORMAT_VERSION,
    HEAD_FILE,
    INFO_FILE,
    MODELS,
    InstalledModel,
    read_info,
)
from ..io.atomic_directory import atomic_directory
from .adapt import adapt
from .cache import read_copy, write_copy
from .calibration_transfer import transfer_calibration
from .correspondence import correspond
from .external import ExternalModel
from .importers.read import read_external_model, source_sha256
from .importers.source import Progress
from .mean_landmarks import FindFaces

_ID_DIGITS = 8
_SHARE_READ, _SHARE_MATCHED = 0.4, 0.8


def install_model(
    source: Path,
    assets: Path,
    builtin: FaceModel,
    calibration: LandmarkCalibration,
    find: FindFaces,
    progress: Progress,
) -> InstalledModel:
    """Import a face model; half a minute for the largest. One that is installed already stays as it is; one whose
    description cannot be read is made anew.

    Args:
        source: a file or folder for :func:`~.importers.read.read_external_model`.
        assets: the user's folder.
        builtin, calibration: what ships, to match it with.
        find: detects faces on renderings of it, where its file names no landmarks.
        progress: called with a short text and the fraction done; an exception it raises stops the import.

    Raises:
        FaceModelError: the file is not what it should be, or shows no face like the built-in one.
        OutputError: the folder cannot be written. Nothing is left of a failed import.
    """
    progress("Looking at the file", 0.0)
    sha = source_sha256(source)
    folder = assets / MODELS / sha
    info = _info_or_none(folder)
    if info is not None and info.canonical == builtin.canonical() and (folder / HEAD_FILE).is_file():
        return info
    with _new_folder(folder) as partial:
        external = read_external_model(source, lambda text, done: progress(text, _SHARE_READ * done))
        if external.source_sha256 != sha:
            raise FaceModelError(
                f"{source} changed while it was read.", "Wait until it is copied completely, then import it."
            )
        progress("Writing the converted copy", _SHARE_READ)
        write_copy(external, partial / f"{sha}.npz")
        _match(external, str(source.absolute()), partial, builtin, calibration, find, progress)
    return read_info(folder / INFO_FILE)


def _info_or_none(folder: Path) -> InstalledModel | None:
    try:
        return read_info(folder / INFO_FILE)
    except FaceModelError:
        return None


def match_again(
    info: InstalledModel,
    builtin: FaceModel,
    calibration: LandmarkCalibration,
    find: FindFaces,
    progress: Progress,
) -> InstalledModel:
    """Match an installed model to another built-in head, after an update of FaceDetail, from its converted copy.

    Raises:
        FaceModelError: the copy is damaged. OutputError: the folder cannot be written.
    """
    name = f"{info.folder.name}.npz"
    external = read_copy(info.folder / name)
    with _new_folder(info.folder) as partial:
        shutil.copy2(info.folder / name, partial / name)
        _match(external, info.source, partial, builtin, calibration, find, progress)
    return read_info(info.folder / INFO_FILE)


def _new_folder(folder: Path) -> AbstractContextManager[Path]:
    own = frozenset((INFO_FILE, HEAD_FILE, CALIBRATION_FILE, DICTIONARY_FILE, f"{folder.name}.npz"))
    # Any of them tells a model of ours, for the folder is called by a hash: one without description is replaced too.
    marker = next((name for name in sorted(own) if (folder / name).is_file()), INFO_FILE)
    return atomic_directory(folder, own, marker, "face model")


def _match(
    external: ExternalModel,
    source: str,
    folder: Path,
    builtin: FaceModel,
    calibration: LandmarkCalibration,
    find: FindFaces,
    progress: Progress,
) -> None:
    """Fill a model's folder but for the converted copy."""
    progress("Matching it to the built-in head", _SHARE_READ)
    adapted = adapt(external, builtin, correspond(external, builtin, find))
    progress("Transferring the landmark calibration", _SHARE_MATCHED)
    save_calibration(folder / CALIBRATION_FILE, transfer_calibration(calibration, builtin, adapted))
    progress("Writing the model", (1 + _SHARE_MATCHED) / 2)
    save_face_model(folder / HEAD_FILE, adapted.model, step_mm=None)
    _write_info(folder / INFO_FILE, external, adapted.model, source)


def _write_info(path: Path, external: ExternalModel, model: FaceModel, source: str) -> None:
    values = {
        "format_version": FORMAT_VERSION,
        "id": f"{external.name}-{external.source_sha256[:_ID_DIGITS]}",
        "name": external.name,
        "licence": external.licence,
        "source": source,
        "canonical": model.origin.canonical,
        "vertices": len(external.mean),
        "identities": len(external.identity_basis),
        "expressions": len(external.expression_basis),
        "has_albedo": model.native_albedo is not None,
        "residual_mm": round(model.origin.residual_mm, 3),
        "folds": model.origin.folds,
        "missing": describe_missing(model),
    }
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def describe_missing(model: FaceModel) -> tuple[str, ...]:
    """What an imported model does not have of its own, and what replaces it, in sentences for artists."""
    found = []
    if model.origin.transferred_expressions:
        what = "Its expressions have no names" if model.native_expressions else "It has no expressions"
        found.append(f"{what}: the built-in head's {len(model.expression_names)} are used instead.")
    if model.native_albedo is None:
        found.append("It has no skin colours: FaceDetail's own are used.")
    if len(model.eyes) < 2:
        found.append("It has no eyeballs: skin covers the eyes.")
    if model.origin.attached:
        parts = ", ".join(name.replace("_", " ") for name in model.origin.attached)
        found.append(f"From the built-in head: {parts}.")
    return tuple(found)
