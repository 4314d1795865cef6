# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker does that is a Blender, beside the tasks of any: photos with their scenes, which the command line also
does in its own process; and pictures of a head that an artist has at hand."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

from ..core.face_model.model import FaceModel
from ..core.io.images import write_png
from ..core.result.files import LOOKDEV_FILE
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

    def also(reconstruction: Reconstruction, model: FaceModel) -> Callable[[Path], None]:
        return lambda folder: _write_scene(request, reconstruction, model, folder, report)

    return tasks.reconstruct_photo(request, warm, report, also)


def _write_scene(
    request: WriteScene, reconstruction: Reconstruction, model: FaceModel, folder: Path, report: Report
) -> None:
    from ..scene.file import write_scene_file

    scene = request.scene
    rendering = scene.render or scene.lookdev or scene.turntable
    report("Rendering" if rendering else "Building the scene", _SHARE_SAVED)
    with interrupt_kept():
        write_scene_file(reconstruction, model, folder, scene)


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
