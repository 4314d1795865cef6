# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last job failed of, as the panel shows it until the next one."""

import bpy

from ..core.errors import AssetError, FaceModelError, OutputError
from ..names import ADDON
from ..operators.layout import draw_text

PREFERENCES_TEXTS = {
    AssetError.code: "Import, Download…",
    FaceModelError.code: "Import, Download…",
    OutputError.code: "Choose the Results Folder…",
}
"""What preferences can do about an error, by its code. For a photo's errors the photo's field stands above."""


def draw_error(layout: bpy.types.UILayout, state: bpy.types.PropertyGroup, width_px: float, *, button: bool) -> None:
    """The error, its remedy, and a button to where it can be mended.

    Args:
        width_px: of a line, without the interface's scale. button: False where the panel has such a button already.
    """
    if not state.error:
        return
    box = layout.box().column()
    lines = box.column(align=True)
    lines.label(text="That did not work", icon="ERROR")
    for text in (state.error, state.remedy):
        draw_text(lines, text, width_px)
    if button and state.error_code in PREFERENCES_TEXTS:
        preferences_button(box, PREFERENCES_TEXTS[state.error_code])


def preferences_button(layout: bpy.types.UILayout, text: str) -> None:
    """A button that shows the add-on's preferences."""
    layout.operator("preferences.addon_show", text=text, icon="PREFERENCES").module = ADDON
