# SPDX-License-Identifier: GPL-3.0-or-later
"""Brows that the photo does not show: drawn hair by hair where they lie, and not people's mean's dark smear.

They differ from the skin as much, in the same colours and as crisply as what is seen of this person's brows; where
nothing is, as people's do. The rest of the face is made as sharp as maps of 1.6 mm can be.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..colour import LUMINANCE
from ..face_model.model import FaceModel
from ..image import TEXTURE_MM, blurred, smoothstep

SIDE = 1024
"""Texels per side at which hairs are drawn."""
_SHARP_SIDE, _SHARP_MM, _SHARPER = 512, 1.2, 1.5  # texels; what is finer than this is made stronger by that
_MARKS = (slice(17, 22), slice(22, 27))  # of iBUG's landmarks, the right one's inner end last, the left one's first
_OPENINGS, _RIM_MM = (slice(36, 42), slice(42, 48), slice(48, 60)), 8.0  # lids and lips, whose rims are no skin's
_SMEAR_MM, _SKIN_FROM_MM = (-6.0, -2.0), (-9.0, -6.0)  # inside of brows' borders: the smear, and what is not yet skin
_SKIN_MM, _COARSE = 12.0, 8  # over which the skin beside a brow is averaged, on fewer texels
_HAIR_MM, _CORE_MM = (-1.0, 1.5), 0.0  # inside of a brow's border: how densely hairs grow; where they are most
_TIPS_MM = (-2.5, 0.0)  # so far beyond they reach
_TAPER_MM, _TAPERED = 1.8, (1.2, 2.0)  # by which a brow's outer end is narrower than its border; from 0 to 2 along it
_GROWS = (65.0, 25.0, -12.0)  # degrees up from outwards, at the inner end, in the middle and at the outer end
_SPARSE, _THICK = 0.35, (0.0, 0.5)  # density at the inner end, and where along a brow it rises
_LENGTHS_MM, _TURN, _SPREAD = (7.0, 6.0, 4.5), 18.0, 7.0  # there; degrees by which one bends, and they differ
_PER_MM2, _LAYERS = 1.6, 8  # hairs; sheets of them, through which lower ones are seen
_FINER, _BITS = 4, 4  # times as fine is what they are drawn on; fractional bits of OpenCV's drawing
_OF_HAIR, _OF_PEOPLE = 0.4, 1.75  # logs of brows over skin beside those of the scalp's hair, and of people's mean
_CONTRAST, _LEAST_CRISP = 0.4, 0.2  # of single hairs beside how dark brows are; share of that which they make at least
_FINE_MM = 0.8  # what is finer is single hairs
_LEAST_SEEN_MM2 = 25.0  # of brows, to tell how they look
_NOTHING = 1e-3  # log
_FLOOR = 0.004  # linear, so that logarithms stay finite


@dataclass(frozen=True)
class BrowLook:
    """How brows differ from the skin beside them, in logarithms of linear albedo.

    Attributes:
        apart: (3,) in the mean. fine: standard deviation of what single hairs make of the luminance.
    """

    apart: np.ndarray
    fine: float


def seen_look(albedo: np.ndarray, confidence: np.ndarray, brows: np.ndarray) -> BrowLook | None:
    """Of one person's brows; None where too little of them is seen.

    Args:
        albedo: (1024, 1024, 3) linear, freed of light. confidence: (1024, 1024) in [0, 1] of it. brows: as of
            :func:`sharp_picture`.
    """
    part = _around(brows)
    if part is None:
        return None
    inside = brows[part]
    core = (inside > _CORE_MM) * confidence[part]
    if core.sum() * (TEXTURE_MM / SIDE) ** 2 < _LEAST_SEEN_MM2:
        return None
    log = np.log(np.maximum(albedo[part], np.float32(_FLOOR)))
    apart = log - _beside(log, confidence[part] * (1 - smoothstep(inside, *_SKIN_FROM_MM)))
    mean = np.average(apart.reshape(-1, 3), axis=0, weights=core.ravel())
    return BrowLook(mean, float(np.sqrt(np.average(_fine(log @ LUMINANCE) ** 2, weights=core))))


def usual_look(apart: np.ndarray) -> BrowLook:
    """Of people whose brows differ from the skin by (3,) logarithms."""
    return BrowLook(apart, _CONTRAST * abs(float(apart @ LUMINANCE)))


def look_with_hair(apart: np.ndarray) -> BrowLook:
    """Of people whose scalp's hair differs from the skin by (3,) logarithms."""
    return usual_look(_OF_HAIR * apart)


