# SPDX-License-Identifier: GPL-3.0-or-later
"""A head's shape as its objects hold it: places at rest, shape keys, sliders, eyes. For building and for a new pose."""

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from scipy.spatial import cKDTree

from ..core.face_model.eyeball import Eyeball, cornea_height, fit_eyeball, iris_coordinates
from ..core.face_model.model import FaceModel, MeshPart
from ..names import PHOTO_EXPRESSION_PROPERTY
from .space import to_blender

REST_KEY = "Photo Expression Rest"
"""What the photo's expression has beyond the named ones."""
REST_MM = 0.02
"""Less than this is no rest."""
MOVED_MM = 0.05
"""An expression that moves no vertex of a part by this much gets no shape key there."""
_SOCKET_REGION = "socket"
_SCATTER_FREE_MM = 10.0
"""This far from its openings the skin scatters light undisturbed."""


@dataclass(frozen=True)
class HeadShape:
    """A head's shape: all parts without expression and as in the photo, (V, 3) mm, and (E,) expression weights."""

    neutral: np.ndarray
    posed: np.ndarray
    beta: np.ndarray

    def fits(self, model: FaceModel) -> bool:
        """Whether it has the model's vertices and expressions."""
        sizes = self.neutral.shape, self.posed.shape, self.beta.shape
        return sizes == (model.mean.shape, model.mean.shape, (len(model.expression_names),))

    def rest(self, model: FaceModel) -> np.ndarray:
        """(V, 3) mm between the photo's shape and what named expressions make of it; zero where that is next to it."""
        rest = self.posed - (self.neutral + np.tensordot(self.beta, model.expression_basis, axes=1))
        if np.linalg.norm(rest, axis=1).max() <= REST_MM:
            rest[:] = 0
        return rest


@dataclass(frozen=True)
class PartShape:
    """A part at rest, in metres and Blender's axes.

    Attributes:
        origin: (3,) of its object in the head. An eye turns around its own centre; the rest has the head's origin.
        positions: (N, 3) float32 of its vertices, from there.
        iris: (N, 3) float32 values of ``IRIS_ATTRIBUTE``; None for what is no eye.
    """

    origin: np.ndarray
    positions: np.ndarray
    iris: np.ndarray | None


def part_shape(part: MeshPart, neutral_mm: np.ndarray) -> PartShape:
    """One part of a head without expression, (V, 3) mm."""
    vertices = part.of(neutral_mm)
    eye = fit_eyeball(part, vertices) if part.name.startswith("eye") else None
    origin = np.zeros(3) if eye is None else eye.center
    return PartShape(
        to_blender(origin),
        to_blender(vertices - origin).astype(np.float32),
        None if eye is None else _iris(eye, vertices),
    )


def _iris(eye: Eyeball, vertices: np.ndarray) -> np.ndarray:
    """(N, 3) float32: place around the pupil in iris radii, and how high the cornea stands over the iris, mm."""
    place = iris_coordinates(eye, vertices)
    place[:, 2] = cornea_height(eye, vertices)
    return place


def key_offsets(model: FaceModel, part: MeshPart) -> Iterator[tuple[str, np.ndarray]]:
    """Names and (N, 3) offsets in mm of a part's shape keys: all of the skin's, of other parts those that move it."""
    offsets = part.of(model.expression_basis)
    moved = np.linalg.norm(offsets, axis=2).max(axis=1) > MOVED_MM
    for name, offset, moves in zip(model.expression_names, offsets, moved, strict=True):
        if moves or part is model.skin:
            yield name, offset


def add_key(item: bpy.types.Object, name: str, positions: np.ndarray, offset_mm: np.ndarray) -> bpy.types.ShapeKey:
    """A new shape key: what :func:`write_key` writes, with a slider from 0 to 1."""
    if item.data.shape_keys is None:
        item.shape_key_add(name="Basis", from_mix=False)
    key = item.shape_key_add(name=name, from_mix=False)
    key.slider_min, key.slider_max = 0.0, 1.0
    write_key(key, positions, offset_mm)
    return key


def write_key(key: bpy.types.ShapeKey, positions: np.ndarray, offset_mm: np.ndarray) -> None:
    """Make a shape key the (N, 3) positions of its part and an (N, 3) offset in mm."""
    # As key.data, which is set one by one, where points of float32 are copied whole.
    key.points.foreach_set("co", (positions + to_blender(offset_mm).astype(np.float32)).ravel())


def follow_key(key: bpy.types.ShapeKey, skin: bpy.types.Object) -> None:
    """Drive a part's shape key by the skin's of that name. No Python expression: works with scripts switched off."""
    driver = key.driver_add("value").driver
    driver.type = "SUM"
    variable = driver.variables.new()
    variable.type = "SINGLE_PROP"
    target = variable.targets[0]
    target.id_type = "KEY"
    target.id = skin.data.shape_keys
    target.data_path = f'key_blocks["{key.name}"].value'


def set_sliders(skin: bpy.types.Object, model: FaceModel, beta: np.ndarray) -> None:
    """Show the photo's expression and remember it; sliders that the artist has removed or renamed stay away."""
    blocks = skin.data.shape_keys.key_blocks
    weights = {**dict(zip(model.expression_names, map(float, beta), strict=True)), REST_KEY: 1.0}
    for name in weights.keys() & set(blocks.keys()):
        blocks[name].value = weights[name]
    skin.data.shape_keys[PHOTO_EXPRESSION_PROPERTY] = {key.name: key.value for key in blocks if key.name in weights}


def inside_sockets(model: FaceModel) -> np.ndarray:
    """(V_skin,) bool: the inside of the mouth and the eye sockets, where no photo looks."""
    return model.in_region(_SOCKET_REGION)


def scatter_freedom(model: FaceModel, neutral_mm: np.ndarray) -> np.ndarray:
    """(V_skin,) float32 values of ``SCATTER_ATTRIBUTE`` for a head without expression, (V, 3) mm."""
    skin = model.skin.of(neutral_mm)
    away, _ = cKDTree(skin[inside_sockets(model)]).query(skin)
    return np.minimum(away / _SCATTER_FREE_MM, 1).astype(np.float32)


def write_attribute(mesh: bpy.types.Mesh, name: str, kind: str, values: np.ndarray) -> None:
    """Fill a point attribute of a mesh, made where it is not there.

    Args:
        kind: ``FLOAT``, with (N,) values, or ``FLOAT_VECTOR``, with (N, 3).
    """
    attribute = mesh.attributes.get(name) or mesh.attributes.new(name, kind, "POINT")
    attribute.data.foreach_set("value" if kind == "FLOAT" else "vector", values.astype(np.float32).ravel())
