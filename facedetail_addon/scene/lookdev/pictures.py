# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookdev pictures of a head: a contact sheet, and single views for a turntable. The artist's scene stays as it is."""

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import cv2
import numpy as np

from ...core.errors import OutputError
from ...names import LOOKDEV_SUFFIX
from ..colour_management import show_colours_as_they_are
from ..head_object import HeadObject
from ..images import packed_file
from ..relief.displacement import Relief
from ..render import can_denoise, output_path
from .light import light_as_photo, light_as_studio, light_raking, make_clay
from .sheet import contact_sheet, crop_photo, over_backdrop
from .stage import Stage, staged
from .view import (
    PANEL_ASPECT,
    View,
    aim,
    azimuth_deg,
    orbit_view,
    photo_view,
    window_in_photo,
    with_aspect,
)

DEFAULT_HEIGHT = 512
MIN_HEIGHT, MAX_HEIGHT = 64, 2160
_SAMPLES = 12
_SAMPLES_INSTEAD = 8
"""Times as many samples where nothing can be denoised: some noise stays."""
_THREE_QUARTER_DEG = 40.0
_HEIGHT_OF_EDGES = 146
"""In a picture this high the skin's edges are about as long as a pixel; every level of Subdivision halves them."""


@dataclass(frozen=True)
class Lookdev:
    """How pictures are made.

    Attributes:
        height: of a picture in pixels; its width is four fifths.
        samples: of Cycles per pixel; the result is denoised, or takes more samples where this Blender cannot.
        relief: how the artist shows the head's relief.
    """

    height: int = DEFAULT_HEIGHT
    samples: int = _SAMPLES
    relief: Relief = Relief()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of a picture in pixels."""
        return round(PANEL_ASPECT * self.height), self.height

    @property
    def max_level(self) -> int:
        """Nothing is subdivided further: edges are as short as a pixel then."""
        return max(0, math.ceil(math.log2(self.height / _HEIGHT_OF_EDGES)))


def sheet_steps(root_name: str, lookdev: Lookdev) -> Iterator[tuple[str, float]]:
    """Make a contact sheet picture by picture, so that a window can live between them.

    Nothing of it is in the Blender file while it waits: the file may be saved, undone or changed meanwhile.

    Args:
        root_name: of the head's empty.
        lookdev: how.

    Yields:
        the caption of the picture that comes next, and the share of all that is done.

    Returns:
        (rows, columns, 3) uint8: photo, photo's light, studio; clay, neutral, three-quarter; warnings of the head.

    Raises:
        OutputError: the head is gone or lacks something, or Cycles is switched off.
    """
    pictures = []
    for number, (caption, picture) in enumerate(_PICTURES):
        yield caption, number / len(_PICTURES)
        pictures.append(picture(HeadObject.named(root_name), lookdev))
    captions = tuple(caption for caption, _ in _PICTURES)
    return contact_sheet(pictures, captions, HeadObject.named(root_name).notices)


def keep_sheet(root_name: str, sheet: bytes) -> bpy.types.Image:
    """The sheet, a PNG file, as a packed image; an older one of the head gives way, where it is shown too."""
    name = f"{root_name} {LOOKDEV_SUFFIX}"
    older = bpy.data.images.get(name)
    image = packed_file(name, sheet)
    if older is not None:
        older.user_remap(image)
        bpy.data.images.remove(older)
        image.name = name
    image.use_fake_user = True  # no object shows it
    return image


def orbit_picture(head: HeadObject, lookdev: Lookdev, azimuth: float) -> np.ndarray:
    """(H, W, 4) uint8 of the head in the studio from any side; ``azimuth`` in degrees from the front, as it is posed.

    Raises:
        OutputError: as for ``sheet_steps``.
    """
    with staged(head, lookdev.relief, lookdev.max_level) as stage:
        light_as_studio(stage.scene, stage.radiance)
        view = orbit_view(stage.photo, stage.points, azimuth, whole_orbit=True)
        return _render(stage, view, lookdev)


def _photo(head: HeadObject, lookdev: Lookdev) -> np.ndarray:
    with staged(head, lookdev.relief, lookdev.max_level) as stage:
        photo = stage.photo.photo
        width, height = photo.size
        pixels = np.empty(width * height * photo.channels, np.float32)
        photo.pixels.foreach_get(pixels)
        pixels = pixels.reshape(height, width, photo.channels)[::-1, :, :3]
        window = window_in_photo(stage.photo, _front(stage))
    return crop_photo((pixels * 255 + 0.5).astype(np.uint8), window, lookdev.size)


def _in_photo_light(head: HeadObject, lookdev: Lookdev) -> np.ndarray:
    with staged(head, lookdev.relief, lookdev.max_level) as stage:
        light_as_photo(stage.scene, stage.radiance)
        return over_backdrop(_render(stage, _front(stage), lookdev))


def _in_studio(head: HeadObject, lookdev: Lookdev) -> np.ndarray:
    with staged(head, lookdev.relief, lookdev.max_level) as stage:
        light_as_studio(stage.scene, stage.radiance)
        return over_backdrop(_render(stage, _front(stage), lookdev))


def _in_clay(head: HeadObject, lookdev: Lookdev) -> np.ndarray:
    """One level finer than the rest: raking light shows facets."""
    with staged(head, lookdev.relief, lookdev.max_level + 1) as stage:
        light_raking(stage.scene)
        make_clay(stage.parts)
        return over_backdrop(_render(stage, _front(stage), lookdev))


def _neutral(head: HeadObject, lookdev: Lookdev) -> np.ndarray:
    with staged(head, lookdev.relief, lookdev.max_level, neutral=True) as stage:
        light_as_studio(stage.scene, stage.radiance)
        return over_backdrop(_render(stage, _front(stage), lookdev))


def _three_quarter(head: HeadObject, lookdev: Lookdev) -> np.ndarray:
    """From the side that the photo's camera does not stand on: the other one is seen already."""
    with staged(head, lookdev.relief, lookdev.max_level) as stage:
        light_as_studio(stage.scene, stage.radiance)
        side = -1.0 if azimuth_deg(stage.photo, stage.points) > 0 else 1.0
        view = orbit_view(stage.photo, stage.points, side * _THREE_QUARTER_DEG)
        return over_backdrop(_render(stage, view, lookdev))


