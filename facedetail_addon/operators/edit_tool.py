# SPDX-License-Identifier: GPL-3.0-or-later
"""The tool of the 3D view's toolbar that begins editing the fit of the selected head."""

import bpy

from ..names import EDIT_FIT_LABEL, EDIT_TOOL, LABEL, OP_EDIT_FIT


class FACEDETAIL_WST_pins(bpy.types.WorkSpaceTool):
    """Put places of the selected head where its photo shows them"""

    bl_space_type = "VIEW_3D"
    bl_context_mode = "OBJECT"
    bl_idname = EDIT_TOOL
    bl_label = f"{EDIT_FIT_LABEL} ({LABEL})"
    bl_description = "Put places of the selected head where its photo shows them: click to begin"
    bl_icon = "ops.transform.vertex_random"
    bl_keymap = ((OP_EDIT_FIT, {"type": "LEFTMOUSE", "value": "PRESS"}, None),)


def attach() -> None:
    """Add it to the toolbar."""
    bpy.utils.register_tool(FACEDETAIL_WST_pins, after={"builtin.measure"}, separator=True)


def detach() -> None:
    """Take it away."""
    bpy.utils.unregister_tool(FACEDETAIL_WST_pins)
