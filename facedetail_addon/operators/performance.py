# SPDX-License-Identifier: GPL-3.0-or-later
"""A recording of Live Link Face on the selected head."""

from pathlib import Path

import bpy

from ..core.errors import FaceDetailError
from ..core.face_model.live_link import read_performance
from ..names import LIVE_LINK_LABEL, OP_LIVE_LINK
from ..scene.performance import key_performance
from .selection import allowed, expression_problem, selected_head

_SHARE_OF_READING = 0.8


class FACEDETAIL_OT_live_link(bpy.types.Operator):
    """Key the head's sliders with a CSV file of Live Link Face"""

    bl_idname = OP_LIVE_LINK
    bl_label = LIVE_LINK_LABEL
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN", "SKIP_SAVE"})
    from_neutral: bpy.props.BoolProperty(
        name="First Frame Is Neutral",
        description="The actor's face is at rest in the first frame: expression and rotation count from there",
        default=False,
    )
    start: bpy.props.FloatProperty(name="Start Frame", description="Of the scene, for the first row", default=1.0)
    turn: bpy.props.FloatProperty(
        name="Head Rotation",
        description="Factor of the head's rotation: 0 for none, negative where the phone's picture was mirrored",
        default=1.0,
        soft_min=-1.0,
        soft_max=1.0,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, expression_problem(context, selected_head(context), ""))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        manager = context.window_manager
        manager.progress_begin(0, 1)
        try:
            performance = _shown(read_performance(Path(self.filepath)), manager, 0.0, _SHARE_OF_READING)
            if self.from_neutral:
                performance = performance.from_neutral()
            keying = key_performance(
                selected_head(context), context.scene, performance, start=self.start, turn=self.turn
            )
            sliders = _shown(keying, manager, _SHARE_OF_READING, 1.0)
        except FaceDetailError as error:
            self.report({"ERROR"}, f"{error.message} {error.remedy}")
            return {"CANCELLED"}
        finally:
            manager.progress_end()
        frames = len(performance.seconds)
        self.report({"INFO"}, f"{sliders} sliders, {frames:,} frames at {performance.rate} a second")
        if performance.damaged:
            self.report({"WARNING"}, f"{performance.damaged} damaged rows were left out of {Path(self.filepath).name}.")
        return {"FINISHED"}


def _shown(steps: object, manager: bpy.types.WindowManager, begin: float, end: float) -> object:
    """What a generator of shares returns, shown at the cursor."""
    while True:
        try:
            share = next(steps)
        except StopIteration as done:
            return done.value
        manager.progress_update(begin + share * (end - begin))
