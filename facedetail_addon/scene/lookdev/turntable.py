# SPDX-License-Identifier: GPL-3.0-or-later
"""A turntable: a head from all sides, as numbered pictures or as a film."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy

from ...core.errors import OutputError
from ...core.io.atomic_directory import atomic_files
from ...core.io.images import write_png
from ...core.result.files import TURNTABLE_FILE
from ..colour_management import show_colours_as_they_are
from ..head_object import HeadObject
from ..render import output_path
from ..rollback import removed_afterwards
from .pictures import Lookdev, orbit_picture
from .sheet import BACKDROP, over_backdrop

DEFAULT_FRAMES = 24
_FRAME_NAME = "turntable_{:04d}.png"
_FRAMES_PER_SECOND = 24


def turntable_steps(
    root_name: str, lookdev: Lookdev, folder: Path, frames: int, *, film: bool
) -> Iterator[tuple[str, float]]:
    """Render a turn around a head in studio light, from the front towards its left, picture by picture.

    The last frame stands one step before the first, so that it runs round without a stop. The files appear when all
    are made.

    Args:
        root_name: of the head's empty.
        lookdev: how.
        folder: an existing folder.
        frames: of a whole turn.
        film: one MP4 (H.264, 24 frames a second) instead of PNG files.

    Yields:
        what comes next, and the share of all that is done.

    Returns:
        the paths written.

    Raises:
        OutputError: the head is gone or lacks something, Cycles is switched off, or a file cannot be written.
    """
    if film and not bpy.app.build_options.codec_ffmpeg:
        raise OutputError("This Blender was built without FFmpeg.", "Choose PNG files for the turntable.")
    with atomic_files(folder, "turntable") as unfinished, tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch if film else unfinished, _FRAME_NAME.format(number)) for number in range(1, frames + 1)]
        for number, path in enumerate(paths):
            yield f"Turntable {number + 1} of {frames}", number / (frames + 1)
            write_png(path, over_backdrop(orbit_picture(HeadObject.named(root_name), lookdev, 360 * number / frames)))
        yield "Writing the turntable", frames / (frames + 1)
        if film:
            target = unfinished / TURNTABLE_FILE
            _encode(paths, lookdev.size, target)
            paths = [target]
    return [folder / path.name for path in paths]


def _encode(paths: list[Path], size: tuple[int, int], target: Path) -> None:
    """Pictures into a film, by Blender's sequencer."""
    with removed_afterwards():
        scene = bpy.data.scenes.new(TURNTABLE_FILE)
        render = scene.render
        # H.264 halves the resolution of colour, so sides are even.
        render.resolution_x, render.resolution_y = (side + side % 2 for side in size)
        render.resolution_percentage = 100
        render.fps, render.fps_base = _FRAMES_PER_SECOND, 1.0
        scene.frame_start, scene.frame_end = 1, len(paths)
        show_colours_as_they_are(scene.view_settings)
        editor = scene.sequence_editor_create()
        strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # before Blender 4.4
        backdrop = strips.new_effect(name="backdrop", type="COLOR", channel=1, frame_start=1, **_length(len(paths)))
        backdrop.color = (BACKDROP / 255,) * 3
        strip = strips.new_image(name="turn", filepath=str(paths[0]), channel=2, frame_start=1)
        for path in paths[1:]:
            strip.elements.append(path.name)
        strip.frame_final_duration = len(paths)
        settings = render.image_settings
        if hasattr(settings, "media_type"):  # since Blender 5.0
            settings.media_type = "VIDEO"
        settings.file_format = "FFMPEG"
        render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
        render.ffmpeg.constant_rate_factor = "HIGH"
        render.filepath, render.use_file_extension = output_path(target), False
        try:
            bpy.ops.render.render(animation=True, scene=scene.name)
        except RuntimeError as error:
            raise OutputError(f"The film cannot be made: {error}.", "Choose PNG files for the turntable.") from error
    if not target.is_file():
        raise OutputError("The film cannot be made.", "Choose PNG files for the turntable.")


def _length(frames: int) -> dict[str, int]:
    """How long an effect strip is, as this Blender's sequencer wants to hear it."""
    return {"length": frames} if bpy.app.version >= (5, 0, 0) else {"frame_end": frames + 1}
