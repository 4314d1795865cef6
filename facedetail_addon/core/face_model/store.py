# SPDX-License-Identifier: GPL-3.0-or-later
"""Face models that the user has imported: each a folder of the user's, made once, found by its id.

``models/<SHA-256 of the source>/`` holds the converted copy of the file, the model matched to the built-in head, its
landmark calibration, and ``model.json``, which is all that a list needs to read.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from ..errors import FaceModelError, OutputError

MODELS = "models"
FORMAT_VERSION = 1
INFO_FILE, HEAD_FILE = "model.json", "head.npz"
CALIBRATION_FILE, DICTIONARY_FILE = "landmark_calibration.npz", "expression_dictionary.npz"
_MOST_INFO_BYTES = 1 << 16
_REMOVE = "Remove it in FaceDetail's preferences, and import it again."


@dataclass(frozen=True)
class InstalledModel:
    """What is known of an imported model without loading it.

    Attributes:
        id: what settings call it, e.g. ``bfm2017-1a2b3c4d``.
        name: of its kind, e.g. ``bfm2017``.
        licence: what the user must know, in a sentence or two.
        source: path it was imported from.
        folder: where it lies.
        canonical: fingerprint of the built-in head it was matched to.
        vertices, identities, expressions: how many; expressions of its own, whether named or not.
        has_albedo: it has skin colours of its own.
        residual_mm, folds: quality of the match, see :class:`~.model.ModelOrigin`.
        missing: what it has not of its own and where that comes from, in sentences.
        size_bytes: of all its files.
    """

    id: str
    name: str
    licence: str
    source: str
    folder: Path
    canonical: str
    vertices: int
    identities: int
    expressions: int
    has_albedo: bool
    residual_mm: float
    folds: int
    missing: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class BrokenModel:
    """A folder among the imported models that cannot be used: what is wrong with it, in a sentence."""

    folder: Path
    reason: str


def installed_models(assets: Path) -> tuple[InstalledModel, ...]:
    """All imported models that can be used, by id."""
    return tuple(entry for entry in list_models(assets) if isinstance(entry, InstalledModel))


def list_models(assets: Path) -> tuple[InstalledModel | BrokenModel, ...]:
    """All imported models: those that can be used by id, then those whose ``model.json`` cannot be read."""
    found: list[InstalledModel] = []
    broken: list[BrokenModel] = []
    for folder in sorted((assets / MODELS).glob("*/")):
        if folder.name.startswith("."):  # being written or removed
            continue
        try:
            found.append(read_info(folder / INFO_FILE))
        except FaceModelError as error:
            broken.append(BrokenModel(folder, error.message))
    return (*sorted(found, key=lambda info: info.id), *broken)


def find_installed(model_id: str, assets: Path) -> InstalledModel:
    """The imported model of that id.

    Raises:
        FaceModelError: there is none.
    """
    infos = installed_models(assets)
    for info in infos:
        if info.id == model_id:
            return info
    known = ", ".join(info.id for info in infos) or "none"
    raise FaceModelError(
        f"The face model {model_id} is not installed in {assets} (installed: {known}).",
        "Import it in FaceDetail's preferences, or choose the built-in face model.",
    )


def remove_model(name: str, assets: Path) -> None:
    """Delete an imported model.

    Args:
        name: its id; for one whose description cannot be read, its folder's name.

    Raises:
        FaceModelError: there is none. OutputError: it cannot be deleted; then it is still listed, or gone as a whole.
    """
    broken = (entry.folder for entry in list_models(assets) if isinstance(entry, BrokenModel))
    folder = next((folder for folder in broken if folder.name == name), None) or find_installed(name, assets).folder
    doomed = folder.with_name(f".{folder.name}.removed")
    try:
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be deleted: {error.strerror or error}.", "Close what uses it, or delete it yourself."
        ) from error


def discard_half_installed(assets: Path, process: int) -> None:
    """Tidy up after a process, by its id, that was killed while it imported a model, and after removals."""
    for pattern in (f".*.{process}-*.partial", ".*.removed"):
        for folder in (assets / MODELS).glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)


def read_info(path: Path) -> InstalledModel:
    """The content of a ``model.json``, checked.

    Raises:
        FaceModelError: it is missing or not what it should be.
    """
    try:
        if path.stat().st_size > _MOST_INFO_BYTES:
            raise ValueError("it is too large")
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format_version") != FORMAT_VERSION:
            raise ValueError("it is of another version")
        missing = values.pop("lacks") if "lacks" in values else values["missing"]  # its older name
        values["missing"] = tuple(_typed(text, str) for text in _typed(missing, list))
        values["residual_mm"] = float(values["residual_mm"])
        size = sum(file.stat().st_size for file in path.parent.iterdir())
        own = {"folder": path.parent, "size_bytes": size}
        kinds = {field.name: field.type for field in fields(InstalledModel) if field.name not in own}
        if set(values) != set(kinds):
            raise ValueError(f"it has the fields {sorted(values)}")
        checked = {name: value if name == "missing" else _typed(value, kinds[name]) for name, value in values.items()}
        return InstalledModel(**checked, **own)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FaceModelError(f"The face model in {path.parent} cannot be read: {error}.", _REMOVE) from error


def _typed(value: object, kind: Callable) -> object:
    if type(value) is not kind:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value
