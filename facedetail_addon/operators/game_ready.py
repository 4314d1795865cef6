# SPDX-License-Identifier: GPL-3.0-or-later
"""A head for game engines by one click."""

import bpy

from ..core.errors import FaceDetailError
from ..core.face_model.densities import FULL, LIGHT, MEDIUM
from ..names import OP_GAME_READY
from ..scene.game.build import make_game_head
from .selection import NO_HEAD, allowed, selected_head
from .work import report_error

_DENSITIES = [
    (LIGHT, "2k Quads", "For crowds and distance: the skin has about 2,000 quads"),
    (MEDIUM, "8k Quads", "For most games: the skin has about 8,000 quads, and its outline is the head's"),
    (FULL, "20k Quads", "For close-ups: the skin has all of its quads"),
]


class FACEDETAIL_OT_game_ready(bpy.types.Operator):
    """Make a head for Unreal and Unity beside this one: fewer faces, a baked normal map and an armature"""

    bl_idname = OP_GAME_READY
    bl_label = "Game-Ready"
    bl_options = {"REGISTER", "UNDO"}

    density: bpy.props.EnumProperty(
        name="Density", description="How many faces the skin has", items=_DENSITIES, default=MEDIUM
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = selected_head(context)
        if head is None:
            return allowed(cls, NO_HEAD)
        if head.keys is None:
            return allowed(cls, head.losses[0])
        return allowed(cls, "" if context.mode == "OBJECT" else "A head is made game-ready in Object Mode.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        if context.window is not None:
            context.window.cursor_set("WAIT")
        try:
            game = make_game_head(selected_head(context), self.density, context.scene, context.view_layer)
        except FaceDetailError as error:
            return report_error(self, error)
        finally:
            if context.window is not None:
                context.window.cursor_set("DEFAULT")
        game.select(context.view_layer)
        faces = len(game.skin.data.polygons)
        total = sum(len(part.data.polygons) for part in game.parts.values())
        self.report({"INFO"}, f"{game.root.name}: {faces:,} faces of skin, {total:,} with eyes, teeth and gums")
        return {"FINISHED"}
