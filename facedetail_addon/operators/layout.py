# SPDX-License-Identifier: GPL-3.0-or-later
"""Long texts in layouts, which do not wrap by themselves."""

import textwrap

import bpy

_LETTER_PX = 6.2  # of Blender's interface font, on average
_SCROLLBAR_PX = 60
_ICON_PX = 20


def draw_text(layout: bpy.types.UILayout, text: str, width_px: float, icon: str = "NONE") -> None:
    """A text in as many labels as it needs at that width, without the interface's scale; an icon before the first."""
    taken = 0 if icon == "NONE" else _ICON_PX
    for line in textwrap.wrap(text, max(20, int((width_px - taken) / _LETTER_PX)), break_long_words=False):
        layout.label(text=line, icon=icon)
        icon = icon if icon == "NONE" else "BLANK1"


def line_width(context: bpy.types.Context) -> float:
    """Of a line of a sidebar, in pixels without the interface's scale."""
    return context.region.width / context.preferences.system.ui_scale - _SCROLLBAR_PX


def megabytes(size: int) -> str:
    """A number of bytes as ``95.6 MB``."""
    return f"{size / 1e6:.1f} MB"