def sharp_picture(
    picture: np.ndarray, model: FaceModel, usual: np.ndarray, brows: np.ndarray, look: BrowLook | None = None
) -> np.ndarray:
    """(1024, 1024, 3) float32 linear of (S, S, 3) skin of people, in canonical UV, with hairs for brows.

    Args:
        model: of the UV. usual: (1024, 1024) mm inside of the brows' border, people's in the mean; below 0 outside.
        brows: the same of this person's. look: of these; None: as people's.
    """
    marks = _marks(model)
    size = _SHARP_SIDE / TEXTURE_MM
    log = np.log(np.maximum(_enlarged(picture, _SHARP_SIDE), np.float32(_FLOOR)))
    amount = _SHARPER * (1 - _rims(marks * (_SHARP_SIDE / SIDE), log.shape[:2], _RIM_MM * size))
    log += amount[..., None] * (log - blurred(log, _SHARP_MM * size))
    log = _enlarged(log, SIDE)
    part = _around(np.maximum(usual, brows))
    if part is not None:
        here = log[part]
        people = _without_smear(here, usual[part])
        look = look or usual_look(_OF_PEOPLE * people)
        if np.abs(look.apart).max() > _NOTHING:
            here += _hair(brows[part], marks - [part[1].start, part[0].start], look)[..., None] * look.apart
    return np.exp(log)


def without_lines(lined: np.ndarray, drawn: np.ndarray, brows: np.ndarray) -> np.ndarray:
    """(1024, 1024, 3) linear: what is ``lined`` as it was ``drawn`` before, where (1024, 1024) brows are."""
    return lined + smoothstep(brows, *_TIPS_MM)[..., None] * (drawn - lined)


def _marks(model: FaceModel) -> np.ndarray:
    """(68, 2) texels of iBUG's landmarks."""
    uv = model.landmarks68.points(model.skin.vertex_uv())
    return np.column_stack([uv[:, 0], 1 - uv[:, 1]]) * SIDE


