# SPDX-License-Identifier: GPL-3.0-or-later
"""Datasets of HDF5 files, read without trusting them."""

from collections.abc import Iterator

import h5py
import numpy as np

from .source import Source

MAGIC = b"\x89HDF\r\n\x1a\n"
_KINDS = {"f": "floating-point numbers", "iu": "integers"}
# Deflate, shuffle, Fletcher's checksum and szip come with the library; others would be loaded from the user's disk.
_KNOWN_FILTERS = {1, 2, 3, 4}
_MAX_TEXT_BYTES = 1 << 20
_BLOCK_BYTES = 8 << 20
# What h5py raises when it reads a damaged file.
BROKEN = (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError)


def require_group(file: h5py.File, name: str, source: Source) -> h5py.Group:
    """A group that lies in the file itself.

    Raises:
        FaceModelError: it is missing, no group, or a link to elsewhere.
    """
    found = _find(file, name, source)
    if not isinstance(found, h5py.Group):
        raise source.refuse(f"it has no group {name}" if found is None else f"{name} is not a group")
    return found


def require_dataset(
    file: h5py.File, name: str, shape: tuple[int | None, ...], kind: str, source: Source
) -> h5py.Dataset:
    """A dataset whose declaration is right; nothing of it is read.

    Args:
        shape: None stands for any length.
        kind: numpy's letters, ``"f"`` or ``"iu"``.

    Raises:
        FaceModelError: it is missing, of another type or shape, keeps its data elsewhere, or has none.
    """
    dataset = _find_dataset(file, name, source)
    if dataset is None:
        raise source.refuse(f"it has no dataset {name}")
    if dataset.dtype.kind not in kind or dataset.dtype.itemsize not in (4, 8):
        raise source.refuse(f"{name} holds {dataset.dtype}, not {_KINDS[kind]} of 4 or 8 bytes")
    fits = len(dataset.shape) == len(shape) and all(
        want in (None, have) for want, have in zip(shape, dataset.shape, strict=True)
    )
    if not fits or 0 in dataset.shape:
        expected = " × ".join("any" if side is None else str(side) for side in shape)
        found = " × ".join(map(str, dataset.shape)) or "a single value"
        raise source.refuse(f"{name} is {found}, expected {expected}")
    # What was never written reads as zeros.
    stored = dataset.id.get_storage_size()
    if stored == 0 or (dataset.id.get_create_plist().get_nfilters() == 0 and stored < dataset.nbytes):
        raise source.refuse(f"{name} was not written completely")
    return dataset


def read_scalar(file: h5py.File, name: str, source: Source) -> float | None:
    """A number, alone or in an array of one; None where the file has none."""
    dataset = _find_dataset(file, name, source)
    if dataset is None:
        return None
    if dataset.size != 1 or dataset.dtype.kind not in "fiu":
        raise source.refuse(f"{name} is not one number")
    return float(np.asarray(dataset[()]).ravel()[0])


def read_text(file: h5py.File, name: str, source: Source) -> str | None:
    """A string, alone or in an array of one; None where the file has none."""
    dataset = _find_dataset(file, name, source)
    if dataset is None:
        return None
    if dataset.size != 1 or h5py.check_string_dtype(dataset.dtype) is None or dataset.nbytes > _MAX_TEXT_BYTES:
        raise source.refuse(f"{name} is not one text")
    value = dataset.asstr()[()]
    return str(np.asarray(value, object).ravel()[0])


def row_blocks(dataset: h5py.Dataset) -> Iterator[tuple[int, np.ndarray]]:
    """Consecutive rows of a matrix as they are stored, with the number of the first; each block a few megabytes."""
    rows = max(1, _BLOCK_BYTES // (dataset.dtype.itemsize * dataset.shape[1]))
    if dataset.chunks:
        rows = max(1, rows // dataset.chunks[0]) * dataset.chunks[0]
    for start in range(0, dataset.shape[0], rows):
        yield start, dataset[start : start + rows]


def _find_dataset(file: h5py.File, name: str, source: Source) -> h5py.Dataset | None:
    dataset = _find(file, name, source)
    if dataset is None:
        return None
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise source.refuse(f"{name} is not a dataset")
    if dataset.is_virtual or dataset.external:
        raise source.refuse(f"{name} keeps its data in another file")
    created = dataset.id.get_create_plist()
    if any(created.get_filter(index)[0] not in _KNOWN_FILTERS for index in range(created.get_nfilters())):
        raise source.refuse(f"{name} is compressed in an unusual way")
    return dataset


def _find(file: h5py.File, name: str, source: Source) -> h5py.Group | h5py.Dataset | h5py.Datatype | None:
    """What lies under a path of plain links; None where there is nothing."""
    found = file
    for step in name.split("/"):
        link = found.get(step, getlink=True) if isinstance(found, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise source.refuse(f"{name} is a link to another place")
        found = found[step]
    return found
