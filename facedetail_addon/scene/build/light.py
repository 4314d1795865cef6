# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo's light in the scene: a world, a world and a sun lamp for its strongest direction, or a light stage."""

import uuid

import bpy
import numpy as np

from ...core.errors import OutputError
from ...core.rendering.environment import nonnegative, split_sun
from ...names import (
    HEAD_ID_PROPERTY,
    LIGHT_KIND_PROPERTY,
    LIGHT_PROPERTY,
    ROOT_PART,
    ROTATION_NODE,
    SKIN_PART,
    STAGE_LIGHT,
    STAGE_PART,
    STRENGTH_NODE,
    STUDIO_NODE,
    SUN_LIGHT,
    SUN_PART,
    WORLD_LIGHT,
)
from ..colour_management import show_colours_as_they_are
from ..frames import hang
from ..head_object import HeadObject
from ..ownership import mark
from .stage import make_stage
from .sun import make_sun
from .world import make_world

NO_STAGE_TEXTS = ("This head has no light stage: its result is older.", "Reconstruct the photo again.")


def light_scene(scene: bpy.types.Scene, head: HeadObject, kind: str) -> None:
    """Make a photo's light the scene's, and show colours as they are instead of with a film look.

    The scene's old world is kept in the file, and lamps of photos' lights are hidden; a light of this head and kind
    that is there already is used again. Other lamps stay as they are.

    Args:
        scene: the scene to light.
        head: knows the light and carries the lamps, which go to its collection.
        kind: a world, a world and a sun lamp, or a light stage; lamps without light are not made.

    Raises:
        OutputError: the head does not know its light, or has none of that kind; nothing has changed then.
    """
    if kind == STAGE_LIGHT and head.light_stage is None:
        raise OutputError(*NO_STAGE_TEXTS)
    radiance, head_id = head.radiance, _id_of(head)
    world = _known_world(head_id, kind)
    lamps = [] if world is None else [item for item in head.objects if item.get(LIGHT_PROPERTY) == world]
    if world is None or (kind != WORLD_LIGHT and not lamps):
        world, lamps = _make(head, kind, world, radiance)
        world[HEAD_ID_PROPERTY], world[LIGHT_KIND_PROPERTY] = head_id, kind
    for item in scene.objects:
        if _is_lamp(item):
            item.hide_render = item.hide_viewport = True
    for lamp in lamps:
        lamp.hide_render = lamp.hide_viewport = False
    if scene.world is not None:
        scene.world.use_fake_user = True  # or it would not be saved
        if scene.world != world and scene.world.get(HEAD_ID_PROPERTY) == head_id:
            _take_over_controls(scene.world, world)
    scene.world = world
    show_colours_as_they_are(scene.view_settings)


def shown_light(scene: bpy.types.Scene, head: HeadObject) -> str:
    """Which kind of the head's light the scene has; empty where it has another light."""
    world = scene.world
    if world is None or LIGHT_PROPERTY not in world:
        return ""
    if LIGHT_KIND_PROPERTY in world:
        return world[LIGHT_KIND_PROPERTY] if world.get(HEAD_ID_PROPERTY) == head.root.get(HEAD_ID_PROPERTY) else ""
    # Of older versions, which had no stage and did not note whose light a world is.
    return SUN_LIGHT if any(_is_lamp(item) and not item.hide_render for item in head.objects) else WORLD_LIGHT


def _make(
    head: HeadObject, kind: str, world: bpy.types.World | None, radiance: np.ndarray
) -> tuple[bpy.types.World, list[bpy.types.Object]]:
    """A world, where there is none, and lamps in the head's collection."""
    stem, sun = head.root.name.removesuffix(f" {ROOT_PART}").removesuffix(f" {SKIN_PART}"), None
    if kind == SUN_LIGHT:
        sun, radiance = split_sun(nonnegative(radiance))
    if kind == STAGE_LIGHT:
        radiance = head.light_stage.ambient[None] * np.sqrt(4 * np.pi)
    world = world or make_world(stem, radiance)
    if sun is not None and sun.irradiance.max() > 0:
        lamps = [make_sun(f"{stem} {SUN_PART}", sun, world)]
        return world, _hung(lamps, head, SUN_PART, head.collection, world)
    if kind == STAGE_LIGHT and head.light_stage.radiance.max() > 0:
        objects = make_stage(f"{stem} {STAGE_PART}", head.light_stage, world)
        collection = bpy.data.collections.new(f"{stem} {STAGE_PART}")
        head.collection.children.link(collection)
        return world, _hung(objects, head, STAGE_PART, collection, world)
    return world, []


def _hung(
    made: list[bpy.types.Object],
    head: HeadObject,
    part: str,
    collection: bpy.types.Collection,
    world: bpy.types.World,
) -> list[bpy.types.Object]:
    """The lamps among new objects, which all become the head's."""
    for item in made:
        mark(item, head.root[HEAD_ID_PROPERTY], part)
        if item.parent is None:
            hang(item, head.root)
        collection.objects.link(item)
    lamps = [item for item in made if item.type == "LIGHT"]
    for lamp in lamps:
        lamp[LIGHT_PROPERTY] = world
    return lamps


def _id_of(head: HeadObject) -> str:
    """The head's, which those of older files get now."""
    if not isinstance(head.root.get(HEAD_ID_PROPERTY), str):
        mark(head.root, uuid.uuid4().hex, ROOT_PART)
    return head.root[HEAD_ID_PROPERTY]


def _known_world(head_id: str, kind: str) -> bpy.types.World | None:
    return next(
        (
            world for world in bpy.data.worlds
            if world.get(HEAD_ID_PROPERTY) == head_id and world.get(LIGHT_KIND_PROPERTY) == kind
            and LIGHT_PROPERTY in world and world.library is None
        ),
        None,
    )  # fmt: skip


def _is_lamp(item: bpy.types.Object) -> bool:
    return LIGHT_PROPERTY in item


def _take_over_controls(old: bpy.types.World, new: bpy.types.World) -> None:
    """What the artist has set of one kind of a light goes for another, too."""
    for name, socket in ((STUDIO_NODE, "Factor"), (STRENGTH_NODE, "Strength"), (ROTATION_NODE, "Rotation")):
        inputs = [world.node_tree.nodes[name].inputs for world in (old, new) if _has_node(world, name)]
        if len(inputs) == 2 and all(socket in one for one in inputs):
            inputs[1][socket].default_value = inputs[0][socket].default_value


def _has_node(world: bpy.types.World, name: str) -> bool:
    return world.use_nodes and name in world.node_tree.nodes
