# SPDX-License-Identifier: GPL-3.0-or-later
"""A face model from elsewhere, as an importer returns it: true to its file, but in our units and our frame.

It has its own topology and perhaps no UV; with its correspondence to the built-in head it becomes a
:class:`~.model.FaceModel` (:mod:`.adapt`).
"""

from dataclasses import dataclass, fields

import numpy as np

from ..errors import FaceModelError
from ..face_model.model import MeshPart, split_quads

LANDMARKS = 68
UNKNOWN = -1
# Display-encoded like sRGB, 0 to 1: what the Basel models hold.
DISPLAY_SRGB = "srgb"
NO_ALBEDO = ""
_REMEDY = "Download the model again from where it comes from, and import it once more."


@dataclass(frozen=True)
class ExternalModel:
    """S = mean + Σ αₖ identity_basisₖ + Σ βₑ expression_basisₑ, with V vertices in the file's own order.

    Lengths are mm in the axes of the head frame (right-handed, +X to the subject's left, +Y up, +Z out of the face);
    the origin is the file's.

    Attributes:
        name: e.g. ``bfm2017``, safe in a file name.
        source_sha256: hexadecimal, of the file or, where there are several, of their names and hashes.
        licence: what the user must know, in a sentence or two.
        mean: (V, 3) float32 mm at α = 0, β = 0.
        expression_mean: (V, 3) float32 mm, the part of ``mean`` that is the average expression: the face at rest is
            ``mean − expression_mean``. Zero where expressions are offsets from rest.
        identity_basis: (K, V, 3) float32 mm per σ.
        expression_basis: (E, V, 3) float32 mm, per σ where ``expression_signed``, else at weight 1; E may be 0.
        expression_names: E names, of ARKit where the model has them, else ``expression_00`` …
        expression_signed: β has either sign and unit variance (Basel); else it runs from 0 to 1 (ARKit).
        albedo_mean: (V, 3) float32 red, green, blue in ``albedo_space``; None where the model has no colours.
        albedo_basis: (C, V, 3) float32 per σ, in the same units; None where ``albedo_mean`` is.
        albedo_space: :data:`DISPLAY_SRGB` or :data:`NO_ALBEDO`.
        parts: the first is ``skin``, whose faces wind outwards; they follow each other without gaps. A part without
            UV of its own has ``uv`` (0, 2) and −1 all over ``face_uv``.
        landmarks68: (68,) int32 vertices in iBUG order, :data:`UNKNOWN` for points the file does not tell; None where
            it tells none.
    """

    name: str
    source_sha256: str
    licence: str
    mean: np.ndarray
    expression_mean: np.ndarray
    identity_basis: np.ndarray
    expression_basis: np.ndarray
    expression_names: tuple[str, ...]
    expression_signed: bool
    albedo_mean: np.ndarray | None
    albedo_basis: np.ndarray | None
    albedo_space: str
    parts: tuple[MeshPart, ...]
    landmarks68: np.ndarray | None

    @property
    def skin(self) -> MeshPart:
        return self.parts[0]

    @property
    def neutral(self) -> np.ndarray:
        """(V, 3) float32 mm, the average face at rest."""
        return self.mean - self.expression_mean

    def nbytes(self) -> int:
        """Memory of its arrays in bytes, without the parts'."""
        values = (getattr(self, field.name) for field in fields(self))
        return sum(value.nbytes for value in values if isinstance(value, np.ndarray))


def require_sound(model: ExternalModel, source: str) -> None:
    """Check that the arrays of a model fit each other and hold what its docstring says.

    Args:
        source: how messages call it, e.g. a file's path.

    Raises:
        FaceModelError: the first thing that is wrong, by name.
    """
    problem = _wrong_arrays(model) or _wrong_parts(model) or _wrong_landmarks(model)
    if problem:
        raise FaceModelError(f"The face model {source} is damaged: {problem}.", _REMEDY)


