# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether something covers the face: a mask, a phone, dark glasses. It would be painted on the skin.

What covers skin has neither its hue nor its brightness. Light and statistical albedo say how each place would look;
where most of a feature is far from that the whole face speaks against skin. Hands, tongues and clear glasses do not.
"""

import numpy as np

from ..colour import LUMINANCE
from ..face_model.model import FaceModel
from ..lighting.types import LightEstimate
from ..notices import Notice
from ..rendering.shade import reflected
from ..uv.types import UnwrappedPhoto
from .types import AlbedoBasis

_EYE_LANDMARKS = ((36, 39), (42, 45))  # of iBUG: the corners of each eye
_EYE_MM = 32.0  # how far glasses reach around it
_LEAST_CONFIDENCE, _MOST_CLIPPED = 0.4, 0.5  # of vertices that count
_LEAST_VERTICES = 20  # of a feature, else it is not seen
_FLOOR = 0.02  # linear, added to both before logarithms
_DARK, _HUED = -0.7, 0.2  # logarithm of brightness, and largest of the colours' without it, that skin seldom is off
# Shares of a feature from which it is no skin, set on synthetic portraits as they are and with drawn covers.
_COVERED_EYES, _COVERED_NOSE, _OTHER_HUE = 0.35, 0.25, 0.5
_UNEXPLAINED = 0.5  # of the estimate's residual: black over half of the face, which the light then follows


def notices(
    light: LightEstimate, unwrapped: UnwrappedPhoto, basis: AlbedoBasis, model: FaceModel
) -> tuple[Notice, ...]:
    """A notice with code ``face_covered`` where much of the face is seen and does not look like skin.

    Args:
        light: the estimate for what the photo shows, ``unwrapped``. basis: statistical albedo of the face model.
    """
    dark, hued = _unlike_skin(light, unwrapped, basis)
    counts = (unwrapped.vertex_confidence > _LEAST_CONFIDENCE) & (unwrapped.vertex_clipped < _MOST_CLIPPED)
    skin = model.skin.of(model.mean)
    nose, mouth = model.in_region("nose") & counts, model.in_region("mouth") & counts
    eyes = [around & counts & ~model.in_region("nose", "socket") for around in _around_eyes(model)]
    cheeks = [side & model.in_region("cheeks") & counts for side in (skin[:, 0] > 0, skin[:, 0] < 0)]
    told = {
        "the eyes": min(_share(dark, eye) for eye in eyes) > _COVERED_EYES,
        "the lower face": _share(dark, nose) > _COVERED_NOSE
        or np.mean([_share(hued, part) for part in (mouth, *cheeks)]) > _OTHER_HUE,
    }
    where = " and ".join(name for name, covered in told.items() if covered)
    if not where and light.residual <= _UNEXPLAINED:
        return ()
    message = (
        f"Something seems to cover {where or 'part of the face'}, such as a mask, a phone or dark glasses. It is "
        "painted on the skin, and the shape below it is a guess. Use a photo where the face is free."
    )
    return (Notice("face_covered", message),)


def _unlike_skin(light: LightEstimate, unwrapped: UnwrappedPhoto, basis: AlbedoBasis) -> tuple[np.ndarray, np.ndarray]:
    """(V,) bool each: much darker than the model says, and of another hue, which photos without colours never are."""
    basis = basis.grey() if light.monochrome else basis
    expected = reflected(basis.albedo(light.gamma), light.shading, light.gloss) + _FLOOR
    seen = unwrapped.vertex_color + _FLOOR
    apart = np.log(seen) - np.log(expected)
    dark = np.log(seen @ LUMINANCE) - np.log(expected @ LUMINANCE) < _DARK
    return dark, np.abs(apart - apart.mean(axis=1, keepdims=True)).max(axis=1) > _HUED


def _around_eyes(model: FaceModel) -> list[np.ndarray]:
    """(V,) bool for each eye, seen from the front."""
    skin, marks = model.skin.of(model.mean)[:, :2], model.landmarks68.points(model.mean)[:, :2]
    middles = (marks[list(corners)].mean(axis=0) for corners in _EYE_LANDMARKS)
    return [np.linalg.norm(skin - middle, axis=1) < _EYE_MM for middle in middles]


def _share(unlike: np.ndarray, part: np.ndarray) -> float:
    return float(unlike[part].mean()) if part.sum() >= _LEAST_VERTICES else 0.0
