# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's objects: one mesh per part, with shape keys that follow the skin's."""

from collections.abc import Generator

import bpy
import numpy as np

from ...core.face_model.model import FILM, LASHES, FaceModel, MeshPart
from ...core.face_model.tongue import tongue_part, tongue_vertices
from ...names import IRIS_ATTRIBUTE, REGIONS_PROPERTY, SCATTER_ATTRIBUTE, SOCKET_ATTRIBUTE
from ..relief.adaptive import subdivision_of
from ..relief.density import default_level
from ..shape import (
    REST_KEY,
    HeadShape,
    add_key,
    follow_key,
    inside_sockets,
    key_offsets,
    limit_mouth_close,
    part_shape,
    scatter_freedom,
    set_sliders,
    write_attribute,
)
from .material import TONGUE, SkinImages, make_material

UV_NAME, NATIVE_UV_NAME = "UVMap", "Own UV"
"""The canonical layout, which the maps are in, and the layout of an imported model's file."""
_MOSTLY = 0.5
_SUBDIVISION_VIEWPORT, _SUBDIVISION_RENDER = 1, 2


def head_steps(
    stem: str, model: FaceModel, shape: HeadShape, images: SkinImages
) -> Generator[None, None, dict[str, bpy.types.Object]]:
    """Make one object per part of the model, the skin first, pausing between short steps; returns them by part name.

    Every part that an expression moves has a shape key of that name; those of the other parts follow the skin's by
    drivers, so one slider moves lips, teeth and eyes together. Where these expressions do not give the photo's exactly,
    as with a model that has modes of its own, the last shape key holds the rest.

    Args:
        stem: the names' beginning.
        images: the skin's maps.
    """
    rest = shape.rest(model)
    made: dict[str, bpy.types.Object] = {}
    for part in model.parts:
        yield
        made[part.name] = yield from _part_steps(stem, model, part, shape, rest, images, made.get(model.skin.name))
    return made


def _part_steps(
    stem: str,
    model: FaceModel,
    part: MeshPart,
    shape: HeadShape,
    rest: np.ndarray,
    images: SkinImages,
    skin: bpy.types.Object | None,
) -> Generator[None, None, bpy.types.Object]:
    """One part. ``rest``: (V, 3) mm; ``skin``: what it follows, None for the skin itself."""
    placed = part_shape(part, shape.neutral)
    name = f"{stem} {part.name}"
    mesh = make_mesh(name, part, placed.positions)
    yield
    made = _make_object(name, mesh, part, images)
    if part is tongue_part(model):
        mesh.materials.append(make_material(f"{name} {TONGUE}", TONGUE, images))
        is_tongue = _faces_of(part, tongue_vertices(model, part))
        mesh.polygons.foreach_set("material_index", np.where(is_tongue, len(part.materials), part.face_material))
    made.location = placed.origin
    if placed.iris is not None:
        write_attribute(mesh, IRIS_ATTRIBUTE, "FLOAT_VECTOR", placed.iris)
    if skin is None:
        _set_levels(made, model)
    yield
    for key_name, offset in key_offsets(model, part):
        add_key(made, key_name, placed.positions, offset)
        yield
    own_rest = part.of(rest)
    if rest.any() if skin is None else own_rest.any():
        add_key(made, REST_KEY, placed.positions, own_rest)
    if skin is not None:
        for key in list(mesh.shape_keys.key_blocks)[1:] if mesh.shape_keys is not None else ():
            follow_key(key, skin)
        return made
    set_sliders(made, model, shape.beta)
    limit_mouth_close(made)
    yield
    _add_regions(made, model)
    write_attribute(mesh, SCATTER_ATTRIBUTE, "FLOAT", scatter_freedom(model, shape.neutral))
    return made


def _faces_of(part: MeshPart, vertices: np.ndarray) -> np.ndarray:
    """(F,) bool: faces all of whose corners are among the vertices, (N,) bool."""
    return (vertices[part.faces] | (part.faces < 0)).all(axis=1)


def _make_object(name: str, mesh: bpy.types.Mesh, part: MeshPart, images: SkinImages) -> bpy.types.Object:
    """An object of a mesh with its materials and its Subdivision."""
    for kind in part.materials:
        mesh.materials.append(make_material(f"{name} {kind}", kind, images))
    made = bpy.data.objects.new(name, mesh)
    made.visible_shadow = FILM not in part.materials
    # The photo's lashes are in the skin's texture already; these cards are for artists who paint it without.
    made.hide_render = made.hide_viewport = LASHES in part.materials
    subdivision = made.modifiers.new("Subdivision", "SUBSURF")
    subdivision.levels, subdivision.render_levels = _SUBDIVISION_VIEWPORT, _SUBDIVISION_RENDER
    # No vertex of triangles is regular, and the limit surface around each takes its tables: 10 GB for 100,000 of them.
    subdivision.use_limit_surface = bool((part.faces[:, 3] >= 0).mean() > _MOSTLY)
    return made


def make_mesh(name: str, part: MeshPart, positions: np.ndarray) -> bpy.types.Mesh:
    present = part.faces >= 0
    sizes = present.sum(axis=1)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(positions))
    mesh.vertices.foreach_set("co", positions.ravel())
    mesh.loops.add(int(sizes.sum()))
    mesh.loops.foreach_set("vertex_index", part.faces[present].astype(np.int32))
    mesh.polygons.add(len(sizes))
    mesh.polygons.foreach_set("loop_start", np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32))
    mesh.polygons.foreach_set("material_index", part.face_material.astype(np.int32))
    mesh.update(calc_edges=True)
    uv = mesh.uv_layers.new(name=UV_NAME)
    uv.data.foreach_set("uv", part.uv[part.face_uv[present]].astype(np.float32).ravel())
    if part.native_uv is not None:
        own = mesh.uv_layers.new(name=NATIVE_UV_NAME)
        own.data.foreach_set("uv", part.native_uv[part.native_face_uv[present]].astype(np.float32).ravel())
    mesh.validate(clean_customdata=False)  # imported faces may name a vertex twice, which Blender does not survive
    mesh.shade_smooth()
    return mesh


def _set_levels(skin: bpy.types.Object, model: FaceModel) -> None:
    """As many quads as the other parts' levels give the built-in skin: a fine mesh needs fewer levels."""
    subdivision = subdivision_of(skin)
    subdivision.levels = default_level(model, _SUBDIVISION_VIEWPORT)
    subdivision.render_levels = default_level(model, _SUBDIVISION_RENDER)


def _add_regions(skin: bpy.types.Object, model: FaceModel) -> None:
    """A vertex group per region, and for the material where no photo looks."""
    skin[REGIONS_PROPERTY] = ",".join(model.region_names)
    for index, name in enumerate(model.region_names):
        group = skin.vertex_groups.new(name=name)
        group.add(np.flatnonzero(model.region == index).tolist(), 1.0, "REPLACE")
    write_attribute(skin.data, SOCKET_ATTRIBUTE, "FLOAT", inside_sockets(model))
