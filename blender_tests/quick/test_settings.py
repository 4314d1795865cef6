# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option is in all places derived from it, and as it says; Blender's are in operators/test_options.py."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import facedetail_addon
from blender_tests.options import ALL, IDS, another, with_another
from facedetail_addon.cli.arguments import RECONSTRUCT, SCENE, chosen, flag_of, main_parser
from facedetail_addon.cli.batch import JobSpecification, Task
from facedetail_addon.cli.run_log import settings_hash
from facedetail_addon.core.result.files import EXPORT_FILES
from facedetail_addon.jobs.messages import MessageError, Reconstruct, WriteScene, parse_line, to_line
from facedetail_addon.settings import (
    COMMAND_LINE,
    EVERYWHERE,
    EXPRESSION_SOURCES,
    OPERATOR,
    PANEL,
    SceneSettings,
    Settings,
    option_of,
    options,
)

every_option = pytest.mark.parametrize(("kind", "option"), ALL, ids=IDS)
FILES = ("photo.jpg", "out", "assets")


def wrong(option) -> object:
    """A value that the option may not have."""
    if option.choices or isinstance(option.default, bool):
        return "no such value"
    return 7 if option.minimum is None else option.minimum - 1


def parsed(action: str, *arguments: str):
    return main_parser("facedetail").parse_args([action, "photo.jpg", "--output", "out", *arguments])


def spelled(option, value) -> list[str]:
    """As it is typed on the command line."""
    if isinstance(value, bool):
        return [flag_of(option)]
    if option.word_for_none:
        return [flag_of(option), option.word_for_none if value is None else str(value + 1)]
    return [flag_of(option), str(value)]


@every_option
def test_an_option_explains_itself_and_checks_its_values(kind, option):
    assert option.label and option.help and set(option.places) <= set(EVERYWHERE)
    assert OPERATOR in option.places or PANEL not in option.places, "the panel hands its choice to the operator"
    assert all(choice.label and choice.description for choice in option.choices)
    assert len(set(option.values)) == len(option.choices)
    for value in (option.default, another(option), *option.values):
        assert getattr(kind(**{option.name: value}), option.name) == value
    with pytest.raises(ValueError, match=f"^{option.name} must be .*{wrong(option)!r}"):
        kind(**{option.name: wrong(option)})


@every_option
def test_the_command_line_takes_it(kind, option, capsys):
    if COMMAND_LINE not in option.places:
        with pytest.raises(SystemExit):
            parsed(SCENE, flag_of(option))
        return
    assert chosen(kind, parsed(SCENE)) == kind()
    values = (another(option), *option.values, *([option.default] if option.word_for_none else []))
    for value in values:
        assert chosen(kind, parsed(SCENE, *spelled(option, value))) == kind(**{option.name: value})
    for action in (RECONSTRUCT, SCENE):
        with pytest.raises(SystemExit):
            parsed(action, "--help")
        told = re.search(rf"{flag_of(option)}(?![\w-])", capsys.readouterr().out) is not None
        assert told == (action == SCENE or kind is Settings)
    if not isinstance(option.default, bool | str) or option.choices:
        with pytest.raises(SystemExit) as left:
            parsed(SCENE, flag_of(option), str(wrong(option)))
        assert left.value.code == 2


@every_option
def test_a_request_carries_it(kind, option):
    changed = with_another(kind, option)
    given = {"settings" if kind is Settings else "scene": changed}
    (name,) = given
    request = WriteScene(1, *FILES, **given)
    assert parse_line(to_line(request)) == request != WriteScene(1, *FILES)
    if kind is Settings:
        assert parse_line(to_line(Reconstruct(1, *FILES, changed))) == Reconstruct(1, *FILES, changed)
    fields = json.loads(to_line(request))
    assert fields[name] == dataclasses.asdict(changed)
    for refused in (wrong(option), ["a list"]):
        with pytest.raises(MessageError, match=option.name):
            parse_line(json.dumps({**fields, name: {**fields[name], option.name: refused}}))


@every_option
def test_a_run_of_the_command_line_hands_it_on_and_knows_it_again(kind, option):
    changed = with_another(kind, option)
    before = JobSpecification(Settings(), Path("assets"), SceneSettings())
    after = dataclasses.replace(before, **{"settings" if kind is Settings else "scene": changed})
    assert settings_hash(after) != settings_hash(before)
    request = after.kind(job=1, **after.fields_of(Task(1, Path("photo.jpg"), Path("out"), None)))
    assert changed in (request.settings, request.scene)


def test_models_are_loaded_anew_where_the_option_says_so():
    for option in options(Settings):
        assert (with_another(Settings, option).loading_key() != Settings().loading_key()) == option.loads, option.name
    assert not any(option.loads for option in options(SceneSettings)), "a scene needs no models of its own"


def test_stages_know_the_choices():
    assert option_of(Settings, "expression").values == EXPRESSION_SOURCES
    assert option_of(SceneSettings, "export").values == tuple(EXPORT_FILES)


def test_options_and_messages_load_without_any_package():
    """The worker says what is missing before it has anything."""
    home = str(Path(facedetail_addon.__file__).parent.parent)
    program = f"import sys; sys.path.insert(0, {home!r}); import facedetail_addon.jobs.messages"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)
