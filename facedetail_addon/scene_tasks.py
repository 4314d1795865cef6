# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command line does for each photo, in its own process or in a worker: as the worker does, and with scenes."""

from collections.abc import Callable
from pathlib import Path

from .core.face_model.model import FaceModel
from .core.results import Reconstruction
from .jobs import tasks
from .jobs.messages import Request, WriteScene
from .jobs.tasks import Report
from .terminal import interrupt_kept

_SHARE_SAVED = 0.9
"""Where a photo's progress stands when its scene is to be built."""


def do(request: Request, warm: dict, report: Report) -> Path:
    """As :func:`jobs.tasks.do`; a :class:`WriteScene` needs Blender, whose open file is replaced."""
    if not isinstance(request, WriteScene):
        return tasks.do(request, warm, report)

    def also(reconstruction: Reconstruction, model: FaceModel) -> Callable[[Path], None]:
        return lambda folder: _write_scene(request, reconstruction, model, folder, report)

    return tasks.reconstruct_photo(request, warm, report, also)


def _write_scene(
    request: WriteScene, reconstruction: Reconstruction, model: FaceModel, folder: Path, report: Report
) -> None:
    from .scene.file import write_scene_file

    rendering = request.render or request.lookdev or request.turntable
    report("Rendering" if rendering else "Building the scene", _SHARE_SAVED)
    names = ("render", "sun", "lookdev", "turntable", "export")
    with interrupt_kept():
        write_scene_file(reconstruction, model, folder, **{name: getattr(request, name) for name in names})
