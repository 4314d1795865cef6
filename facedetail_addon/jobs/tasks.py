# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker does for each kind of request. What needs torch is imported by the task that needs it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.assets.user import download_user_asset, install_user_asset
from ..core.errors import OutputError
from ..core.face_model.model import FaceModel
from ..core.face_model.store import discard_half_installed
from ..core.fit.pins import PinnedEdit
from ..core.io.archive import discard_half_written_arrays
from ..core.io.array_cache import CACHE
from ..core.io.atomic_directory import discard_half_made_files, discard_half_written
from ..core.memory import give_back
from ..core.result.files import SCENE_FILES, read_record, read_result, require_result, write_result
from ..core.result.pin_file import parse_pins
from ..core.result.record import HeadRecord, Reconstruction, result_folder
from ..settings import Settings
from .messages import Download, FindFaces, ImportModel, InstallFile, Reconstruct, RenderHead, Request, UpdateSkin

if TYPE_CHECKING:  # it needs torch
    from ..core.models import Models

Report = Callable[[str, float], None]
Also = Callable[[Reconstruction, FaceModel], Callable[[Path], None]]
SAVING = "Saving the result"
SHARE_RECONSTRUCTED = 0.8
"""Where a photo's progress stands when its result is to be saved."""
_BYTES_PER_MB = 1e6


def do(request: Request, warm: dict, report: Report) -> Path:
    """Do what is asked for.

    Args:
        warm: what stays loaded between requests; begins empty.
        report: called with what is being done and the fraction done.

    Returns:
        what was made: a result folder, a face model's folder, a file of weights.

    Raises:
        FaceDetailError: it cannot be done.
    """
    made = _TASKS[type(request)](request, warm, report)
    give_back()  # a worker waits with little
    return made


def tidy_after(request: Request, process: int) -> None:
    """Remove what a process, by its id, had half written. An unfinished download stays: the next one goes on there."""
    if isinstance(request, RenderHead):
        if request.output:
            discard_half_made_files(Path(request.output), process)
        return
    if isinstance(request, Reconstruct):
        discard_half_written(folder_of(request), process)
    if isinstance(request, UpdateSkin):
        discard_half_written(Path(request.folder), process)
    discard_half_installed(Path(request.assets), process)
    discard_half_written_arrays(Path(request.assets) / CACHE, process)


def folder_of(request: Reconstruct) -> Path:
    """Where its result goes."""
    return result_folder(Path(request.output), request.name or request.photo)


def reconstruct_photo(request: Reconstruct, warm: dict, report: Report, also: Also | None = None) -> Path:
    """Reconstruct a photo, or a person by several, and save the result.

    What it needs stays loaded for the next photo with the same settings.

    Args:
        request, warm, report: as of :func:`do`.
        also: makes of the reconstruction and its model what writes more files into the result folder.

    Raises:
        FaceDetailError: as :func:`match_if_outdated`, ``Models.load``, ``reconstruct_person`` and ``write_result``.
    """
    report("Loading the networks", 0.0)
    from ..core.person import reconstruct_person

    settings = request.settings
    edit = parse_pins(request.pins, "the request") if request.pins else PinnedEdit()
    models = _loaded(settings, request.assets, warm, report)
    photos = [Path(photo) for photo in (request.photo, *request.more_photos)]
    earlier = _earlier(request) if request.more_photos else None
    reconstruction = reconstruct_person(
        photos, models, settings, lambda stage, done: report(stage, done * SHARE_RECONSTRUCTED), earlier, edit
    )
    report(SAVING, SHARE_RECONSTRUCTED)
    also_write = also and also(reconstruction, models.model)
    return write_result(reconstruction, Path(request.output), models.model, also_write, request.name)


def _loaded(settings: Settings, assets: str, warm: dict, report: Report) -> "Models":
    """What photos with these settings need; it stays loaded for the next."""
    from ..core.models import Models

    key = (assets, settings.loading_key())
    if key not in warm:
        warm.clear()
        match_if_outdated(settings.face_model, Path(assets), report)
        warm[key] = Models.load(settings, Path(assets))
    return warm[key]


