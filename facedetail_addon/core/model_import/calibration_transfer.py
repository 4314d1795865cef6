# SPDX-License-Identifier: GPL-3.0-or-later
"""The landmark calibration of the built-in head transferred to another model, without measuring anything again.

As landmarks respond to a change of the built-in head, they respond to the same change of another head. So each mode of
the other model is regressed on the built-in modes, and its response is the same combination of theirs. What they do not
explain of it gets no response: taking landmarks for points of the skin there made fits worse, on every head it was
tried on.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..face_model.calibration import POINTS, LandmarkCalibration
from ..face_model.model import FACE_REGIONS, FaceModel, PointEmbedding
from .adapt import AdaptedModel, transfer_points
from .correspondence import transfer_embedding

_SAMPLES = 2000  # of the skin, to compare modes at
_NOISE_MM = 5.0  # of a sample, as if independent of the others: what built-in modes do not explain of other faces
_SIMILARITY = 7


@dataclass(frozen=True)
class _ShapeResponse:
    """How landmarks respond to changes of the built-in head's shape.

    Attributes:
        rows: (N,) built-in skin vertices that changes are given at.
        solve: (K, 3N) from changes in mm at those to coefficients of built-in modes, whatever else is a similarity.
        alpha_response: (Q, K) the calibration's.
    """

    rows: np.ndarray
    solve: np.ndarray
    alpha_response: np.ndarray

    def to(self, changes: np.ndarray) -> np.ndarray:
        """(M, N, 3) mm at ``rows`` to (Q, M) coordinates of landmarks."""
        return self.alpha_response @ (self.solve @ changes.reshape(len(changes), -1).T)


def transfer_calibration(
    calibration: LandmarkCalibration, builtin: FaceModel, adapted: AdaptedModel
) -> LandmarkCalibration:
    """A calibration for an adapted model, in its own size and about its own average face.

    Args:
        calibration: of the built-in head. adapted: what :func:`~.adapt.adapt` made of an external model.

    Raises:
        AssetError: the calibration is not the built-in head's.
    """
    calibration.require_model(builtin)
    model, correspondence = adapted.model, adapted.correspondence
    response = _shape_response(calibration, builtin, correspondence.matched)
    embedding = transfer_points(calibration.embedding, builtin, adapted)
    vertices = transfer_embedding(_at_vertices(response.rows), builtin, correspondence, model.skin)
    residual = _residual(calibration.embedding, builtin, adapted, embedding)
    scale = np.float32(correspondence.scale)
    return replace(
        calibration,
        model_name=model.name,
        model_fingerprint=model.fingerprint(),
        embedding=embedding,
        offset=(scale * calibration.offset + residual).astype(np.float32),
        sigma=np.hypot(scale * calibration.sigma, np.linalg.norm(residual, axis=1) / 2).astype(np.float32),
        mean=_mean(calibration, builtin, adapted, embedding.points(model.mean) + residual, response),
        mean_sigma=scale * calibration.mean_sigma,
        deviation=scale * calibration.deviation,
        whitener=calibration.whitener / scale,
        alpha_response=response.to(vertices.points(model.identity_basis)).astype(np.float32),
        beta_response=_expression_response(calibration, builtin, model, embedding, scale),
        pose_response=scale * calibration.pose_response,
        yaw_shift=scale * calibration.yaw_shift,
        contour_paths=transfer_points(calibration.contour_paths, builtin, adapted),
    )


def _shape_response(calibration: LandmarkCalibration, builtin: FaceModel, matched: np.ndarray) -> _ShapeResponse:
    rows = np.flatnonzero(matched & builtin.in_region(*FACE_REGIONS))
    rows = rows[:: max(1, len(rows) // _SAMPLES)]
    modes = builtin.identity_basis[:, rows].reshape(len(builtin.identity_basis), -1).T.astype(np.float64)
    # Coefficients have unit variance; a similarity may be of any size.
    design = np.concatenate([modes, _similarity_modes(builtin.mean[rows])], axis=1)
    ridge = np.append(np.full(modes.shape[1], _NOISE_MM**2), np.zeros(_SIMILARITY))
    solve = np.linalg.solve(design.T @ design + np.diag(ridge), design.T)[: modes.shape[1]]
    return _ShapeResponse(rows, solve, calibration.alpha_response.astype(np.float64))


def _at_vertices(rows: np.ndarray) -> PointEmbedding:
    corners = np.repeat(rows[:, None], 3, axis=1).astype(np.int32)
    return PointEmbedding(corners, np.tile(np.float32([1, 0, 0]), (len(rows), 1)))


def _mean(
    calibration: LandmarkCalibration,
    builtin: FaceModel,
    adapted: AdaptedModel,
    points: np.ndarray,
    response: _ShapeResponse,
) -> np.ndarray:
    """(478, 3) float32: landmarks of the adapted model's average face, in its frame.

    Args:
        points: (478, 3) mm, where the landmarks' points lie on that face.
    """
    correspondence = adapted.correspondence
    another_face = correspondence.registered[response.rows] / correspondence.scale - builtin.mean[response.rows]
    moved = calibration.directions @ response.to(another_face[None])[:, 0]
    # Responses are to shape alone: the rest of the way from head to head is a similarity.
    elsewhere = (points / correspondence.scale - calibration.embedding.points(builtin.mean)).ravel()
    frame = _similarity_modes(calibration.mean)
    moved += frame @ (frame.T @ elsewhere)
    return (correspondence.scale * (calibration.mean + moved.reshape(POINTS, 3))).astype(np.float32)


def _similarity_modes(points: np.ndarray) -> np.ndarray:
    """(3N, 7) orthonormal: small shifts, turns and growth of (N, 3) points."""
    centred = points.astype(np.float64) - points.mean(axis=0)
    shifts = [np.broadcast_to(axis, centred.shape) for axis in np.eye(3)]
    turns = [np.cross(axis, centred) for axis in np.eye(3)]
    return np.linalg.qr(np.stack([*shifts, *turns, centred]).reshape(_SIMILARITY, -1).T)[0]


def _residual(
    place: PointEmbedding, builtin: FaceModel, adapted: AdaptedModel, transferred: PointEmbedding
) -> np.ndarray:
    """(N, 3) mm from points of the adapted model's skin to where the registered built-in skin has them: large where a
    mask ends before they are reached. 0 for points of other parts.
    """
    on_skin = (place.vertices < builtin.skin.stop).all(axis=1)
    residual = np.zeros((len(place.vertices), 3))
    there = PointEmbedding(place.vertices[on_skin], place.weights[on_skin]).points(adapted.correspondence.registered)
    residual[on_skin] = there - transferred.points(adapted.model.mean)[on_skin]
    return residual


def _expression_response(
    calibration: LandmarkCalibration, builtin: FaceModel, model: FaceModel, embedding: PointEmbedding, scale: np.float32
) -> np.ndarray:
    """(Q, E) by name; an expression that the built-in head lacks moves landmarks as it moves their points."""
    moved = embedding.points(model.expression_basis).reshape(len(model.expression_basis), -1)
    frame = _similarity_modes(calibration.mean)
    response = calibration.directions.T @ (moved - moved @ frame @ frame.T).T
    for column, name in enumerate(model.expression_names):
        if name in builtin.expression_names:
            response[:, column] = scale * calibration.beta_response[:, builtin.expression_names.index(name)]
    return response.astype(np.float32)
