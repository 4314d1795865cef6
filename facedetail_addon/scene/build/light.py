# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo's light in the scene: a world, and on demand a sun lamp for its strongest direction."""

import bpy
import numpy as np

from ...core.rendering.environment import nonnegative, split_sun
from ...names import HEAD_ID_PROPERTY, LIGHT_PROPERTY, SUN_PART
from ..colour_management import show_colours_as_they_are
from ..head_object import HeadObject, mark
from .sun import make_sun
from .world import make_world


def light_scene(scene: bpy.types.Scene, head: HeadObject, stem: str, radiance: np.ndarray, use_sun: bool) -> None:
    """Make the photo's light the scene's, and show colours as they are instead of with a film look.

    The scene's old world is kept in the file; suns of other photos' lights are hidden, since their worlds are gone too.

    Args:
        scene: the scene to light.
        head: carries the sun, which goes to its collection.
        stem: the names' beginning.
        radiance: (B², 3) spherical harmonics, head frame, linear Rec. 709 in units of the display.
        use_sun: take the strongest direction out of the world and make it a lamp; light without any has none.
    """
    for item in scene.objects:
        if LIGHT_PROPERTY in item:
            item.hide_render = item.hide_viewport = True
    sun = None
    if use_sun:
        sun, radiance = split_sun(nonnegative(radiance))
    world = make_world(stem, radiance)
    if sun is not None and sun.irradiance.max() > 0:
        lamp = make_sun(f"{stem} {SUN_PART}", sun, world)
        lamp[LIGHT_PROPERTY] = True
        mark(lamp, head.root[HEAD_ID_PROPERTY], SUN_PART)
        lamp.parent = head.root
        head.collection.objects.link(lamp)
    _use(scene, world)


def _use(scene: bpy.types.Scene, world: bpy.types.World) -> None:
    if scene.world is not None:
        scene.world.use_fake_user = True  # or it would not be saved
    scene.world = world
    show_colours_as_they_are(scene.view_settings)
