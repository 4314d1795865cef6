# SPDX-License-Identifier: GPL-3.0-or-later
"""The button that takes a head to other programs."""

import bpy

from ..names import EXPORT_LABEL, OP_EXPORT, PANEL_CATEGORY
from ..operators.selection import selected_head


class FACEDETAIL_PT_export(bpy.types.Panel):
    """Export of the selected head."""

    bl_label = "Export"
    bl_category = PANEL_CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_parent_id = "FACEDETAIL_PT_reconstruct"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return selected_head(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator(OP_EXPORT, text=f"{EXPORT_LABEL}…", icon="EXPORT")
