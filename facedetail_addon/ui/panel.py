# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in the 3D view's sidebar with what comes before a reconstruction, and the entry in File > Import."""

import bpy

from ..names import (
    IMPORT_LABEL,
    LABEL,
    LIVE_LINK_LABEL,
    OP_LIVE_LINK,
    OP_RECONSTRUCT,
    PANEL_CATEGORY,
    SETTINGS_PROPERTY,
    STATE_PROPERTY,
)
from ..operators.faces import found_faces
from ..operators.layout import draw_text, line_width
from ..operators.photos import more_photos
from ..operators.properties import photo_path
from ..session import chosen_assets_directory
from ..settings import PANEL, SceneSettings, Settings, option_of, options
from .assets import ChoiceNotes, choice_notes
from .error import draw_error, preferences_button
from .photo import draw_photo
from .photos import draw_more_photos
from .progress import draw_progress
from .requirements import draw_worker_problem

_RESULT = tuple(option.name for option in options(Settings, PANEL))
_SCENE = tuple(option.name for option in options(SceneSettings, PANEL))
CHOICES = (*_RESULT, *_SCENE)
"""What the button hands to the operator."""
_OFFERED = [str(side) for side in option_of(Settings, "resolution").values[1:]]
_ADVANCED = tuple(name for name in _RESULT if name not in ("face_model", "resolution"))
"""All that have no place of their own."""
_BUTTON_SCALE = 1.5


class FACEDETAIL_PT_reconstruct(bpy.types.Panel):
    """Photo, quality, the button; progress, or what went wrong."""

    bl_label = LABEL
    bl_category = PANEL_CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = getattr(context.scene, SETTINGS_PROPERTY)
        state = getattr(context.window_manager, STATE_PROPERTY)
        choices = layout.column()
        choices.enabled = not state.running
        photo = photo_path(settings)
        draw_photo(choices, settings, photo, found_faces(photo))
        if settings.photo and photo.is_file():
            draw_more_photos(choices, settings)
        quality = choices.row(align=True)
        for side in _OFFERED:
            quality.prop_enum(settings, "resolution", side)
        if state.running:
            draw_progress(layout, state)
            return
        if draw_worker_problem(layout):
            return
        missing = _notes(settings, context).not_installed
        _draw_texts(layout, missing, context)
        if missing:
            preferences_button(layout, "Import, Download…")
        # With no photo chosen the operator asks for one.
        big = layout.column()
        big.scale_y = _BUTTON_SCALE
        button = big.operator(OP_RECONSTRUCT, icon="USER")
        button.filepath = settings.photo
        button.more_photos = more_photos(settings)
        for name in CHOICES:
            setattr(button, name, getattr(settings, name))
        draw_error(layout, state, line_width(context), button=not missing)


class _Choices:
    """What the panels of choices share: none can be changed while a job is under way."""

    bl_category = PANEL_CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_parent_id = "FACEDETAIL_PT_reconstruct"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not getattr(context.window_manager, STATE_PROPERTY).running
        self.draw_choices(layout, getattr(context.scene, SETTINGS_PROPERTY), context)


class FACEDETAIL_PT_face_model(_Choices, bpy.types.Panel):
    """The face model, and what it lacks."""

    bl_label = "Face Model"

    def draw_choices(
        self, layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, context: bpy.types.Context
    ) -> None:
        layout.prop(settings, "face_model_menu", text="Model")
        _draw_texts(layout, _notes(settings, context).missing, context)


class FACEDETAIL_PT_advanced(_Choices, bpy.types.Panel):
    """How a photo is read, and what of it goes to the scene."""

    bl_label = "Advanced"

    def draw_choices(
        self, layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, context: bpy.types.Context
    ) -> None:
        for names in (_ADVANCED, _SCENE):
            column = layout.column()
            for name in names:
                column.prop(settings, name)


def draw_import_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """File > Import."""
    self.layout.operator(OP_RECONSTRUCT, text=IMPORT_LABEL)
    self.layout.operator(OP_LIVE_LINK, text=f"{LIVE_LINK_LABEL}, on a FaceDetail head")


def _notes(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> ChoiceNotes:
    return choice_notes(settings.face_model, settings.landmarker, chosen_assets_directory(context))


def _draw_texts(layout: bpy.types.UILayout, texts: tuple[str, ...], context: bpy.types.Context) -> None:
    column = layout.column(align=True)
    for text in texts:
        draw_text(column, text, line_width(context))
