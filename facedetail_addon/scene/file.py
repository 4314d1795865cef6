# SPDX-License-Identifier: GPL-3.0-or-later
"""A reconstruction in a Blender file of its own, for the command line."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from ..core.errors import OutputError
from ..core.face_model.model import FaceModel
from ..core.io.images import write_png
from ..core.notices import Notice
from ..core.result.files import EXPORT_FILES, LOOKDEV_FILE, RENDER_FILE, SCENE_FILE
from ..core.result.record import Reconstruction
from ..settings import SceneSettings
from .build.scene import build_scene
from .colour_management import view_notices
from .export.head import export_head
from .game.build import make_game_head
from .head_object import HeadObject
from .lookdev.pictures import Lookdev, sheet_steps
from .lookdev.turntable import turntable_steps
from .pinned import remember_result
from .render import render_scene
from .steps import run_through

_LONGEST_PATH = 1023
_SHORTER = "Choose an output folder with a shorter path."


def write_scene_file(
    reconstruction: Reconstruction,
    model: FaceModel,
    folder: Path,
    settings: SceneSettings,
) -> tuple[Notice, ...]:
    """Write ``scene.blend``, which holds its images, and on demand pictures, a film, and the head for other programs.

    The open Blender file is replaced by an empty one first, so this is not for a session an artist works in.

    Args:
        reconstruction: what to build. model: the face model it was made with.
        folder: an existing folder. settings: those that the command line offers; relief is as found in the photo.

    Returns:
        what an artist should know of the scene.

    Raises:
        OutputError: a file cannot be written, whose unfinished parts are removed, or the reconstruction does not
            belong to the model.
    """
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    head = build_scene(
        reconstruction,
        model,
        use_camera=settings.use_camera,
        use_light=settings.use_light,
        light=settings.light,
    )
    remember_result(head, "//", reconstruction.record)
    shown = head if not settings.density else _game_ready(head, settings.density)
    steps = (
        (True, lambda: _save(folder / SCENE_FILE)),
        (settings.export, lambda: export_head(shown, folder / EXPORT_FILES[settings.export])),
        (settings.render, lambda: render_scene(folder / RENDER_FILE, head)),
        (settings.lookdev, lambda: _write_sheet(folder / LOOKDEV_FILE, head)),
        (settings.turntable, lambda: _write_turntable(folder, head, settings.turntable)),
    )
    for wanted, step in steps:
        if wanted:
            with _nothing_half_written(folder):
                step()
    return view_notices(bpy.context.scene) if settings.use_light else ()


def _game_ready(head: HeadObject, density: str) -> HeadObject:
    """In the scene, but not in its pictures."""
    game = make_game_head(head, density, bpy.context.scene, bpy.context.view_layer)
    game.collection.hide_render = True
    return game


def _save(path: Path) -> None:
    if len(os.fsencode(path)) > _LONGEST_PATH:  # Blender would cut it off and write somewhere else
        raise OutputError(f"{path} cannot be written: Blender takes paths of {_LONGEST_PATH} bytes.", _SHORTER)
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True, check_existing=False)
    except RuntimeError as error:
        raise OutputError(f"{path} cannot be written: {error}.", "Choose a folder that you may write to.") from error


def _write_sheet(path: Path, head: HeadObject) -> None:
    write_png(path, run_through(sheet_steps(head.root.name, Lookdev())))


def _write_turntable(folder: Path, head: HeadObject, frames: int) -> None:
    run_through(turntable_steps(head.root.name, Lookdev(), folder, frames, film=True))


@contextmanager
def _nothing_half_written(folder: Path) -> Iterator[None]:
    """Files that a failing block has begun are removed; those that were finished before it stay."""
    before = set(folder.iterdir())
    try:
        yield
    except BaseException:
        for path in set(folder.iterdir()) - before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise
