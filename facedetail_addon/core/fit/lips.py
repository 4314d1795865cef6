# SPDX-License-Identifier: GPL-3.0-or-later
"""How far apart the lips are: at rest they touch, in a photo as far apart as its landmarks show.

Landmarks tell each edge of the lips to a millimetre or two, but their distance, and above all whether there is any, far
better; and modes of identity part the lips, for some of the scanned people held them apart. What the other terms leave
over is a gap with teeth in it that no photo shows.
"""

from dataclasses import dataclass

import numpy as np

from ..face_model.model import FaceModel, PointEmbedding
from ..face_model.normalise import NormalisedLandmarks
from ..rendering.rays import RayScene
from .equations import NormalEquations
from .points import LandmarkPoints, restricted

UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""Landmarks of the face mesh on the inner edges of the lips, from the right corner to the left, one above the other."""
_EDGE_SHARE, _EDGE_MM = 0.88, 0.4  # gap = share · distance of the landmarks − mm: they lie a little inside the lips
_SIGMA_MM, _SIGMA_SHARE = 0.1, 0.2  # of lips that touch, and share of a gap
_INNER_UPPER, _INNER_LOWER = (60, 61, 62, 63, 64), (60, 67, 66, 65, 64)  # of iBUG, from corner to corner
_COLUMNS = 9  # between the corners, where lips are joined
_REACH_MM, _STEP_MM = 4.0, 0.05  # up and down from the middle of the gap
_DEEP_MM = 2.0  # so far behind the lips' edges is no lip


@dataclass(frozen=True)
class LipContacts:
    """Where the lips touch when the mouth closes: C columns between its corners, seen from the front.

    Attributes:
        place: (C,) from the right corner, 0, to the left, 1.
        upper, lower: C points each, mm.
    """

    place: np.ndarray
    upper: LandmarkPoints
    lower: LandmarkPoints

    def gaps(self, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """(C,) mm between the lips, upwards."""
        return (self.upper.posed(alpha, beta) - self.lower.posed(alpha, beta))[:, 1]

    def equations(self, gap_mm: np.ndarray, sigma_mm: np.ndarray, at_rest: bool) -> NormalEquations:
        """The lips are (C,) mm apart; of α alone at rest, else of α and β."""
        rows = (self.upper.identity - self.lower.identity)[..., 1].T
        if not at_rest:
            rows = np.append(rows, (self.upper.expression - self.lower.expression)[..., 1].T, axis=1)
        target = gap_mm - (self.upper.base - self.lower.base)[:, 1]
        weighted = rows / sigma_mm[:, None] ** 2
        return NormalEquations(weighted.T @ rows, weighted.T @ target)


def lip_contacts(model: FaceModel) -> LipContacts:
    """On the mean head: in each column the last of the upper and the first of the lower lip.

    Where the mean's lips touch or are joined, both lie side by side. Columns without lips are left out.
    """
    marks = model.landmarks68.points(model.mean).astype(np.float64)
    line = (marks[list(_INNER_UPPER)] + marks[list(_INNER_LOWER)]) / 2
    place = np.linspace(0, 1, _COLUMNS + 2)[1:-1]
    x = line[0, 0] + place * (line[-1, 0] - line[0, 0])
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
    upper, lower = (
        restricted(model, PointEmbedding(triangles[triangle[column, row]][seen], barycentric[column, row][seen]))
        for row in (above, below)
    )
    return LipContacts(place[seen], upper, lower)


def lips_at_rest(contacts: LipContacts) -> NormalEquations:
    """They touch, whatever the identity; of α alone."""
    count = len(contacts.place)
    return contacts.equations(np.zeros(count), np.full(count, _SIGMA_MM), at_rest=True)


def lips_seen(contacts: LipContacts, face: NormalisedLandmarks, noise: float = 1.0) -> NormalEquations:
    """They are as far apart as a photo's landmarks are; of α and β.

    Args:
        face: the landmarks. noise: how many times the frontal variance they vary by.
    """
    gap = lip_distances(face, contacts.place)
    trust = face.weights[[*UPPER, *LOWER]].min()
    sigma = np.hypot(_SIGMA_MM, _SIGMA_SHARE * gap) * np.sqrt(noise / trust)
    return contacts.equations(gap, sigma, at_rest=False)


def lip_distances(face: NormalisedLandmarks, place: np.ndarray) -> np.ndarray:
    """(C,) mm, 0 where lips touch, at (C,) places from the right corner of the mouth, 0, to the left, 1."""
    upper, lower = face.points[list(UPPER)], face.points[list(LOWER)]
    x = (upper[:, 0] + lower[:, 0]) / 2
    apart = np.interp(place, (x - x[0]) / (x[-1] - x[0]), (upper - lower)[:, 1])
    return (_EDGE_SHARE * apart - _EDGE_MM).clip(0, None)
