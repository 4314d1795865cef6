# SPDX-License-Identifier: GPL-3.0-or-later
"""A head's shape as its objects hold it: places at rest, shape keys, sliders, eyes. For building and for a new pose."""

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from scipy.spatial import cKDTree

from ..core.face_model.arkit import added_names, seals, slider_offsets
from ..core.face_model.eyeball import Eyeball, cornea_height, fit_eyeball, iris_coordinates
from ..core.face_model.model import FaceModel, MeshPart
from ..names import LIMIT_KEY, PHOTO_EXPRESSION_PROPERTY
from .space import to_blender

REST_KEY = "Photo Expression Rest"
"""What the photo's expression has beyond the named ones."""
_CLOSE, _OPEN = "mouthClose", "jawOpen"
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
        named = np.tensordot(self.beta, model.expression_basis, axes=1)
        for name, offset in seals(model).items():
            named += self.beta[model.expression_names.index(name)] * offset
        rest = self.posed - (self.neutral + named)
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
    for name, offset in slider_offsets(model, part):
        if part is model.skin or np.linalg.norm(offset, axis=1).max() > MOVED_MM:
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


def limit_mouth_close(skin: bpy.types.Object) -> None:
    """Let mouthClose act no further than the jaw is open, but for what the photo's expression has of it.

    The key keeps its shape and its slider; another one, driven without Python, takes back what is too much.
    """
    blocks = skin.data.shape_keys.key_blocks
    if not {_CLOSE, _OPEN} <= set(blocks.keys()) or LIMIT_KEY in blocks:
        return
    write_limit(skin.shape_key_add(name=LIMIT_KEY, from_mix=False))
    driver = blocks[LIMIT_KEY].driver_add("value").driver
    driver.type = "SCRIPTED"
    for letter, source in zip(
        "abcd",
        (
            *(f'key_blocks["{name}"].value' for name in (_CLOSE, _OPEN)),
            *(f'["{PHOTO_EXPRESSION_PROPERTY}"]["{name}"]' for name in (_CLOSE, _OPEN)),
        ),
        strict=True,
    ):
        variable = driver.variables.new()
        variable.name, variable.type = letter, "SINGLE_PROP"
        target = variable.targets[0]
        target.id_type, target.id, target.data_path = "KEY", skin.data.shape_keys, source
    driver.expression = "max(0, a - max(0, b) - max(0, c - max(0, d)))"


def write_limit(limit: bpy.types.ShapeKey) -> None:
    """Make the limit the opposite of mouthClose, as that is now."""
    keys = limit.id_data
    places = []
    for key in (keys.reference_key, keys.key_blocks[_CLOSE]):
        places.append(np.empty(3 * len(key.points), np.float32))
        key.points.foreach_get("co", places[-1])
    limit.points.foreach_set("co", 2 * places[0] - places[1])


def set_sliders(skin: bpy.types.Object, model: FaceModel, beta: np.ndarray) -> None:
    """Show the photo's expression and remember it; sliders that the artist has removed or renamed stay away."""
    blocks = skin.data.shape_keys.key_blocks
    weights = expression_values(model, beta)
    for name in weights.keys() & set(blocks.keys()):
        blocks[name].value = weights[name]
    skin.data.shape_keys[PHOTO_EXPRESSION_PROPERTY] = {key.name: key.value for key in blocks if key.name in weights}


def expression_values(model: FaceModel, beta: np.ndarray) -> dict[str, float]:
    """A photo's values of all sliders by (E,) weights."""
    added = dict.fromkeys(added_names(model), 0.0)
    return {**dict(zip(model.expression_names, map(float, beta), strict=True)), **added, REST_KEY: 1.0}


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