def _around(brows: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns with brows and the skin beside them; None where there are none."""
    rows, columns = (np.flatnonzero((brows > _TIPS_MM[0]).any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return None
    reach = round(_SKIN_MM * SIDE / TEXTURE_MM)
    return tuple(slice(max(int(at[0]) - reach, 0), int(at[-1]) + reach + 1) for at in (rows, columns))


def _without_smear(log: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(3,) by how much people's brows differ from the skin in (H, W, 3) logarithms, of which they are taken off."""
    darker = np.minimum(log - _beside(log, 1 - smoothstep(usual, *_SKIN_FROM_MM)), 0)
    core = usual > _CORE_MM
    mean = darker[core].mean(axis=0) if core.any() else np.zeros(3, np.float32)
    log -= darker * smoothstep(usual, *_SMEAR_MM)[..., None]
    return mean


def _beside(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(H, W, 3) smooth means by (H, W) weight."""
    small = tuple(max(1, length // _COARSE) for length in weight.shape[::-1])
    sigma = _SKIN_MM * SIDE / TEXTURE_MM / _COARSE
    weight = (weight + 1e-3).astype(np.float32)
    total, share = (
        blurred(cv2.resize(one, small, interpolation=cv2.INTER_AREA), sigma)
        for one in (values * weight[..., None], weight)
    )
    return cv2.resize(total / share[..., None], weight.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _hair(brows: np.ndarray, marks: np.ndarray, look: BrowLook) -> np.ndarray:
    """(H, W) float32, 1 in the mean where hairs grow most, less at the border; the same each time."""
    _, along = _placed(np.arange(brows.shape[1]), marks)
    brows = brows - _TAPER_MM * smoothstep(along, *_TAPERED)
    grown, core = smoothstep(brows, *_HAIR_MM), brows > _CORE_MM
    grown = grown * (_SPARSE + (1 - _SPARSE) * smoothstep(along, *_THICK))
    if not core.any():
        return np.zeros(brows.shape, np.float32)
    even, single = (one / max(float(one[core].mean()), 1e-6) for one in (grown, _strokes(grown, marks)))
    finest = float(_fine(single)[core].std()) * abs(float(look.apart @ LUMINANCE))
    crisp = np.float32(np.clip(look.fine / max(finest, 1e-6), _LEAST_CRISP, 1))
    return (even + crisp * (single - even)) * smoothstep(brows, *_TIPS_MM).astype(np.float32)


def _placed(columns: np.ndarray, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texels to the right of the middle, and from 0 at a brow's inner end to 2 at the outer; (N,) each."""
    inner, outer = ((marks[_MARKS[1]][end, 0] - marks[_MARKS[0]][-1 - end, 0]) / 2 for end in (0, -1))
    across = columns - (marks[_MARKS[1]][0, 0] + marks[_MARKS[0]][-1, 0]) / 2
    return across, ((np.abs(across) - inner) / max(outer - inner, 1e-6)).clip(0, 1) * 2


def _fine(values: np.ndarray) -> np.ndarray:
    return values - blurred(values, _FINE_MM * SIDE / TEXTURE_MM)


def _strokes(grown: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """(H, W) float32 in [0, 1], how much of each texel single hairs cover; ``grown``: how densely they grow."""
    size, random = SIDE / TEXTURE_MM, np.random.default_rng(1)
    density = grown.ravel().astype(np.float64)
    count = int(_PER_MM2 * density.sum() / size**2)
    at = random.choice(len(density), max(count, 1), p=density / density.sum())
    middle = np.column_stack([at % grown.shape[1], at // grown.shape[1]]) + random.random((len(at), 2))
    across, along = _placed(middle[:, 0], marks)
    angle = np.radians(np.interp(along, (0, 1, 2), _GROWS) + _SPREAD * random.standard_normal(len(at)))
    length = np.interp(along, (0, 1, 2), _LENGTHS_MM) * random.uniform(0.7, 1.1, len(at)) * size
    turned = angle - np.radians(_TURN)
    out = [np.where(across < 0, -1, 1)[:, None] * [1, 0] * np.cos(a)[:, None] - np.sin(a)[:, None] * [0, 1]
           for a in (angle, turned)]  # fmt: skip
    root = middle - out[0] * length[:, None] / 2
    points = np.stack([root, middle, middle + out[1] * length[:, None] / 2], axis=1)
    points = np.round(points * _FINER * (1 << _BITS)).astype(np.int32)
    free = np.ones([_FINER * side for side in grown.shape], np.float32)
    for layer in range(_LAYERS):
        sheet = np.zeros(free.shape, np.uint8)
        cv2.polylines(sheet, list(points[layer::_LAYERS]), False, 255, 1, cv2.LINE_AA, _BITS)
        free *= 1 - sheet / np.float32(255)
    return 1 - cv2.resize(free, grown.shape[::-1], interpolation=cv2.INTER_AREA)


def _rims(marks: np.ndarray, shape: tuple[int, int], width: float) -> np.ndarray:
    """(H, W) float32 in [0, 1] soft lines along lids and lips."""
    out = np.zeros(shape, np.float32)
    for part in _OPENINGS:
        at = np.round(marks[part] * 16).astype(np.int32)
        cv2.polylines(out, [at], True, 1.0, max(1, round(width)), cv2.LINE_8, 4)
    return blurred(out, width / 6)


def _enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
