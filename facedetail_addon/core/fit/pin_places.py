# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pins lie on a face model: from a part's UV to its vertices, from a photo to the UV, and how places move."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..face_model.model import FaceModel, MeshPart, PointEmbedding
from ..geometry.camera import PerspectiveCamera
from .pins import SKIN, Pin, PinError
from .sides import left_shares, mirrored_identity

NEAR_MM = 12.0
"""How far around a pin the skin follows it beyond what heads do, one standard deviation."""
_OUTSIDE = 1e-3  # of a triangle, in barycentric coordinates: places on its edges are rounded
_EMPTY_UV = 1e-14


@dataclass(frozen=True)
class PinSurface:
    """The surface of a face model that pins can lie on.

    Attributes:
        model: the face model. left: (V,) of :func:`.sides.left_shares`. mirror: of :func:`.sides.mirrored_identity`.
        triangles: of each part (T, 3) vertices of the model. uv: of each part (T, 3, 2) corners in its UV.
    """

    model: FaceModel
    left: np.ndarray
    mirror: np.ndarray
    triangles: dict[str, np.ndarray]
    uv: dict[str, np.ndarray]

    @classmethod
    def of(cls, model: FaceModel) -> "PinSurface":
        """Prepared once."""
        triangles = {part.name: part.triangles() + part.start for part in model.parts}
        uv = {part.name: part.uv[part.uv_triangles()].astype(np.float64) for part in model.parts}
        return cls(model, left_shares(model.mean), mirrored_identity(model), triangles, uv)

    def embedded(self, part: str, uv: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """(3,) vertices of the model and their (3,) float64 weights, for a place of a part's UV.

        Raises:
            PinError: the model has no such part, or the part no skin there.
        """
        if part not in self.uv:
            text = f"A pin lies on {part!r:.40}, which the face model {self.model.name} does not have."
            raise PinError(text, "Remove that pin.")
        shares = barycentric(self.uv[part], np.asarray(uv, np.float64))
        inside = shares.min(axis=1)
        best = int(inside.argmax())
        there = np.flatnonzero(inside >= -_OUTSIDE)
        if len(there) > 1 and part != SKIN:  # eyes have their front and back in one place: photos show the front
            triangles = self.triangles[part][there]
            depth = (self.model.mean[triangles, 2] * shares[there]).sum(axis=1)
            best = int(there[depth.argmax()])
        if not len(there):
            place = f"({uv[0]:.4g}, {uv[1]:.4g})"
            raise PinError(f"A pin lies at {place} of the UV of {part!r}, where the head has no surface.", "Remove it.")
        weights = shares[best].clip(0)
        return self.triangles[part][best], weights / weights.sum()

    def place_of_vertex(self, vertex: int) -> tuple[str, tuple[float, float]]:
        """Part and place in its UV of a vertex of the model.

        Raises:
            PinError: there is no such vertex.
        """
        for name, triangles in self.triangles.items():
            at = np.argwhere(triangles == vertex)
            if len(at):
                u, v = self.uv[name][tuple(at[0])].tolist()
                return name, (u, v)
        raise PinError(f"The face model {self.model.name} has no vertex {vertex} on its surface.", "Name another.")

    def place_of(self, vertices: np.ndarray, weights: np.ndarray) -> tuple[str, tuple[float, float]]:
        """Part and place in its UV of (3,) weighted vertices of one triangle, as of a face model's landmarks.

        Raises:
            PinError: they are of no triangle.
        """
        alive = vertices[weights > 0]
        for name, triangles in self.triangles.items():
            whole = np.flatnonzero(np.isin(triangles, alive).sum(axis=1) == len(np.unique(alive)))
            if len(whole):
                triangle = triangles[whole[0]]
                shares = np.array([weights[vertices == corner].sum() for corner in triangle], np.float64)
                u, v = (shares / shares.sum() @ self.uv[name][whole[0]]).tolist()
                return name, (u, v)
        raise PinError(f"The face model {self.model.name} has no triangle of these vertices.", "Name others.")

    def place_under(
        self, posed: np.ndarray, camera: PerspectiveCamera, px: tuple[float, float]
    ) -> tuple[str, tuple[float, float]] | None:
        """Part and place in its UV of the surface that a photo shows at a point; None beside the head.

        Args:
            posed: (V, 3) mm.
        """
        depth = posed @ camera.rotation[2] + camera.translation[2]
        drawn = camera.project(posed)
        found = [self._place_on(mesh, drawn, depth, px) for mesh in self.model.solid_parts]
        _, best = min((one for one in found if one is not None), key=lambda one: one[0], default=(0.0, None))
        return best

    def _place_on(
        self, mesh: MeshPart, drawn: np.ndarray, depth: np.ndarray, px: tuple[float, float]
    ) -> tuple[float, tuple[str, tuple[float, float]]] | None:
        """How far away a part lies under a point, and the place; None where it does not."""
        triangles = self.triangles[mesh.name]
        corners = drawn[triangles].astype(np.float64)
        near = np.flatnonzero(((corners.min(axis=1) <= px) & (corners.max(axis=1) >= px)).all(axis=1))
        shares = barycentric(corners[near], np.asarray(px, np.float64))
        inside = (shares >= 0).all(axis=1)
        hit = near[inside]
        if not len(hit):
            return None
        # In space and not in the picture: a corner's share counts as much less as it is farther away.
        weights = shares[inside] / depth[triangles[hit]]
        away = 1 / weights.sum(axis=1)
        first = int(np.where(away > 0, away, np.inf).argmin())
        uv = (weights[first] * away[first]) @ self.uv[mesh.name][hit[first]]
        return (float(away[first]), (mesh.name, (float(uv[0]), float(uv[1])))) if away[first] > 0 else None


@dataclass(frozen=True)
class PinPoints:
    """N places on a face model, and what moves with them. It does not change while a pin is dragged.

    Attributes:
        places: (part, uv) of each. at: their vertices and weights.
        identity: (K, N, 3) mm per σ. expression: (E, N, 3). left: (N,) how much each belongs to the head's left side.
        near: (N, V_skin) float32 in [0, 1], how much the skin follows each beyond what heads do; 0 for other parts'.
        together: (N, N) the same between the places.
        near_mirrored, together_mirrored: the same of the place on the other side of each.
    """

    places: tuple[tuple[str, tuple[float, float]], ...]
    at: PointEmbedding
    identity: np.ndarray
    expression: np.ndarray
    left: np.ndarray
    near: np.ndarray
    together: np.ndarray
    near_mirrored: np.ndarray
    together_mirrored: np.ndarray

    def are_of(self, pins: Sequence[Pin]) -> bool:
        """Whether these are the places of the pins, wherever they are dropped."""
        return self.places == places_of(pins)

    def only(self, which: np.ndarray) -> "PinPoints":
        """Some of them, by number."""
        return PinPoints(
            places=tuple(self.places[number] for number in which.tolist()),
            at=PointEmbedding(self.at.vertices[which], self.at.weights[which]),
            identity=self.identity[:, which],
            expression=self.expression[:, which],
            left=self.left[which],
            near=self.near[which],
            together=self.together[np.ix_(which, which)],
            near_mirrored=self.near_mirrored[which],
            together_mirrored=self.together_mirrored[np.ix_(which, which)],
        )


def places_of(pins: Sequence[Pin]) -> tuple[tuple[str, tuple[float, float]], ...]:
    """(part, uv) of each pin."""
    return tuple((pin.part, pin.uv) for pin in pins)


def pin_points(surface: PinSurface, neutral: np.ndarray, pins: Sequence[Pin]) -> PinPoints:
    """The places of pins on a head.

    Args:
        neutral: (V, 3) mm, the head at rest.

    Raises:
        PinError: a pin's part or place is none of this model.
    """
    model = surface.model
    found = [surface.embedded(pin.part, pin.uv) for pin in pins]
    rows = np.array([row for row, _ in found], np.int32).reshape(-1, 3)
    at = PointEmbedding(rows, np.array([weights for _, weights in found], np.float64).reshape(-1, 3))
    on_skin = np.array([pin.part == SKIN for pin in pins], bool)
    points, skin = at.points(neutral).astype(np.float32), model.skin.of(neutral)
    mirrored = points * np.array([-1, 1, 1], np.float32)
    near, near_mirrored = _near(points, skin, on_skin), _near(mirrored, skin, on_skin)
    return PinPoints(
        places=places_of(pins),
        at=at,
        identity=at.points(model.identity_basis).astype(np.float64),
        expression=at.points(model.expression_basis).astype(np.float64),
        left=np.einsum("nk,nk->n", surface.left[at.vertices], at.weights),
        near=near,
        together=_at_places(near, at, on_skin),
        near_mirrored=near_mirrored,
        together_mirrored=_at_places(near_mirrored, at, on_skin),
    )


def _at_places(near: np.ndarray, at: PointEmbedding, on_skin: np.ndarray) -> np.ndarray:
    """(N, N) float64: of (N, V_skin) what is at the places themselves."""
    out = np.zeros((len(near), len(near)))
    out[:, on_skin] = np.einsum("nmk,mk->nm", near[:, at.vertices[on_skin]], at.weights[on_skin])
    return out


def _near(points: np.ndarray, others: np.ndarray, on_skin: np.ndarray) -> np.ndarray:
    """(N, M) float32: how much others follow points."""
    out = np.zeros((len(points), len(others)), np.float32)
    for row in np.flatnonzero(on_skin):
        out[row] = np.exp(((others - points[row]) ** 2).sum(axis=1) / np.float32(-2 * NEAR_MM**2))
    return out


def barycentric(corners: np.ndarray, point: np.ndarray) -> np.ndarray:
    """(T, 3) coordinates of a (2,) point in (T, 3, 2) triangles; all −1 in flat ones."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    away = point - corners[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    flat = np.abs(area) < _EMPTY_UV
    area = np.where(flat, 1.0, area)
    along = (away[:, 0] * second[:, 1] - away[:, 1] * second[:, 0]) / area
    across = (first[:, 0] * away[:, 1] - first[:, 1] * away[:, 0]) / area
    shares = np.stack([1 - along - across, along, across], axis=1)
    shares[flat] = -1
    return shares
