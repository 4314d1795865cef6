# SPDX-License-Identifier: GPL-3.0-or-later
"""A reconstruction's maps as the bytes of files, which Blender packs as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import OutputError
from ..io.exr import exr_bytes, is_zero
from ..io.images import REMEDY, decode_png, png_bytes, png_size
from .maps import MAPS, map_spec
from .record import MORE_PHOTOS

_PACKED = tuple(spec for spec in MAPS if spec.packed)
_UNSEEN = "displacement_unseen"
_MOST_SHARE = 4096  # texels a side of a share of the relief, which is soft
_PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class Pictures:
    """Files of the maps that Blender packs.

    Attributes:
        files: by the maps' names, each as :data:`~.maps.MAPS` says; without optional ones that a result lacks.
        has_relief: whether any height is not zero. has_unseen: whether any is of skin that the photo does not show.
        more_photos: PNGs of other photos of the same person, in their order.
    """

    files: Mapping[str, bytes]
    has_relief: bool
    has_unseen: bool = False
    more_photos: tuple[bytes, ...] = ()


def encode_pictures(maps: Mapping[str, np.ndarray], more_photos: Sequence[np.ndarray] = ()) -> Pictures:
    """The maps of a reconstruction, and (H, W, 3) uint8 photos, encoded; takes a second. OSError when one cannot be."""
    return Pictures(
        {spec.name: (exr_bytes if spec.is_height else png_bytes)(maps[spec.name]) for spec in _PACKED},
        has_relief=any(maps[spec.name].any() for spec in _PACKED if spec.is_height),
        has_unseen=bool(maps[_UNSEEN].any()),
        more_photos=tuple(map(png_bytes, more_photos)),
    )


def read_pictures(folder: Path) -> Pictures:
    """The maps of a result folder as they lie there; no pixel is decoded, only sizes and ends are looked at.

    Raises:
        OutputError: a file is missing, cut short, or no picture of the others' size.
    """
    try:
        there = [spec for spec in _PACKED if not spec.optional or (folder / spec.file).exists()]
        files = {spec.name: (folder / spec.file).read_bytes() for spec in there}
        shapes = {spec.name: _png_shape(files[spec.name]) for spec in there if not spec.is_height}
        if len({shapes[spec.name] for spec in there if spec.square and not spec.is_height}) > 1:
            raise ValueError("the maps differ in size")
        more = tuple((folder / name).read_bytes() for name in MORE_PHOTOS if (folder / name).exists())
        for data in more:
            _png_shape(data)
        flat = {spec.name: is_zero(files[spec.name], shapes["albedo"]) for spec in there if spec.is_height}
    except OSError as error:
        raise OutputError(f"{error.filename} cannot be read: {error.strerror or error}.", REMEDY) from error
    except ValueError as error:
        raise OutputError(f"{folder} holds pictures that cannot be: {error}.", REMEDY) from error
    return Pictures(files, not all(flat.values()), not flat.get(_UNSEEN, True), more)


def decode_share(pictures: Pictures, name: str) -> np.ndarray:
    """(H, W) float32, 0 to 1, of an optional map that holds a share; zero where the result lacks it.

    Raises:
        OutputError: it is damaged, of another kind, or larger than 4096 texels a side.
    """
    if name not in pictures.files:
        return np.zeros((1, 1), np.float32)
    data = pictures.files[name]
    try:
        if max(png_size(data)) > _MOST_SHARE:
            raise ValueError("it is too large")
        share = decode_png(data)
        if share.ndim != 2 or share.dtype != np.uint8:
            raise ValueError("its kind is another")
    except ValueError as error:
        raise OutputError(f"{map_spec(name).file} is no map of a result: {error}.", REMEDY) from error
    return share.astype(np.float32) / 255


def _png_shape(data: bytes) -> tuple[int, int]:
    """(H, W). ValueError when it is no whole PNG of a usable size."""
    if not data.endswith(_PNG_END):
        raise ValueError("a PNG is cut short, or is none")
    return png_size(data)
