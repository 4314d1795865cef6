# SPDX-License-Identifier: GPL-3.0-or-later
"""Exported copies that are called what their originals are called, while these step aside.

Blender numbers what has a name that is taken, and exporters write such numbers.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ...names import EXPORT_NAME_PROPERTY

_ASIDE = "FaceDetail aside"


@contextmanager
def own_names(copies: bpy.types.Collection) -> Iterator[None]:
    """Let objects, meshes, materials and armatures of a collection have the names that they note, for a while.

    Args:
        copies: what is to be exported; what notes no name keeps its own.
    """
    changes: list[tuple[bpy.types.ID, str, bpy.types.ID | None, str]] = []
    try:
        for item in _noted(copies):
            wanted, before = item[EXPORT_NAME_PROPERTY], item.name
            if before == wanted:
                continue
            holder = _kin(item).get((wanted, None))
            changes.append((item, before, holder, wanted))
            if holder is not None:
                holder.name = _ASIDE
            item.name = wanted
        yield
    finally:
        for item, before, holder, wanted in reversed(changes):
            item.name = f"{_ASIDE} too"
            if holder is not None:
                holder.name = wanted
            item.name = before


def _noted(copies: bpy.types.Collection) -> list[bpy.types.ID]:
    found = []
    for item in copies.objects:
        data = [item.data] if item.data is not None else []
        materials = list(item.data.materials) if item.type == "MESH" else []
        found += [one for one in (item, *data, *materials) if one is not None and EXPORT_NAME_PROPERTY in one]
    return list(dict.fromkeys(found))


def _kin(item: bpy.types.ID) -> bpy.types.bpy_prop_collection:
    """All datablocks of an item's kind."""
    kinds = {"MESH": "meshes", "ARMATURE": "armatures", "MATERIAL": "materials", "OBJECT": "objects"}
    return getattr(bpy.data, kinds[item.id_type])
