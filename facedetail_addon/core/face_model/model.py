# SPDX-License-Identifier: GPL-3.0-or-later
"""A morphable head: S = mean + Σ αₖ E_id,k + Σ βₑ E_exp,e, in separate parts (skin, eyes, teeth, gums).

The file is an npz of plain arrays (never pickled). A part whose every mode is an affine map within a tenth of a
millimetre (an eyeball, a jaw's teeth) stores a 4×3 matrix per mode; all others store integers of a fixed step in mm.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..archive import read_arrays, require_format
from ..errors import FaceModelError

FORMAT_VERSION = 1
AFFINE_LIMIT_MM = 0.1
_REMEDY = "Use a face model written by this version of FaceDetail, or install the extension again."


@dataclass(frozen=True)
class PointEmbedding:
    """Points fixed to the surface as weighted vertices: p = Σ w · vertex.

    Attributes:
        vertices: (N, 3) int32 indices into the model's vertices.
        weights: (N, 3) float32, non-negative, each row sums to 1.
    """

    vertices: np.ndarray
    weights: np.ndarray

    def points(self, positions: np.ndarray) -> np.ndarray:
        """(..., V, 3) vertex positions to (..., N, 3) points."""
        return np.einsum("...nkc,nk->...nc", positions[..., self.vertices, :], self.weights)


@dataclass(frozen=True)
class MeshPart:
    """One object of the head.

    Attributes:
        name: ``skin``, ``eye_left``, ``eye_right``, ``teeth_upper``, ``teeth_lower``, ``gums`` …
        start, stop: its vertices are ``start:stop`` of the model's.
        faces: (F, 4) int32 quads, indices into the *part's own* vertices (0 = ``start``); −1 in the last place
            marks a triangle.
        uv: (U, 2) float32, origin bottom left.
        face_uv: (F, 4) int32 indices into ``uv``, −1 where ``faces`` is.
        face_material: (F,) uint8 index into ``materials``.
        materials: material names, e.g. ``("sclera", "iris", "pupil")``.
    """

    name: str
    start: int
    stop: int
    faces: np.ndarray
    uv: np.ndarray
    face_uv: np.ndarray
    face_material: np.ndarray
    materials: tuple[str, ...]

    def triangles(self) -> np.ndarray:
        """(T, 3) int32 of the part's own vertices; each quad splits along its first diagonal."""
        return split_quads(self.faces)

    def uv_triangles(self) -> np.ndarray:
        """(T, 3) int32 indices into ``uv``, in the order of :meth:`triangles`."""
        return split_quads(self.face_uv)

    def vertex_uv(self) -> np.ndarray:
        """(V_part, 2) float64 one place in the layout for each of the part's vertices; at seams, one of several."""
        out = np.zeros((self.stop - self.start, 2))
        out[self.triangles().ravel()] = self.uv[self.uv_triangles().ravel()]
        return out


