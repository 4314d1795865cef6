# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a head is. One photo shows proportions, never size: only what has a known size tells it.

That is the iris, 11.7 ± 0.5 mm wide in adults (horizontal visible diameter; Rüfer, Schröder, Erb, *Cornea* 2005), and
what is usual: eyes 63 ± 3.6 mm apart (Dodgson, *Variation and extrema of human interpupillary distance*, 2004). Both
are about equally sure of a single head; landmarks say nothing, and must not be heard.
"""

from collections.abc import Sequence

import numpy as np

from ..face_model.ibug import IBUG_FROM_MESH
from ..face_model.model import FaceModel
from ..face_model.normalise import head_angles, similarity
from ..observe.landmarks.types import FaceLandmarks
from ..observe.types import Observation
from .equations import NormalEquations
from .types import HeadSize

IRIS_MM, IRIS_SIGMA_MM = 11.7, 0.5
PUPILS_MM, PUPILS_SIGMA = 63.0, 0.045
"""Mean distance of an adult's pupils, and how much sizes of heads differ (one σ, a share)."""
# Of the face mesh: the six of iBUG along the lids, and the irises' rims from one side over the top or bottom on.
_EYES = ((IBUG_FROM_MESH[36:42], range(469, 473)), (IBUG_FROM_MESH[42:48], range(474, 478)))
_READ_TOO_WIDE = 1.005  # of irises by the landmarker, on drawn eyes
_READING_SIGMA = 0.025  # of one photo's two irises, from portraits of the same people
_AGREE = 0.12  # two irises that differ by more are not both seen
_TURNED = np.radians(35.0)
_LEAST_IRIS_PX = 7.0
_OPEN = 0.45  # of the iris's width, between the lids
_PERSONS = 0.12  # no mean face of people is farther from the usual size, as a logarithm
_HELD = 0.003  # how exactly the coefficients keep to the size, as a share


def estimate_size(model: FaceModel, observations: Sequence[Observation]) -> HeadSize | None:
    """From the irises of the photos, all of one person, and from what is usual; None where the model itself is not of
    a person's size, so that its modes of size mean something else.
    """
    usual = np.log(PUPILS_MM / _pupil_distance(model))
    if abs(usual) > _PERSONS:
        return None
    precision, total = 1 / PUPILS_SIGMA**2, usual / PUPILS_SIGMA**2
    widths = [iris_width_mm(model, observation.landmarks) for observation in observations]
    seen = [width for width in widths if width is not None]
    if seen:
        # The person's own irises may be wide or narrow, in all photos alike.
        sigma = np.hypot(IRIS_SIGMA_MM / IRIS_MM, _READING_SIGMA / np.sqrt(len(seen)))
        precision += 1 / sigma**2
        total += np.mean(np.log(IRIS_MM / np.array(seen))) / sigma**2
    return HeadSize(float(np.exp(total / precision)), float(precision**-0.5), len(seen))


def iris_width_mm(model: FaceModel, landmarks: FaceLandmarks) -> float | None:
    """How wide the irises would be if the head were of the mean size; None where they are not well seen.

    Turned heads, closed eyes, small pictures, and pairs that disagree tell nothing.
    """
    mesh = np.asarray(landmarks.mesh_px, np.float64)
    scale, rotation, _ = similarity(model.landmarks68.points(model.mean).astype(np.float64), mesh[list(IBUG_FROM_MESH)])
    yaw = head_angles(rotation)[0]
    if abs(yaw) > _TURNED:
        return None
    widths = []
    for lids, iris in _EYES:
        rim = mesh[list(iris), :2]
        width = np.linalg.norm(rim[0] - rim[2])
        across = (rim[0] - rim[2]) / max(width, 1e-9)
        lid = mesh[list(lids), :2] @ np.array([-across[1], across[0]])
        opened = abs(lid[[4, 5]].mean() - lid[[1, 2]].mean())
        if width < _LEAST_IRIS_PX or opened < _OPEN * width:
            return None
        widths.append(width)
    if max(widths) > (1 + _AGREE) * min(widths):
        return None
    return float(np.mean(widths) / (scale * np.cos(yaw) * _READ_TOO_WIDE))


def size_equations(rate: np.ndarray, size: HeadSize | None) -> NormalEquations:
    """α keeps to a size, whatever landmarks ask for; of α alone. ``rate``: the model's :func:`size_rate`."""
    if size is None:
        return NormalEquations(np.zeros((len(rate), len(rate))), np.zeros(len(rate)))
    target = np.log(size.factor)
    reach = 3.0 * np.linalg.norm(rate)  # no farther than three σ of the model's own sizes
    target = float(np.clip(target, -reach, reach))
    return NormalEquations(np.outer(rate, rate) / _HELD**2, rate * target / _HELD**2)


def size_rate(model: FaceModel) -> np.ndarray:
    """(K,) float64: how much of its size the head grows by for 1 σ of each mode, at the 68 landmarks."""
    places = model.landmarks68.points(model.mean).astype(np.float64)
    places = places - places.mean(0)
    modes = model.landmarks68.points(model.identity_basis).astype(np.float64)
    return np.einsum("knc,nc->k", modes, places) / (places**2).sum()


def _pupil_distance(model: FaceModel) -> float:
    """mm between the eyes of the mean head, by the corners of the lids, which every model has."""
    marks = model.landmarks68.points(model.mean)
    middles = [marks[36:42].mean(0), marks[42:48].mean(0)]
    return float(np.linalg.norm(middles[0] - middles[1]))
