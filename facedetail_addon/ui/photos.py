# SPDX-License-Identifier: GPL-3.0-or-later
"""More photos of the same person in the panel, and the photos of the selected head."""

from pathlib import Path

import bpy

from .. import session
from ..names import DOWN, FIRST, OP_ADD_PHOTOS, OP_MOVE_PHOTO, OP_PHOTO, OP_REMOVE_PHOTO, UP
from ..operators.selection import selected_head

_ROWS = 3
_BUTTONS_IN_A_ROW = 4


class FACEDETAIL_UL_photos(bpy.types.UIList):
    """Photos with their thumbnails."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: bpy.types.PropertyGroup,
        active_property: str,
    ) -> None:
        path = Path(bpy.path.abspath(item.path))
        found = session.current().thumbnails.icon(path)
        if found is None:
            layout.label(text=f"{path.name} is not there", icon="ERROR")
        else:
            layout.label(text=path.name, icon_value=found)


def draw_more_photos(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """The list where there is one, and the button that adds to it."""
    if not settings.more_photos:
        layout.operator(OP_ADD_PHOTOS, text="Add Photos of the Person", icon="ADD")
        return
    row = layout.row()
    row.template_list(
        "FACEDETAIL_UL_photos", "", settings, "more_photos", settings, "more_photos_index", rows=_ROWS, maxrows=_ROWS
    )
    buttons = row.column(align=True)
    buttons.operator(OP_ADD_PHOTOS, text="", icon="ADD")
    buttons.operator(OP_REMOVE_PHOTO, text="", icon="REMOVE")
    for way, icon in ((FIRST, "SOLO_ON"), (UP, "TRIA_UP"), (DOWN, "TRIA_DOWN")):
        buttons.operator(OP_MOVE_PHOTO, text="", icon=icon).way = way


def draw_photos_of_head(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """A button for each photo of the selected head, where it has several."""
    head, scene = selected_head(context), context.scene
    cameras = () if head is None else head.photo_cameras
    if len(cameras) < 2:
        return
    grid = layout.grid_flow(row_major=True, columns=_BUTTONS_IN_A_ROW, align=True)
    for number, camera in enumerate(cameras, 1):
        text, shown = f"Photo {number}", camera == scene.camera
        grid.operator(OP_PHOTO, text=text, depress=shown, icon="CAMERA_DATA").number = number