@dataclass(frozen=True)
class FaceModel:
    """A face model in memory.

    Attributes:
        name: e.g. ``builtin``.
        mean: (V, 3) float32 mm, all parts one after the other, skin first.
        identity_basis: (K, V, 3) float32 mm per σ.
        expression_basis: (E, V, 3) float32 mm at weight 1.
        expression_names: E ARKit names, e.g. ``jawOpen``, ``eyeBlinkLeft``.
        parts: the first is always ``skin``; its UV is the canonical UV.
        landmarks68: iBUG order.
        region_names: names of skin regions.
        region: (V_skin,) uint8 index into ``region_names``.
    """

    name: str
    mean: np.ndarray
    identity_basis: np.ndarray
    expression_basis: np.ndarray
    expression_names: tuple[str, ...]
    parts: tuple[MeshPart, ...]
    landmarks68: PointEmbedding
    region_names: tuple[str, ...]
    region: np.ndarray

    @property
    def skin(self) -> MeshPart:
        return self.parts[0]

    def part(self, name: str) -> MeshPart:
        """The part of that name; KeyError where the model has none."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)

    def fingerprint(self) -> str:
        """SHA-256 over mean and a sample of the modes: tells whether something measured on a model belongs to it."""
        digest = hashlib.sha256(self.name.encode())
        for array in (self.mean, self.identity_basis[:, ::97], self.expression_basis[:, ::97]):
            digest.update(np.ascontiguousarray(array, np.float32))
        return digest.hexdigest()

    def vertices(self, alpha: np.ndarray | None = None, beta: np.ndarray | None = None) -> np.ndarray:
        """(V, 3) float32 mm; ``alpha`` may be shorter than K, ``beta`` must have E entries."""
        out = self.mean.copy()
        if alpha is not None:
            out += np.tensordot(np.asarray(alpha, np.float32), self.identity_basis[: len(alpha)], axes=1)
        if beta is not None:
            out += np.tensordot(np.asarray(beta, np.float32), self.expression_basis, axes=1)
        return out


def split_quads(faces: np.ndarray) -> np.ndarray:
    """(F, 4) quads with −1 for triangles to (T, 3): first halves of all faces, then second halves of the quads."""
    quads = faces[faces[:, 3] >= 0]
    return np.concatenate([faces[:, :3], quads[:, [0, 2, 3]]]).astype(np.int32)


def load_face_model(path: Path) -> FaceModel:
    """Read a face model file.

    Raises:
        FaceModelError: missing, of another format, or with arrays of wrong shape or non-finite values.
    """
    try:
        arrays = read_arrays(path)
    except ValueError as error:
        raise FaceModelError(f"The face model {path} cannot be read: {error}.", _REMEDY) from error
    try:
        model = _decode(arrays)
    except (KeyError, IndexError, ValueError) as error:
        raise FaceModelError(f"The face model {path} is incomplete or of another format: {error}.", _REMEDY) from error
    _check(model, path)
    return model


def save_face_model(path: Path, model: FaceModel, step_mm: float = 0.01) -> None:
    """Write a face model, its bases quantised to ``step_mm`` or, where a part allows it, as affine maps."""
    arrays = {
        "format_version": np.int32(FORMAT_VERSION),
        "name": np.array(model.name),
        "mean": model.mean.astype(np.float32),
        "step_mm": np.float32(step_mm),
        "expression_names": np.array(model.expression_names),
        "part_names": np.array([part.name for part in model.parts]),
        "part_ranges": np.array([(part.start, part.stop) for part in model.parts], np.int32),
        "landmarks68_vertices": model.landmarks68.vertices.astype(np.int32),
        "landmarks68_weights": model.landmarks68.weights.astype(np.float32),
        "region_names": np.array(model.region_names),
        "region": model.region.astype(np.uint8),
    }
    for part in model.parts:
        arrays[f"{part.name}.faces"] = part.faces.astype(np.int32)
        arrays[f"{part.name}.uv"] = part.uv.astype(np.float32)
        arrays[f"{part.name}.face_uv"] = part.face_uv.astype(np.int32)
        arrays[f"{part.name}.face_material"] = part.face_material.astype(np.uint8)
        arrays[f"{part.name}.materials"] = np.array(part.materials)
        for key, basis in (("identity", model.identity_basis), ("expression", model.expression_basis)):
            offsets = basis[:, part.start : part.stop]
            maps, residual_mm = fit_affine_modes(model.mean[part.start : part.stop], offsets)
            if residual_mm <= AFFINE_LIMIT_MM:
                arrays[f"{part.name}.{key}_affine"] = maps
            else:
                arrays[f"{part.name}.{key}"] = _quantise(offsets, step_mm)
    np.savez_compressed(path, **arrays)


def fit_affine_modes(rest: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, float]:
    """One affine map per mode: offsets[k] ≈ [rest, 1] @ maps[k].

    Args:
        rest: (N, 3) mm. offsets: (K, N, 3) mm.

    Returns:
        (K, 4, 3) float32 maps and the root mean square residual in mm of the worst mode.
    """
    homogeneous = _homogeneous(rest.astype(np.float64))
    maps = np.linalg.pinv(homogeneous) @ offsets.astype(np.float64)
    residual = np.sqrt(((homogeneous @ maps - offsets) ** 2).sum(-1).mean(-1))
    return maps.astype(np.float32), float(residual.max(initial=0.0))


def _homogeneous(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones_like(points[:, :1])], axis=1)


def _quantise(basis: np.ndarray, step_mm: float) -> np.ndarray:
    return np.round(basis / step_mm).clip(-32767, 32767).astype(np.int16)


def _decode(arrays: dict[str, np.ndarray]) -> FaceModel:
    require_format(arrays, FORMAT_VERSION)
    mean = arrays["mean"].astype(np.float32)
    ranges = arrays["part_ranges"]
    parts = []
    for name, (start, stop) in zip(arrays["part_names"].tolist(), ranges.tolist(), strict=True):
        parts.append(
            MeshPart(
                name=name, start=start, stop=stop,
                faces=arrays[f"{name}.faces"], uv=arrays[f"{name}.uv"], face_uv=arrays[f"{name}.face_uv"],
                face_material=arrays[f"{name}.face_material"], materials=tuple(arrays[f"{name}.materials"].tolist()),
            )
        )  # fmt: skip
    homogeneous = _homogeneous(mean)
    step = float(arrays["step_mm"])

    def basis(key: str) -> np.ndarray:
        return np.concatenate(
            [
                homogeneous[p.start : p.stop] @ arrays[f"{p.name}.{key}_affine"]
                if f"{p.name}.{key}_affine" in arrays
                else arrays[f"{p.name}.{key}"].astype(np.float32) * step
                for p in parts
            ],
            axis=1,
        )

    return FaceModel(
        name=str(arrays["name"]),
        mean=mean,
        identity_basis=basis("identity"),
        expression_basis=basis("expression"),
        expression_names=tuple(arrays["expression_names"].tolist()),
        parts=tuple(parts),
        landmarks68=PointEmbedding(arrays["landmarks68_vertices"], arrays["landmarks68_weights"]),
        region_names=tuple(arrays["region_names"].tolist()),
        region=arrays["region"],
    )


def _check(model: FaceModel, path: Path) -> None:
    count = len(model.mean)
    finite = all(np.isfinite(a).all() for a in (model.mean, model.identity_basis, model.expression_basis))
    shapes = (
        model.mean.ndim == 2 and model.mean.shape[1] == 3
        and model.identity_basis.shape[1:] == (count, 3)
        and model.expression_basis.shape == (len(model.expression_names), count, 3)
        and model.parts[0].name == "skin" and model.parts[0].start == 0 and model.parts[-1].stop == count
        and model.landmarks68.vertices.shape == (68, 3) and model.landmarks68.weights.shape == (68, 3)
        and model.region.shape == (model.parts[0].stop,)
    )  # fmt: skip
    inside = all(
        part.faces.shape == part.face_uv.shape and part.faces.max() < part.stop - part.start
        and part.face_uv.max() < len(part.uv) and part.faces[:, :3].min() >= 0
        for part in model.parts
    ) and 0 <= model.landmarks68.vertices.min() and model.landmarks68.vertices.max() < count  # fmt: skip
    if not (finite and shapes and inside):
        raise FaceModelError(f"The face model {path} holds wrong shapes, indices or values.", _REMEDY)
