# SPDX-License-Identifier: GPL-3.0-or-later
"""Failure leaves the scene as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

# Shape keys go with their meshes. Users come before what they use.
_SCENE = ("camera", "world")
_RENDER = ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y")
_VIEW = ("view_transform", "look", "exposure", "gamma")
_LAMP = ("hide_render", "hide_viewport")
_WORLD = ("use_fake_user",)


@contextmanager
def undone_on_failure(scene: bpy.types.Scene) -> Iterator[None]:
    """When the block raises, remove every datablock made in it and give the scene its settings back."""
    before = {_key(item) for item in _all_data()}
    owners = ((scene, _SCENE), (scene.render, _RENDER), (scene.view_settings, _VIEW))
    owners += tuple((lamp, _LAMP) for lamp in scene.objects if lamp.type == "LIGHT")
    if scene.world is not None:
        owners += ((scene.world, _WORLD),)
    settings = [(owner, name, getattr(owner, name)) for owner, names in owners for name in names]
    try:
        yield
    except BaseException:
        for owner, name, value in settings:
            setattr(owner, name, value)
        _remove_all_but(before)
        raise


@contextmanager
def removed_afterwards() -> Iterator[None]:
    """Remove every datablock that was made in the block, whatever happens."""
    before = {_key(item) for item in _all_data()}
    try:
        yield
    finally:
        _remove_all_but(before)


def _remove_all_but(kept: set[tuple[str, str]]) -> None:
    for scene in [scene for scene in bpy.data.scenes if _key(scene) not in kept]:
        bpy.data.scenes.remove(scene)
    bpy.data.batch_remove([item for item in _all_data() if _key(item) not in kept])


def _all_data() -> Iterator[bpy.types.ID]:
    """Shape keys go with their meshes, and Blender's own lists of windows and screens are no one's to remove."""
    for name in dir(bpy.data):
        kind = getattr(bpy.data, name)
        if isinstance(kind, bpy.types.bpy_prop_collection) and hasattr(kind, "remove"):
            yield from kind


def _key(item: bpy.types.ID) -> tuple[str, str]:
    return type(item).__name__, item.name_full
