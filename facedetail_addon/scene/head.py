# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's objects: one mesh per part, with shape keys that follow the skin's."""

from collections.abc import Generator
from dataclasses import dataclass

import bpy
import numpy as np
from scipy.spatial import cKDTree

from ..core.face_model.eyeball import fit_eyeball, iris_coordinates
from ..core.face_model.model import FILM, LASHES, FaceModel, MeshPart
from .adaptive import subdivision_of
from .density import default_level
from .expression import remember_photo_expression
from .eye_material import IRIS_ATTRIBUTE
from .material import SCATTER_ATTRIBUTE, SOCKET_ATTRIBUTE, SkinImages, make_material
from .space import to_blender

UV_NAME, NATIVE_UV_NAME = "UVMap", "Own UV"
"""The canonical layout, which the maps are in, and the layout of an imported model's file."""
SOCKET_REGION = "socket"
REST_KEY = "Photo Expression Rest"
"""What the photo's expression has beyond the named ones."""
REST_MM = 0.02
"""Less than this is no rest."""
MOVED_MM = 0.05
"""An expression that moves no vertex of a part by this much gets no shape key there."""
_SCATTER_FREE_MM = 10.0
"""This far from its openings the skin scatters light undisturbed."""
_MOSTLY = 0.5
_SUBDIVISION_VIEWPORT, _SUBDIVISION_RENDER = 1, 2


@dataclass(frozen=True)
class Pose:
    """A head's shape: all parts without expression and as in the photo, (V, 3) mm, and (E,) expression weights."""

    neutral: np.ndarray
    posed: np.ndarray
    beta: np.ndarray


def head_steps(
    stem: str, model: FaceModel, pose: Pose, images: SkinImages
) -> Generator[None, None, list[bpy.types.Object]]:
    """Make one object per part of the model, the skin first, pausing between short steps; returns them.

    Every part that an expression moves has a shape key of that name; those of the other parts follow the skin's by
    drivers, so one slider moves lips, teeth and eyes together. Where these expressions do not give the photo's exactly,
    as with a model that has modes of its own, the last shape key holds the rest.

    Args:
        stem: the names' beginning.
        images: the skin's maps.
    """
    rest = _rest(model, pose)
    yield
    skin = yield from _make_part(stem, model.skin, pose.neutral, images)
    _set_levels(skin, model)
    yield
    yield from _add_shape_keys(skin, model, model.skin, all_expressions=True)
    for name, weight in zip(model.expression_names, pose.beta, strict=True):
        skin.data.shape_keys.key_blocks[name].value = float(weight)
    if rest.any():
        _add_key(skin, REST_KEY, _positions(skin), model.skin.of(rest)).value = 1.0
    remember_photo_expression(skin.data.shape_keys)
    yield
    _add_regions(skin, model, model.skin.of(pose.neutral))
    others = []
    for part in model.parts[1:]:
        yield
        made = yield from _make_part(stem, part, pose.neutral, images)
        yield from _add_shape_keys(made, model, part, all_expressions=False)
        if part.of(rest).any():
            _add_key(made, REST_KEY, _positions(made), part.of(rest))
        _follow(made, skin)
        others.append(made)
    return [skin, *others]


def _rest(model: FaceModel, pose: Pose) -> np.ndarray:
    """(V, 3) mm between the photo's shape and what the named expressions make of it; zero where that is next to it."""
    named = pose.neutral + np.tensordot(pose.beta, model.expression_basis, axes=1)
    rest = pose.posed - named
    if np.linalg.norm(rest, axis=1).max() <= REST_MM:
        rest[:] = 0
    return rest


