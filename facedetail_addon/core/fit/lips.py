# SPDX-License-Identifier: GPL-3.0-or-later
"""How far apart the lips are: at rest they touch, in a photo as far apart as its landmarks show.

Landmarks tell each edge of the lips to a millimetre or two, but their distance, and above all whether there is any, far
better; and modes of identity part the lips, for some of the scanned people held them apart. What the other terms leave
over is a gap with teeth in it that no photo shows.
"""

from dataclasses import dataclass

import numpy as np

from ..face_model.calibration import LandmarkCalibration
from ..face_model.lips import lip_edges
from ..face_model.model import FaceModel
from ..face_model.normalise import NormalisedLandmarks
from .equations import NormalEquations
from .points import LandmarkPoints, restricted

UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""Landmarks of the face mesh on the inner edges of the lips, from the right corner to the left, one above the other."""
_EDGE_SHARE, _EDGE_MM = 0.88, 0.4  # gap = share · distance of the landmarks − mm: they lie a little inside the lips
_SIGMA_MM, _SIGMA_SHARE = 0.1, 0.2  # of lips that touch, and share of a gap


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

    def equations(self, gap_mm: np.ndarray, weights: np.ndarray, at_rest: bool) -> NormalEquations:
        """The lips are (C,) mm apart, with weights of the squared mm; of α alone at rest, else of α and β."""
        rows = (self.upper.identity - self.lower.identity)[..., 1].T
        if not at_rest:
            rows = np.append(rows, (self.upper.expression - self.lower.expression)[..., 1].T, axis=1)
        target = gap_mm - (self.upper.base - self.lower.base)[:, 1]
        weighted = rows * weights[:, None]
        return NormalEquations(weighted.T @ rows, weighted.T @ target)


def lip_contacts(model: FaceModel) -> LipContacts:
    """Those of the mean head."""
    place, upper, lower = lip_edges(model)
    return LipContacts(place, restricted(model, upper), restricted(model, lower))


def lips_at_rest(contacts: LipContacts) -> NormalEquations:
    """They touch, whatever the identity; of α alone."""
    count = len(contacts.place)
    return contacts.equations(np.zeros(count), np.full(count, 1 / _SIGMA_MM**2), at_rest=True)


def lips_seen(contacts: LipContacts, face: NormalisedLandmarks, calibration: LandmarkCalibration) -> NormalEquations:
    """They are as far apart as a photo's landmarks are; of α and β."""
    gap = lip_distances(face, calibration, contacts.place)
    trust = face.weights[[*UPPER, *LOWER]].min() / calibration.noise_at(face.yaw)[0]
    return contacts.equations(gap, trust / (_SIGMA_MM**2 + (_SIGMA_SHARE * gap) ** 2), at_rest=False)


def lip_distances(face: NormalisedLandmarks, calibration: LandmarkCalibration, place: np.ndarray) -> np.ndarray:
    """(C,) mm, 0 where lips touch, at (C,) places from the right corner of the mouth, 0, to the left, 1."""
    upper, lower = list(UPPER), list(LOWER)
    x = calibration.mean[upper, 0].astype(np.float64)
    apart = np.interp(place, (x - x[0]) / (x[-1] - x[0]), (face.points[upper] - face.points[lower])[:, 1])
    return (_EDGE_SHARE * apart - _EDGE_MM).clip(0, None)
