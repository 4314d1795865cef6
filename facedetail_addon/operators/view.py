# SPDX-License-Identifier: GPL-3.0-or-later
"""How the 3D view shows the head: as clay, with its skin's colours, or rendered. Nothing of it is scene data."""

import bpy

from ..names import CLAY, OP_VIEW, RENDERED, SKIN, VIEW_CHOICES

_DESCRIPTIONS = {
    CLAY: "The shape alone, in one grey",
    SKIN: "The skin's colours without the photo's light: quick in any scene",
    RENDERED: "The head in the photo's light, as the scene's render engine draws it",
}
_ITEMS = [(value, text, _DESCRIPTIONS[value]) for value, text in VIEW_CHOICES]

_STUDIO, _PAINT = "Default", "paint.sl"
"""Blender's first light of Solid views, in which skin is much darker than in photos; and its light for painting."""


class FACEDETAIL_OT_view(bpy.types.Operator):
    """Change how this 3D view shows the head"""

    bl_idname = OP_VIEW
    bl_label = "Show the Head"

    view: bpy.props.EnumProperty(name="View", items=_ITEMS, default=SKIN)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return _DESCRIPTIONS[properties.view]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.space_data is None or context.space_data.type != "VIEW_3D":
            cls.poll_message_set("This is for 3D views.")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        shading = context.space_data.shading
        if self.view == RENDERED:
            shading.type = "RENDERED"
        else:
            shading.type = "SOLID"
            if self.view == CLAY:
                shading.color_type = "SINGLE"
                _light_by(shading, _STUDIO, instead_of=_PAINT)
            else:
                _show_skin(shading)
        return {"FINISHED"}


def _show_skin(shading: bpy.types.View3DShading) -> None:
    shading.color_type = "TEXTURE"
    _light_by(shading, _PAINT, instead_of=_STUDIO)


def _light_by(shading: bpy.types.View3DShading, light: str, instead_of: str) -> None:
    """Only where the artist has chosen no other light."""
    there = any(item.name == light for item in bpy.context.preferences.studio_lights)
    if there and (shading.light, shading.studio_light) == ("STUDIO", instead_of):
        shading.studio_light = light


def shown_view(shading: bpy.types.View3DShading) -> str:
    """The choice that a 3D view's shading stands for; empty where it is another."""
    if shading.type == "SOLID":
        return {"SINGLE": CLAY, "TEXTURE": SKIN}.get(shading.color_type, "")
    return RENDERED if shading.type == "RENDERED" else ""


def look_at_new_head(window: bpy.types.Window) -> None:
    """Look through the scene's camera in the largest 3D view: a head is small beside Blender's first cube.

    Where Solid shading is as Blender has it at first, which would show grey clay, it shows colours from now on.
    """
    views = [area for area in window.screen.areas if area.type == "VIEW_3D"]
    if views:
        space = max(views, key=lambda area: area.width * area.height).spaces.active
        space.region_3d.view_perspective = "CAMERA"
        if space.shading.type == "SOLID" and space.shading.color_type == "MATERIAL":
            _show_skin(space.shading)
