# SPDX-License-Identifier: GPL-3.0-or-later
"""Preferences of the add-on."""

from pathlib import Path

import bpy

from .paths import assets_directory, results_directory, user_folder
from .ui.preferences import draw_preferences

ADDON = __package__
"""Under this name Blender knows the add-on."""


class FaceDetailPreferences(bpy.types.AddonPreferences):
    """What holds for all files."""

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


def chosen_results_directory(context: bpy.types.Context) -> Path:
    """Where result folders go."""
    return results_directory(_chosen(context, "results"), user_folder(ADDON))


def chosen_assets_directory(context: bpy.types.Context) -> Path:
    """Where imported face models and weights lie."""
    return assets_directory(_chosen(context, "assets"), user_folder(ADDON))


def _chosen(context: bpy.types.Context, name: str) -> str:
    """A folder of the preferences; empty where none is chosen."""
    addon = context.preferences.addons.get(ADDON)
    chosen = getattr(addon.preferences, name) if addon and addon.preferences else ""
    return bpy.path.abspath(chosen) if chosen else ""