def _make_part(
    stem: str, part: MeshPart, neutral_mm: np.ndarray, images: SkinImages
) -> Generator[None, None, bpy.types.Object]:
    vertices = part.of(neutral_mm)
    is_eye = part.name.startswith("eye")
    eye = fit_eyeball(part, vertices) if is_eye else None
    # An eye turns around its own centre, so that is its origin; the rest shares the head's.
    origin = eye.center if is_eye else np.zeros(3)
    name = f"{stem} {part.name}"
    mesh = _make_mesh(name, part, to_blender(vertices - origin))
    yield
    for kind in part.materials:
        mesh.materials.append(make_material(f"{stem} {part.name} {kind}", kind, images))
    if is_eye:
        place = mesh.attributes.new(IRIS_ATTRIBUTE, "FLOAT_VECTOR", "POINT")
        place.data.foreach_set("vector", iris_coordinates(eye, vertices).ravel())
    made = bpy.data.objects.new(name, mesh)
    made.location = to_blender(origin)
    made.visible_shadow = FILM not in part.materials
    # The photo's lashes are in the skin's texture already; these cards are for artists who paint it without.
    made.hide_render = made.hide_viewport = LASHES in part.materials
    subdivision = made.modifiers.new("Subdivision", "SUBSURF")
    subdivision.levels, subdivision.render_levels = _SUBDIVISION_VIEWPORT, _SUBDIVISION_RENDER
    # No vertex of triangles is regular, and the limit surface around each takes its tables: 10 GB for 100,000 of them.
    subdivision.use_limit_surface = bool((part.faces[:, 3] >= 0).mean() > _MOSTLY)
    return made


def _make_mesh(name: str, part: MeshPart, positions: np.ndarray) -> bpy.types.Mesh:
    present = part.faces >= 0
    sizes = present.sum(axis=1)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(positions))
    mesh.vertices.foreach_set("co", positions.astype(np.float32).ravel())
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


def _add_shape_keys(
    made: bpy.types.Object, model: FaceModel, part: MeshPart, all_expressions: bool
) -> Generator[None, None, None]:
    offsets = part.of(model.expression_basis)
    moved = np.linalg.norm(offsets, axis=2).max(axis=1) > MOVED_MM
    if not (all_expressions or moved.any()):
        return
    positions = _positions(made)
    for name, offset, moves in zip(model.expression_names, offsets, moved, strict=True):
        if all_expressions or moves:
            _add_key(made, name, positions, offset)
            yield


def _positions(made: bpy.types.Object) -> np.ndarray:
    """(3·V,) float32 metres."""
    positions = np.empty(3 * len(made.data.vertices), np.float32)
    made.data.vertices.foreach_get("co", positions)
    return positions


def _add_key(made: bpy.types.Object, name: str, positions: np.ndarray, offset_mm: np.ndarray) -> bpy.types.ShapeKey:
    if made.data.shape_keys is None:
        made.shape_key_add(name="Basis", from_mix=False)
    key = made.shape_key_add(name=name, from_mix=False)
    key.slider_min, key.slider_max = 0.0, 1.0
    # As key.data, which is set one by one, where points of float32 are copied whole.
    key.points.foreach_set("co", positions + to_blender(offset_mm).astype(np.float32).ravel())
    return key


def _follow(made: bpy.types.Object, skin: bpy.types.Object) -> None:
    """Drive every shape key by the skin's of the same name. No Python expression: works with scripts switched off."""
    if made.data.shape_keys is None:
        return
    for key in list(made.data.shape_keys.key_blocks)[1:]:
        driver = key.driver_add("value").driver
        driver.type = "SUM"
        variable = driver.variables.new()
        variable.type = "SINGLE_PROP"
        target = variable.targets[0]
        target.id_type = "KEY"
        target.id = skin.data.shape_keys
        target.data_path = f'key_blocks["{key.name}"].value'


def _add_regions(skin: bpy.types.Object, model: FaceModel, neutral_mm: np.ndarray) -> None:
    """A vertex group per region, and what the material asks: where no photo looks, and how far light may scatter."""
    for name in model.region_names:
        group = skin.vertex_groups.new(name=name)
        group.add(np.flatnonzero(model.in_region(name)).tolist(), 1.0, "REPLACE")
    inside = model.in_region(SOCKET_REGION)
    away, _ = cKDTree(neutral_mm[inside]).query(neutral_mm)
    for name, values in ((SOCKET_ATTRIBUTE, inside), (SCATTER_ATTRIBUTE, np.minimum(away / _SCATTER_FREE_MM, 1))):
        attribute = skin.data.attributes.new(name, "FLOAT", "POINT")
        attribute.data.foreach_set("value", values.astype(np.float32))
