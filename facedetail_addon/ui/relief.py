# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel shows of a head's relief."""

from dataclasses import dataclass

import bpy

from ..names import ADAPTIVE, DISPLACE, FINE_LEVEL_PROPERTY
from .found import with_parents

NO_HEAD_TEXT = "Select a head with detail"
RELIEF_KNOBS = ("mode", "strength", "medium", "fine", "viewport_level", "render_level")


@dataclass(frozen=True)
class Head:
    """A head with relief.

    Attributes:
        root: its empty, which has the sliders. fine_level: the Subdivision level from which on its mesh can carry the
            fine relief.
    """

    root: bpy.types.Object
    fine_level: int


def head_of(item: bpy.types.Object | None) -> Head | None:
    """The head that a selected object belongs to; None where it belongs to none, or to one without relief."""
    if item is None or not item.select_get():
        return None
    for owner in with_parents(item):
        for child in owner.children:
            if FINE_LEVEL_PROPERTY in child:
                return Head(owner, child[FINE_LEVEL_PROPERTY])
    return None


def fine_text(mode: str, render_level: int, fine_level: int) -> str:
    """Whether pores are geometry or shading now."""
    if mode == ADAPTIVE:
        return "Pores: geometry in Cycles"
    if mode == DISPLACE and render_level >= fine_level:
        return "Pores: geometry"
    if mode == DISPLACE:
        return f"Pores: shading; geometry from render level {fine_level}"
    return "Pores: shading"
