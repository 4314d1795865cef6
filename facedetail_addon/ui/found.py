# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel says of the selected head."""

import bpy

from ..operators.selection import selected_emotion


def found_expression(context: bpy.types.Context) -> str:
    """The emotion found in the photo of the selected head, as ``In the photo: happy (93 %)``.

    Empty where no object of a head is selected, or the artist has changed the head's properties into something else.
    """
    found = selected_emotion(context)
    return "" if found is None else f"In the photo: {found[0]} ({100 * found[1]:.0f} %)"
