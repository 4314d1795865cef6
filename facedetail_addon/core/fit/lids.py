# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes in their place: lids follow the lids' landmarks, and eyeballs go with them.

On painted heads the landmarks lie a millimetre above the lids' rims, and that is what the calibration tells the fit. In
photos they lie on the rims. So fitted eyes lie a millimetre too low, with white under the iris, and rounder than the
photo's, which looks startled. Modes of the head cannot tell one from the other; the skin around the eyes can be moved.
And who squints closes the lids farther than the fit dares to believe: that is expression, and gone at rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..face_model.calibration import LandmarkCalibration
from ..face_model.model import FaceModel
from ..face_model.normalise import normalise_landmarks
from ..geometry.camera import PerspectiveCamera
from ..observe.types import Observation
from .eyes import aimed, can_aim, gaze_of
from .perspective import point_jacobian
from .types import HeadFit, PoseFit

LIDS = {
    "right": (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    "left": (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
}
"""Landmarks of the face mesh: nine of the lower lid from the outer corner to the inner, seven of the upper likewise."""
_REACH_MM = 20.0  # of Wendland's kernel, half of it at a third: lids and their creases move, brows and cheeks do not
_NOISE = 0.02  # variance of a landmark beside that of what lids are off by
_MOST_MM = 2.5  # of any landmark: more is a mistake
_SIDEWAYS = (0.3, 1.0)  # of what lids are off by: corners that are drawn apart bare the ball's side and the socket
_TURNED = 2.0  # times the frontal variance of landmarks, from which on turned heads' lids are moved less
_ROUNDS = 2  # lids follow the gaze, which is aimed after them
_LOWER, _UPPER = (2, 3, 4, 5, 6), (10, 11, 12, 13, 14)  # of a side's lids: those below and above the iris
_USUAL_MM = 0.5  # that lids are wider or narrower apart than fitted because the person's are, at rest


@dataclass(frozen=True)
class LidShift:
    """What the lids of one eye are off by.

    Attributes:
        side: ``left`` or ``right``. points: (16, 3) mm on the head at rest. shift: (16, 3) mm.
    """

    side: str
    points: np.ndarray
    shift: np.ndarray

    def at(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) mm that (N, 3) points of the skin move by."""
        weights = np.linalg.solve(_kernel(self.points, self.points) + _NOISE * np.eye(len(self.points)), self.shift)
        return _kernel(points, self.points) @ weights

    def of_eyeball(self) -> np.ndarray:
        """(3,) mm that the eyeball moves by, with the lids over it."""
        return self.at(self.points[[*_LOWER, *_UPPER]]).mean(axis=0)


def with_lids_in_place(
    head: HeadFit, observations: Sequence[Observation], model: FaceModel, calibration: LandmarkCalibration
) -> HeadFit:
    """The head with lids on the landmarks of its photos, the eyes aimed anew.

    ``head`` itself for models without eyes.
    """
    head = replace(head, poses=_blinking(head, observations, model, calibration))
    for _ in range(_ROUNDS):
        head = _moved(head, observations, lid_shifts(head, observations, model, calibration), model)
    return head


def _blinking(
    head: HeadFit, observations: Sequence[Observation], model: FaceModel, calibration: LandmarkCalibration
) -> tuple[PoseFit, ...]:
    """The poses with lids as far apart as their photos show them, but for the usual differences between people."""
    poses = []
    for pose, observation in zip(head.poses, observations, strict=True):
        beta = pose.beta.copy()
        trust = _trust(observation, calibration)
        for side, lids in LIDS.items():
            name = f"eyeBlink{side.capitalize()}"
            if side not in model.eyes or name not in model.expression_names:
                continue
            at, blink = list(lids), model.expression_names.index(name)
            posed = calibration.embedding.points(pose.vertices)[at]
            wider = _gap(lids_off(posed, observation.landmarks.mesh_px[at, :2], pose.perspective))
            travel = -_gap(calibration.embedding.points(model.expression_basis[blink])[at])
            unusual = np.sign(wider) * max(abs(wider) - _USUAL_MM, 0)
            beta[blink] = np.clip(beta[blink] - trust * unusual / travel, 0, 1)
        vertices = pose.vertices + np.tensordot(beta - pose.beta, model.expression_basis, 1)
        poses.append(replace(pose, beta=beta, vertices=vertices.astype(np.float32)))
    return tuple(poses)


def _gap(lids: np.ndarray) -> float:
    """mm that (16, 3) points or moves of the lids are apart, before the iris."""
    return float(lids[list(_UPPER), 1].mean() - lids[list(_LOWER), 1].mean())


def _trust(observation: Observation, calibration: LandmarkCalibration) -> float:
    """How frontal a photo is, 1 up to some 25 degrees."""
    face = normalise_landmarks(observation.landmarks.mesh_px, calibration.mean, calibration.mean_sigma)
    return min(1.0, _TURNED / calibration.noise_at(face.yaw)[0])


def lid_shifts(
    head: HeadFit, observations: Sequence[Observation], model: FaceModel, calibration: LandmarkCalibration
) -> list[LidShift]:
    """What both eyes' lids are off by, in the mean of all photos that show them, by how frontal these are."""
    trusts, offs = [], []
    for observation, pose in zip(observations, head.poses, strict=True):
        mesh_px = observation.landmarks.mesh_px
        trusts.append(_trust(observation, calibration))
        posed = calibration.embedding.points(pose.vertices)
        seen_at = ((side, list(lids)) for side, lids in LIDS.items())
        offs.append({side: lids_off(posed[at], mesh_px[at, :2], pose.perspective) for side, at in seen_at})
    at_rest = calibration.embedding.points(head.vertices_neutral)
    return [
        LidShift(
            side, at_rest[list(lids)], max(trusts) * np.average([off[side] for off in offs], axis=0, weights=trusts)
        )
        for side, lids in LIDS.items()
        if side in model.eyes
    ]


def lids_off(points: np.ndarray, points_px: np.ndarray, camera: PerspectiveCamera) -> np.ndarray:
    """(N, 3) mm, across the head's front, that (N, 3) points are off from where a photo shows them, (N, 2) px."""
    across = point_jacobian(camera, points)[:, :, :2]
    apart = (points_px - camera.project(points))[..., None]
    off = np.zeros((len(points), 3))
    off[:, :2] = np.linalg.solve(across, apart)[..., 0] * _SIDEWAYS
    length = np.linalg.norm(off, axis=1, keepdims=True)
    return off * np.minimum(1, _MOST_MM / np.maximum(length, 1e-9))


def _moved(head: HeadFit, observations: Sequence[Observation], shifts: Sequence[LidShift], model: FaceModel) -> HeadFit:
    if not shifts:
        return head
    moved = np.zeros_like(head.vertices_neutral)
    for one in shifts:
        moved[model.skin.rows] += one.at(model.skin.of(head.vertices_neutral)).astype(moved.dtype)
        moved[model.eyes[one.side].rows] = one.of_eyeball()
    poses = tuple(
        _aimed_anew(pose, pose.vertices + moved, observation.landmarks.mesh_px, model)
        for pose, observation in zip(head.poses, observations, strict=True)
    )
    return replace(head, vertices_neutral=head.vertices_neutral + moved, poses=poses)


def _aimed_anew(pose: PoseFit, vertices: np.ndarray, mesh_px: np.ndarray, model: FaceModel) -> PoseFit:
    """A pose of moved vertices, its gaze on the irises as before."""
    beta = pose.beta
    if can_aim(model, beta) and beta[gaze_of(model)].any():
        gaze = np.tensordot(np.where(gaze_of(model), beta, 0), model.expression_basis, 1)
        beta = aimed(model, (vertices - gaze).astype(np.float64), beta, pose.perspective, mesh_px)
        vertices = vertices + np.tensordot(beta - pose.beta, model.expression_basis, 1)
    vertices = vertices.astype(np.float32)
    return replace(pose, beta=beta, vertices=vertices, landmarks68_mm=model.landmarks68.points(vertices))


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, M) Wendland's, 0 from :data:`_REACH_MM` on."""
    apart = np.minimum(np.linalg.norm(first[:, None] - second[None], axis=2) / _REACH_MM, 1)
    return (1 - apart) ** 4 * (4 * apart + 1)
