# SPDX-License-Identifier: GPL-3.0-or-later
"""Lips touch: at rest whatever the identity, and in a photo whose landmarks show them closed.

Landmarks tell the edges of the lips to a millimetre or two only, and modes of identity part the lips, for some of the
scanned people held them apart. What is left over is a gap with teeth in it, which no photo shows.
"""

import numpy as np

from ..face_model.model import FaceModel, PointEmbedding
from ..observe.landmarks.types import FaceLandmarks
from ..rendering.rays import RayScene
from .equations import NormalEquations
from .points import LandmarkPoints, restricted

UPPER, LOWER, CORNERS = (81, 82, 13, 312, 311), (178, 87, 14, 317, 402), (78, 308)
"""Landmarks of the face mesh: on the inner edges of the lips, one above the other, and where these edges meet."""
CLOSED, PARTED = 0.02, 0.04
"""Distance of the inner edges over their width: up to which lips are closed, and from which they are not. The
landmarker gives up to 0.01 for lips that touch; where teeth are seen, from 0.05."""
_INNER_UPPER, _INNER_LOWER = (60, 61, 62, 63, 64), (60, 67, 66, 65, 64)  # of iBUG, from corner to corner
_COLUMNS = 9  # between the corners, of which those at the ends touch already
_REACH_MM, _STEP_MM = 4.0, 0.05  # up and down from the middle of the gap
_DEEP_MM = 2.0  # behind the lips' edges: no lip
_TOUCHING_MM = 0.1  # σ of the gap, at rest and in closed photos


def lip_contacts(model: FaceModel) -> tuple[LandmarkPoints, LandmarkPoints]:
    """C points of the upper lip and those of the lower lip that they touch when the mouth closes.

    On the mean head, seen from the front: in each column the last of the upper and the first of the lower lip. Where
    the mean's lips are joined or touch, both lie side by side.
    """
    marks = model.landmarks68.points(model.mean).astype(np.float64)
    line = (marks[list(_INNER_UPPER)] + marks[list(_INNER_LOWER)]) / 2
    x = np.linspace(line[0, 0], line[-1, 0], _COLUMNS + 2)[1:-1]
    y, z = (np.interp(x, line[:, 0], line[:, axis]) for axis in (1, 2))
    heights = np.arange(_REACH_MM, -_REACH_MM - _STEP_MM / 2, -_STEP_MM)
    far = float(model.mean[:, 2].max()) + 10
    origins = np.stack(np.broadcast_arrays(x[:, None], y[:, None] + heights, far), axis=-1)
    triangles = model.solid_triangles()
    hits = RayScene(model.mean, triangles).cast(
        origins.reshape(-1, 3), np.broadcast_to(np.float32([0, 0, -1]), (origins.size // 3, 3))
    )
    triangle = hits.triangle.reshape(origins.shape[:2])
    lip = (triangle >= 0) & (triangle < len(model.skin.triangles()))
    lip &= far - hits.distance.reshape(lip.shape) > z[:, None] - _DEEP_MM
    middle = len(heights) // 2
    column = np.arange(_COLUMNS)
    # The first rays beside the middle that meet a lip.
    above = middle - lip[:, middle::-1].argmax(1)
    below = middle + 1 + lip[:, middle + 1 :].argmax(1)
    seen = lip[column, above] & lip[column, below]
    barycentric = hits.barycentric.reshape(*lip.shape, 3)
    points = (
        restricted(model, PointEmbedding(triangles[triangle[column, row]][seen], barycentric[column, row][seen]))
        for row in (above, below)
    )
    upper, lower = points
    return upper, lower


def neutral_lips(contacts: tuple[LandmarkPoints, LandmarkPoints]) -> NormalEquations:
    """The lips of :func:`lip_contacts` touch at rest; of α alone."""
    gap, identity, _ = _gaps(contacts)
    return _touching(gap, identity)


def closed_lips(contacts: tuple[LandmarkPoints, LandmarkPoints], share: float) -> NormalEquations:
    """They touch as posed; of α and β. ``share``: of :func:`closedness`."""
    gap, identity, expression = _gaps(contacts)
    return _touching(gap, np.concatenate([identity, expression], axis=1)).times(share)


def closedness(landmarks: FaceLandmarks) -> float:
    """1 where the landmarks show lips that touch, 0 where they do not, between them where it is not clear."""
    mesh = np.asarray(landmarks.mesh_px, np.float64)[:, :2]
    width = np.linalg.norm(np.subtract(*mesh[list(CORNERS)]))
    apart = np.linalg.norm(mesh[list(UPPER)] - mesh[list(LOWER)], axis=1).max()
    return float(np.clip((PARTED - apart / max(width, 1e-9)) / (PARTED - CLOSED), 0, 1))


def _gaps(contacts: tuple[LandmarkPoints, LandmarkPoints]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(C,) mm between the mean's lips, upwards, and (C, K) and (C, E), what each coefficient adds."""
    upper, lower = contacts
    gap = upper.base[:, 1] - lower.base[:, 1]
    return gap, (upper.identity - lower.identity)[..., 1].T, (upper.expression - lower.expression)[..., 1].T


def _touching(gap: np.ndarray, rows: np.ndarray) -> NormalEquations:
    return NormalEquations(rows.T @ rows / _TOUCHING_MM**2, -rows.T @ gap / _TOUCHING_MM**2)
