# SPDX-License-Identifier: GPL-3.0-or-later
"""A reconstruction's maps as files' bytes, which Blender packs as they are; encoding is slow, and needs no Blender."""

from dataclasses import dataclass

from .exr import exr_bytes
from .result_files import png_bytes
from .results import Reconstruction


@dataclass(frozen=True)
class Pictures:
    """PNG of 8 bits (photo, albedo, roughness, specular) or 16 (normals); EXR of one float channel (heights, mm)."""

    photo: bytes
    albedo: bytes
    roughness: bytes
    specular: bytes
    displacement_medium: bytes
    displacement_fine: bytes
    normal: bytes
    normal_fine: bytes


_HEIGHTS = ("displacement_medium", "displacement_fine")


def encode_pictures(reconstruction: Reconstruction) -> Pictures:
    """The maps of a reconstruction, encoded; works in any thread. OSError when one cannot be encoded."""
    names = Pictures.__dataclass_fields__
    return Pictures(
        **{name: (exr_bytes if name in _HEIGHTS else png_bytes)(getattr(reconstruction, name)) for name in names}
    )
