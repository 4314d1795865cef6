# SPDX-License-Identifier: GPL-3.0-or-later
"""An external model as a :class:`FaceModel`: its own vertices, faces and identities in our frame, UV, regions, names.

Expressions under ARKit's names are what photos are read in and what artists pose with. A model that has them keeps its
own; to another those of the built-in head are transferred, and its native modes, which have either sign and no names,
stay beside them. Eyes, teeth and gums that a model lacks come from the built-in head.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.csgraph import connected_components

from ..face_model.eyeball import eye_centre, pupil_vertex
from ..face_model.model import (
    FILM,
    LASHES,
    FaceModel,
    MeshPart,
    ModelOrigin,
    NativeAlbedo,
    NativeExpressions,
    PointEmbedding,
)
from ..geometry.mesh_fields import vertex_areas
from ..geometry.nearest import ClosestPoints
from .attached import attached_parts, local_jacobians, pose_of_part
from .correspondence import Correspondence, transfer_embedding
from .external import ExternalModel
from .gaze import with_gaze_motion
from .uv_folds import links, membrane
from .uv_transfer import outside_of_openings

_SOCKET = "socket"
# Openings are filled by bags where the skin there is so much larger than a film over them, and not tiny.
_BAG, _BAG_MM2 = 2.0, 150.0


@dataclass(frozen=True)
class AdaptedModel:
    """An external model, ready for everything that takes the built-in head, and how it was matched.

    Attributes:
        model: its skin has canonical UV, and its own as ``native_uv`` where it has one; ``expression_basis`` holds
            ARKit expressions, 0 to 1; modes of either sign are its ``native_expressions``.
        correspondence: with the built-in head.
    """

    model: FaceModel
    correspondence: Correspondence


def adapt(external: ExternalModel, builtin: FaceModel, correspondence: Correspondence) -> AdaptedModel:
    """The external model as a :class:`FaceModel`.

    Args:
        external: what was matched. correspondence: what :func:`~.correspondence.correspond` gave for both.
    """
    skin = _with_canonical_uv(external.skin, correspondence)
    region, covered = _regions(builtin, correspondence, skin)
    identity = _rotated(external.identity_basis, correspondence)
    has_arkit = len(external.expression_names) > 0 and not external.expression_signed
    if has_arkit:
        names, expression = external.expression_names, _rotated(external.expression_basis, correspondence)
    else:
        names, expression = builtin.expression_names, _transferred_expressions(external, builtin, correspondence)
    has = {part.name for part in external.parts}
    wanted = tuple(
        part for part in builtin.parts[1:] if part.name not in has and not (covered and part.name.startswith("eye"))
    )
    added = attached_parts(wanted, builtin, correspondence, skin.of(identity), names, len(external.mean))
    model = FaceModel(
        name=external.name,
        mean=np.concatenate([correspondence.neutral, added.mean]),
        identity_basis=np.concatenate([identity, added.identity], axis=1),
        expression_basis=np.concatenate([expression, added.expression], axis=1),
        expression_names=names,
        parts=(skin, *(_native_part(part, builtin, correspondence) for part in external.parts[1:]), *added.parts),
        landmarks68=transfer_embedding(builtin.landmarks68, builtin, correspondence, skin),
        region_names=builtin.region_names,
        region=region,
        native_expressions=_native_expressions(external, correspondence, len(added.mean)),
        native_albedo=_native_albedo(external),
        origin=ModelOrigin(
            source_sha256=external.source_sha256,
            canonical=builtin.canonical(),
            transferred_expressions=not has_arkit,
            attached=tuple(part.name for part in wanted),
            residual_mm=correspondence.residual_mm,
            folds=correspondence.layout.folds,
        ),
    )
    return AdaptedModel(with_gaze_motion(model), correspondence)


def _with_canonical_uv(skin: MeshPart, correspondence: Correspondence) -> MeshPart:
    own = (skin.uv, skin.face_uv) if len(skin.uv) else (None, None)
    return replace(
        skin,
        uv=correspondence.layout.uv,
        face_uv=correspondence.layout.face_uv,
        face_material=np.zeros(len(skin.faces), np.uint8),
        materials=("skin",),
        native_uv=own[0],
        native_face_uv=own[1],
    )


def _native_expressions(
    external: ExternalModel, correspondence: Correspondence, attached: int
) -> NativeExpressions | None:
    """Modes of either sign; attached parts, so many vertices, do not move with them."""
    if not external.expression_signed or len(external.expression_basis) == 0:
        return None
    mean = external.expression_mean @ correspondence.rotation.astype(np.float32)
    basis = _rotated(external.expression_basis, correspondence)
    return NativeExpressions(np.pad(mean, ((0, attached), (0, 0))), np.pad(basis, ((0, 0), (0, attached), (0, 0))))


def _native_albedo(external: ExternalModel) -> NativeAlbedo | None:
    if external.albedo_mean is None or external.albedo_basis is None:
        return None
    return NativeAlbedo(external.skin.of(external.albedo_mean), external.skin.of(external.albedo_basis))


def _rotated(basis: np.ndarray, correspondence: Correspondence) -> np.ndarray:
    return basis @ correspondence.rotation.astype(np.float32)


def _transferred_expressions(external: ExternalModel, builtin: FaceModel, correspondence: Correspondence) -> np.ndarray:
    """(E, V, 3) the built-in expressions on the external skin, stretched as the skin there is; other parts stay."""
    jacobian = local_jacobians(builtin.skin.of(builtin.mean), correspondence.registered, correspondence.scale)
    out = np.zeros((len(builtin.expression_names), len(external.mean), 3), np.float32)
    for mode, offset in zip(out, builtin.expression_basis, strict=True):
        there = np.einsum("vi,vij->vj", builtin.skin.of(offset), jacobian)
        mode[external.skin.rows] = correspondence.on_builtin @ there
    return out


def _regions(builtin: FaceModel, correspondence: Correspondence, skin: MeshPart) -> tuple[np.ndarray, bool]:
    """(V_skin,) uint8 as on the built-in head; True where skin, not a bag behind it, lies in the openings of the eyes.

    What lies over an opening is named as the skin around it.
    """
    socket = builtin.region_names.index(_SOCKET)
    outside = np.flatnonzero(outside_of_openings(builtin))
    near = correspondence.on_builtin[:, outside]
    heaviest = outside[np.asarray(near.argmax(axis=1)).ravel()]
    region = np.where(near.getnnz(axis=1) > 0, builtin.region[heaviest], socket).astype(np.uint8)
    vertices, triangles = skin.of(correspondence.neutral).astype(np.float64), skin.triangles()
    linked = links(vertices, triangles)
    filled = correspondence.layout.filled & (region == socket)
    film = membrane(vertices, filled, linked)
    real, least = vertex_areas(vertices, triangles), vertex_areas(film, triangles)
    rows = np.flatnonzero(filled)
    count, piece = connected_components(linked[rows][:, rows], directed=False)
    around = linked[rows] @ ((~filled)[:, None] * np.eye(len(builtin.region_names))[region])
    covered = False
    for index in range(count):
        mine = rows[piece == index]
        if real[mine].sum() > max(_BAG * least[mine].sum(), _BAG_MM2):
            continue
        votes = around[piece == index].sum(axis=0)
        votes[socket] = 0
        region[mine] = votes.argmax()
        covered |= builtin.region_names[int(votes.argmax())] == "eyes"
    return region, covered


def _native_part(part: MeshPart, builtin: FaceModel, correspondence: Correspondence) -> MeshPart:
    """A part with materials under our names; an eye with UV whose middle is the pupil."""
    if part.name in ("eye_left", "eye_right"):
        materials = tuple("iris" if "iris" in name.lower() else "sclera" for name in part.materials)
        own = (part.uv, part.face_uv) if len(part.uv) else (None, None)
        return replace(
            _with_pupil(part, builtin, correspondence), materials=materials, native_uv=own[0], native_face_uv=own[1]
        )
    kinds = {"teeth_upper": "teeth", "teeth_lower": "teeth", "gums": "gums", "lashes": LASHES}
    return replace(part, materials=(kinds.get(part.name, FILM),) * len(part.materials))


def _with_pupil(part: MeshPart, builtin: FaceModel, correspondence: Correspondence) -> MeshPart:
    """UV around the pupil, the farther from it the farther out; it looks where the built-in eye looks."""
    ours = builtin.part(part.name)
    eye = ours.of(builtin.mean).astype(np.float64)
    gaze = eye[pupil_vertex(ours, eye)] - eye_centre(eye)
    gaze /= np.linalg.norm(gaze)
    mine = part.of(correspondence.neutral).astype(np.float64)
    ray = mine - eye_centre(mine)
    ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-9)
    side = np.cross([0.0, 1.0, 0.0], gaze)
    side /= np.linalg.norm(side)
    flat = np.stack([ray @ side, ray @ np.cross(gaze, side)], axis=1)
    angle = np.arctan2(np.linalg.norm(flat, axis=1), ray @ gaze)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    uv = 0.5 + 0.49 * flat * (angle / np.pi)[:, None]
    return replace(part, uv=uv.astype(np.float32), face_uv=part.faces.astype(np.int32))


def transfer_points(embedding: PointEmbedding, builtin: FaceModel, adapted: AdaptedModel) -> PointEmbedding:
    """Points of the built-in head, skin or eyes, as points of an adapted model.

    Where neither the model nor what was attached to it has the part of a point, an eyeball under skin, it becomes the
    point of the skin in front of it.

    Args:
        embedding: N points, each on one part; paths and landmarks of a calibration.
    """
    model, correspondence = adapted.model, adapted.correspondence
    vertices, weights = np.zeros_like(embedding.vertices), np.zeros_like(embedding.weights)
    for part in builtin.parts:
        rows = np.flatnonzero((embedding.vertices[:, 0] >= part.start) & (embedding.vertices[:, 0] < part.stop))
        if len(rows) == 0:
            continue
        points = PointEmbedding(embedding.vertices[rows], embedding.weights[rows])
        if part.name == "skin":
            transferred = transfer_embedding(points, builtin, correspondence, model.skin)
        elif part.name in model.origin.attached:
            shift = model.part(part.name).start - part.start
            transferred = PointEmbedding(points.vertices + np.int32(shift), points.weights)
        else:
            there = model.part(part.name) if model.has_part(part.name) else model.skin
            pose = pose_of_part(part, builtin, correspondence)
            transferred = _nearest_on(there, model, pose(points.points(builtin.mean)))
        vertices[rows], weights[rows] = transferred.vertices, transferred.weights
    return PointEmbedding(vertices, weights)


def _nearest_on(part: MeshPart, model: FaceModel, points: np.ndarray) -> PointEmbedding:
    triangles = part.triangles() + part.start
    closest = ClosestPoints(model.mean, triangles).query(points)
    return PointEmbedding(triangles[closest.triangle].astype(np.int32), closest.weights.astype(np.float32))
