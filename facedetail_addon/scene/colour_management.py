# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's colour configuration, which a studio may have exchanged: nothing is taken for granted but what it has."""

import bpy
import numpy as np
from mathutils import Color

from ..core.notices import Notice

_STANDARD = "Standard"  # of Blender's own configuration
_PLAIN_VIEWS = (_STANDARD, "Un-tone-mapped", "sRGB (Un-tone-mapped)")
"""View transforms that show colours as they are, by the names of Blender and of the ACES configurations."""
_SAME = 1e-4  # Rec. 709 through its own matrices comes back so far off


def show_colours_as_they_are(view: bpy.types.ColorManagedViewSettings) -> None:
    """Set a scene to a view transform that changes no colours; the one that it has stays where there is none."""
    for name in _PLAIN_VIEWS:
        try:
            view.view_transform = name
        except TypeError:  # the configuration does not have it
            continue
        break
    view.look = "None"
    view.exposure, view.gamma = 0.0, 1.0


def view_notices(scene: bpy.types.Scene) -> tuple[Notice, ...]:
    """What an artist should know of a scene that was to show colours as they are."""
    name = scene.view_settings.view_transform
    if name == _STANDARD:
        return ()
    if name in _PLAIN_VIEWS:
        effect = "its “{}” takes that place and shows the photo's colours."
    else:
        effect = "with “{}” the head does not look like the photo. Choose a view without tone mapping, if there is one."
    text = f"Blender's colour configuration (OCIO) has no view transform “{_STANDARD}”; {effect.format(name)}"
    return (Notice("colour_configuration", text),)


def to_scene_linear(colour: tuple[float, ...]) -> tuple[float, ...]:
    """Linear Rec. 709 to the linear colours that the configuration renders in, mostly the same; alpha stays."""
    return _through(rendered_primaries(), colour)


def from_scene_linear(colour: tuple[float, ...]) -> tuple[float, ...]:
    """The way back of :func:`to_scene_linear`."""
    primaries = rendered_primaries()
    return _through(None if primaries is None else np.linalg.inv(primaries), colour)


def rendered_primaries() -> np.ndarray | None:
    """(3, 3) the primaries of linear Rec. 709, one a row, in the colours that the configuration renders in.

    None where they are the same, so that nothing is rounded.
    """
    rows = np.array([Color(primary).from_rec709_linear_to_scene_linear() for primary in np.eye(3)])
    return None if np.abs(rows - np.eye(3)).max() < _SAME else rows


def scene_linear_name() -> str:
    """The colour space that the configuration renders in: what a picture of floats is in as it is made."""
    made = bpy.data.images.new("scene linear", 1, 1, float_buffer=True)
    name = made.colorspace_settings.name
    bpy.data.images.remove(made)
    return name


def _through(matrix: np.ndarray | None, colour: tuple[float, ...]) -> tuple[float, ...]:
    return colour if matrix is None else (*(colour[:3] @ matrix).tolist(), *colour[3:])
