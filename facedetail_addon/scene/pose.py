# SPDX-License-Identifier: GPL-3.0-or-later
"""Another shape for the meshes of a head that is there, as a build would have made them."""

from collections.abc import Generator, Mapping

import bpy
import numpy as np
from mathutils import Vector

from ..core.face_model.model import FaceModel, MeshPart
from ..names import IRIS_ATTRIBUTE, LIMIT_KEY, SCATTER_ATTRIBUTE
from .frames import in_frame, set_in_frame
from .shape import (
    REST_KEY,
    HeadShape,
    PartShape,
    add_key,
    follow_key,
    key_offsets,
    part_shape,
    scatter_freedom,
    set_sliders,
    write_attribute,
    write_key,
    write_limit,
)
from .units import remember_size

_KEYS_A_STEP = 4

Parts = Mapping[str, bpy.types.Object]


def fits_meshes(parts: Parts, model: FaceModel) -> bool:
    """Whether meshes, by part name, have the model's vertices; the artist may have removed parts, but not the skin."""
    found = {part.name: parts[part.name].data for part in model.parts if part.name in parts}
    skin = found.get(model.skin.name)
    return (
        skin is not None
        and skin.shape_keys is not None
        and all(len(found[part.name].vertices) == part.stop - part.start for part in model.parts if part.name in found)
    )


def shape_steps(
    root: bpy.types.Object, parts: Parts, model: FaceModel, shape: HeadShape
) -> Generator[None, None, None]:
    """Change the parts of a head, pausing between short steps.

    What the artist has removed or renamed stays away, and shape keys of the artist's own keep what they add. Duplicates
    that share the meshes change with them.

    Args:
        root: the head's empty.
        parts: its meshes by part name, as :func:`fits_meshes` wants them.
    """
    rest = shape.rest(model)
    skin = parts[model.skin.name]
    for part in model.parts:
        item = parts.get(part.name)
        if item is None:
            continue
        yield
        placed = part_shape(part, shape.neutral)
        yield from _key_steps(item, model, part, placed)
        _set_rest(item, None if part is model.skin else skin, placed, part.of(rest), needed=rest.any())
        if placed.iris is not None:
            write_attribute(item.data, IRIS_ATTRIBUTE, "FLOAT_VECTOR", placed.iris)
            _move_origin(item, root, placed.origin)
        item.data.update()
        remember_size(item)
    yield
    write_attribute(skin.data, SCATTER_ATTRIBUTE, "FLOAT", scatter_freedom(model, shape.neutral))
    set_sliders(skin, model, shape.beta)


def _key_steps(
    item: bpy.types.Object, model: FaceModel, part: MeshPart, placed: PartShape
) -> Generator[None, None, None]:
    """The mesh at rest and all shape keys but that of the rest."""
    mesh, keys = item.data, item.data.shape_keys
    if keys is not None:
        basis = keys.reference_key
        moved = placed.positions - _points(basis)
        offsets = dict(key_offsets(model, part))
        yield
        for number, key in enumerate(keys.key_blocks):
            if number % _KEYS_A_STEP == 0:
                yield
            if key.name in offsets:
                write_key(key, placed.positions, offsets[key.name])
            elif key != basis and key.name not in (REST_KEY, LIMIT_KEY):
                key.points.foreach_set("co", (_points(key) + moved).ravel())
        basis.points.foreach_set("co", placed.positions.ravel())
        if LIMIT_KEY in keys.key_blocks and "mouthClose" in keys.key_blocks:
            write_limit(keys.key_blocks[LIMIT_KEY])
    mesh.vertices.foreach_set("co", placed.positions.ravel())


def _set_rest(
    item: bpy.types.Object, skin: bpy.types.Object | None, placed: PartShape, rest: np.ndarray, *, needed: bool
) -> None:
    """Write, add or remove the shape key of the rest; the skin, which all follow, has it where any part needs it.

    Args:
        skin: what the part follows; None for the skin itself.
    """
    keys = item.data.shape_keys
    key = keys.key_blocks.get(REST_KEY) if keys is not None else None
    if needed and (skin is None or rest.any()):
        if key is not None:
            write_key(key, placed.positions, rest)
            return
        key = add_key(item, REST_KEY, placed.positions, rest)
        if skin is not None:
            follow_key(key, skin)
    elif key is not None:
        key.driver_remove("value")
        item.shape_key_remove(key)
        if skin is not None and len(keys.key_blocks) == 1:
            item.shape_key_clear()


def _move_origin(item: bpy.types.Object, root: bpy.types.Object, origin: np.ndarray) -> None:
    """Of all that show the mesh: its vertices have been counted from there."""
    for shown in [other for other in bpy.data.objects if other.data == item.data]:
        carrier = root if shown == item else shown.parent
        if carrier is not None:
            matrix = in_frame(shown, carrier)
            matrix.translation = Vector(origin)
            set_in_frame(shown, carrier, matrix)


def _points(key: bpy.types.ShapeKey) -> np.ndarray:
    """(N, 3) float32."""
    points = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", points)
    return points.reshape(-1, 3)
