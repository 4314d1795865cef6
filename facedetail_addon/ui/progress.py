# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a job is, as panel and preferences show it."""

import bpy


def draw_progress(layout: bpy.types.UILayout, state: bpy.types.PropertyGroup) -> None:
    """Stage and percentage, the time left as soon as it can be guessed, and how to cancel."""
    layout.progress(factor=state.fraction, text=f"{state.stage} ({state.fraction:.0%})")
    row = layout.row()
    row.active = False
    row.label(text=state.remaining)
    cancel = row.row()
    cancel.alignment = "RIGHT"
    cancel.label(text="Esc: cancel")
