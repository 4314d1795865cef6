# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender and its worker say to each other: frozen dataclasses, one JSON object per line, parsed strictly."""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass

from ..core.assets.user import UserAsset
from ..settings import SceneSettings, Settings


class MessageError(ValueError):
    """A line is not one of the known messages."""


@dataclass(frozen=True)
class Reconstruct:
    """Blender, or the command line, asks for one photo, or for one person by several.

    Attributes:
        job: number of the job, repeated in every answer.
        photo: path of the photo.
        output: folder in which the result folder is to be made.
        assets: the user's folder with face models and weights.
        settings: what the pipeline is asked for.
        more_photos: paths of others of the same person.
        name: of the result folder, that of the photo where empty.
        pins: what the head is to follow, as ``pins.json`` has it; empty: nothing.
    """

    job: int
    photo: str
    output: str
    assets: str
    settings: Settings = Settings()
    more_photos: tuple[str, ...] = ()
    name: str = ""
    pins: str = ""


@dataclass(frozen=True)
class UpdateSkin:
    """Blender asks for light, skin and relief of a result's head as other pins have it; the result is replaced.

    Attributes:
        folder: of the result. assets: the user's folder with face models and weights.
        pins: as ``pins.json`` has them. key: by which the right result is known.
    """

    job: int
    folder: str
    assets: str
    pins: str
    key: str


@dataclass(frozen=True)
class WriteScene(Reconstruct):
    """The command line asks for one photo with its Blender scene; ``scene``: what is made of that."""

    scene: SceneSettings = SceneSettings()


@dataclass(frozen=True)
class ImportModel:
    """Blender asks to install the face model of a file or folder, ``source``, in the user's folder ``assets``."""

    job: int
    assets: str
    source: str


@dataclass(frozen=True)
class Download:
    """Blender asks for a download that the user has agreed to; ``online``: the network may be used."""

    job: int
    assets: str
    asset: UserAsset
    online: bool


@dataclass(frozen=True)
class InstallFile:
    """Blender asks to install weights that the user has as a file, ``source``."""

    job: int
    assets: str
    asset: UserAsset
    source: str


@dataclass(frozen=True)
class RenderHead:
    """Blender asks for pictures of one of its heads.

    Attributes:
        folder: holds the head's file; a contact sheet is written there.
        height: of a picture in pixels. samples: of Cycles for each pixel.
        frames: of a turntable; 0: a contact sheet.
        film: the turntable is one film. output: the existing folder for a turntable's files.
    """

    job: int
    folder: str
    height: int
    samples: int
    frames: int = 0
    film: bool = True
    output: str = ""


@dataclass(frozen=True)
class FindFaces:
    """Blender asks for small pictures of the faces of a photo in ``folder``."""

    job: int
    assets: str
    photo: str
    folder: str


@dataclass(frozen=True)
class Ready:
    """The worker has started and reads requests."""

    python: str


@dataclass(frozen=True)
class Progress:
    """A job has come to ``fraction`` (0 to 1) and now does ``stage``."""

    job: int
    stage: str
    fraction: float


@dataclass(frozen=True)
class Done:
    """A job is finished; ``path`` is what it has made: a result folder, a face model's folder, a file of weights,
    pictures."""

    job: int
    path: str


@dataclass(frozen=True)
class Failed:
    """A job cannot be done: what happened, and what to do about it."""

    job: int
    code: str
    message: str
    remedy: str


Request = Reconstruct | WriteScene | UpdateSkin | ImportModel | Download | InstallFile | RenderHead | FindFaces
Reply = Ready | Progress | Done | Failed
Message = Request | Reply


def to_line(message: Message) -> str:
    """One line of JSON with its newline."""
    fields = {"type": type(message).__name__, **dataclasses.asdict(message)}
    return json.dumps(fields, allow_nan=False) + "\n"


def parse_line(line: str) -> Message:
    """The message of one line.

    Raises:
        MessageError: not JSON, an unknown type, a missing, unknown or wrongly typed field, a setting's wrong value.
    """
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise MessageError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(fields, dict):
        raise MessageError(f"not an object: {line[:80]!r}")
    name = fields.pop("type", None)
    kind = next((k for k in typing.get_args(Message) if k.__name__ == name), None)
    if kind is None:
        raise MessageError(f"unknown message {name!r}")
    return _made(kind, fields)


def _made(kind: type, fields: dict) -> typing.Any:
    name, hints = kind.__name__, typing.get_type_hints(kind)
    if set(fields) != set(hints):
        raise MessageError(f"{name} has the fields {sorted(fields)}, expected {sorted(hints)}")
    values = {key: _checked(name, key, fields[key], hint) for key, hint in hints.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise MessageError(f"{name}: {error}") from error


def _checked(name: str, key: str, value: object, hint: object) -> object:
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _made(hint, value)
    if typing.get_origin(hint) is tuple and isinstance(value, list | tuple):
        kind = typing.get_args(hint)[0]
        return tuple(_checked(name, key, one, kind) for one in value)
    allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if type(value) in allowed:
        return value
    if float in allowed and type(value) is int:
        return float(value)
    raise MessageError(f"{name}.{key} is {value!r}, expected {hint}")
