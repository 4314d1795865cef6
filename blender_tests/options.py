# SPDX-License-Identifier: GPL-3.0-or-later
"""All options, for tests that walk the places derived from them."""

from facedetail_addon.settings import Option, SceneSettings, Settings, Value, options

ALL = [(kind, option) for kind in (Settings, SceneSettings) for option in options(kind)]
IDS = [option.name for _, option in ALL]


def another(option: Option) -> Value:
    """A value that the option may have, and not its default."""
    if option.choices:
        return next(value for value in option.values if value != option.default)
    if isinstance(option.default, bool):
        return not option.default
    if option.minimum is None:
        return "another"
    return 1 if option.word_for_none else option.maximum


def with_another(kind: type, option: Option) -> Settings | SceneSettings:
    """Settings that differ from the defaults in one option."""
    return kind(**{option.name: another(option)})
