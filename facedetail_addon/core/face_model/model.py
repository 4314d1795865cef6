# SPDX-License-Identifier: GPL-3.0-or-later
"""A morphable head: S = mean + Σ αₖ E_id,k + Σ βₑ E_exp,e, in separate parts (skin, eyes, teeth, gums)."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

FACE_REGIONS = ("forehead", "cheeks", "nose", "mouth", "chin", "eyes")
"""The regions of the skin that are the face."""
FILM, LASHES = "film", "lashes"
"""Materials of parts that the built-in head does not have: transparent covers of the eyes, and eyelashes."""


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
        native_uv: (W, 2) float32, a second layout, that of the model's file; None where there is none.
        native_face_uv: (F, 4) int32 indices into ``native_uv``; None where that is.
    """

    name: str
    start: int
    stop: int
    faces: np.ndarray
    uv: np.ndarray
    face_uv: np.ndarray
    face_material: np.ndarray
    materials: tuple[str, ...]
    native_uv: np.ndarray | None = None
    native_face_uv: np.ndarray | None = None

    @property
    def rows(self) -> slice:
        """Of the part's vertices among the model's."""
        return slice(self.start, self.stop)

    def of(self, positions: np.ndarray) -> np.ndarray:
        """(..., V, C) of all vertices of the model to (..., V_part, C) of the part's, without a copy."""
        return positions[..., self.rows, :]

    def triangles(self) -> np.ndarray:
        """(T, 3) int32 of the part's own vertices; each quad splits along its first diagonal."""
        return split_quads(self.faces)

    def uv_triangles(self) -> np.ndarray:
        """(T, 3) int32 indices into ``uv``, in the order of :meth:`triangles`."""
        return split_quads(self.face_uv)

    def vertex_uv(self) -> np.ndarray:
        """(V_part, 2) float64 one place in the layout for each of the part's vertices; at seams, one of several."""
        return self._vertex_uv

    @cached_property
    def _vertex_uv(self) -> np.ndarray:
        out = np.zeros((self.stop - self.start, 2))
        out[self.triangles().ravel()] = self.uv[self.uv_triangles().ravel()]
        out.flags.writeable = False
        return out


@dataclass(frozen=True)
class NativeExpressions:
    """Expression modes of either sign that a model has beside ARKit's: S = model's mean + mean + Σ βₛ basisₛ.

    Attributes:
        mean: (V, 3) float32 mm, the average expression; the model's own mean is at rest.
        basis: (S, V, 3) float32 mm per σ.
    """

    mean: np.ndarray
    basis: np.ndarray


@dataclass(frozen=True)
class NativeAlbedo:
    """A model's own colours of skin: mean + Σ γₖ basisₖ, display-encoded like sRGB, 0 to 1.

    Attributes:
        mean: (V_skin, 3) float32. basis: (C, V_skin, 3) float32 per σ.
    """

    mean: np.ndarray
    basis: np.ndarray


