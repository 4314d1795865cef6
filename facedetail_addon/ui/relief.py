# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel shows of a head's relief."""

from dataclasses import dataclass

import bpy

from ..names import ADAPTIVE, DISPLACE, FINE_LEVEL_PROPERTY
from ..properties import FaceDetailRelief
from .found import with_parents

RELIEF_KNOBS = ("mode", "strength", "medium", "fine", "viewport_level", "render_level")
_MILLION = 1_000_000
_MANY_QUADS = 2 * _MILLION
"""From here on the panel tells how many there are."""


@dataclass(frozen=True)
class Head:
    """A head with relief.

    Attributes:
        root: its empty, which has the sliders. skin: its child, which shows the relief.
    """

    root: bpy.types.Object
    skin: bpy.types.Object

    @property
    def fine_level(self) -> int | None:
        """From this Subdivision level on the mesh can carry the fine relief; None where the artist has changed it."""
        level = self.skin[FINE_LEVEL_PROPERTY]
        return level if isinstance(level, int) else None

    def quads(self, level: int) -> int:
        """How many faces the skin has at a Subdivision level: first a quad for each corner, then four for each quad."""
        mesh = self.skin.data
        return len(mesh.loops) * 4 ** (level - 1) if level > 0 else len(mesh.polygons)


def head_of(item: bpy.types.Object | None) -> Head | None:
    """The head that a selected object belongs to; None where it belongs to none, or to one without relief."""
    if item is None or not item.select_get():
        return None
    for owner in with_parents(item):
        for child in owner.children:
            if child.type == "MESH" and FINE_LEVEL_PROPERTY in child:
                return Head(owner, child)
    return None


def relief_texts(head: Head, settings: FaceDetailRelief, scene: bpy.types.Scene) -> tuple[str, ...]:
    """Where the head's pores are, and what its levels cost where they cost much, a line each."""
    if settings.mode != ADAPTIVE:
        return (_pores_text(settings, head.fine_level), *_quads_texts(head, settings))
    if settings.adaptive_is_on(scene):
        pores = ("Pores: geometry in Cycles",)
    elif hasattr(scene, "cycles"):
        pores = ("Adaptive subdivision is off", "Pores: shading")
    else:
        pores = ("Adaptive needs the Cycles add-on", "Pores: shading")
    return (*pores, *_quads_texts(head, settings))


def _pores_text(settings: FaceDetailRelief, fine_level: int | None) -> str:
    if settings.mode != DISPLACE or fine_level is None:
        return "Pores: shading"
    if settings.render_level < fine_level:
        return "Pores: shading; geometry with Adaptive"
    if settings.viewport_level < fine_level:
        return "Pores: geometry in renders, none in views"
    return "Pores: geometry"


def _quads_texts(head: Head, settings: FaceDetailRelief) -> tuple[str, ...]:
    levels = [("views", settings.viewport_level)]
    if settings.mode != ADAPTIVE:  # where Cycles divides by what the picture needs
        levels.append(("renders", settings.render_level))
    numbers = [(head.quads(level), where) for where, level in levels]
    return tuple(f"{n / _MILLION:.0f} million quads in {where}" for n, where in numbers if n >= _MANY_QUADS)
