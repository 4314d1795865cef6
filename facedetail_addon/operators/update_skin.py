# SPDX-License-Identifier: GPL-3.0-or-later
"""Light, skin and relief of a head whose pins were moved, made anew in the worker and put into what is there."""

import bpy

from .. import session
from ..core.errors import FaceDetailError
from ..core.fit.pins import NO_PINS
from ..core.result.pin_file import pins_text
from ..jobs.job import Job, Loaded, update_job
from ..names import OP_UPDATE_SKIN, UPDATE_SKIN_LABEL
from ..scene.head_object import HeadObject
from ..scene.pinned import (
    follow_steps,
    noted_key,
    pins_of,
    remember_pins,
    require_editable,
    result_folder_of,
    skin_steps,
)
from .selection import active_head, allowed, refit_problem
from .work import Steps, WorkOperator


class FACEDETAIL_OT_update_skin(WorkOperator, bpy.types.Operator):
    """Make textures, light and relief of the selected head anew for the shape that its pins give it. Materials, names,
    parents, keyframes and your own shape keys stay"""

    bl_idname = OP_UPDATE_SKIN
    bl_label = UPDATE_SKIN_LABEL
    bl_options = {"REGISTER", "UNDO"}
    changes_scene = True
    last_stage = "Showing the new skin"

    keep_painted: bpy.props.BoolProperty(
        name="Keep Painted Textures",
        description="Textures that you have painted on, or put a file of your own into, stay",
        default=True,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, refit_problem(context, active_head(context))) and super().poll(context)

    def start(self, context: bpy.types.Context) -> Job[Loaded]:
        head = active_head(context)
        require_editable(head)
        self._name = head.root.name
        pins = pins_of(head) or pins_text(NO_PINS)
        assets = session.chosen_assets_directory(context)
        return update_job(session.current().worker, result_folder_of(head), pins, noted_key(head), assets)

    def steps(self, context: bpy.types.Context, result: Loaded) -> Steps:
        try:
            head = HeadObject.named(self._name)
        except FaceDetailError as error:
            raise FaceDetailError(
                f"The head {self._name} is not there any more; its new skin is in {result.folder}.",
                "Undo brings the head back; then update its skin again.",
            ) from error
        yield from follow_steps(head, result.model, result.record.fit)
        steps = skin_steps(head, result.model, result.record, result.pictures, keep_painted=self.keep_painted)
        kept = yield from steps
        remember_pins(head, pins_text(result.record.edit), stale=False)
        for name in kept:
            self.report({"INFO"}, f"{name} was painted on and stays as it is")
        self.report({"INFO"}, f"The skin of {head.root.name} is new; files in {result.folder}")
        return {"FINISHED"}