_PICTURES: tuple[tuple[str, Callable[[HeadObject, Lookdev], np.ndarray]], ...] = (
    ("Photo", _photo),
    ("Photo's light", _in_photo_light),
    ("Studio light", _in_studio),
    ("Clay, raking light", _in_clay),
    ("Neutral expression", _neutral),
    ("Three-quarter view", _three_quarter),
)


def _front(stage: Stage) -> View:
    return with_aspect(photo_view(stage.photo, stage.points), PANEL_ASPECT)


def _render(stage: Stage, view: View, lookdev: Lookdev) -> np.ndarray:
    """(H, W, 4) uint8, straight alpha."""
    scene = stage.scene
    if not hasattr(scene, "cycles"):
        raise OutputError(
            "Pictures are rendered with Cycles, which is switched off.",
            "Switch the add-on Cycles Render Engine on in Blender's preferences.",
        )
    aim(stage.camera, with_aspect(view, PANEL_ASPECT))
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y = lookdev.size
    render.resolution_percentage = 100
    render.film_transparent = True
    settings = render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "8"
    show_colours_as_they_are(scene.view_settings)
    scene.cycles.device = bpy.context.scene.cycles.device
    denoise = can_denoise()
    scene.cycles.samples = lookdev.samples * (1 if denoise else _SAMPLES_INSTEAD)
    scene.cycles.seed = 0
    scene.cycles.use_denoising = denoise
    # A third of the time of the best, and no difference to see at these sizes.
    scene.cycles.denoising_prefilter = "FAST"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture.png")
        render.filepath, render.use_file_extension = output_path(path), False
        try:
            bpy.ops.render.render(write_still=True, scene=scene.name)
            data = path.read_bytes()
        except (RuntimeError, OSError) as error:
            raise OutputError(
                f"A picture of the head cannot be rendered: {error}.", "Make room for temporary files."
            ) from error
    bgra = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA)
