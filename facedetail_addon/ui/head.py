# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels of the selected head and of the photo's light; each shows where there is something for it."""

import bpy

from ..names import (
    EXPORT_LABEL,
    OP_DISMISS,
    OP_EXPORT,
    OP_GAME_READY,
    OP_LIGHT,
    OP_LOOKDEV,
    OP_TURNTABLE,
    OP_VIEW,
    PANEL_CATEGORY,
    STAGE_LIGHT,
    STUDIO_NODE,
    STUDIO_PROPERTY,
    VIEW_CHOICES,
)
from ..operators.layout import draw_text, line_width
from ..operators.light import LIGHT_CHOICES, NO_STAGE_TEXTS, shown_light
from ..operators.selection import HeadObject, selected_head, selected_relief
from ..operators.view import shown_view
from .edit import draw_fit_buttons
from .light import light_controls
from .photos import draw_photos_of_head
from .relief import RELIEF_CONTROLS, UNSEEN_CONTROL, relief_texts


class _Subpanel:
    bl_category = PANEL_CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_parent_id = "FACEDETAIL_PT_reconstruct"


class FACEDETAIL_PT_result(_Subpanel, bpy.types.Panel):
    """What was found in the photo of the selected head, and pictures of it."""

    bl_label = "Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return selected_head(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        head = selected_head(context)
        layout.label(text=head.root.name, icon="USER")
        draw_fit_buttons(layout, head, line_width(context))
        _draw_warnings(layout, head, line_width(context))
        if context.space_data.local_view is not None:
            alone = layout.row(align=True)
            alone.label(text="Shown alone (Local View)")
            alone.operator("view3d.localview", text="Show All")
        shown = shown_view(context.space_data.shading)
        views = layout.row(align=True)
        for view, text in VIEW_CHOICES:
            views.operator(OP_VIEW, text=text, depress=view == shown).view = view
        draw_photos_of_head(layout, context)
        pictures = layout.row(align=True)
        pictures.operator(OP_LOOKDEV, icon="RENDER_STILL")
        pictures.operator(OP_TURNTABLE, icon="RENDER_ANIMATION")
        files = layout.row(align=True)
        files.operator(OP_EXPORT, text=f"{EXPORT_LABEL}…", icon="EXPORT")
        files.operator_menu_enum(OP_GAME_READY, "density", icon="MESH_GRID")


def _draw_warnings(layout: bpy.types.UILayout, head: HeadObject, width: float) -> None:
    """What editing has taken from a head, and what its reconstruction warned of, which can be put away."""
    for text in head.losses:
        box = layout.box().column(align=True)
        draw_text(box, text, width, icon="ERROR")
    if head.notices:
        box = layout.box().column()
        for text in head.notices:
            draw_text(box.column(align=True), text, width, icon="INFO")
        box.operator(OP_DISMISS, icon="X")


class FACEDETAIL_PT_detail(_Subpanel, bpy.types.Panel):
    """How the selected head shows its wrinkles and pores."""

    bl_label = "Detail"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return selected_relief(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = selected_relief(context)
        head = selected_head(context)
        if head.linked_file is not None:
            layout.label(text=f"Linked from {head.linked_file}", icon="LINKED")
            layout = layout.column()
            layout.enabled = False
        for name in RELIEF_CONTROLS:
            line = layout.column()
            line.enabled = name != UNSEEN_CONTROL or settings.has_unseen
            line.prop(settings, name)
        for text in relief_texts(settings, context.scene):
            layout.label(text=text)


class FACEDETAIL_PT_light(_Subpanel, bpy.types.Panel):
    """What the photo's light of the selected head is in the scene; a studio's instead, strength and rotation: the
    world's own nodes."""

    bl_label = "Light"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return selected_head(context) is not None or bool(light_controls(context.scene.world))

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        head = selected_head(context)
        if head is not None:
            shown, has_stage = shown_light(context.scene, head), head.light_stage is not None
            kinds = layout.row(align=True)
            for choice in LIGHT_CHOICES:
                kind = kinds.row(align=True)
                kind.enabled = has_stage or choice.value != STAGE_LIGHT
                kind.operator(OP_LIGHT, text=choice.label, depress=choice.value == shown).light = choice.value
            if not has_stage:
                for text in NO_STAGE_TEXTS:
                    layout.label(text=text)
        for control in light_controls(context.scene.world):
            if control.socket.node.name == STUDIO_NODE:
                layout.prop(context.scene.world, STUDIO_PROPERTY, text=control.text, toggle=True)
            else:
                layout.prop(control.socket, "default_value", index=control.index, text=control.text)
