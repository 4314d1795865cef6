# SPDX-License-Identifier: GPL-3.0-or-later
"""Preferences of the add-on."""

import bpy

from .paths import results_directory, user_folder
from .ui.preferences import draw_preferences


class FaceDetailPreferences(bpy.types.AddonPreferences):
    """What holds for all files."""

    bl_idname = __package__

    results: bpy.props.StringProperty(
        name="Results",
        description="Folder for results (meshes, textures, camera). Empty: a folder in Blender's user folder",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        draw_preferences(self.layout, self)


def chosen_results_directory(context: bpy.types.Context):
    """The pathlib.Path where result folders go."""
    addon = context.preferences.addons.get(__package__)
    chosen = bpy.path.abspath(addon.preferences.results) if addon and addon.preferences.results else ""
    return results_directory(chosen, user_folder(__package__))
