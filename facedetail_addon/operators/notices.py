# SPDX-License-Identifier: GPL-3.0-or-later
"""The warnings that a head carries, read and put away."""

import bpy

from ..names import OP_DISMISS
from .selection import allowed, change_problem, selected_head


class FACEDETAIL_OT_dismiss_notices(bpy.types.Operator):
    """Take the warnings of the reconstruction off this head, its panel and its contact sheets"""

    bl_idname = OP_DISMISS
    bl_label = "Dismiss"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, change_problem(selected_head(context)))

    def execute(self, context: bpy.types.Context) -> set[str]:
        selected_head(context).set_notices(())
        return {"FINISHED"}
