# SPDX-License-Identifier: GPL-3.0-or-later
"""A reconstruction in a Blender file of its own, for the command line."""

from pathlib import Path

import bpy

from ..core.errors import OutputError
from ..core.face_model.model import FaceModel
from ..core.result.files import EXPORT_FILES, LOOKDEV_FILE, RENDER_FILE, SCENE_FILE, write_png
from ..core.result.record import Reconstruction
from .build.build import build_scene
from .export.export import export_head
from .lookdev.pictures import Lookdev, sheet_steps
from .lookdev.turntable import turntable_steps
from .render import render_scene
from .steps import run_through


def write_scene_file(
    reconstruction: Reconstruction,
    model: FaceModel,
    folder: Path,
    *,
    render: bool,
    sun: bool = False,
    lookdev: bool = False,
    turntable: int = 0,
    export: str = "",
) -> None:
    """Write ``scene.blend``, which holds its images, and on demand pictures, a film, and the head for other programs.

    The open Blender file is replaced by an empty one first, so this is not for a session an artist works in.

    Args:
        reconstruction: what to build. model: the face model it was made with.
        folder: an existing folder. render: render through the photo's camera. sun: with a lamp of its own.
        lookdev: make a contact sheet. turntable: frames of a film around the head, 0 for none.
        export: one of ``EXPORT_FILES``, or empty.

    Raises:
        OutputError: a file cannot be written, or the reconstruction does not belong to the model.
    """
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    head = build_scene(reconstruction, model, use_sun=sun)
    path = folder / SCENE_FILE
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True, check_existing=False)
    except RuntimeError as error:
        raise OutputError(f"{path} cannot be written: {error}.", "Choose a folder that you may write to.") from error
    if export:
        export_head(head, folder / EXPORT_FILES[export])
    if render:
        render_scene(folder / RENDER_FILE, head)
    if lookdev:
        write_png(folder / LOOKDEV_FILE, run_through(sheet_steps(head.root.name, Lookdev())))
    if turntable:
        run_through(turntable_steps(head.root.name, Lookdev(), folder, turntable, film=True))
