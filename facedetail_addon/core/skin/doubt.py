# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what the photo shows is no skin, and where its colour is not the skin's.

Hair, hats, collars and jewellery lie over skin; the photo's masks tell them. In deep shade and on skin that is nearly
turned away colours are those of the sky and of what is beside, multiplied by a shading that is little known: what is
fine there is the skin's, the smooth part of its colour is drawn to the person's.
"""

import numpy as np
from scipy.spatial import cKDTree

from ..colour import LUMINANCE
from ..face_model.model import FACE_REGIONS, FaceModel
from ..geometry.mesh_fields import smooth_field
from ..image import smoothstep
from ..uv.types import Atlas

_SURE = (0.35, 0.75)  # probabilities of hair, person and skin between which a place begins to count as such, and does
_LIKELY = (0.08, 0.4)  # of skin on the face, where shade makes it doubtful
_RIM_MM = (8.0, 20.0)  # from scalp and ears: so near hats, scarves and hair reach in, and no further
_BEARD_MM = (0.0, 12.0)  # below the nose's base hair is a beard, and stays
_NOSE_BASE = 33  # of iBUG's landmarks
_SMOOTH_MM, _REACH_MM = 6.0, 30.0  # of colours that are corrected, and how far beyond what is seen
_CERTAIN = (0.05, 0.7)  # confidence at which a smooth colour begins to count, and counts fully
_LIT = (0.25, 0.75)  # the same of shading, relative to its median
_LEFT_LIGHT, _LEFT_HUE = 0.5, 0.15  # of what is not certain
_MAX_LOG = 1.2  # what differs more tells nothing
_FLOOR = 0.004  # linear, so that logarithms stay finite


def shown(masks: np.ndarray, model: FaceModel) -> np.ndarray:
    """How much of each place is this head's own surface in the photo, and not what lies over it.

    On the face hair, hats and background hide skin; beards, paint and make-up do not. On scalp hair may be seen.
    Elsewhere only skin counts.

    Args:
        masks: (V_skin, 3) float32 person, hair and skin at the skin's vertices; NaN where nobody has looked.

    Returns:
        (V_skin,) float32 in [0, 1], 1 where nobody has looked.
    """
    unknown = np.isnan(masks).any(axis=1)
    person, hair, skin = np.nan_to_num(masks, nan=1.0).T
    rest = model.skin.of(model.mean)
    face, scalp = model.in_region(*FACE_REGIONS), model.in_region("scalp")
    base = float(model.landmarks68.points(model.mean)[_NOSE_BASE, 1])
    beard = smoothstep(base - rest[:, 1], *_BEARD_MM)
    on_face = smoothstep(person, *_SURE) * (1 - smoothstep(hair, *_SURE) * (1 - beard))
    edge = model.in_region("scalp", "ears")
    if edge.any() and not edge.all():
        rim = 1 - smoothstep(cKDTree(rest[edge]).query(rest)[0], *_RIM_MM)
        on_face *= 1 - rim * (1 - np.maximum(smoothstep(skin, *_LIKELY), beard * smoothstep(hair, *_SURE)))
    out = np.where(face, on_face, smoothstep(np.where(scalp, np.maximum(hair, skin), skin), *_SURE))
    return np.where(unknown | model.in_region("socket"), 1, out).astype(np.float32)


def correction(
    albedo: np.ndarray,
    usual: np.ndarray,
    confidence: np.ndarray,
    certain: np.ndarray,
    shading: np.ndarray,
    atlas: Atlas,
) -> np.ndarray:
    """Log factors on seen albedo that draw its smooth part to the person's where the photo tells little of it.

    Args:
        albedo: (V, 3) linear, seen. usual: (V, 3) this person's there. confidence: (V,) in [0, 1] of the albedo.
        certain: (V,) in [0, 1], 1 where skin is seen straight on. shading: (V,) luminance of the light.

    Returns:
        (V, 3) float32; 0 where skin is well lit and seen straight on.
    """
    apart = (np.log(albedo + _FLOOR) - np.log(usual + _FLOOR)).clip(-_MAX_LOG, _MAX_LOG)
    smooth = smooth_field(atlas.laplacian, atlas.areas, apart, confidence, _SMOOTH_MM, 0.0, _REACH_MM)
    light = (smooth @ LUMINANCE)[:, None]
    trust = smoothstep(certain, *_CERTAIN)[:, None]
    lit = smoothstep(shading / float(np.median(shading)), *_LIT)[:, None]
    of_light = (1 - trust) * (1 - _LEFT_LIGHT) * light
    of_hue = (1 - trust * lit) * (1 - _LEFT_HUE) * (smooth - light)
    return -(of_light + of_hue).astype(np.float32)