def _wrong_arrays(model: ExternalModel) -> str | None:
    vertices = (*model.mean.shape[:1], 3)
    shapes = {
        "mean": vertices,
        "expression_mean": vertices,
        "identity_basis": (*model.identity_basis.shape[:1], *vertices),
        "expression_basis": (len(model.expression_names), *vertices),
    }
    colours = (model.albedo_mean is not None, model.albedo_basis is not None, model.albedo_space != NO_ALBEDO)
    if len(set(colours)) != 1:
        return "its colours are incomplete"
    if model.albedo_basis is not None:
        shapes |= {"albedo_mean": vertices, "albedo_basis": (*model.albedo_basis.shape[:1], *vertices)}
    for name, shape in shapes.items():
        array = getattr(model, name)
        if array.dtype != np.float32 or array.shape != shape:
            return f"{name} is {array.dtype} {array.shape}, expected float32 {shape}"
        # One mode at a time: the mask of a whole basis would be a quarter of its memory.
        if not all(np.isfinite(mode).all() for mode in array):
            return f"{name} holds values that are not numbers"
    if len(set(model.expression_names)) != len(model.expression_names):
        return "two expressions have the same name"
    return None


def _wrong_parts(model: ExternalModel) -> str | None:
    ends = [0, *(part.stop for part in model.parts)]
    starts = [*(part.start for part in model.parts), len(model.mean)]
    if not model.parts or model.parts[0].name != "skin" or starts != ends:
        return "its parts do not follow each other, skin first"
    if len({part.name for part in model.parts}) != len(model.parts):
        return "two parts have the same name"
    for part in model.parts:
        if problem := _wrong_part(part):
            return f"{part.name} {problem}"
    return None


def _wrong_part(part: MeshPart) -> str | None:
    faces = part.faces
    if faces.ndim != 2 or faces.shape[1:] != (4,) or faces.dtype.kind != "i" or len(faces) == 0:
        return f"has faces of {faces.dtype} {faces.shape}"
    if part.face_uv.shape != faces.shape or part.face_uv.dtype.kind != "i":
        return f"has UV of faces of {part.face_uv.dtype} {part.face_uv.shape}"
    if part.uv.ndim != 2 or part.uv.shape[1:] != (2,) or part.uv.dtype.kind != "f" or not np.isfinite(part.uv).all():
        return "has UV that are not pairs of numbers"
    if not _indices_fit(faces, part.stop - part.start):
        return "has faces that name vertices it does not have"
    has_uv = len(part.uv) > 0
    if (has_uv and not _indices_fit(part.face_uv, len(part.uv))) or (not has_uv and (part.face_uv != UNKNOWN).any()):
        return "has faces that name UV points it does not have"
    material = part.face_material
    if material.shape != faces.shape[:1] or material.dtype.kind != "u" or material.max() >= len(part.materials):
        return "has faces that name materials it does not have"
    return None


def _indices_fit(faces: np.ndarray, count: int) -> bool:
    """Triples within range, and fourth corners within range or −1."""
    return _in_range(faces[:, :3], count) and bool(faces[:, 3].min() >= UNKNOWN and faces[:, 3].max() < count)


def _in_range(indices: np.ndarray, count: int) -> bool:
    return bool(indices.min() >= 0 and indices.max() < count)


def _wrong_landmarks(model: ExternalModel) -> str | None:
    landmarks = model.landmarks68
    if landmarks is None:
        return None
    if landmarks.shape != (LANDMARKS,) or landmarks.dtype.kind != "i":
        return f"landmarks68 is {landmarks.dtype} {landmarks.shape}, expected {LANDMARKS} integers"
    if landmarks.min() < UNKNOWN or landmarks.max() >= len(model.mean):
        return "landmarks68 names vertices it does not have"
    return None


def outwards(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Faces turned over, all of them, where they wind inwards.

    Args:
        vertices: (V, 3). faces: (F, 4) quads, −1 pads triangles.

    Returns:
        (F, 4) faces; a positive volume lies between the surface and the middle of its vertices.
    """
    corners = (vertices - vertices.mean(axis=0)).astype(np.float64)[split_quads(faces)]
    volume = np.einsum("ti,ti->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    if volume >= 0:
        return faces
    quads = faces[:, 3] >= 0
    turned = faces.copy()
    turned[~quads, :3] = faces[~quads, 2::-1]
    turned[quads] = faces[quads, ::-1]
    return turned
