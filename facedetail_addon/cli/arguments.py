# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of the command line, and the settings that they make."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from ..paths import user_assets_directory
from ..settings import COMMAND_LINE, Option, SceneSettings, Settings, Value, options
from .cluster_link import AUTO, SENDING

RECONSTRUCT, SCENE = "reconstruct", "scene"
_MAX_JOBS = 64
_SCHEMES = ("tcp", "tls")
_HELP = {
    RECONSTRUCT: "write a result folder for each photo",
    SCENE: "write a result folder with scene.blend for each photo (needs Blender or its bpy module)",
}

Kind = TypeVar("Kind", Settings, SceneSettings)


def main_parser(program: str) -> argparse.ArgumentParser:
    """For ``python -m facedetail_addon``; the parsed ``action`` is ``RECONSTRUCT`` or ``SCENE``."""
    description = "One photo of a face becomes a posed head with its skin and its light."
    parser = argparse.ArgumentParser(program, description=description)
    actions = parser.add_subparsers(dest="action", required=True, metavar=f"{RECONSTRUCT}|{SCENE}")
    for action, text in _HELP.items():
        _add_arguments(actions.add_parser(action, help=text, description=_sentence(text)), action)
    return parser


def scene_parser(program: str, assets: Path | None) -> argparse.ArgumentParser:
    """For ``blender --command facedetail``, which takes the photos directly.

    Args:
        assets: the default folder with face models and weights; None: as for :func:`main_parser`.
    """
    parser = argparse.ArgumentParser(program, description=_sentence(_HELP[SCENE]))
    _add_arguments(parser, SCENE)
    parser.set_defaults(action=SCENE, **({"assets": assets} if assets else {}))
    return parser


def chosen(kind: type[Kind], arguments: argparse.Namespace, **others: Value) -> Kind:
    """The settings that the arguments make.

    Args:
        kind: which settings. others: values in the place of arguments, by the names of their options.
    """
    names = [option.name for option in options(kind, COMMAND_LINE)]
    return kind(**{name: getattr(arguments, name) for name in names} | others)


def flag_of(option: Option) -> str:
    """How an option is spelled on the command line."""
    return option.flag or "--" + option.name.replace("_", "-")


def _add_arguments(parser: argparse.ArgumentParser, action: str) -> None:
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="an image file with a face, or a folder of them")
    add("--output", required=True, type=Path, metavar="DIR", help="a folder; each photo gets DIR/<its name>/")
    text = "all photos named show one person, and so do those of each folder: one head from all of them"
    add("--one-person", action="store_true", help=text)
    text = "a file of pins that the head is to follow (pins.json of a result, or your own), for one photo or person"
    add("--pins", type=Path, metavar="FILE", help=text)
    add("--recursive", action="store_true", help="take the photos of folders in folders, too")
    text = "how many photos to do at once, each in a process of its own (default %(default)s)"
    add("--jobs", default=1, type=_number(int, 1, _MAX_JOBS), metavar="N", help=text)
    text = "do the photos on the workers of this Dask scheduler, in the place of this machine"
    add("--cluster", type=_scheduler, metavar="tcp://HOST:8786", help=text)
    text = (
        "with --cluster, how photos and results travel: as files, by paths of a shared folder, or as each worker needs"
    )
    add("--send", default=AUTO, choices=SENDING, help=text + " (default %(default)s)")
    add("--resume", action="store_true", help="leave out photos whose result with these settings is there already")
    text = "folder of imported face models and FAN's weights (default %(default)s)"
    add("--assets", default=user_assets_directory(), type=Path, metavar="DIR", help=text)
    for kind in (Settings, SceneSettings) if action == SCENE else (Settings,):
        for option in options(kind, COMMAND_LINE):
            _add_option(parser, option)
    add("--quiet", action="store_true", help="no progress and no warnings")
    add("--debug", action="store_true", help="show where an error comes from, and what libraries say; one job only")


def _add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    details = {"dest": option.name, "default": option.default, "help": option.flag_help or option.help}
    if isinstance(option.default, bool):
        action = argparse.BooleanOptionalAction if option.default else "store_true"
        parser.add_argument(flag_of(option), action=action, **details)
        return
    if option.choices:
        details |= {"type": type(option.values[0]), "choices": option.values}
    elif option.word_for_none:
        details["type"] = _index(option.word_for_none)
    elif option.minimum is not None:
        details["type"] = _number(type(option.default), option.minimum, option.maximum)
    parser.add_argument(flag_of(option), metavar=option.metavar, **details)


def _number(kind: type, minimum: float, maximum: float) -> Callable[[str], float]:
    """Parses a whole number (``int``) or any (``float``) of a range."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {minimum} to {maximum}")
        return value

    return parse


def _scheduler(text: str) -> str:
    """Parses the address of a Dask scheduler."""
    place = urlsplit(text)
    try:
        complete = place.scheme in _SCHEMES and place.hostname and place.port
    except ValueError:  # of the port
        complete = False
    if not complete or place.path:
        raise argparse.ArgumentTypeError(f"{text!r} is no address such as tcp://host:8786")
    return text


def _index(word_for_none: str) -> Callable[[str], int | None]:
    """Parses the word to None, ``1`` to 0."""

    def parse(text: str) -> int | None:
        if text == word_for_none:
            return None
        if not text.isdecimal() or int(text) < 1:
            raise argparse.ArgumentTypeError(f"{text!r} is neither {word_for_none!r} nor a number from 1")
        return int(text) - 1

    return parse


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
