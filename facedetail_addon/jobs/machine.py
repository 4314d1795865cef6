# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine says of itself before it is given work: what has to be the same everywhere, and what it lacks.

Everything is plain data, because it goes to other machines, and is answered without loading torch or Blender.
"""

import hashlib
import json
import os
import socket
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import version
from pathlib import Path

from ..core.assets.shipped import INDEX_NAME, WEIGHTS_DIR
from ..core.assets.user import find_user_asset, places, user_asset
from ..core.errors import FaceModelError
from ..core.face_model.store import find_installed
from ..paths import site_directories, user_assets_directory
from ..requirements import NEEDED_BY_WORKER, missing_packages, torch_problem
from ..settings import BUILTIN, FAN_LANDMARKER

_PACKAGE = Path(__file__).parent.parent
_DIGITS = 8


@dataclass(frozen=True)
class Question:
    """What a machine is asked.

    Attributes:
        face_model, landmarker: as of settings. assets: the asking machine's folder of them. scene: Blender is needed.
        folder: where results go. token: the name of a file there, written for this question; what it holds.
        photos: a path of each folder with photos, and the file's size.
    """

    face_model: str
    landmarker: str
    assets: str
    scene: bool
    folder: str
    token: tuple[str, str]
    photos: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Answer:
    """What a machine says.

    Attributes:
        host: its name. identity: what has to be the same on all machines, see :func:`identity`.
        lacks: what keeps it from working, in a sentence; empty: nothing.
        sees: it reads the photos and writes the results by the paths that the asking machine uses.
    """

    host: str
    identity: dict[str, str]
    lacks: str
    sees: bool


def answer(question: Question) -> Answer:
    """What this machine says to the question."""
    return Answer(socket.gethostname(), identity(), _lacks(question), _sees(question))


def identity() -> dict[str, str]:
    """What results depend on, or what machines need to understand each other: names for people, short versions."""
    return {
        "Python": ".".join(map(str, sys.version_info[:2])),
        "Dask": version("distributed"),
        "FaceDetail": _fingerprint(sorted(_PACKAGE.rglob("*.py"))),
        "index of weights": _fingerprint([WEIGHTS_DIR / INDEX_NAME]),
    }


def assets_here(assets: str) -> Path:
    """The user's folder with face models and weights: the one that was named where it is seen, else this machine's."""
    return Path(assets) if Path(assets).is_dir() else user_assets_directory()


def _fingerprint(paths: list[Path]) -> str:
    """Of text files, by name and content; the same with the line ends of any system."""
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes().replace(b"\r\n", b"\n") if path.is_file() else b""
        digest.update(f"{path.relative_to(_PACKAGE).as_posix()} {len(content)} ".encode() + content)
    return digest.hexdigest()[:_DIGITS]


def _lacks(question: Question) -> str:
    folders = site_directories(sys.path)
    problem = missing_packages(NEEDED_BY_WORKER, folders) or torch_problem(folders, Path(sys.prefix))
    if problem is not None:
        return problem.message
    if question.scene and PathFinder.find_spec("bpy") is None:
        return "A scene needs Blender, and its Python has no bpy module."
    return _lacking_weights() or _lacking_assets(question)


def _lacking_weights() -> str:
    """By name and size alone: the content is checked when it is loaded."""
    try:
        index = json.loads((WEIGHTS_DIR / INDEX_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"{WEIGHTS_DIR / INDEX_NAME} cannot be read."
    for name, facts in index.items():
        path = WEIGHTS_DIR / name
        if not path.is_file() or path.stat().st_size != facts["bytes"]:
            return f"The weight file {path} is missing or damaged."
    return ""


def _lacking_assets(question: Question) -> str:
    assets = assets_here(question.assets)
    if question.landmarker == FAN_LANDMARKER:
        fan = user_asset(FAN_LANDMARKER)
        if find_user_asset(fan, places(fan, assets)) is None:
            return f"The weights of {fan.title} are not installed in {assets}."
    if question.face_model != BUILTIN:
        try:
            find_installed(question.face_model, assets)
        except FaceModelError as error:
            return error.message
    return ""


def _sees(question: Question) -> bool:
    folder, (name, text) = Path(question.folder), question.token
    try:
        return (
            (folder / name).read_text(encoding="ascii") == text
            and os.access(folder, os.W_OK)
            and all(Path(photo).stat().st_size == size for photo, size in question.photos)
        )
    except (OSError, ValueError):
        return False
