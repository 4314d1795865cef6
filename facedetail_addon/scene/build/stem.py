# SPDX-License-Identifier: GPL-3.0-or-later
"""The beginning of the names of all that belongs to a head: its photo's name, as far as Blender has room for it."""

from ...core.face_model.model import FaceModel
from ...core.result.maps import MAPS
from ...names import COLLECTION_PREFIX, LOOKDEV_SUFFIX, ROOT_PART, SKIN_PART

_MAX_NAME = 63
"""Bytes of UTF-8 that Blender keeps of a name (255 since Blender 5.0, whose files older Blenders open too)."""
_NUMBER = len(".001")
_GAP = "…"


def name_stem(photo_stem: str, model: FaceModel) -> str:
    """A photo's name without its ending; of a long one its beginning and its end, so that no two names of a head are
    cut to the same."""
    room = _MAX_NAME - _NUMBER - max(len(name.encode()) for name in _names_without_stem(model))
    data = photo_stem.encode("utf-8", "replace")
    if len(data) <= room:
        return photo_stem
    kept = room - len(_GAP.encode())
    end = kept // 3
    return data[: kept - end].decode("utf-8", "ignore") + _GAP + data[-end:].decode("utf-8", "ignore")


def _names_without_stem(model: FaceModel) -> list[str]:
    """What is added to the stem by the build, a contact sheet and an export."""
    materials = [f" {part.name} {kind}" for part in model.parts for kind in part.materials]
    return [
        *materials,
        *(f" {spec.label}" for spec in MAPS),
        f"{COLLECTION_PREFIX} ",
        f" {ROOT_PART} {LOOKDEV_SUFFIX}",
        f" {SKIN_PART} {SKIN_PART} inside",
    ]
