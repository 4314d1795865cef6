# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene of its own for lookdev pictures: a copy of a head that may be changed, and is gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import bpy
import numpy as np

from ...core.errors import OutputError
from ..frames import in_frame
from ..head_object import HeadObject
from ..ownership import unmark
from ..posing import wake
from ..relief.displacement import Relief, relief_skin, show_relief
from ..relief.dragged import end_drag
from ..relief.wrinkles import follow_own_sliders
from ..rollback import removed_afterwards
from ..units import scale_lengths, units_of
from .view import PhotoCamera, photo_camera

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


@contextmanager
def staged(head: HeadObject, relief: Relief, max_level: int, *, neutral: bool = False) -> Iterator[Stage]:
    """A stage with a copy of a head, removed at the end of the block, also when it fails.

    Copies, because expression, materials and visibility change here, and none of it may show in the artist's scene.

    Args:
        head: any.
        relief: how the artist shows its relief.
        max_level: nothing is subdivided further: more than a picture shows only takes time.
        neutral: without expression; what the head has is kept otherwise.

    Raises:
        OutputError: the head lacks its skin, its camera, its photo or its light.
    """
    skin, camera = _skin_of(head), _camera_of(head)
    has_relief, radiance = relief_skin(head) is not None, head.radiance
    with removed_afterwards():
        scene = bpy.data.scenes.new(head.root.name)
        scene.frame_current = bpy.context.scene.frame_current
        copies = _copies(head, bpy.data.objects.new(head.root.name, None))
        for copy in copies.values():
            if copy.type != "LIGHT":
                scene.collection.objects.link(copy)
        wake(copies.values())
        end_drag(copies[skin])
        skin, camera = copies[skin], copies[camera]
        parts = tuple(item for item in copies.values() if item.type not in ("LIGHT", "CAMERA", "EMPTY", "ARMATURE"))
        _show(parts, skin)
        follow_own_sliders(skin)
        if neutral:
            for part in parts:
                _relax(part)
        if has_relief:
            level = min(relief.render_level, max_level)
            show_relief(skin, replace(relief, viewport_level=_FRAMING_LEVEL, render_level=level))
        _limit_subdivision(parts, max_level)
        _measure_in_metres(parts, units_of(head.root))
        scene.camera = camera
        scene.view_layers[0].update()
        pose = np.array(camera.matrix_world, np.float64)
        camera.parent = None
        yield Stage(scene, parts, skin, camera, photo_camera(camera, pose), _points(scene, skin), radiance)


def _copies(head: HeadObject, carrier: bpy.types.Object) -> dict[bpy.types.Object, bpy.types.Object]:
    """Copies of all that belongs to a head, on an empty in the place of its root."""
    originals = head.objects
    copies = {item: item.copy() for item in originals}
    for item, copy in copies.items():
        unmark(copy)
        if item.type in ("MESH", "CAMERA"):
            copy.data = item.data.copy()
        copy.parent = copies.get(item.parent, carrier)
        if item.parent not in (head.root, *originals):
            copy.parent_type = "OBJECT"
            copy.matrix_parent_inverse.identity()
            copy.matrix_basis = in_frame(item, head.root)
        for modifier in copy.modifiers:
            if modifier.type == "ARMATURE" and modifier.object in copies:
                modifier.object = copies[modifier.object]
    return copies


def _skin_of(head: HeadObject) -> bpy.types.Object:
    if head.keys is None:
        raise OutputError("The head has no skin with an expression any more.", _REMEDY)
    return head.skin


def _camera_of(head: HeadObject) -> bpy.types.Object:
    if head.camera is None:
        raise OutputError("The head has no camera any more.", _REMEDY)
    return head.camera


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


def _measure_in_metres(parts: tuple[bpy.types.Object, ...], units: float) -> None:
    """Give the copies of a head from a scene of other units materials that scatter as far here."""
    if units == 1.0:
        return
    made: dict[bpy.types.Material, bpy.types.Material] = {}
    for slot in [slot for part in parts for slot in part.material_slots if slot.material is not None]:
        if slot.material not in made:
            made[slot.material] = slot.material.copy()
            scale_lengths(made[slot.material], 1 / units)
        slot.material = made[slot.material]


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
