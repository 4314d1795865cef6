# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins in the panel: the buttons of a head, and the sliders while its fit is edited."""

import bpy

from .. import session
from ..core.editing import EditSession
from ..names import EDIT_PROPERTY, OP_EDIT, OP_EDIT_FIT, OP_UPDATE_SKIN, PANEL_CATEGORY
from ..operators.edit_fit import pinned_texts
from ..operators.layout import draw_text, line_width
from ..operators.selection import HeadObject

_BUTTONS_IN_A_ROW = 3


class FACEDETAIL_PT_fit(bpy.types.Panel):
    """How the head follows pins, while its fit is edited."""

    bl_label = "Fit"
    bl_category = PANEL_CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_parent_id = "FACEDETAIL_PT_reconstruct"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return session.current().edit is not None

    def draw(self, context: bpy.types.Context) -> None:
        edit = session.current().edit
        if edit.is_ready:
            _draw_sliders(self.layout, context, edit)
        else:
            self.layout.label(text="Reading the result…", icon="TEMP")


def _draw_sliders(layout: bpy.types.UILayout, context: bpy.types.Context, edit: EditSession) -> None:
    settings = getattr(context.window_manager, EDIT_PROPERTY)
    layout.use_property_split = True
    layout.use_property_decorate = False
    column = layout.column(align=True)
    draw_text(column, "Enter keeps, Esc leaves", line_width(context), icon="PINNED")
    for notice in edit.notices:
        draw_text(layout.box().column(align=True), notice.message, line_width(context), icon="INFO")
    if edit.photos > 1:
        grid = layout.grid_flow(row_major=True, columns=_BUTTONS_IN_A_ROW, align=True)
        for photo in range(edit.photos):
            pins = sum(pin.photo == photo for pin in edit.edit.pins)
            button = grid.operator(OP_EDIT, text=f"Photo {photo + 1} ({pins})", depress=photo == edit.photo)
            button.action, button.photo = "PHOTO", photo + 1
    layout.row().prop(settings, "look", expand=True)
    layout.prop(settings, "opacity", slider=True)
    rigid = layout.column(align=True)
    for name in ("shape_rigidity", "expression_rigidity", "pose_rigidity"):
        rigid.prop(settings, name, slider=True)
    locks = layout.column(heading="Pins")
    for name in ("mirror", "lock_expression", "lock_eyes"):
        locks.prop(settings, name)
    lens = layout.column(align=True)
    lens.prop(settings, "focal_mm", slider=True)
    lens.prop(settings, "lock_focal")
    row = layout.row(align=True)
    row.operator(OP_EDIT, text="", icon="LOOP_BACK").action = "UNDO"
    row.operator(OP_EDIT, text="", icon="LOOP_FORWARDS").action = "REDO"
    row.operator(OP_EDIT, text="Align Face Again", icon="CAMERA_DATA").action = "ALIGN"


def draw_fit_buttons(layout: bpy.types.UILayout, head: HeadObject, width: float) -> None:
    """What begins editing, and what makes the skin anew, in red where it is older than the shape."""
    row = layout.row(align=True)
    row.operator(OP_EDIT_FIT, icon="PINNED")
    stale, text = pinned_texts(head)
    update = row.row(align=True)
    update.alert = stale
    update.operator(OP_UPDATE_SKIN, icon="FILE_REFRESH")
    if text:
        draw_text(layout.column(align=True), text, width, icon="ERROR" if stale else "NONE")