def _update_skin(request: UpdateSkin, warm: dict, report: Report) -> Path:
    report("Reading the result", 0.0)
    from ..core.update import settings_of, update_skin

    folder = Path(request.folder)
    earlier, edit = read_result(folder), parse_pins(request.pins, "the head")
    require_result(folder, earlier.record, request.key)
    settings = settings_of(earlier)
    report("Loading the networks", 0.0)
    models = _loaded(settings, request.assets, warm, report)
    updated = update_skin(
        earlier, edit, models, settings, lambda stage, done: report(stage, done * SHARE_RECONSTRUCTED)
    )
    report(SAVING, SHARE_RECONSTRUCTED)

    def keep_scenes(new: Path) -> None:
        """The artist may be working in one of them."""
        for name in SCENE_FILES:
            if (folder / name).exists():
                shutil.copy2(folder / name, new / name)

    return write_result(updated, folder.parent, models.model, keep_scenes, folder.name)


def _earlier(request: Reconstruct) -> HeadRecord | None:
    """What stands where the result is to be written: a photo that is added begins with that head."""
    try:
        return read_record(folder_of(request))
    except OutputError:
        return None


def match_if_outdated(name: str, assets: Path, report: Report) -> None:
    """Match an imported face model again where that was done with the built-in head of another version; some seconds.

    Args:
        name: as of settings; the built-in head is never out of date.

    Raises:
        FaceModelError: it is not installed, or its converted copy is damaged.
        OutputError: its folder cannot be written.
    """
    from ..core.face_model.library import BUILTIN, installed, is_outdated, load_named_calibration, load_named_model

    if not is_outdated(name, assets):
        return
    report("Matching the face model to the new built-in head", 0.0)
    from ..core.model_import.install import match_again
    from ..core.observe.landmarks.landmarker import MeshLandmarker

    builtin, calibration = load_named_model(BUILTIN), load_named_calibration(BUILTIN)
    match_again(installed(name, assets), builtin, calibration, MeshLandmarker.load().find, lambda text, done: None)


def _import_model(request: ImportModel, warm: dict, report: Report) -> Path:
    report("Loading the built-in head", 0.0)
    from ..core.face_model.library import BUILTIN, load_named_calibration, load_named_model
    from ..core.model_import.install import install_model
    from ..core.observe.landmarks.landmarker import MeshLandmarker

    warm.clear()  # a large model needs the memory, and what is loaded may be what is imported again
    builtin, calibration = load_named_model(BUILTIN), load_named_calibration(BUILTIN)
    find = MeshLandmarker.load().find
    return install_model(Path(request.source), Path(request.assets), builtin, calibration, find, report).folder


def _download(request: Download, warm: dict, report: Report) -> Path:
    def progress(done: int, size: int) -> None:
        megabytes = f"{done / _BYTES_PER_MB:.0f} of {size / _BYTES_PER_MB:.0f} MB"
        report(f"Downloading {request.asset.title}: {megabytes}", done / size)

    # Cancelling ends this process; what has arrived stays, and the next download goes on from there.
    assets = Path(request.assets)
    return download_user_asset(request.asset, assets, online=request.online, progress=progress, cancelled=lambda: False)


def _install_file(request: InstallFile, warm: dict, report: Report) -> Path:
    report(f"Checking {Path(request.source).name}", 0.0)
    return install_user_asset(request.asset, Path(request.source), Path(request.assets))


def _find_faces(request: FindFaces, warm: dict, report: Report) -> Path:
    report("Looking for faces", 0.0)
    from ..core.observe.correspondence.finder import CorrespondenceFinder
    from ..core.observe.faces import save_faces
    from ..core.observe.landmarks.landmarker import MeshLandmarker

    folder = Path(request.folder)
    save_faces(Path(request.photo), MeshLandmarker.load(), CorrespondenceFinder.load(), folder)
    return folder


_TASKS: dict[type, Callable[[Any, dict, Report], Path]] = {
    Reconstruct: reconstruct_photo,
    UpdateSkin: _update_skin,
    ImportModel: _import_model,
    Download: _download,
    InstallFile: _install_file,
    FindFaces: _find_faces,
}
