# SPDX-License-Identifier: GPL-3.0-or-later
"""The button beside what says that packages are missing. Loads without any of them."""

import bpy

from ..names import OP_COPY_COMMAND
from ..requirements import blender_problem, worker_problem


class FACEDETAIL_OT_copy_command(bpy.types.Operator):
    """Copy the command that installs what is missing"""

    bl_idname = OP_COPY_COMMAND
    bl_label = "Copy the Command"

    def execute(self, context: bpy.types.Context) -> set[str]:
        problem = blender_problem() or worker_problem()
        if problem is None or not problem.command:
            self.report({"INFO"}, "Nothing is missing")
            return {"CANCELLED"}
        context.window_manager.clipboard = problem.command
        self.report({"INFO"}, "Copied. Paste it in a terminal")
        return {"FINISHED"}