@dataclass(frozen=True)
class ModelOrigin:
    """Where an imported model came from, and what it got from the built-in head.

    Attributes:
        source_sha256: of the file or files it was imported from.
        canonical: fingerprint of the built-in head whose UV, regions and landmarks were transferred to it.
        transferred_expressions: its ARKit expressions are the built-in head's.
        attached: names of the parts that are the built-in head's.
        residual_mm: mean distance of the built-in skin to its skin after registration.
        folds: triangles of the canonical UV that are turned over or flat.
    """

    source_sha256: str
    canonical: str
    transferred_expressions: bool
    attached: tuple[str, ...]
    residual_mm: float
    folds: int


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
        native_expressions, native_albedo: what an imported model has of its own; None where it has none.
        origin: None for the built-in head.
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
    native_expressions: NativeExpressions | None = None
    native_albedo: NativeAlbedo | None = None
    origin: ModelOrigin | None = None

    @property
    def skin(self) -> MeshPart:
        return self.parts[0]

    @property
    def solid_parts(self) -> tuple[MeshPart, ...]:
        """The parts that hide what lies behind them: the skin first, no films, no lashes."""
        return tuple(part for part in self.parts if not {FILM, LASHES} & set(part.materials))

    @property
    def eyes(self) -> dict[str, MeshPart]:
        """The eyeballs by side, ``left`` and ``right``, as far as the model has them."""
        return {side: self.part(f"eye_{side}") for side in ("left", "right") if self.has_part(f"eye_{side}")}

    def has_part(self, name: str) -> bool:
        """Whether there is a part of that name."""
        return any(part.name == name for part in self.parts)

    def part(self, name: str) -> MeshPart:
        """The part of that name; KeyError where the model has none."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)

    def triangles(self) -> np.ndarray:
        """(T, 3) int32 of the model's vertices: :meth:`MeshPart.triangles` of all parts, one after the other."""
        return _joined(self.parts)

    def solid_triangles(self) -> np.ndarray:
        """(T, 3) int32 of the model's vertices, those of :attr:`solid_parts` alone; the skin's come first."""
        return _joined(self.solid_parts)

    def in_region(self, *names: str) -> np.ndarray:
        """(V_skin,) bool: vertices of any of these regions; a region that the model does not have holds none."""
        return np.isin(self.region, [index for index, name in enumerate(self.region_names) if name in names])

    def fingerprint(self) -> str:
        """SHA-256 over mean and a sample of the modes: tells whether something measured on a model belongs to it."""
        digest = hashlib.sha256(self.name.encode())
        for array in (self.mean, self.identity_basis[:, ::97], self.expression_basis[:, ::97]):
            digest.update(np.ascontiguousarray(array, np.float32))
        return digest.hexdigest()

    def canonical(self) -> str:
        """The fingerprint of the head whose UV, regions and expression names it has: what is learned there fits it."""
        return self.origin.canonical if self.origin else self.fingerprint()

    def vertices(
        self, alpha: np.ndarray | None = None, beta: np.ndarray | None = None, scale: float = 1.0
    ) -> np.ndarray:
        """(V, 3) float32 mm; ``alpha`` may be shorter than K, ``beta`` must have E entries.

        Args:
            scale: of the mean head, to which the modes are added.
        """
        out = self.mean * np.float32(scale)
        if alpha is not None:
            out += np.tensordot(np.asarray(alpha, np.float32), self.identity_basis[: len(alpha)], axes=1)
        if beta is not None:
            out += np.tensordot(np.asarray(beta, np.float32), self.expression_basis, axes=1)
        return out


@dataclass(frozen=True)
class Layout:
    """A mesh of triangles and quads, and where it lies in a texture.

    Attributes:
        faces: (F, 4) int of the mesh's V vertices, −1 in the fourth of triangles. uv: (U, 2).
        face_uv: (F, 4) int of ``uv``.
    """

    faces: np.ndarray
    uv: np.ndarray
    face_uv: np.ndarray

    @property
    def uv_vertex(self) -> np.ndarray:
        """(U,) int: the vertex that each place in the layout belongs to."""
        out = np.zeros(len(self.uv), np.int64)
        present = self.faces >= 0
        out[self.face_uv[present]] = self.faces[present]
        return out

    def triangles(self) -> np.ndarray:
        """(T, 3) int32 of vertices; each quad splits along its first diagonal."""
        return split_quads(self.faces)

    def other_diagonals(self) -> "Layout":
        """The same, with quads that split along their second diagonal."""
        quads = self.faces[:, 3:] >= 0
        faces, face_uv = (np.where(quads, np.roll(one, 1, axis=1), one) for one in (self.faces, self.face_uv))
        return Layout(faces, self.uv, face_uv)

    def uv_triangles(self) -> np.ndarray:
        """(T, 3) int32 indices into ``uv``, in the order of :meth:`triangles`."""
        return split_quads(self.face_uv)


def _joined(parts: tuple[MeshPart, ...]) -> np.ndarray:
    return np.concatenate([part.triangles() + part.start for part in parts])


def split_quads(faces: np.ndarray) -> np.ndarray:
    """(F, 4) quads with −1 for triangles to (T, 3): first halves of all faces, then second halves of the quads."""
    quads = faces[faces[:, 3] >= 0]
    return np.concatenate([faces[:, :3], quads[:, [0, 2, 3]]]).astype(np.int32)
