# SPDX-License-Identifier: GPL-3.0-or-later
"""Which head an object belongs to: by marks on the objects themselves, in older files by their parents.

All objects of a head have the same id, so rigs may become their parents, and the head's empty may be deleted. Blender
copies marks with the objects: of heads with the same id an object belongs to the one among its parents, else to the one
that lacks such a part, is in the same collection, or has the same number in its name.
"""

import re

import bpy

from ..names import EMOTION_PROPERTY, HEAD_ID_PROPERTY, HEAD_LIGHT_PROPERTY, PART_PROPERTY, SKIN_PART


def mark(item: bpy.types.Object, head_id: str, part: str) -> None:
    """Note on an object which head it belongs to and as which part."""
    item[HEAD_ID_PROPERTY], item[PART_PROPERTY] = head_id, part


def unmark(item: bpy.types.Object) -> None:
    """Take the head's mark off a copy."""
    if HEAD_ID_PROPERTY in item:
        del item[HEAD_ID_PROPERTY]


def id_of(item: bpy.types.Object) -> str | None:
    """The id of the head that an object was made for; None for objects of older files, and of the artist's own."""
    head_id = item.get(HEAD_ID_PROPERTY)
    return head_id if isinstance(head_id, str) else None


def part_of(item: bpy.types.Object) -> str:
    """Which part of a head an object was made as; empty where it does not say."""
    part = item.get(PART_PROPERTY)
    return part if isinstance(part, str) else ""


def is_root(item: bpy.types.Object) -> bool:
    """Whether an object is the empty of a head."""
    return item.type == "EMPTY" and _remembers(item)


def root_of(item: bpy.types.Object) -> bpy.types.Object | None:
    """What stands for the head that an object belongs to: its empty, or its skin where that is gone."""
    marked, nearest, above = None, None, item
    while above is not None:
        if marked is None and id_of(above) is not None:
            marked = above
        if is_root(above):
            nearest = nearest or above
            if marked is None or id_of(above) in (id_of(marked), None):
                return above
        above = above.parent
    found = None if marked is None else _marked_root(marked)
    return nearest if found is None else found


def heads_in(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """What stands for each head of a scene, as :func:`root_of` says."""
    remembering = [item for item in scene.objects if _remembers(item)]
    return [item for item in remembering if is_root(item) or root_of(item) == item]


def number_in(name: str) -> str:
    """What Blender adds to the names of duplicates, such as ``.001``."""
    return re.search(r"(\.\d+)?$", name)[0]


def _remembers(item: bpy.types.Object) -> bool:
    return HEAD_LIGHT_PROPERTY in item or EMOTION_PROPERTY in item


def _marked_root(item: bpy.types.Object) -> bpy.types.Object | None:
    """The root of a marked object that has no such root among its parents."""
    of_its_id = [other for other in bpy.data.objects if id_of(other) == id_of(item) and _remembers(other)]
    roots = [other for other in of_its_id if is_root(other)]
    skins = [other for other in of_its_id if part_of(other) == SKIN_PART and not _above(other, roots)]
    owners = _owners(skins, roots)
    if item in owners:
        return owners[item]
    carried = _above(item, skins)
    if carried:
        return owners[carried[0]]
    heads = list(dict.fromkeys([*roots, *owners.values()]))
    return min(heads, key=lambda head: _difference(item, head), default=None)


def _owners(skins: list[bpy.types.Object], roots: list[bpy.types.Object]) -> dict[bpy.types.Object, bpy.types.Object]:
    """The root of each skin that hangs on none: the most similar one without a skin, or the skin itself."""
    free = [root for root in roots if not any(part_of(child) == SKIN_PART for child in root.children)]
    pairs = [(_difference(skin, root), skin, root) for skin in skins for root in free]
    owners: dict[bpy.types.Object, bpy.types.Object] = {}
    for _, skin, root in sorted(pairs, key=lambda pair: pair[0]):
        if skin not in owners and root not in owners.values():
            owners[skin] = root
    return {skin: owners.get(skin, skin) for skin in skins}


def _above(item: bpy.types.Object, wanted: list[bpy.types.Object]) -> list[bpy.types.Object]:
    """Which of the objects are parents of an object, the nearest first."""
    found, above = [], item.parent
    while above is not None:
        found += [above] if above in wanted else []
        above = above.parent
    return found


def _difference(item: bpy.types.Object, head: bpy.types.Object) -> tuple[bool, bool, bool]:
    """What speaks against an object as a part of a head, the strongest first."""
    has_it = any(part_of(child) == part_of(item) for child in head.children)
    elsewhere = set(item.users_collection).isdisjoint(head.users_collection)
    return has_it, elsewhere, number_in(item.name) != number_in(head.name)
