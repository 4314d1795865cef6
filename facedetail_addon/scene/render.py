# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the head through the photo's camera."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from ..core.errors import OutputError
from .head_object import HeadObject

DEFAULT_SAMPLES = 32


def can_denoise() -> bool:
    """Whether this Blender's Cycles was built with a denoiser; those of some Linux distributions are not."""
    import _cycles  # Cycles' own module, there where its add-on is

    return bool(_cycles.with_openimagedenoise)


def render_scene(
    path: Path,
    head: HeadObject,
    *,
    scene: bpy.types.Scene | None = None,
    camera: bpy.types.Object | None = None,
    samples: int = DEFAULT_SAMPLES,
    percentage: int = 100,
) -> Path:
    """Render the scene with Cycles on the CPU to an RGBA PNG, transparent where nothing is.

    The scene's render settings are given back afterwards.

    Args:
        path: the PNG to write; its folder must exist.
        head: its photo's camera is used unless ``camera`` is given.
        samples: per pixel; the result is denoised where this Blender can.
        percentage: of the scene's render size, which ``build_scene`` sets to the photo's size.

    Raises:
        OutputError: the picture cannot be written, the head has no camera, or the Cycles add-on is switched off.
    """
    scene = scene or bpy.context.scene
    if not hasattr(scene, "cycles"):
        raise OutputError(
            "Pictures are rendered with Cycles, which is switched off.",
            "Switch the add-on Cycles Render Engine on in Blender's preferences.",
        )
    camera = camera or head.camera
    if camera is None:
        raise OutputError(f"{head.root.name} has no camera any more.", "Reconstruct the photo again.")
    render, cycles = scene.render, scene.cycles
    wanted = (
        (scene, "camera", camera),
        (render, "engine", "CYCLES"),
        (render, "filepath", output_path(path)),
        (render, "use_file_extension", False),
        (render, "film_transparent", True),
        (render, "resolution_percentage", percentage),
        (render, "use_border", False),
        (render.image_settings, "file_format", "PNG"),
        (render.image_settings, "color_mode", "RGBA"),
        (render.image_settings, "color_depth", "8"),
        (cycles, "device", "CPU"),
        (cycles, "samples", samples),
        (cycles, "seed", 0),
        (cycles, "use_denoising", can_denoise()),
    )
    with _temporarily(wanted):
        try:
            bpy.ops.render.render(write_still=True, scene=scene.name)
        except RuntimeError as error:
            raise OutputError(f"The picture {path} cannot be rendered: {error}.", "Choose another folder.") from error
    if not path.is_file():
        raise OutputError(f"The picture {path} cannot be written.", "Choose a folder that you may write to.")
    return path


def output_path(path: Path) -> str:
    """A path as renders take it: since Blender 4.5 braces in it stand for names and numbers of the scene."""
    text = str(path)
    return text.replace("{", "{{").replace("}", "}}") if bpy.app.version >= (4, 5, 0) else text


@contextmanager
def _temporarily(wanted: tuple[tuple[object, str, object], ...]) -> Iterator[None]:
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in wanted]
    try:
        for owner, name, value in wanted:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
