# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel shows of a head's relief."""

import bpy

from ..names import ADAPTIVE, DISPLACE
from ..operators.properties import FaceDetailRelief

UNSEEN_CONTROL = "unseen"
RELIEF_CONTROLS = ("mode", "strength", "medium", "fine", UNSEEN_CONTROL, "viewport_level", "render_level")
_MILLION = 1_000_000
_MANY_QUADS = 2 * _MILLION
"""From here on the panel says how many there are."""


def relief_texts(settings: FaceDetailRelief, scene: bpy.types.Scene) -> tuple[str, ...]:
    """Where the pores of a head with relief are, and what its levels cost where they cost much, a line each."""
    if settings.mode != ADAPTIVE:
        return (_pores_text(settings, settings.fine_level), *_quads_texts(settings))
    if settings.adaptive_is_on(scene):
        pores = ("Pores: geometry in Cycles",)
    elif hasattr(scene, "cycles"):
        pores = ("Adaptive subdivision is off", "Pores: shading")
    else:
        pores = ("Adaptive needs the Cycles add-on", "Pores: shading")
    return (*pores, *_quads_texts(settings))


def _pores_text(settings: FaceDetailRelief, fine_level: int | None) -> str:
    if settings.mode != DISPLACE or fine_level is None:
        return "Pores: shading"
    if settings.render_level < fine_level:
        return "Pores: shading; geometry with Adaptive"
    if settings.viewport_level < fine_level:
        return "Pores: geometry in renders, none in views"
    return "Pores: geometry"


def _quads_texts(settings: FaceDetailRelief) -> tuple[str, ...]:
    levels = [("views", settings.viewport_level)]
    if settings.mode != ADAPTIVE:  # where Cycles divides by what the picture needs
        levels.append(("renders", settings.render_level))
    numbers = [(settings.quads(level), where) for where, level in levels]
    return tuple(f"{n / _MILLION:.0f} million quads in {where}" for n, where in numbers if n >= _MANY_QUADS)
