# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences."""

import bpy


def draw_preferences(layout: bpy.types.UILayout, preferences: bpy.types.AddonPreferences) -> None:
    """One row per preference."""
    layout.use_property_split = True
    layout.prop(preferences, "results")
