# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes of a head with fewer faces, and their shape keys, attributes and regions."""

from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np

from ...core.errors import OutputError
from ...core.face_model.densities import ReducedPart
from ...core.face_model.model import Layout, MeshPart
from ...core.reduction.carry import make_carrier
from ...names import IRIS_ATTRIBUTE, SCATTER_ATTRIBUTE, SKIN_PART, SOCKET_ATTRIBUTE
from ..build.head import make_mesh
from ..shape import write_attribute
from .naming import key_name

_SCALARS = (SOCKET_ATTRIBUTE, SCATTER_ATTRIBUTE)


@dataclass(frozen=True)
class _Reduction:
    """How a mesh is reduced: what its new faces are, and what becomes of (V, C) values of its vertices.

    Attributes:
        part: the new faces. shape: for positions and offsets. value: for all else.
    """

    part: MeshPart
    shape: Callable[[np.ndarray], np.ndarray]
    value: Callable[[np.ndarray], np.ndarray]


def reduced_mesh(made: bpy.types.Object, part: str, reduced: ReducedPart | None, name: str) -> bpy.types.Mesh:
    """A mesh with the shape of another, its shape keys, and what its vertices tell; materials by the same indices.

    Args:
        made: an object with the mesh, whose shape keys are plain and whose only vertex groups are parts of the face.
        part: which it is.
        reduced: the faces; None where the mesh is to stay as it is. name: of the new mesh.

    Raises:
        OutputError: the skin has no place for its texture any more.
    """
    source = made.data
    how = _reduction(made, part, reduced)
    keys = source.shape_keys
    rest = _points(source.vertices if keys is None else keys.reference_key.points)
    positions = how.shape(rest).astype(np.float32)
    mesh = make_mesh(name, how.part, positions)
    # Shape keys and vertex groups are made by way of an object, but stay with the mesh.
    helper = bpy.data.objects.new(name, mesh)
    if keys is not None:
        _carry_keys(made, helper, how, rest, positions)
    _carry_regions(made, helper, how)
    bpy.data.objects.remove(helper)
    for attribute in _SCALARS:
        if attribute in source.attributes:
            values = np.empty(len(source.vertices), np.float32)
            source.attributes[attribute].data.foreach_get("value", values)
            write_attribute(mesh, attribute, "FLOAT", how.value(values[:, None])[:, 0])
    if IRIS_ATTRIBUTE in source.attributes:
        values = np.empty(3 * len(source.vertices), np.float32)
        source.attributes[IRIS_ATTRIBUTE].data.foreach_get("vector", values)
        write_attribute(mesh, IRIS_ATTRIBUTE, "FLOAT_VECTOR", how.value(values.reshape(-1, 3)))
    return mesh


def layout_of(mesh: bpy.types.Mesh) -> tuple[Layout, np.ndarray]:
    """A mesh in its first UV map, and (L,) which place of the layout each of its corners is.

    Corners of a vertex at the same place are one.
    """
    corners, uv = np.empty(len(mesh.loops), np.int32), np.empty(2 * len(mesh.loops), np.float32)
    mesh.loops.foreach_get("vertex_index", corners)
    mesh.uv_layers[0].data.foreach_get("uv", uv)
    rows = np.column_stack([corners, uv.reshape(-1, 2)])
    places, index = np.unique(rows, axis=0, return_inverse=True)
    index = index.ravel()
    starts, sizes = np.empty(len(mesh.polygons), np.int32), np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_start", starts)
    mesh.polygons.foreach_get("loop_total", sizes)
    faces, face_uv = (_as_quads(values, starts, sizes) for values in (corners, index))
    return Layout(faces, places[:, 1:], face_uv), index


