# SPDX-License-Identifier: GPL-3.0-or-later
"""Dense correspondence of an external head with the built-in one.

Landmarks, the external file's own or detected on a rendering, initialise the pose of the built-in head; its identity
modes are fitted (:mod:`.shape_fit`), non-rigid registration brings it onto the external skin (:mod:`.nonrigid`), and
closest points give the canonical UV (:mod:`.uv_transfer`). Everything known in canonical UV or on the built-in skin can
then be transferred.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from ..errors import FaceModelError
from ..face_model.model import FACE_REGIONS, FaceModel, MeshPart, PointEmbedding
from ..face_model.normalise import similarity
from ..geometry.nearest import ClosestPoints
from ..rendering.normals import vertex_normals
from .external import ExternalModel
from .mean_landmarks import FEATURES, FindFaces, detect_on_skin, renderable_head
from .nonrigid import Landmarks, Template, register
from .shape_fit import FittedShape, Similarity, fit_shape
from .surface import Surface
from .uv_transfer import CanonicalLayout, outside_of_openings, transfer_uv

MAX_RESIDUAL_MM = 1.0
"""Registrations farther from the external skin than this on average are failures."""
_MAX_IDENTITY = 1.6  # σ, root mean square of the identity fitted to the external head; people have 1
_LEAST_FACE = 0.5  # of the built-in face must be matched
_FROM_BROWS = 17  # iBUG's points of the jaw are where the outline is, not where the same skin is
_LEAST_LANDMARKS = 20
_OUTLIER = 4.0  # times the median distance after a similarity
_LEAST_FRONTAL = 0.3  # cosine to the view of skin on which a landmark of a rendering can be placed
_FILE_WEIGHT, _DETECTED_WEIGHT = 1.0, 0.03


@dataclass(frozen=True)
class Correspondence:
    """The built-in skin registered to an external skin; everything in the head frame, mm.

    Attributes:
        rotation: (3, 3) float64, translation: (3,) float64 mm: external points · rotation + translation lie in the head
            frame.
        scale: of the similarity that brings the built-in average head onto the external one.
        neutral: (V, 3) float32, the external average face at rest, all its parts.
        registered: (V_b, 3) float64, the built-in skin on the external one.
        matched: (V_b,) bool, built-in vertices that have a match on the external skin.
        layout: canonical UV of the external skin.
        on_builtin: (V_skin, V_b) sparse float32, rows sum to 1: each external vertex as built-in ones, by canonical UV.
        residual_mm: mean distance of the registered skin to the external one, over matched vertices.
        landmarks_detected: the landmarks were detected on a rendering, for want of the file's.
    """

    rotation: np.ndarray
    translation: np.ndarray
    scale: float
    neutral: np.ndarray
    registered: np.ndarray
    matched: np.ndarray
    layout: CanonicalLayout
    on_builtin: csr_matrix
    residual_mm: float
    landmarks_detected: bool


def correspond(external: ExternalModel, builtin: FaceModel, find: FindFaces) -> Correspondence:
    """Register an external head's average to the built-in head; 5 to 10 seconds.

    Args:
        find: detects the face mesh on renderings; used only where the file names too few landmarks.

    Raises:
        FaceModelError: no face is found on the average head, or the built-in head cannot be registered to it.
    """
    landmarks, detected = _landmarks(external, builtin, find)
    skin = external.skin
    triangles, vertices = skin.triangles(), skin.of(external.neutral).astype(np.float64)
    target = Surface(vertices, triangles)
    matchable = outside_of_openings(builtin)
    shape = fit_shape(builtin, matchable, target, landmarks)
    identity_rms = float(np.sqrt(np.mean(shape.alpha**2)))
    if identity_rms > _MAX_IDENTITY:
        raise _no_match(external, f"no face is like it (identity modes at {identity_rms:.1f} σ on average)")
    template = Template(shape.points, builtin.skin.triangles(), matchable)
    registered = register(template, target, _on_fitted_head(landmarks, shape, builtin))
    matched = registered.matched & matchable
    distance = target.match(registered.points, vertex_normals(registered.points, template.triangles)).distance
    residual = float(distance[matched].mean()) if matched.any() else np.inf
    _require_match(external, builtin, matched, residual)
    rotation, translation = shape.pose.rotation, -shape.pose.translation @ shape.pose.rotation
    points = registered.points @ rotation + translation
    neutral = external.neutral @ rotation.astype(np.float32) + translation.astype(np.float32)
    layout = transfer_uv(builtin, points, skin.of(neutral).astype(np.float64), skin.faces)
    return Correspondence(
        rotation=rotation,
        translation=translation,
        scale=shape.pose.scale,
        neutral=neutral,
        registered=points,
        matched=matched,
        layout=layout,
        on_builtin=_by_uv(builtin, layout, skin.faces, skin.stop),
        residual_mm=residual,
        landmarks_detected=detected,
    )


def transfer_embedding(
    embedding: PointEmbedding, builtin: FaceModel, correspondence: Correspondence, skin: MeshPart
) -> PointEmbedding:
    """Points on the built-in skin as points on the external skin, closest to where they lie once registered.

    Args:
        embedding: of N points, all on the skin. skin: the external skin.
    """
    normals = vertex_normals(correspondence.registered, builtin.skin.triangles()).astype(np.float64)
    facing = embedding.points(normals)
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-9)
    target = Surface(skin.of(correspondence.neutral), skin.triangles())
    closest = target.match(embedding.points(correspondence.registered), facing)
    return PointEmbedding(target.triangles[closest.triangle].astype(np.int32), closest.weights.astype(np.float32))


def _landmarks(external: ExternalModel, builtin: FaceModel, find: FindFaces) -> tuple[Landmarks, bool]:
    """Pairs of points of the built-in mean head and the external one; True where they were detected on renderings."""
    named = np.array([], int) if external.landmarks68 is None else np.flatnonzero(external.landmarks68 >= 0)
    named = named[named >= _FROM_BROWS]
    if len(named) < _LEAST_LANDMARKS:
        return _detected_landmarks(external, builtin, find), True
    place = builtin.landmarks68
    return Landmarks(
        points=place.points(builtin.mean)[named].astype(np.float64),
        targets=external.neutral[external.landmarks68[named]].astype(np.float64),
        weights=np.full(len(named), _FILE_WEIGHT),
        vertices=place.vertices[named, place.weights[named].argmax(axis=1)],
    ), False


def _detected_landmarks(external: ExternalModel, builtin: FaceModel, find: FindFaces) -> Landmarks:
    ours = renderable_head(builtin.mean, builtin.parts, None)
    theirs = renderable_head(external.neutral, external.parts, external.albedo_mean)
    here, there = detect_on_skin(ours, find, builtin.name), detect_on_skin(theirs, find, external.name)
    rows = FEATURES[(here.triangles[FEATURES] >= 0) & (there.triangles[FEATURES] >= 0)]
    corners = ours.skin[here.triangles[rows]]
    outside = outside_of_openings(builtin)[corners].all(axis=1)
    points, frontal = _on_triangles(ours.vertices, corners, here.weights[rows])
    targets, frontal_there = _on_triangles(theirs.vertices, theirs.skin[there.triangles[rows]], there.weights[rows])
    usable = outside & (np.minimum(frontal, frontal_there) > _LEAST_FRONTAL)
    points, targets = points[usable], targets[usable]
    if len(points) < _LEAST_LANDMARKS:
        raise _no_match(external, "its face hides most of the points that a landmarker finds")
    pose = Similarity(*similarity(points, targets))
    residual = np.linalg.norm(pose(points) - targets, axis=1)
    near = residual < _OUTLIER * np.median(residual)
    heaviest = here.weights[rows][usable].argmax(axis=1)
    return Landmarks(
        points=points[near],
        targets=targets[near],
        weights=np.full(int(near.sum()), _DETECTED_WEIGHT),
        vertices=corners[usable][np.arange(len(points)), heaviest][near],
    )


def _on_triangles(vertices: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) mm points in triangles and how frontal these are, (N,) cosine to +Z."""
    place = vertices[corners].astype(np.float64)
    normal = np.cross(place[:, 1] - place[:, 0], place[:, 2] - place[:, 0])
    frontal = normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    return np.einsum("nkc,nk->nc", place, weights), frontal


