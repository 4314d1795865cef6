# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo's light of the selected head as the scene's, by one click: a world, a world and a sun, or a light stage."""

import bpy

from ..core.errors import FaceDetailError
from ..names import OP_LIGHT
from ..scene.build.light import NO_STAGE_TEXTS, light_scene, shown_light
from ..scene.rollback import undone_on_failure
from ..settings import SceneSettings, option_of
from .selection import allowed, change_problem, selected_head
from .view import show_in_local_view

__all__ = ["FACEDETAIL_OT_light", "LIGHT_CHOICES", "NO_STAGE_TEXTS", "shown_light"]

LIGHT_CHOICES = option_of(SceneSettings, "light").choices
_DESCRIPTIONS = {choice.value: choice.description for choice in LIGHT_CHOICES}
_ITEMS = [(choice.value, choice.label, choice.description) for choice in LIGHT_CHOICES]


class FACEDETAIL_OT_light(bpy.types.Operator):
    """Make the photo's light of the head the scene's"""

    bl_idname = OP_LIGHT
    bl_label = "Light the Scene"
    bl_options = {"REGISTER", "UNDO"}

    light: bpy.props.EnumProperty(name="Light", items=_ITEMS, default=_ITEMS[0][0])

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return _DESCRIPTIONS[properties.light]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = change_problem(selected_head(context))
        if not problem and context.scene.library is not None:
            problem = "The scene is linked from another file."
        if not problem and context.mode != "OBJECT":
            problem = "The scene is lit in Object Mode."
        return allowed(cls, problem)

    def execute(self, context: bpy.types.Context) -> set[str]:
        head = selected_head(context)
        try:
            with undone_on_failure(context.scene):
                light_scene(context.scene, head, self.light)
        except FaceDetailError as error:
            self.report({"ERROR"}, f"{error.message} {error.remedy}")
            return {"CANCELLED"}
        show_in_local_view(context.space_data, head)
        return {"FINISHED"}
