# SPDX-License-Identifier: GPL-3.0-or-later
"""A head for game engines, made from a head: an object of its own, beside it, that is a head like any other."""

import uuid
from collections.abc import Mapping

import bpy

from ...core.errors import OutputError
from ...core.face_model.densities import ReducedPart, load_density
from ...names import (
    COLLECTION_PREFIX,
    DENSITY_PROPERTY,
    EMOTION_PROBABILITY_PROPERTY,
    EMOTION_PROPERTY,
    HEAD_LIGHT_PROPERTY,
    PHOTO_EXPRESSION_PROPERTY,
    REGIONS_PROPERTY,
    ROOT_PART,
    SKIN_PART,
    UNITS_PROPERTY,
)
from ..build.place import place_beside_others
from ..export.material import is_clear
from ..export.regions import leave_regions
from ..export.shape_keys import plain_keys
from ..frames import in_frame
from ..head_object import HeadObject
from ..ownership import mark
from ..rig.build import add_rig
from ..rollback import undone_on_failure
from ..shape import follow_key, limit_mouth_close
from ..units import remember_size
from .naming import ARMATURE, BONES, ROOT_BONE, asset_stem, call, key_name, part_name
from .parts import reduced_mesh
from .shading import shade

_KEPT = (UNITS_PROPERTY, EMOTION_PROPERTY, EMOTION_PROBABILITY_PROPERTY, HEAD_LIGHT_PROPERTY)


def make_game_head(
    head: HeadObject, density: str, scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer
) -> HeadObject:
    """Make a head for game engines in a collection of its own; the head it is made from stays as it is.

    It has the head's present look: expression, relief by the sliders of Detail, colours and pictures.

    Args:
        head: with a skin, its shape keys and its UV map. density: ``2k``, ``8k`` or ``20k``.
        scene: to add it to. view_layer: of that scene, in Object Mode.

    Raises:
        OutputError: the head has lost what is needed, or a picture is missing; nothing is added then.
        RigError: it does not tell where its jaw turns. AssetError: what ships is damaged.
    """
    parts = _parts(head)
    if density_of(head):
        raise OutputError(f"{head.root.name} is for game engines already.", "Select the head that it was made from.")
    if head.keys is None:
        raise OutputError(head.losses[0], "Then make it game-ready.")
    reduced = load_density(density)
    stem = asset_stem(head.root.name.removesuffix(f" {ROOT_PART}"), density)
    view_layer.update()  # so that driven shape keys have their values
    with undone_on_failure(scene):
        game = _build(head, parts, reduced, stem)
        game.root[DENSITY_PROPERTY] = density
        place_beside_others(game, scene)
        scene.collection.children.link(game.collection)
        view_layer.update()
        _rig(game, view_layer, stem)
        return game


def density_of(head: HeadObject) -> str:
    """About how many quads the skin of a head for game engines has; empty for other heads."""
    density = head.root.get(DENSITY_PROPERTY)
    return density if isinstance(density, str) else ""


def _parts(head: HeadObject) -> dict[str, bpy.types.Object]:
    """What is exported of a head, the skin first."""
    shown = {name: part for name, part in head.parts.items() if not (part.hide_render or is_clear(part))}
    if SKIN_PART not in shown:
        raise OutputError(f"{head.root.name} has no skin that is shown in renders.", "Show it, or reconstruct again.")
    return {SKIN_PART: shown[SKIN_PART], **shown}


def _build(
    head: HeadObject, parts: dict[str, bpy.types.Object], reduced: Mapping[str, ReducedPart], stem: str
) -> HeadObject:
    """Root and parts, in a collection that no scene has yet."""
    collection = bpy.data.collections.new(f"{COLLECTION_PREFIX} {stem}")
    root = bpy.data.objects.new(stem, None)
    root.empty_display_size = head.root.empty_display_size if head.root.type == "EMPTY" else root.empty_display_size
    head_id = uuid.uuid4().hex
    mark(root, head_id, ROOT_PART)
    for name in _KEPT:
        if name in head.root:
            root[name] = head.root[name]
    root.matrix_basis = head.root.matrix_world
    collection.objects.link(root)
    meshes = {}
    for name, part in parts.items():
        plain = _plain_copy(part)
        meshes[name] = reduced_mesh(plain, name, reduced.get(name), f"{stem}_{part_name(name)}")
        call(meshes[name], f"{stem}_{part_name(name)}")
        for slot in part.material_slots:
            meshes[name].materials.append(slot.material)
        bpy.data.meshes.remove(plain.data)  # and with it its object
    shade(parts, meshes, stem)
    for name, mesh in meshes.items():
        made = bpy.data.objects.new(mesh.name, mesh)
        call(made, mesh.name)
        made.parent = root
        made.matrix_basis = in_frame(parts[name], head.root)
        if REGIONS_PROPERTY in parts[name]:
            made[REGIONS_PROPERTY] = parts[name][REGIONS_PROPERTY]
        mark(made, head_id, name)
        remember_size(made)
        collection.objects.link(made)
    game = HeadObject(root)
    _connect_keys(game, head)
    return game


def _plain_copy(part: bpy.types.Object) -> bpy.types.Object:
    made = bpy.data.objects.new(part.name, part.data.copy())
    if REGIONS_PROPERTY in part:
        made[REGIONS_PROPERTY] = part[REGIONS_PROPERTY]
    plain_keys(part, made)
    leave_regions(made)
    return made


def _connect_keys(game: HeadObject, head: HeadObject) -> None:
    """One slider moves all parts, and the photo's expression can be had back."""
    keys = game.keys
    names = {key.name for key in keys.key_blocks}
    noted = {key_name(name): value for name, value in head.photo_expression.items()}
    keys[PHOTO_EXPRESSION_PROPERTY] = {name: value for name, value in noted.items() if name in names}
    for part in game.parts.values():
        if part == game.skin or part.data.shape_keys is None:
            continue
        for key in part.data.shape_keys.key_blocks[1:]:
            if key.name in names:
                follow_key(key, game.skin)
    if {"mouthClose", "jawOpen"} <= set(keys[PHOTO_EXPRESSION_PROPERTY].keys()):
        limit_mouth_close(game.skin)


def _rig(game: HeadObject, view_layer: bpy.types.ViewLayer, stem: str) -> None:
    rig = add_rig(game, view_layer, ROOT_BONE)
    for item in (rig, rig.data):
        call(item, ARMATURE, f"{stem}_{ARMATURE}")
    for bone in rig.data.bones:
        bone.name = BONES.get(bone.name, bone.name)