def _on_fitted_head(landmarks: Landmarks, shape: FittedShape, builtin: FaceModel) -> Landmarks:
    """Landmarks on the fitted head instead of the mean head."""
    moved = np.tensordot(shape.alpha, builtin.identity_basis[:, landmarks.vertices], 1)
    return replace(landmarks, points=shape.pose(landmarks.points + moved))


def _require_match(external: ExternalModel, builtin: FaceModel, matched: np.ndarray, residual_mm: float) -> None:
    share = float(matched[builtin.in_region(*FACE_REGIONS)].mean())
    if share < _LEAST_FACE:
        raise _no_match(external, f"only {share:.0%} of a face was found on it")
    if residual_mm > MAX_RESIDUAL_MM:
        raise _no_match(external, f"the built-in head stays {residual_mm:.1f} mm away from it")


def _no_match(external: ExternalModel, why: str) -> FaceModelError:
    return FaceModelError(
        f"The head of {external.name} cannot be matched to the built-in head: {why}.",
        "Use a model whose average is a face at rest in mm, looking along +Z, and whose file names its landmarks.",
    )


def _by_uv(builtin: FaceModel, layout: CanonicalLayout, faces: np.ndarray, count: int) -> csr_matrix:
    """(V_skin, V_b): each external vertex as the built-in vertices around its canonical UV."""
    uv = np.zeros((count, 2))
    uv[faces[faces >= 0]] = layout.uv[layout.face_uv[faces >= 0]]
    closest = ClosestPoints(_flat(builtin.skin.uv), builtin.skin.uv_triangles()).query(_flat(uv))
    corners = builtin.skin.triangles()[closest.triangle]
    rows = np.repeat(np.arange(count), 3)
    shape = (count, builtin.skin.stop)
    return coo_matrix((closest.weights.astype(np.float32).ravel(), (rows, corners.ravel())), shape).tocsr()


def _flat(uv: np.ndarray) -> np.ndarray:
    return np.column_stack([uv, np.zeros(len(uv))])
