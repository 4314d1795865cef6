# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in the 3D view's sidebar, and the entry in File > Import."""

import bpy

from ..layout_text import draw_text
from ..names import (
    IMPORT_LABEL,
    LABEL,
    OP_LOOKDEV,
    OP_RECONSTRUCT,
    OP_TURNTABLE,
    PANEL_CATEGORY,
    RELIEF_PROPERTY,
    SETTINGS_PROPERTY,
    STATE_PROPERTY,
)
from ..preferences import ADDON, chosen_assets_directory
from .assets import choice_notes
from .found import found_expression
from .light import NO_LIGHT_TEXT, light_knobs
from .relief import NO_HEAD_TEXT, RELIEF_KNOBS, head_of, relief_texts
from .requirements import draw_worker_problem

_CHOICES = ("face_model", "landmarker", "fit", "expression", "resolution", "face", "use_camera", "use_light", "use_sun")

_DRAWN = {"face_model": "face_model_menu"}
"""A choice that is drawn by another property."""
_SCROLLBAR_PX = 60


class FACEDETAIL_PT_reconstruct(bpy.types.Panel):
    """Photo, choices, button, progress, and what was found in the head at hand."""

    bl_label = LABEL
    bl_category = PANEL_CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = getattr(context.scene, SETTINGS_PROPERTY)
        state = getattr(context.window_manager, STATE_PROPERTY)
        choices = layout.column()
        choices.enabled = not state.running
        choices.prop(settings, "photo")
        for name in _CHOICES:
            choices.prop(settings, _DRAWN.get(name, name))
        _draw_assets(choices, settings, context)
        if state.running:
            layout.progress(factor=state.fraction, text=state.stage)
            layout.label(text="Esc: cancel")
            return
        if draw_worker_problem(layout):
            return
        # With no photo chosen the operator asks for one.
        button = layout.operator(OP_RECONSTRUCT, icon="USER")
        button.filepath = settings.photo
        for name in _CHOICES:
            setattr(button, name, getattr(settings, name))
        found = found_expression(context.active_object)
        if found:
            layout.label(text=found)
        pictures = layout.row(align=True)
        pictures.operator(OP_LOOKDEV, icon="RENDER_STILL")
        pictures.operator(OP_TURNTABLE, icon="RENDER_ANIMATION")


def _draw_assets(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """What the chosen face model lacks, and what is not installed."""
    notes = choice_notes(settings.face_model, settings.landmarker, chosen_assets_directory(context))
    width = context.region.width / context.preferences.system.ui_scale - _SCROLLBAR_PX
    lines = layout.column(align=True)
    for text in notes.texts:
        draw_text(lines, text, width)
    if notes.is_missing:
        layout.operator("preferences.addon_show", text="Import, Download…").module = ADDON


class FACEDETAIL_PT_detail(bpy.types.Panel):
    """How the head at hand shows its wrinkles and pores."""

    bl_label = "Detail"
    bl_category = PANEL_CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_parent_id = "FACEDETAIL_PT_reconstruct"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        head = head_of(context.active_object)
        if head is None:
            layout.label(text=NO_HEAD_TEXT)
            return
        settings = getattr(head.root, RELIEF_PROPERTY)
        for name in RELIEF_KNOBS:
            layout.prop(settings, name)
        for text in relief_texts(head, settings, context.scene):
            layout.label(text=text)


class FACEDETAIL_PT_light(bpy.types.Panel):
    """The photo's light or a studio's, its strength and where it comes from: the world's own nodes."""

    bl_label = "Light"
    bl_category = PANEL_CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_parent_id = "FACEDETAIL_PT_reconstruct"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        knobs = light_knobs(context.scene.world)
        for knob in knobs:
            layout.prop(knob.socket, "default_value", index=knob.index, text=knob.text)
        if not knobs:
            layout.label(text=NO_LIGHT_TEXT)


def draw_import_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """File > Import."""
    self.layout.operator(OP_RECONSTRUCT, text=IMPORT_LABEL)
