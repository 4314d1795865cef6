# SPDX-License-Identifier: GPL-3.0-or-later
"""What preferences and panel tell of face models and landmarkers: quick, no file is read but the models' records."""

from dataclasses import dataclass
from pathlib import Path

from ..core.assets.downloads import PART_SUFFIX
from ..core.assets.shipped import WEIGHTS_DIR
from ..core.assets.user import USER_ASSETS, UserAsset, find_user_asset, places
from ..core.face_model.library import BUILTIN, BUILTIN_FILE
from ..core.face_model.store import BrokenModel, InstalledModel, installed_models
from ..operators.layout import megabytes

BUILTIN_LICENCE = "Made from ICT-FaceKit Light, © 2020 USC Institute for Creative Technologies, MIT: free for any use."
MESH_LICENCE = "MediaPipe Face Mesh, © Google, Apache-2.0: free for any use."


@dataclass(frozen=True)
class AssetState:
    """What there is of a file that does not ship.

    Attributes:
        path: None where there is none of the right size; its hash is checked when it is used.
        is_own: it lies in FaceDetail's folder, so it can be removed there.
        arrived: bytes of an unfinished download.
    """

    path: Path | None
    is_own: bool
    arrived: int


@dataclass(frozen=True)
class ChoiceNotes:
    """On a chosen face model and landmarker.

    Attributes:
        missing: of the model, in sentences. not_installed: what is not there, which preferences can help.
    """

    missing: tuple[str, ...]
    not_installed: tuple[str, ...]


def asset_state(asset: UserAsset, assets: Path) -> AssetState:
    """What there is of a file in the user's folder and, where that will do, in torch's cache."""
    own = assets / asset.folder
    path = find_user_asset(asset, places(asset, assets))
    part = own / (asset.name + PART_SUFFIX)
    return AssetState(
        path=path,
        is_own=path is not None and path.parent == own,
        arrived=part.stat().st_size if part.is_file() else 0,
    )


def asset_texts(asset: UserAsset, state: AssetState) -> tuple[str, ...]:
    """A paragraph each: whether the file is there and where, its size, its licence."""
    if state.path is not None:
        found = f"Installed: {state.path}"
    elif state.arrived:
        found = f"{megabytes(state.arrived)} of {megabytes(asset.size)} have arrived"
    else:
        found = "Not installed"
    return (found, megabytes(asset.size), asset.licence)


def model_texts(info: InstalledModel) -> tuple[str, ...]:
    """Of an imported model, a paragraph each: what it is, its licence, where it is from and lies, what it lacks."""
    counts = f"{info.vertices:,} vertices, {info.identities} identity modes, {info.expressions} expressions"
    return (
        f"{counts}; {megabytes(info.size_bytes)}",
        info.licence,
        f"From {info.source}",
        str(info.folder),
        *info.missing,
    )


def broken_texts(entry: BrokenModel) -> tuple[str, ...]:
    """The same of one that cannot be used."""
    return (entry.reason, "Remove it, and import it again.")


def builtin_texts() -> tuple[str, ...]:
    """The same of the built-in head."""
    return (megabytes((WEIGHTS_DIR / BUILTIN_FILE).stat().st_size), BUILTIN_LICENCE)


def choice_notes(face_model: str, landmarker: str, assets: Path) -> ChoiceNotes:
    """What the artist should know of the chosen face model and landmarker."""
    missing: tuple[str, ...] = ()
    not_installed = []
    if face_model != BUILTIN:
        info = next((info for info in installed_models(assets) if info.id == face_model), None)
        if info is None:
            not_installed.append(f"The face model {face_model} is not installed: import it, or choose another.")
        else:
            missing = info.missing
    for asset in USER_ASSETS:
        if asset.needed_by in (face_model, landmarker) and asset_state(asset, assets).path is None:
            not_installed.append(f"The file {asset.name} ({asset.title}) is not installed.")
    return ChoiceNotes(missing, tuple(not_installed))
