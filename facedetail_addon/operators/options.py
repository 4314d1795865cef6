# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as properties of Blender, and back."""

from collections.abc import Callable
from typing import TypeVar

import bpy

from ..settings import OPERATOR, Option, SceneSettings, Settings, Value, options

Kind = TypeVar("Kind", Settings, SceneSettings)


def with_options(place: str) -> Callable[[type], type]:
    """Gives a class of operators or property groups a property for each option that is offered in that place."""

    def add(cls: type) -> type:
        for kind in (Settings, SceneSettings):
            for option in options(kind, place):
                # An operator that is called again begins with its last choice.
                forgets = place == OPERATOR and not option.remembered
                cls.__annotations__[option.name] = _property(option, {"SKIP_SAVE"} if forgets else {"ANIMATABLE"})
        return cls

    return add


def chosen(kind: type[Kind], properties: bpy.types.bpy_struct) -> Kind:
    """The settings that the operator's properties make.

    Args:
        kind: which settings. properties: of the operator, or any that has properties of the same names.
    """
    return kind(**{one.name: value_of(one, getattr(properties, one.name)) for one in options(kind, OPERATOR)})


def shown(option: Option, value: Value) -> str | int | float | bool:
    """An option's value as that of its property."""
    if option.choices:
        return str(value)
    if option.word_for_none:
        return 0 if value is None else value + 1
    return value


def value_of(option: Option, shown: str | int | float | bool) -> Value:
    """The opposite of :func:`shown`."""
    if option.choices:
        return next(value for value in option.values if str(value) == shown)
    if option.word_for_none:
        return shown - 1 if shown else None
    return shown


def _property(option: Option, flags: set[str]) -> object:
    """What Blender makes a property of when the class is registered; ``flags``: Blender's own options of properties."""
    default = shown(option, option.default)
    details = {"name": option.label, "description": option.help, "default": default, "options": flags}
    if option.choices:
        items = [(str(choice.value), choice.label, choice.description) for choice in option.choices]
        return bpy.props.EnumProperty(items=items, **details)
    if isinstance(default, bool):
        return bpy.props.BoolProperty(**details)
    if isinstance(default, str):
        return bpy.props.StringProperty(**details)
    lowest = default if option.word_for_none else option.minimum
    highest = {"max": option.maximum, "soft_max": option.soft_maximum}
    limits = {name: shown(option, limit) for name, limit in highest.items() if limit is not None}
    number = bpy.props.FloatProperty if isinstance(default, float) else bpy.props.IntProperty
    return number(min=lowest, **limits, **details)
