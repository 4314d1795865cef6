# SPDX-License-Identifier: GPL-3.0-or-later
"""A reconstruction in a Blender file of its own, for the command line."""

from pathlib import Path

import bpy

from ..core.errors import OutputError
from ..core.face_model.model import FaceModel
from ..core.io.images import write_png
from ..core.result.files import EXPORT_FILES, LOOKDEV_FILE, RENDER_FILE, SCENE_FILE
from ..core.result.record import Reconstruction
from ..settings import SceneSettings
from .build.scene import build_scene
from .export.head import export_head
from .lookdev.pictures import Lookdev, sheet_steps
from .lookdev.turntable import turntable_steps
from .render import render_scene
from .steps import run_through


def write_scene_file(
    reconstruction: Reconstruction,
    model: FaceModel,
    folder: Path,
    settings: SceneSettings,
) -> None:
    """Write ``scene.blend``, which holds its images, and on demand pictures, a film, and the head for other programs.

    The open Blender file is replaced by an empty one first, so this is not for a session an artist works in.

    Args:
        reconstruction: what to build. model: the face model it was made with.
        folder: an existing folder. settings: those that the command line offers; relief is as found in the photo.

    Raises:
        OutputError: a file cannot be written, or the reconstruction does not belong to the model.
    """
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    head = build_scene(
        reconstruction,
        model,
        use_camera=settings.use_camera,
        use_light=settings.use_light,
        use_sun=settings.use_sun,
    )
    path = folder / SCENE_FILE
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True, check_existing=False)
    except RuntimeError as error:
        raise OutputError(f"{path} cannot be written: {error}.", "Choose a folder that you may write to.") from error
    if settings.export:
        export_head(head, folder / EXPORT_FILES[settings.export])
    if settings.render:
        render_scene(folder / RENDER_FILE, head)
    if settings.lookdev:
        write_png(folder / LOOKDEV_FILE, run_through(sheet_steps(head.root.name, Lookdev())))
    if settings.turntable:
        run_through(turntable_steps(head.root.name, Lookdev(), folder, settings.turntable, film=True))
