# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights that ship: find them, verify them, explain what is missing."""

import hashlib
import json
from pathlib import Path

from ..errors import AssetError

WEIGHTS_DIR = Path(__file__).parent.parent / "weights"
INDEX_NAME = "index.json"
_REMEDY = "Install the FaceDetail extension again; its zip carries this file."


def find_weights(name: str, directory: Path = WEIGHTS_DIR) -> Path:
    """The path of a shipped weight file, its SHA-256 checked against ``weights/index.json``.

    Args:
        name: file name, e.g. ``"face_model.npz"``.
        directory: where to look.

    Raises:
        AssetError: the file or the index is missing, or the file differs from the index.
    """
    path = directory / name
    try:
        expected = json.loads((directory / INDEX_NAME).read_text(encoding="utf-8"))[name]["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetError(f"The index of weights {directory / INDEX_NAME} does not list {name}.", _REMEDY) from error
    if not path.is_file():
        raise AssetError(f"The weight file {path} is missing.", _REMEDY)
    if sha256(path) != expected:
        raise AssetError(f"The weight file {path} is damaged or of another version.", _REMEDY)
    return path


def register_weights(path: Path) -> None:
    """Write a new weight file's size and SHA-256 into the index beside it (build-time scripts call this)."""
    index_path = path.parent / INDEX_NAME
    index = json.loads(index_path.read_text(encoding="utf-8")) if index_path.exists() else {}
    index[path.name] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
    index_path.write_text(json.dumps(dict(sorted(index.items())), indent=2) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
