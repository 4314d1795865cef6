# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown where Python packages are missing. Loads without any of them."""

import textwrap

import bpy

from ..names import LABEL, OP_COPY_COMMAND, PANEL_CATEGORY
from ..operators.copy_command import FACEDETAIL_OT_copy_command
from ..requirements import Problem, blender_problem, worker_problem

_LINE = 42
"""Characters that a sidebar of the default width shows."""


class FACEDETAIL_PT_requirements(bpy.types.Panel):
    """Stands for all of FaceDetail where its own modules cannot load."""

    bl_label = LABEL
    bl_category = PANEL_CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"

    def draw(self, context: bpy.types.Context) -> None:
        problem = blender_problem()
        if problem is None:
            self.layout.label(text="Switch FaceDetail off and on.", icon="FILE_REFRESH")
        else:
            draw_problem(self.layout, problem)


def draw_worker_problem(layout: bpy.types.UILayout) -> bool:
    """Show what keeps reconstructions from starting; whether there is anything."""
    problem = worker_problem()
    if problem is not None:
        draw_problem(layout, problem)
    return problem is not None


def draw_problem(layout: bpy.types.UILayout, problem: Problem) -> None:
    """The problem, its remedy, and a button for the command."""
    column = layout.column(align=True)
    for index, line in enumerate(wrapped_texts(problem)):
        column.label(text=line, icon="NONE" if index else "ERROR")
    if problem.command:
        layout.operator(OP_COPY_COMMAND, icon="COPYDOWN")


def wrapped_texts(problem: Problem) -> list[str]:
    """The texts in lines that fit a sidebar."""
    return [line for text in (problem.message, problem.remedy) for line in textwrap.wrap(text, _LINE)]


def register_notice() -> None:
    """Instead of everything else."""
    for cls in _NOTICE:
        bpy.utils.register_class(cls)


def notice_is_registered() -> bool:
    """``register_notice`` was called and not taken back."""
    return FACEDETAIL_PT_requirements.is_registered


def unregister_notice() -> None:
    """Take it back."""
    for cls in reversed(_NOTICE):
        bpy.utils.unregister_class(cls)


_NOTICE = (FACEDETAIL_OT_copy_command, FACEDETAIL_PT_requirements)
