# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that Unreal and Unity take as they are: letters, digits and underscores, kinds of assets by their prefix."""

import re
import unicodedata

import bpy

from ...names import EXPORT_NAME_PROPERTY
from ..rig.bones import EYE_BONES, HEAD_BONE, JAW_BONE, NECK_BONE

ROOT_BONE = "root"
BONES = {
    NECK_BONE: "neck_01",
    HEAD_BONE: "head",
    JAW_BONE: "jaw",
    EYE_BONES["eye_left"]: "eye_l",
    EYE_BONES["eye_right"]: "eye_r",
}
"""By the names of the rig that artists get. Unreal's mannequin has such names, and Unity's avatar finds them."""
ARMATURE = "Armature"
"""Unreal leaves an armature of this name, as Blender's files have one, out of the skeleton."""
_LONGEST = 32


def asset_stem(photo: str, density: str) -> str:
    """The beginning of all names of a head.

    Args:
        photo: its name in Blender. density: of the mesh.
    """
    plain = unicodedata.normalize("NFKD", photo).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:_LONGEST].strip("_")
    return f"{words or 'Head'}_{density}"


def part_name(part: str) -> str:
    """``eye_left`` is ``EyeLeft``."""
    return "".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", part))


def key_name(key: str) -> str:
    """ARKit's names as they are; of others the words without spaces."""
    words = re.split(r"[^A-Za-z0-9_]+", unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode())
    first, *others = [word for word in words if word] or ["key"]
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def call(item: bpy.types.ID, name: str, here: str = "") -> None:
    """Give a datablock a name that it has in exported files, too, even where Blender adds a number to it.

    Args:
        here: its name in Blender where that is another.
    """
    item.name = here or name
    item[EXPORT_NAME_PROPERTY] = name
