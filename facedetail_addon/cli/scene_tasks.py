# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker does that is a Blender, beside the tasks of any: photos with their scenes, which the command line also
does in its own process; and pictures of a head that an artist has at hand."""

import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

from ..core.errors import FaceDetailError, OutOfMemoryError, SceneError, is_out_of_memory
from ..core.face_model.model import FaceModel
from ..core.io.images import write_png
from ..core.result.files import LOOKDEV_FILE, SCENE_FILE, add_notices
from ..core.result.record import Reconstruction
from ..jobs import tasks
from ..jobs.messages import RenderHead, Request, WriteScene
from ..jobs.tasks import Report
from .terminal import interrupt_kept

Result = TypeVar("Result")

_SHARE_SAVED = 0.9
"""Where a photo's progress stands when its scene is to be built."""


def do(request: Request, warm: dict, report: Report) -> Path:
    """As :func:`jobs.tasks.do`; what needs Blender replaces its open file."""
    if isinstance(request, RenderHead):
        return _render_head(request, report)
    if not isinstance(request, WriteScene):
        return tasks.do(request, warm, report)

    failures: list[Exception] = []

    def also(reconstruction: Reconstruction, model: FaceModel) -> Callable[[Path], None]:
        def write(folder: Path) -> None:
            try:
                _write_scene(request, reconstruction, model, folder, report)
            except Exception as error:
                failures.append(error)
                if _older_scene(request):
                    raise _failed(request, error) from error

        return write

    folder = tasks.reconstruct_photo(request, warm, report, also)
    if failures:
        raise _failed(request, failures[0]) from failures[0]
    return folder


def _older_scene(request: WriteScene) -> bool:
    """A scene of an earlier run stands where this result would take its place."""
    return (tasks.folder_of(request) / SCENE_FILE).exists()


def _failed(request: WriteScene, error: Exception) -> SceneError:
    """What became of the photo when its scene could not be made."""
    folder = tasks.folder_of(request)
    if is_out_of_memory(error):
        error = OutOfMemoryError()
    elif not isinstance(error, FaceDetailError):
        traceback.print_exception(error)
        error = FaceDetailError(
            f"Blender says {type(error).__name__}: {error}".rstrip(". ") + ".",
            "Make the scene in Blender from the result, or report this with what --debug shows.",
        )
    kept = "The older result there is kept" if _older_scene(request) else "The result itself is kept"
    return SceneError(f"{request.photo}: its scene failed. {error.message} {kept}, in {folder}.", error.remedy)


def _write_scene(
    request: WriteScene, reconstruction: Reconstruction, model: FaceModel, folder: Path, report: Report
) -> None:
    from ..scene.file import write_scene_file

    scene = request.scene
    rendering = scene.render or scene.lookdev or scene.turntable
    report("Rendering" if rendering else "Building the scene", _SHARE_SAVED)
    with interrupt_kept():
        notices = write_scene_file(reconstruction, model, folder, scene)
    if notices:
        add_notices(folder, reconstruction.record, notices)


def _render_head(request: RenderHead, report: Report) -> Path:
    from ..scene.lookdev.file import read_head
    from ..scene.lookdev.pictures import Lookdev, sheet_steps
    from ..scene.lookdev.turntable import turntable_steps

    report("Reading the head", 0.0)
    head, relief = read_head(Path(request.folder))
    name, lookdev = head.root.name, Lookdev(request.height, request.samples, relief)
    if request.frames:
        output = Path(request.output)
        _reported(turntable_steps(name, lookdev, output, request.frames, film=request.film), report)
        return output
    path = Path(request.folder, LOOKDEV_FILE)
    write_png(path, _reported(sheet_steps(name, lookdev), report))
    return path


def _reported(steps: Generator[tuple[str, float], None, Result], report: Report) -> Result:
    """What the steps return in the end; each of them is reported before it is done."""
    while True:
        try:
            report(*next(steps))
        except StopIteration as end:
            return end.value
