# SPDX-License-Identifier: GPL-3.0-or-later
"""The maps of a result: one table for writing, reading, packing and showing them.

A new map is one line here, and the stage that makes it.
"""

from dataclasses import dataclass

import numpy as np

from ..detail.types import EXPRESSION_GROUPS

SRGB, DATA = "sRGB", "data"
"""Colour spaces: a colour to look at, or numbers that nothing may convert."""


@dataclass(frozen=True)
class MapSpec:
    """One map of a :class:`~.record.Reconstruction`.

    Attributes:
        name: its key.
        label: after the photo's name, what Blender's image is called.
        file: its name in the result folder; the suffix tells the format, PNG or OpenEXR.
        channels: 1, (R, R), or 3, (R, R, 3).
        dtype: of the array in memory. stored: of the file; floats of 0 to 1 are stored as whole numbers.
        colour_space: ``SRGB`` or ``DATA``.
        unit: of a value of 1, or of the largest whole number.
        limit: largest absolute value of a float map.
        packed: Blender packs it.
        square: it lies in the canonical UV, as large as the albedo; else it is a picture of any size.
        optional: results from before it was made lack its file, and have nothing in it.
    """

    name: str
    label: str
    file: str
    channels: int
    dtype: type
    stored: type
    colour_space: str
    unit: str
    limit: float = 1.0
    packed: bool = True
    square: bool = True
    optional: bool = False

    @property
    def is_height(self) -> bool:
        """Whether it is a float map, stored as OpenEXR."""
        return self.file.endswith(".exr")

    @property
    def kind(self) -> str:
        """Of its pixels in the file, for people: ``16-bit grey``."""
        return f"{8 * np.dtype(self.stored).itemsize}-bit {'grey' if self.channels == 1 else 'RGB'}"

    def nothing(self, side: int) -> np.ndarray:
        """What the map of a result from before it was made would be: zeros, or normals of a smooth surface."""
        shape = (side, side) if self.square else (1, 1)
        return np.zeros(shape, self.stored) if self.channels == 1 else np.full((*shape, 3), FLAT_NORMAL, self.stored)


MAX_DISPLACEMENT_MM = 20.0
FLAT_NORMAL = (32768, 32768, 65535)
"""Of 16 bit: the smooth surface's own."""
_U8, _U16, _F32 = np.uint8, np.uint16, np.float32
MAPS = (
    MapSpec("photo", "photo", "photo.png", 3, _U8, _U8, SRGB, "the photo, upright", square=False),
    MapSpec("albedo", "albedo", "albedo.png", 3, _U8, _U8, SRGB, "diffuse reflectance"),
    MapSpec("roughness", "roughness", "roughness.png", 1, _U8, _U8, DATA, "GGX roughness; its square is α"),
    MapSpec("specular", "specular", "specular.png", 1, _U8, _U8, DATA, "Blender's Specular IOR Level"),
    MapSpec(
        "displacement_medium",
        "medium relief",
        "displacement_medium.exr",
        1,
        _F32,
        _F32,
        DATA,
        "mm",
        MAX_DISPLACEMENT_MM,
    ),
    MapSpec(
        "displacement_fine", "fine relief", "displacement_fine.exr", 1, _F32, _F32, DATA, "mm", MAX_DISPLACEMENT_MM
    ),
    MapSpec("normal", "normal", "normal.png", 3, _U16, _U16, DATA, "tangent space, 65535 = 1"),
    MapSpec("normal_fine", "fine normal", "normal_fine.png", 3, _U16, _U16, DATA, "tangent space, 65535 = 1"),
    MapSpec(
        "displacement_unseen",
        "unseen relief",
        "displacement_unseen.exr",
        1,
        _F32,
        _F32,
        DATA,
        "mm",
        MAX_DISPLACEMENT_MM,
        optional=True,
    ),
    MapSpec(
        "normal_unseen",
        "unseen normal",
        "normal_unseen.png",
        3,
        _U16,
        _U16,
        DATA,
        "tangent space, 65535 = 1",
        optional=True,
    ),
    MapSpec(
        "confidence",
        "confidence",
        "confidence.png",
        1,
        _F32,
        _U16,
        DATA,
        "1 seen straight on, 0 filled in",
        packed=False,
    ),
    MapSpec(
        "hair",
        "hair",
        "hair.png",
        1,
        _U8,
        _U8,
        DATA,
        "the photo shows hair",
        packed=False,
        square=False,
        optional=True,
    ),
    *(
        MapSpec(
            f"expression_{name}",
            f"{name} share",
            f"expression_{name}.png",
            1,
            _U8,
            _U8,
            DATA,
            "the relief is the expression's",
            square=False,
            optional=True,
        )
        for name in EXPRESSION_GROUPS
    ),
)
"""In canonical UV, row 0 at the top, but for the photo. Hair and shares of the expression are soft, and so small."""


def map_spec(name: str) -> MapSpec:
    """The line of the table; KeyError where there is none."""
    return {spec.name: spec for spec in MAPS}[name]


def check_maps(maps: dict[str, np.ndarray]) -> None:
    """Raises ValueError where maps are not those of the table, each of its kind and in canonical UV of one size."""
    if set(maps) != {spec.name for spec in MAPS}:
        raise ValueError(f"the maps are {sorted(maps)}")
    side = maps["albedo"].shape[0]
    for spec in MAPS:
        array = maps[spec.name]
        shape = (side, side) if spec.square else array.shape[:2]
        wanted = shape if spec.channels == 1 else (*shape, spec.channels)
        if array.shape != wanted or array.ndim < 2 or array.dtype != spec.dtype:
            kind = f"{np.dtype(spec.dtype).name} of {spec.channels} channels"
            raise ValueError(f"{spec.file} is not {kind}" + (" and of the albedo's size" if spec.square else ""))
