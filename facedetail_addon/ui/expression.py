# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression sliders of the selected head: the skin's shape keys, by the parts of the face."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import bpy

from ..names import (
    EXPRESSION_CHOICES,
    LIMIT_KEY,
    OP_EXPRESSION,
    OP_LIVE_LINK,
    OP_POSE,
    OP_RIG,
    PANEL_CATEGORY,
    SETTINGS_PROPERTY,
)
from ..operators.pose import is_posed
from ..operators.selection import selected_head, selected_keys
from .found import found_expression

_GROUPS = (
    ("Brows", ("brow",)),
    ("Gaze", ("eyeLook",)),
    ("Eyelids", ("eye",)),
    ("Cheeks and Nose", ("cheek", "nose")),
    ("Jaw", ("jaw",)),
    ("Mouth", ("mouth",)),
    ("Tongue", ("tongue",)),
)
"""Parts of the face, and how the names of their expressions begin; the first that fits counts."""
_OTHERS = "Others"
_SIDES = ("Right", "Left")
"""As they are seen on a face from the front, from the left of the picture to the right."""
_LABEL_SHARE = 0.36


@dataclass(frozen=True)
class Slider:
    """One line of sliders.

    Attributes:
        text: its label. keys: names of one shape key, or of two: of the face's right and left side.
    """

    text: str
    keys: tuple[str, ...]


def slider_groups(names: Iterable[str]) -> dict[str, tuple[Slider, ...]]:
    """Expressions by the parts of the face, without empty parts; what has no known name comes last.

    Args:
        names: of shape keys, such as ``browOuterUpLeft``.
    """
    names = list(names)
    groups: dict[str, list[Slider]] = {title: [] for title, _ in _GROUPS} | {_OTHERS: []}
    for name in names:
        title, beginning = _group_of(name)
        pair = _pair_of(name, beginning, names)
        if pair is None:
            whole = " Both" if all(name + side in names for side in _SIDES) else ""
            groups[title].append(Slider(_words(name, beginning) + whole, (name,)))
        elif name == next(key for key in names if key in pair):
            groups[title].append(Slider(_words(pair[0].removesuffix(_SIDES[0]), beginning), pair))
    return {title: tuple(sliders) for title, sliders in groups.items() if sliders}


def _group_of(name: str) -> tuple[str, str]:
    for title, beginnings in _GROUPS:
        for beginning in beginnings:
            if re.match(rf"{beginning}(?![a-z])", name):
                return title, beginning
    return _OTHERS, ""


def _pair_of(name: str, beginning: str, names: list[str]) -> tuple[str, ...] | None:
    """The names for both sides of the face; None where there is but one: ``jawLeft`` goes left, and is no side."""
    for side in _SIDES:
        stem = name.removesuffix(side)
        if beginning and stem not in (name, beginning):
            pair = tuple(stem + either for either in _SIDES)
            return pair if set(pair) <= set(names) else None
    return None


def _words(name: str, beginning: str) -> str:
    """``browOuterUp`` is *Outer Up* among the brows; where a group has two parts of the face, they are named."""
    if not beginning:
        return name
    alone = any(beginnings == (beginning,) for _, beginnings in _GROUPS)
    rest = (name.removeprefix(beginning) if alone else name) or name
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", rest)
    return words[:1].upper() + words[1:]


class FACEDETAIL_PT_expression(bpy.types.Panel):
    """Expression and gaze of the selected head."""

    bl_label = "Expression"
    bl_category = PANEL_CATEGORY
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_parent_id = "FACEDETAIL_PT_reconstruct"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return selected_keys(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        keys = selected_keys(context)
        found = found_expression(context)
        if found:
            layout.label(text=found)
        buttons = layout.row(align=True)
        for value, text in EXPRESSION_CHOICES:
            buttons.operator(OP_EXPRESSION, text=text).expression = value
        posing = layout.row(align=True)
        posing.operator(OP_POSE, icon="POSE_HLT", depress=is_posed(selected_head(context)))
        posing.prop(getattr(context.scene, SETTINGS_PROPERTY), "pose_while_playing", toggle=True)
        more = layout.row(align=True)
        more.operator(OP_LIVE_LINK, icon="IMPORT")
        more.operator(OP_RIG, icon="ARMATURE_DATA")
        shown = [key.name for key in keys.key_blocks[1:] if key.name != LIMIT_KEY]
        for title, sliders in slider_groups(shown).items():
            header, body = layout.panel(f"facedetail_expression_{title}", default_closed=True)
            header.label(text=title)
            if body is not None:
                draw_sliders(body, keys, sliders)


def draw_sliders(layout: bpy.types.UILayout, keys: bpy.types.Key, sliders: tuple[Slider, ...]) -> None:
    """A line for each: its label, and one slider or the right and the left side's."""
    lines = layout.column(align=True)
    if any(len(slider.keys) > 1 for slider in sliders):
        heads = _line(lines, "")
        heads.active = False
        for side in _SIDES:
            head = heads.row()
            head.alignment = "CENTER"
            head.label(text=side)
    for slider in sliders:
        values = _line(lines, slider.text)
        for name in slider.keys:
            values.prop(keys.key_blocks[name], "value", text="", slider=True)


def _line(lines: bpy.types.UILayout, text: str) -> bpy.types.UILayout:
    line = lines.split(factor=_LABEL_SHARE, align=True)
    line.label(text=text)
    return line.row(align=True)
