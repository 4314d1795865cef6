# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles' adaptive subdivision: the switch of an object and what the scene needs for it. Cycles may be switched off."""

import bpy

from ...names import EXPERIMENTAL_PROPERTY
from .changes import assign


def switch_adaptive(skin: bpy.types.Object, subdivision: bpy.types.SubsurfModifier, on: bool) -> None:
    """Let Cycles divide an object further, or no more; without the Cycles add-on there may be no switch to turn."""
    switch = _switch(skin, subdivision)
    if switch is not None:
        assign(switch, "use_adaptive_subdivision", on)


def adaptive_is_on(skin: bpy.types.Object, scene: bpy.types.Scene) -> bool:
    """Whether Cycles would divide an object further in a scene; not without the Cycles add-on."""
    subdivision = subdivision_of(skin)
    if subdivision is None or not hasattr(scene, "cycles"):
        return False
    allowed = _is_on_modifier(subdivision) or scene.cycles.feature_set == "EXPERIMENTAL"
    return allowed and _switch(skin, subdivision).use_adaptive_subdivision


def subdivision_of(item: bpy.types.Object) -> bpy.types.SubsurfModifier | None:
    """The first Subdivision modifier of an object."""
    return next((modifier for modifier in item.modifiers if modifier.type == "SUBSURF"), None)


def allow_adaptive(scene: bpy.types.Scene, skin: bpy.types.Object, on: bool) -> None:
    """Adaptive subdivision is one of Cycles' experimental features before Blender 5.0; what we switched on goes off."""
    if not (hasattr(scene, "cycles") and hasattr(skin.cycles, "use_adaptive_subdivision")):
        return
    if on and scene.cycles.feature_set == "SUPPORTED":
        scene.cycles.feature_set = "EXPERIMENTAL"
        scene[EXPERIMENTAL_PROPERTY] = True
    elif not on and EXPERIMENTAL_PROPERTY in scene:
        others = (item for item in scene.objects if item.type == "MESH" and item != skin)
        if not any(item.cycles.use_adaptive_subdivision for item in others):
            del scene[EXPERIMENTAL_PROPERTY]
            scene.cycles.feature_set = "SUPPORTED"


def _switch(skin: bpy.types.Object, subdivision: bpy.types.SubsurfModifier) -> bpy.types.bpy_struct | None:
    return subdivision if _is_on_modifier(subdivision) else getattr(skin, "cycles", None)


def _is_on_modifier(subdivision: bpy.types.SubsurfModifier) -> bool:
    """Since Blender 5.0."""
    return hasattr(subdivision, "use_adaptive_subdivision")
