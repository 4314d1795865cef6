# SPDX-License-Identifier: GPL-3.0-or-later
"""How the 3D view shows the head: as clay, with its skin's colours, or rendered. Nothing of it is scene data."""

import bpy
import numpy as np

from ..names import CLAY, OP_VIEW, RENDERED, SKIN, VIEW_CHOICES
from ..scene.frames import in_world
from ..scene.head_object import HeadObject

_DESCRIPTIONS = {
    CLAY: "The shape alone, in one grey",
    SKIN: "The skin's colours without the photo's light: quick in any scene",
    RENDERED: "The head in the photo's light, as the scene's render engine draws it",
}
_ITEMS = [(value, text, _DESCRIPTIONS[value]) for value, text in VIEW_CHOICES]

_SOLID_TYPES = ("MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD", "VOLUME", "GREASEPENCIL")
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


def look_at_new_head(window: bpy.types.Window, head: HeadObject, *, through_camera: bool = True) -> None:
    """Show a new head, which is selected, in the largest 3D view, through its camera: it is small beside others.

    Where something stands in its way the view shows the head alone (Local View), and where it shows other things alone
    the head too. Where Solid shading is as Blender has it at first, which would show grey clay, it shows colours.
    """
    views = [area for area in window.screen.areas if area.type == "VIEW_3D"]
    if not views:
        return
    area = max(views, key=lambda one: one.width * one.height)
    space = area.spaces.active
    if through_camera:
        space.region_3d.view_perspective = "CAMERA"
    if space.shading.type == "SOLID" and space.shading.color_type == "MATERIAL":
        _show_skin(space.shading)
    if space.local_view is None and is_covered(head, window.view_layer):
        _show_alone(window, area, head)
    else:
        show_in_local_view(space, head)


def show_in_local_view(space: bpy.types.Space | None, head: HeadObject) -> None:
    """What was added to a head shows in a 3D view that shows a selection alone, as the rest of it does."""
    if getattr(space, "local_view", None) is not None:
        for item in (head.root, *head.objects):
            item.local_view_set(space, True)


def is_covered(head: HeadObject, view_layer: bpy.types.ViewLayer) -> bool:
    """Whether something visible that is not the head's stands around it, or between it and its camera.

    Nothing is evaluated for it: a new head takes Blender some tenths of a second.
    """
    own = {head.root, *head.objects}
    points = _corners(head.skin)
    if head.camera is not None:
        points = np.vstack([points, in_world(head.camera).translation])
    low, high = points.min(axis=0), points.max(axis=0)
    for item in view_layer.objects:
        if item in own or item.type not in _SOLID_TYPES or not item.visible_get(view_layer=view_layer):
            continue
        other = _corners(item)
        if (other.min(axis=0) < high).all() and (other.max(axis=0) > low).all():
            return True
    return False


def _corners(item: bpy.types.Object) -> np.ndarray:
    """(8, 3) of its bounding box in the world."""
    matrix = np.array(in_world(item))
    return np.array([corner[:] for corner in item.bound_box]) @ matrix[:3, :3].T + matrix[:3, 3]


def _show_alone(window: bpy.types.Window, area: bpy.types.Area, head: HeadObject) -> None:
    region = next(region for region in area.regions if region.type == "WINDOW")
    for item in (head.root, *head.objects):
        item.select_set(True, view_layer=window.view_layer)
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.localview(frame_selected=False)
    head.select(window.view_layer)
