# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: what holds for all files."""

from pathlib import Path

import bpy

from ..core.assets.user import USER_ASSETS
from ..core.face_model.store import BrokenModel, list_models
from ..names import (
    ADDON,
    OP_DOWNLOAD,
    OP_IMPORT_MODEL,
    OP_INSTALL,
    OP_REMOVE,
    STATE_PROPERTY,
)
from ..operators.layout import draw_text
from ..session import chosen_assets_directory, chosen_results_directory
from .assets import MESH_LICENCE, asset_state, asset_texts, broken_texts, builtin_texts, model_texts
from .progress import draw_progress

_MARGIN_PX = 80
_NARROWEST_PX = 300


class FaceDetailPreferences(bpy.types.AddonPreferences):
    """Folders of the user."""

    bl_idname = ADDON

    results: bpy.props.StringProperty(
        name="Results",
        description="Folder for results (meshes, textures, camera). Empty: a folder in Blender's user folder",
        subtype="DIR_PATH",
    )

    assets: bpy.props.StringProperty(
        name="Models",
        description="Folder for imported face models and downloaded weights. Empty: a folder in Blender's user folder",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        draw_preferences(
            self.layout, self, chosen_results_directory(context), chosen_assets_directory(context), context
        )


def draw_preferences(
    layout: bpy.types.UILayout,
    preferences: bpy.types.AddonPreferences,
    results: Path,
    assets: Path,
    context: bpy.types.Context,
) -> None:
    """Folders, face models, landmarkers, and the progress of what is being imported or downloaded.

    Args:
        results, assets: the folders in use; an empty field shows which that is.
    """
    folders = layout.column()
    folders.use_property_split = True
    folders.prop(preferences, "results", placeholder=str(results))
    folders.prop(preferences, "assets", placeholder=str(assets))
    width = _width(context)
    _draw_models(layout.box().column(), assets, width)
    _draw_landmarkers(layout.box().column(), assets, width)
    state = getattr(context.window_manager, STATE_PROPERTY)
    if state.running:
        draw_progress(layout, state)


def _draw_models(column: bpy.types.UILayout, assets: Path, width: float) -> None:
    header = column.row()
    header.label(text="Face Models", icon="USER")
    header.operator(OP_IMPORT_MODEL, text="Import…")
    _draw_entry(column, "Built-in", builtin_texts(), width)
    for entry in list_models(assets):
        if isinstance(entry, BrokenModel):
            row = _draw_entry(column, "Broken", broken_texts(entry), width, icon="ERROR")
            row.operator(OP_REMOVE).asset = entry.folder.name
        else:
            row = _draw_entry(column, entry.id, model_texts(entry), width)
            row.operator(OP_REMOVE).asset = entry.id


def _draw_landmarkers(column: bpy.types.UILayout, assets: Path, width: float) -> None:
    column.label(text="Landmarkers", icon="TRACKER")
    _draw_entry(column, "Face Mesh (built-in)", (MESH_LICENCE,), width)
    for asset in USER_ASSETS:
        state = asset_state(asset, assets)
        row = _draw_entry(column, asset.title, asset_texts(asset, state), width)
        if state.path is None:
            row.operator(OP_DOWNLOAD, text="Download…").asset = asset.id
            row.operator(OP_INSTALL, text="Install…").asset = asset.id
        if state.is_own or state.arrived:
            row.operator(OP_REMOVE).asset = asset.id


def _draw_entry(
    column: bpy.types.UILayout, title: str, texts: tuple[str, ...], width: float, icon: str = "NONE"
) -> bpy.types.UILayout:
    """A title, its texts under it; the row of the title, for buttons."""
    column.separator()
    row = column.row()
    row.label(text=title, icon=icon)
    lines = column.column(align=True)
    lines.active = False
    for text in texts:
        draw_text(lines, text, width)
    return row


def _width(context: bpy.types.Context) -> float:
    """Of a line, in pixels without the interface's scale."""
    region = context.region.width / context.preferences.system.ui_scale if context.region else _NARROWEST_PX
    return max(region - _MARGIN_PX, _NARROWEST_PX)
