# SPDX-License-Identifier: GPL-3.0-or-later
"""One door for all formats of face models: what a file holds decides, not its name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import FaceModelError
from ...io.archive import NPZ_MAGIC
from ..external import ExternalModel
from . import bfm_2009, hdf5
from .bfm_hdf5 import read_bfm_hdf5
from .ict_npz import read_ict_npz
from .ict_obj import NEUTRAL, ict_obj_files, kit_folder, read_ict_obj
from .source import Progress, digest

_KNOWN = (
    "Choose a Basel Face Model of 2017 or 2019 (.h5) or of 2009 (01_MorphableModel.mat), the folder FaceXModel of "
    "ICT-FaceKit, or ICT-FaceKit packed as npz."
)
_HEAD_BYTES = 1024


@dataclass(frozen=True)
class _Format:
    """A reader, and which files it will read; both take the file, or the folder of the kit."""

    read: Callable[[Path, Progress], ExternalModel]
    files: Callable[[Path], list[Path]]


_KIT = _Format(read_ict_obj, ict_obj_files)
_BY_MAGIC = {
    hdf5.MAGIC: _Format(read_bfm_hdf5, lambda path: [path]),
    bfm_2009.MAGIC: _Format(bfm_2009.read_bfm_2009, bfm_2009.bfm_2009_files),
    NPZ_MAGIC: _Format(read_ict_npz, lambda path: [path]),
}


def read_external_model(path: Path, progress: Progress) -> ExternalModel:
    """Read a face model of any known format.

    Args:
        path: a file, or the folder of ICT-FaceKit, ``FaceXModel`` or the repository's.
        progress: called with a short text and the fraction done.

    Raises:
        FaceModelError: the file is missing, of no known format, or what is wrong with it.
    """
    try:
        found, place = _format(path)
        return found.read(place, progress)
    except OSError as error:
        raise FaceModelError(f"{path} cannot be read: {error.strerror or error}.", _KNOWN) from error


def source_sha256(path: Path) -> str:
    """What :attr:`~..external.ExternalModel.source_sha256` of the model will be, without reading it.

    Raises:
        FaceModelError: the file is missing or of no known format.
    """
    try:
        found, place = _format(path)
        return digest(found.files(place))
    except OSError as error:
        raise FaceModelError(f"{path} cannot be read: {error.strerror or error}.", _KNOWN) from error


def _format(path: Path) -> tuple[_Format, Path]:
    """The format, and the path its reader wants."""
    path = path.parent if path.name == NEUTRAL else path
    if path.is_dir():
        folder = kit_folder(path)
        if folder is None:
            raise FaceModelError(f"{path} cannot be imported: it is a folder without {NEUTRAL}.", _KNOWN)
        return _KIT, folder
    if path.exists() and not path.is_file():  # a pipe would be waited for without end
        raise FaceModelError(f"{path} cannot be imported: it is not a file.", _KNOWN)
    with open(path, "rb") as stream:
        head = stream.read(_HEAD_BYTES)
    for magic, found in _BY_MAGIC.items():
        if head.startswith(magic):
            return found, path
    raise FaceModelError(f"{path} cannot be imported: {_guess(head)}.", _KNOWN)


def _guess(head: bytes) -> str:
    """What a file that is none of them seems to be."""
    if head.startswith(b"MATLAB 7.3"):
        return "it is a MATLAB 7.3 file; the model of 2009 is one of MATLAB 5"
    if head.startswith(b"\x80") and len(head) > 1 and head[1] <= 5:
        return "it is a Python pickle, which could run programs and is never read"
    if not head:
        return "it is empty"
    return "it is of no known format"
