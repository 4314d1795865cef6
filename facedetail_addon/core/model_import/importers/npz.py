# SPDX-License-Identifier: GPL-3.0-or-later
"""What an npz file declares, read from the headers of its arrays before any of their data."""

import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from ...io.archive import BROKEN

MAGIC = b"PK\x03\x04"
_VERSIONS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def declared_arrays(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of every array.

    Raises:
        ValueError: the file is no npz, is damaged, holds pickled objects, or an array declares more than its entry has.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {entry.filename.removesuffix(".npy"): _header(archive, entry) for entry in archive.infolist()}
    except (ValueError, *BROKEN) as error:
        raise ValueError(f"it is no npz file of plain arrays ({error})") from error


def _header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(entry) as stream:
        version = npy.read_magic(stream)
        if version not in _VERSIONS:
            raise ValueError(f"{entry.filename} has the unknown version {version}")
        shape, _, dtype = _VERSIONS[version](stream)
        if dtype.hasobject:
            raise ValueError(f"{entry.filename} holds pickled objects, which are never read")
        if min(shape, default=0) < 0 or stream.tell() + math.prod(shape) * dtype.itemsize != entry.file_size:
            raise ValueError(f"{entry.filename} declares {dtype} {shape}, which is not the size it has")
        return shape, dtype
