# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain arrays in npz files, read without trusting them."""

import math
import os
import struct
import tokenize
import uuid
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

NPZ_MAGIC = b"PK\x03\x04"
_VERSIONS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
# What reading a damaged or hostile npz raises; RuntimeError is an encrypted or unknown kind of entry, and the errors of
# Python's grammar come from numpy, which parses headers of arrays with it.
BROKEN = (
    OSError, EOFError, AttributeError, TypeError, LookupError, ArithmeticError, RuntimeError, SyntaxError,
    tokenize.TokenError, struct.error, zipfile.BadZipFile, zlib.error, MemoryError,
)  # fmt: skip


def require_format(arrays: dict[str, np.ndarray], expected: int) -> None:
    """Raises ValueError where an npz file's ``format_version`` is another, KeyError where it has none."""
    if int(arrays["format_version"]) != expected:
        raise ValueError(f"format {int(arrays['format_version'])}, expected {expected}")


def with_names(arrays: dict[str, np.ndarray], names: dict[str, str]) -> dict[str, np.ndarray]:
    """The arrays of a file that was written when some things had other names.

    Args:
        names: today's name by the old one; any of the parts between the dots of a key.
    """
    return {".".join(names.get(part, part) for part in key.split(".")): array for key, array in arrays.items()}


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an npz file, whole or not at all; several may write the same one at once.

    Not compressed: floats hardly shrink, and such files are read more often than written. Until it is whole it has a
    hidden name with the id of this process, of :func:`discard_half_written_arrays`.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # What NumPy's own writer leaves open on a full disk complains later, on standard error.
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    npy.write_array(entry, np.asanyarray(array), allow_pickle=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def discard_half_written_arrays(folder: Path, process: int) -> None:
    """Tidy up after a process, by its id, that was killed in :func:`write_arrays`."""
    for path in folder.glob(f".*.{process}-*.partial"):
        path.unlink(missing_ok=True)


def read_arrays(path: Path, max_bytes: int = 1 << 30) -> dict[str, np.ndarray]:
    """Every array of an npz file; pickled objects are refused.

    Args:
        max_bytes: refuse files that declare more than so much data, before reading it.

    Raises:
        ValueError: the file is missing, is no npz, is cut short or damaged, too large, or holds pickles.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > max_bytes:
                raise ValueError("it is too large")
        with np.load(path, allow_pickle=False) as data:
            return {key: data[key] for key in data.files}
    except FileNotFoundError as error:
        raise ValueError("there is no such file") from error
    except BROKEN as error:
        raise ValueError(f"it is no npz file, or a damaged one ({error})") from error


def declared_arrays(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of every array of an npz file, from the headers, before any of their data is read.

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
