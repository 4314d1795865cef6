# SPDX-License-Identifier: GPL-3.0-or-later
"""The selected head: what operators and panels ask of the selection."""

import bpy

from .. import session
from ..scene.head_object import LINKED_REMEDY, HeadObject

NO_HEAD = "Select a head first."


def active_head(context: bpy.types.Context) -> HeadObject | None:
    """The head that the active object belongs to, or that a rig moves which is active, selected or not."""
    return HeadObject.of(context.active_object) or HeadObject.moved_by(context.active_object)


def selected_head(context: bpy.types.Context) -> HeadObject | None:
    """The head of the active object, which is selected: whichever of the head's objects it is, or the head's rig."""
    item = context.active_object
    return active_head(context) if item is not None and item.select_get() else None


def linked_text(head: HeadObject) -> str:
    """Why a head from another file cannot be changed, and what to do."""
    return f"This head is linked from {head.linked_file}. {LINKED_REMEDY}"


def change_problem(head: HeadObject | None) -> str:
    """Why nothing of a head can be changed; empty where it can."""
    if head is None:
        return NO_HEAD
    return "" if head.linked_file is None else linked_text(head)


def refit_problem(context: bpy.types.Context, head: HeadObject | None) -> str:
    """Why a head cannot be given another fit now; empty where it can."""
    problem = change_problem(head)
    if not problem and session.current().edit is not None:
        problem = "A fit is being edited: Enter keeps it, Esc leaves it."
    if not problem and context.mode != "OBJECT":
        problem = "A fit is edited in Object Mode."
    return problem


def allowed(operator: type[bpy.types.Operator], problem: str) -> bool:
    """What an operator's poll says of a problem, which its button tells; there is none where it is empty."""
    if problem:
        operator.poll_message_set(problem)
    return not problem


def expression_problem(context: bpy.types.Context, head: HeadObject | None, lacking: str) -> str:
    """Why the sliders of a head cannot be set now; empty where they can; ``lacking``: what else it lacks, or empty."""
    if head is None:
        return NO_HEAD
    if head.keys is None:
        return head.losses[0]
    if lacking:
        return lacking
    if not head.keeps_expression:
        return linked_text(head)
    return "" if context.mode == "OBJECT" else "The expression is set in Object Mode."


def selected_emotion(context: bpy.types.Context) -> tuple[str, float] | None:
    """What was found in the photo of the selected head: a word and its probability."""
    head = selected_head(context)
    return None if head is None else head.emotion


def selected_keys(context: bpy.types.Context) -> bpy.types.Key | None:
    """The shape keys that move the selected head; None without one, or where it has lost them."""
    head = selected_head(context)
    return None if head is None else head.keys


def selected_relief(context: bpy.types.Context) -> bpy.types.PropertyGroup | None:
    """The sliders of the relief of the selected head; None without one, or where it has none."""
    head = selected_head(context)
    sliders = None if head is None else head.relief_settings
    return sliders if sliders is not None and sliders.skin is not None else None
