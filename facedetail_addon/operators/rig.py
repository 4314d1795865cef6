# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature for the selected head by one click."""

import bpy

from ..core.errors import FaceDetailError
from ..names import OP_RIG
from ..scene.rig.build import add_rig
from .selection import allowed, expression_problem, selected_head


class FACEDETAIL_OT_rig(bpy.types.Operator):
    """Give the head an armature with neck, head, jaw and eye bones; its sliders go on working"""

    bl_idname = OP_RIG
    bl_label = "Add Rig"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, expression_problem(context, selected_head(context), ""))

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            rig = add_rig(selected_head(context), context.view_layer)
        except FaceDetailError as error:
            self.report({"ERROR"}, f"{error.message} {error.remedy}")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{rig.name}: {', '.join(bone.name for bone in rig.data.bones)}")
        return {"FINISHED"}
