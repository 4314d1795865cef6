# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression of the selected head by one click."""

import bpy

from ..names import AS_IN_THE_PHOTO, EXPRESSION_CHOICES, NEUTRAL, OP_EXPRESSION
from .selection import allowed, expression_problem, selected_head

_DESCRIPTIONS = {
    AS_IN_THE_PHOTO: "The expression that was found in the photo",
    NEUTRAL: "No expression, and eyes that look straight ahead",
}
_ITEMS = [(value, text, _DESCRIPTIONS[value]) for value, text in EXPRESSION_CHOICES]


class FACEDETAIL_OT_expression(bpy.types.Operator):
    """Set all expression sliders of the head"""

    bl_idname = OP_EXPRESSION
    bl_label = "Set the Expression"
    bl_options = {"REGISTER", "UNDO"}

    expression: bpy.props.EnumProperty(name="Expression", items=_ITEMS, default=AS_IN_THE_PHOTO)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return _DESCRIPTIONS[properties.expression]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = selected_head(context)
        lacking = (
            "This head does not know its photo's expression." if head is not None and not head.photo_expression else ""
        )
        return allowed(cls, expression_problem(context, head, lacking))

    def execute(self, context: bpy.types.Context) -> set[str]:
        selected_head(context).set_photo_expression(1.0 if self.expression == AS_IN_THE_PHOTO else 0.0)
        return {"FINISHED"}
