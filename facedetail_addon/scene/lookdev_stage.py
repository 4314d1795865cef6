# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene of its own for lookdev pictures: a copy of a head that may be changed, and is gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import bpy
import numpy as np

from ..core.errors import OutputError
from ..names import HEAD_LIGHT_PROPERTY
from .displacement import Relief, set_relief
from .lookdev_view import PhotoCamera, photo_camera
from .rollback import removed_afterwards

_FRAMING_LEVEL = 0
"""Subdivision where only the outline is asked for."""
_REMEDY = "Reconstruct the photo again."


@dataclass(frozen=True)
class Stage:
    """A head alone in a scene, where it was reconstructed, whatever the artist has done with its empty since.

    Attributes:
        scene: without a world and lamps.
        parts: all that is rendered.
        skin: one of them.
        camera: the scene's.
        photo: the photo's camera.
        points: (N, 3) float32 m, the vertices of the skin as it is posed.
        radiance: (B², 3) float32 of the photo's light, head frame.
    """

    scene: bpy.types.Scene
    parts: tuple[bpy.types.Object, ...]
    skin: bpy.types.Object
    camera: bpy.types.Object
    photo: PhotoCamera
    points: np.ndarray
    radiance: np.ndarray


def root_of(item: bpy.types.Object | None) -> bpy.types.Object | None:
    """The empty of the head that an object belongs to; None where it belongs to none."""
    while item is not None and HEAD_LIGHT_PROPERTY not in item:
        item = item.parent
    return item


@contextmanager
def staged(root: bpy.types.Object, relief: Relief, max_level: int, *, neutral: bool = False) -> Iterator[Stage]:
    """A stage with a copy of a head, removed at the end of the block, also when it fails.

    Copies, because expression, materials and visibility change here, and none of it may show in the artist's scene.

    Args:
        root: the empty of a head.
        relief: how the artist shows its relief.
        max_level: nothing is subdivided further: more than a picture shows only takes time.
        neutral: without expression; what the head has is kept otherwise.

    Raises:
        OutputError: the head lacks its skin, its camera, its photo or its light.
    """
    with removed_afterwards():
        scene = bpy.data.scenes.new(root.name)
        scene.frame_current = bpy.context.scene.frame_current
        stem = bpy.data.objects.new(root.name, None)
        copies = _copies(root, stem)
        for copy in copies.values():
            if copy.type != "LIGHT":
                scene.collection.objects.link(copy)
        skin, camera = _skin(copies), _camera(copies)
        parts = tuple(item for item in copies.values() if item.type not in ("LIGHT", "CAMERA", "EMPTY"))
        _show(parts, skin)
        if neutral:
            for part in parts:
                _relax(part)
        level = min(relief.render_level, max_level)
        set_relief(stem, replace(relief, viewport_level=_FRAMING_LEVEL, render_level=level))
        _limit_subdivision(parts, max_level)
        scene.camera = camera
        scene.view_layers[0].update()
        pose = np.array(camera.matrix_world, np.float64)
        camera.parent = None
        yield Stage(scene, parts, skin, camera, photo_camera(camera, pose), _points(scene, skin), _radiance(root))


def _copies(root: bpy.types.Object, stem: bpy.types.Object) -> dict[bpy.types.Object, bpy.types.Object]:
    """Copies of all that hangs on a head's empty, hung on another."""
    copies = {root: stem}
    for item in root.children_recursive:
        copies[item] = item.copy()
        if item.type in ("MESH", "CAMERA"):
            copies[item].data = item.data.copy()
    del copies[root]
    for item, copy in copies.items():
        copy.parent = copies.get(item.parent, stem)
    return copies


def _skin(copies: dict[bpy.types.Object, bpy.types.Object]) -> bpy.types.Object:
    """The part of a head with the most shape keys: the others only follow its."""
    meshes = [item for item in copies.values() if item.type == "MESH" and item.data.shape_keys is not None]
    if not meshes:
        raise OutputError("The head has no skin with an expression any more.", _REMEDY)
    return max(meshes, key=lambda item: len(item.data.shape_keys.key_blocks))


def _camera(copies: dict[bpy.types.Object, bpy.types.Object]) -> bpy.types.Object:
    cameras = [item for item in copies.values() if item.type == "CAMERA"]
    if not cameras:
        raise OutputError("The head has no camera any more.", _REMEDY)
    return max(cameras, key=lambda item: len(item.data.background_images))


def _show(parts: tuple[bpy.types.Object, ...], skin: bpy.types.Object) -> None:
    """A hidden head is shown; of a shown one, what the artist has hidden stays hidden."""
    hidden = skin.hide_render
    for part in parts:
        part.hide_viewport = False
        part.hide_render = part.hide_render and not hidden


def _limit_subdivision(parts: tuple[bpy.types.Object, ...], max_level: int) -> None:
    for part in parts:
        for modifier in part.modifiers:
            if modifier.type == "SUBSURF":
                modifier.levels = _FRAMING_LEVEL
                modifier.render_levels = min(modifier.render_levels, max_level)


def _relax(part: bpy.types.Object) -> None:
    """All shape keys to zero, for good."""
    keys = part.data.shape_keys if part.type == "MESH" else None
    if keys is None:
        return
    keys.animation_data_clear()
    for key in keys.key_blocks:
        key.value = 0.0


def _points(scene: bpy.types.Scene, skin: bpy.types.Object) -> np.ndarray:
    depsgraph = scene.view_layers[0].depsgraph
    evaluated = skin.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    to_head = np.array(evaluated.matrix_world, np.float32)
    evaluated.to_mesh_clear()
    return points.reshape(-1, 3) @ to_head[:3, :3].T + to_head[:3, 3]


def _radiance(root: bpy.types.Object) -> np.ndarray:
    """What ``build_scene`` has noted down; the artist may have written over it."""
    try:
        radiance = np.array(root[HEAD_LIGHT_PROPERTY], np.float32).reshape(-1, 3)
    except (KeyError, TypeError, ValueError) as error:
        raise OutputError("The head does not remember its photo's light.", _REMEDY) from error
    bands = round(len(radiance) ** 0.5)
    if bands < 1 or bands**2 != len(radiance) or not np.isfinite(radiance).all():
        raise OutputError("The head does not remember its photo's light.", _REMEDY)
    return radiance
