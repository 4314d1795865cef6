# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker does for each kind of request. What needs torch is imported by the task that needs it."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..core.user_assets import LANDMARKER_FOLDER, download_user_asset, install_user_asset
from .messages import Download, ImportModel, InstallFile, Reconstruct, Request

Report = Callable[[str, float], None]
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
    return _TASKS[type(request)](request, warm, report)


def _reconstruct(request: Reconstruct, warm: dict, report: Report) -> Path:
    report("Loading the networks", 0.0)
    from ..core.pipeline import Core, Settings, reconstruct

    settings = Settings(**{field.name: getattr(request, field.name) for field in fields(Settings)})
    key = (
        request.assets, settings.face_model, settings.landmarker, settings.fit, settings.resolution, settings.detail,
    )  # fmt: skip
    if key not in warm:
        warm.clear()
        warm[key] = Core.load(settings, Path(request.assets))
    reconstruction = reconstruct(Path(request.photo), warm[key], settings, report)
    report("Saving", 1.0)
    return reconstruction.save(Path(request.output), warm[key].model)


def _import_model(request: ImportModel, warm: dict, report: Report) -> Path:
    report("Loading the built-in head", 0.0)
    from ..core.face_model.install import install_model
    from ..core.face_model.library import BUILTIN, load_named_calibration, load_named_model
    from ..core.landmarks.landmarker import MeshLandmarker

    warm.clear()  # a large model needs the memory, and what is loaded may be what is imported again
    builtin, calibration = load_named_model(BUILTIN), load_named_calibration(BUILTIN)
    find = MeshLandmarker.load().find
    return install_model(Path(request.source), Path(request.assets), builtin, calibration, find, report).folder


def _download(request: Download, warm: dict, report: Report) -> Path:
    def told(done: int, size: int) -> None:
        megabytes = f"{done / _BYTES_PER_MB:.0f} of {size / _BYTES_PER_MB:.0f} MB"
        report(f"Downloading {request.asset.title}: {megabytes}", done / size)

    # Cancelling ends this process; what has arrived stays, and the next download goes on from there.
    folder = Path(request.assets) / LANDMARKER_FOLDER
    return download_user_asset(request.asset, folder, online=request.online, progress=told, cancelled=lambda: False)


def _install_file(request: InstallFile, warm: dict, report: Report) -> Path:
    report(f"Checking {Path(request.source).name}", 0.0)
    return install_user_asset(request.asset, Path(request.source), Path(request.assets) / LANDMARKER_FOLDER)


_TASKS: dict[type, Callable[[Any, dict, Report], Path]] = {
    Reconstruct: _reconstruct,
    ImportModel: _import_model,
    Download: _download,
    InstallFile: _install_file,
}