def _as_quads(values: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(F, 4) of what corners have, −1 in the fourth of triangles; of larger faces a fan."""
    rows = []
    for corner in range(int(sizes.max()) - 2):
        some = sizes > corner + 2 if corner == 0 else (sizes > 4) & (sizes > corner + 2)
        if corner == 0:
            quad = sizes == 4
            fourth = np.where(quad, values[np.minimum(starts + 3, len(values) - 1)], -1)
            rows.append(np.column_stack([values[starts], values[starts + 1], values[starts + 2], fourth]))
        else:
            first = starts[some]
            fan = np.column_stack([values[first], values[first + corner + 1], values[first + corner + 2]])
            rows.append(np.column_stack([fan, np.full(len(fan), -1)]))
    return np.concatenate(rows).astype(np.int64)


def _reduction(made: bpy.types.Object, part: str, reduced: ReducedPart | None) -> _Reduction:
    mesh = made.data
    if part == SKIN_PART:
        if not mesh.uv_layers:
            raise OutputError(
                "The skin has no UV map any more, which tells where its faces go.", "Undo what removed it: remeshing."
            )
        carrier = _skin_carrier(mesh, reduced)
        faces = _covered(reduced, carrier.covered)
        kept = np.unique(faces.faces[faces.faces >= 0])
        number = np.full(len(carrier.covered) + 1, -1)
        number[kept] = np.arange(len(kept))
        there = MeshPart(
            part, 0, len(kept), np.where(faces.faces >= 0, number[faces.faces], -1), faces.uv, faces.face_uv,
            np.zeros(len(faces.faces), np.int32), ("skin",),
        )  # fmt: skip
        return _Reduction(there, lambda values: carrier.fit(values)[kept], lambda values: carrier.look_up(values)[kept])
    if reduced is None or len(mesh.vertices) != reduced.vertices:
        layout, _ = layout_of(mesh)
        kept = np.arange(len(mesh.vertices))
    else:
        layout, kept = Layout(reduced.faces, reduced.uv, reduced.face_uv), reduced.kept
    slots = _slots(mesh, layout.faces, kept)
    there = MeshPart(part, 0, len(kept), layout.faces, layout.uv, layout.face_uv, slots, tuple("x" * (slots.max() + 1)))
    return _Reduction(there, lambda values: values[kept], lambda values: values[kept])


def _skin_carrier(mesh: bpy.types.Mesh, reduced: ReducedPart):
    layout, _ = layout_of(mesh)
    return make_carrier(layout, Layout(reduced.faces, reduced.uv, reduced.face_uv))


def _covered(reduced: ReducedPart, covered: np.ndarray) -> Layout:
    """The faces whose corners the source has skin for: some models have no scalp, and no inside of the mouth."""
    kept = (covered[reduced.faces] | (reduced.faces < 0)).all(axis=1)
    return Layout(reduced.faces[kept], reduced.uv, reduced.face_uv[kept])


def _slots(mesh: bpy.types.Mesh, faces: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(F,) int32 material indices of reduced faces: the last one that all corners had a face of."""
    count = max(len(mesh.materials), 1)
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    sizes, slots = np.empty(len(mesh.polygons), np.int32), np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", sizes)
    mesh.polygons.foreach_get("material_index", slots)
    has = np.zeros((len(mesh.vertices), count), bool)
    has[corners, np.repeat(slots, sizes).clip(0, count - 1)] = True
    has = has[kept]
    common = (has[faces] | (faces < 0)[..., None]).all(axis=1)
    return (count - 1 - common[:, ::-1].argmax(axis=1)).astype(np.int32) * common.any(axis=1)


def _carry_keys(
    made: bpy.types.Object, helper: bpy.types.Object, how: _Reduction, rest: np.ndarray, positions: np.ndarray
) -> None:
    keys = made.data.shape_keys
    others = [block for block in keys.key_blocks if block != keys.reference_key]
    if not others:
        return
    offsets = np.concatenate([_points(block.points) - rest for block in others], axis=1)
    carried = how.shape(offsets)
    helper.shape_key_add(name="Basis", from_mix=False)
    for number, block in enumerate(others):
        key = helper.shape_key_add(name=key_name(block.name), from_mix=False)
        key.slider_min, key.slider_max = min(block.slider_min, 0.0), max(block.slider_max, 1.0)
        key.points.foreach_set("co", (positions + carried[:, 3 * number : 3 * number + 3]).astype(np.float32).ravel())
        key.value = block.value


def _carry_regions(made: bpy.types.Object, helper: bpy.types.Object, how: _Reduction) -> None:
    """The parts of the face as vertex groups: each vertex belongs where most of its place does."""
    groups = list(made.vertex_groups)
    if not groups:
        return
    column = {group.index: number for number, group in enumerate(groups)}
    member = np.zeros((len(made.data.vertices), len(groups)), np.float32)
    for number, vertex in enumerate(made.data.vertices):
        for one in vertex.groups:
            member[number, column[one.group]] = one.weight
    shares = how.value(member)
    strongest = shares.argmax(axis=1)
    for number, group in enumerate(groups):
        its = np.flatnonzero((strongest == number) & (shares[:, number] > 0))
        helper.vertex_groups.new(name=group.name).add(its.tolist(), 1.0, "REPLACE")


def _points(points) -> np.ndarray:
    found = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", found)
    return found.reshape(-1, 3).astype(np.float64)
