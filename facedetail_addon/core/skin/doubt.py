# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what the photo shows is no skin, and where its colour is not the skin's.

Hair, hats, collars and jewellery lie over skin; the photo's masks tell them. In deep shade and on skin that is nearly
turned away colours are those of the sky and of what is beside, multiplied by a shading that is little known: what is
fine there is the skin's, the smooth part of its colour is drawn to the person's. So it is on a whole face that is more
uneven than skin, for then light, gloss or a camera's curves were not understood.
"""

import numpy as np
from scipy.sparse.csgraph import connected_components

from ..colour import LUMINANCE
from ..face_model.model import FACE_REGIONS, FaceModel
from ..geometry.nearest import distance_within
from ..image import smoothstep
from ..robust import weighted_median
from ..uv.types import Atlas
from .paint import hue_of, paint

_SURE = (0.35, 0.75)  # probabilities of hair, person and skin between which a place begins to count as such, and does
_LIKELY = (0.08, 0.4)  # of skin on the face, where shade makes it doubtful
_RIM_MM = (12.0, 30.0)  # from scalp and ears: so near hats, scarves and hair reach in, and no further
_FRINGE_MM = (3.0, 7.0)  # beside hair that hangs into the face: its thin ends and its shadow
_BESIDE_MM, _DARKER_BESIDE = (10.0, 28.0), (0.12, 0.35)  # from hair and scarves; log by which their strands are darker
_BROWS, _BROW_MM = slice(17, 27), 8.0  # of iBUG's landmarks, and how far from them hair is a brow
_BEARD_MM = (0.0, 12.0)  # below the nose's base hair is a beard, and stays
_NOSE_BASE = 33  # of iBUG's landmarks
_SMOOTH_MM, _REACH_MM = 6.0, 30.0  # of colours that are corrected, and how far beyond what is seen
_CERTAIN = {"face": (0.0, 0.3), "beside": (0.3, 1.0)}  # confidence at which a smooth colour begins to count, and does
_LIT = (0.25, 0.75)  # the same of shading, relative to its median
_LEFT_LIGHT = 0.4  # of what is not certain
_LEFT_HUE_SLANT, _LEFT_HUE_SHADE = 0.55, 0.1  # the same of hue, where skin is nearly turned away, and in shade
_UNEVEN = (0.12, 0.06)  # logs of brightness and hue by which smooth skin differs from the expected; more is drawn back
_MISUNDERSTOOD = (0.6, 1.4)  # times that, half of a face differs by so much where light begins to be, and is, at fault
_UNEVEN_MM = (2.0, 2.0)  # smoothness of these
_PAINT_BORDER = 4.0  # times the share of the surroundings that is painted: borders of paint are left as they are
_COLLAR_MM = {("neck",): (10.0, 28.0), ("scalp", "ears"): (20.0, 40.0)}
# From these: so near things of another hue are no skin, beside scalp and ears only above the jaw.
_COLLAR_HUE = (0.25, 0.6)  # logarithm by which their hue differs at least, and does
_BEYOND_GREY = (0.05, 0.3)  # the same on the other side of grey
_STEADY = (0.45, 0.9)  # share of the surroundings on neck, ears and scalp that is seen, for a place to count
_STEADY_STEPS = 12  # over the mesh, 1 to 2 cm
_STRAIGHT = (0.05, 0.4)  # confidence that neck, ears and scalp need
_DARKER = (0.0, 0.4)  # log of the skin's brightness over a shaded place's
_BLUER, _BLUE_LEFT = (0.8, 1.4), 0.2  # log of blue over the skin's, from which on it is paint; what is left of less
_STRANGE = {"light": (0.2, 0.5), "hue": (0.15, 0.4)}  # logs of brightness and hue, from which on it is no skin there
_BLACK_SHADE = (0.9, 1.6)  # log of the skin's brightness over that of shade which tells nothing of it
_WING, _CORNER = 35, 54  # of iBUG, of nose and mouth, left: outside of them lie folds, inside moustaches
_FOLD_MM = (0.0, 4.0)  # beyond the line through these, and above the nose's base
_MAX_LOG = 2.0  # of what differs more only the hue's direction counts
SEEN_RIM = (0.1, 0.45)
"""Confidence of the rim of what is seen, and of what is inside of it."""
SMOOTH_RIM = (0.15, 0.6)
"""The same of smooth colours, in which marks are too small to count."""
_FLOOR = 0.004  # linear, so that logarithms stay finite


def shown(masks: np.ndarray, model: FaceModel, atlas: Atlas) -> np.ndarray:
    """How much of each place is this head's own surface in the photo, and not what lies over it.

    On the face hair, hats and background hide skin; beards, paint and make-up do not. On scalp hair may be seen.
    Elsewhere only skin counts.

    Args:
        masks: (V_skin, 3) float32 person, hair and skin at the skin's vertices; NaN where nobody has looked.
        atlas: of the model.

    Returns:
        (V_skin,) float32 in [0, 1], 1 where nobody has looked.
    """
    unknown = np.isnan(masks).any(axis=1)
    person, hair, skin = np.nan_to_num(masks, nan=1.0).T
    rest = model.skin.of(model.mean)
    face, scalp = model.in_region(*FACE_REGIONS), model.in_region("scalp")
    base = float(model.landmarks68.points(model.mean)[_NOSE_BASE, 1])
    beard = smoothstep(base - rest[:, 1], *_BEARD_MM)
    edge = model.in_region("scalp", "ears")
    on_face = smoothstep(person, *_SURE) * (1 - smoothstep(hair, *_SURE) * (1 - beard))
    on_face *= 1 - _fringe((hair > np.mean(_SURE)) & (beard < 0.5), edge, rest, atlas)
    if edge.any() and not edge.all():
        rim = 1 - smoothstep(distance_within(rest, rest[edge], _RIM_MM[1]), *_RIM_MM)
        on_face *= 1 - rim * (1 - np.maximum(smoothstep(skin, *_LIKELY), beard * smoothstep(hair, *_SURE)))
    out = np.where(face, on_face, smoothstep(np.where(scalp, np.maximum(hair, skin), skin), *_SURE))
    return np.where(unknown | model.in_region("socket"), 1, out).astype(np.float32)


def _fringe(hairy: np.ndarray, scalp: np.ndarray, rest: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(V,) in [0, 1]: beside (V,) bool hair that comes from the (V,) bool scalp; brows do not."""
    places = np.flatnonzero(hairy)
    if len(places) == 0:
        return np.zeros(len(rest))
    _, labels = connected_components(atlas.laplacian[places][:, places])
    fringe = places[np.isin(labels, labels[scalp[places]]) & ~scalp[places]]
    if len(fringe) == 0:
        return np.zeros(len(rest))
    return 1 - smoothstep(distance_within(rest, rest[fringe], _FRINGE_MM[1]), *_FRINGE_MM)


def beside_covers(albedo: np.ndarray, usual: np.ndarray, masks: np.ndarray, model: FaceModel) -> np.ndarray:
    """(V_skin,) float32 in [0, 1]: what is darker than skin beside hair or a scarf: strands, and their shadow.

    Below the nose's base it is a beard, and stays.

    Args:
        albedo: (V, 3) linear, seen. usual: (V, 3) this person's there. masks: (V, 3) as of :func:`shown`.
    """
    hair, skin = masks[:, 1], masks[:, 2]
    rest = model.skin.of(model.mean)
    outer = model.in_region("scalp", "ears")
    if not outer.any() or outer.all():
        return np.zeros(len(albedo), np.float32)
    brows = model.landmarks68.points(model.mean)[_BROWS]
    covered = hair > np.mean(_SURE)
    covered |= (skin < _LIKELY[1]) & (distance_within(rest, rest[outer], _RIM_MM[1]) < _RIM_MM[1])
    covered &= distance_within(rest, brows, _BROW_MM) > _BROW_MM
    if not covered.any():
        return np.zeros(len(albedo), np.float32)
    near = 1 - smoothstep(distance_within(rest, rest[covered], _BESIDE_MM[1]), *_BESIDE_MM)
    base = float(model.landmarks68.points(model.mean)[_NOSE_BASE, 1])
    above = 1 - smoothstep(base - rest[:, 1], *_BEARD_MM)
    darker = smoothstep(-(_log_apart(albedo, usual) @ LUMINANCE), *_DARKER_BESIDE)
    face = np.where(model.in_region("scalp"), smoothstep(np.nan_to_num(skin), *_SURE), model.in_region(*FACE_REGIONS))
    return (near * above * darker * face).astype(np.float32)


def black_shade(
    albedo: np.ndarray, usual: np.ndarray, weight: np.ndarray, hairy: np.ndarray, bearded: float, model: FaceModel
) -> np.ndarray:
    """(V_skin,) float32 in [0, 1]: sockets and folds so dark that they tell nothing of the skin.

    Only on faces whose light was not understood; on others what is so dark is paint. Around the mouth dark is a beard.

    Args:
        albedo: (V, 3) linear, seen. usual: (V, 3) this person's there. weight: (V,) in [0, 1] of the seen.
        hairy: (V,) in [0, 1], where brows and lashes grow. bearded: in [0, 1], whether a beard is seen.
    """
    face = model.in_region(*FACE_REGIONS) & ~model.in_region("socket")
    darker = -(_log_apart(albedo, usual) @ LUMINANCE)
    misunderstood = _misunderstood(np.abs(darker)[:, None], _UNEVEN[0], weight * face)
    rest, marks = model.skin.of(model.mean), model.landmarks68.points(model.mean)
    above = smoothstep(rest[:, 1] - float(marks[_NOSE_BASE, 1]), *_FOLD_MM)
    (wing_x, wing_y), (corner_x, corner_y) = marks[_WING, :2], marks[_CORNER, :2]
    line = wing_x + (wing_y - rest[:, 1]) * (corner_x - wing_x) / (wing_y - corner_y)
    folds = (1 - bearded) * smoothstep(np.abs(rest[:, 0]) - line, *_FOLD_MM)
    where = face * np.maximum(above, folds) * (1 - hairy)
    return (misunderstood * smoothstep(darker, *_BLACK_SHADE) * where).astype(np.float32)


def unlike_skin(
    albedo: np.ndarray, usual: np.ndarray, certain: np.ndarray, rim: tuple[float, float] = SEEN_RIM
) -> np.ndarray:
    """(N,) float32 in [0, 1]: at the rim of what is seen of a face, what does not look like its skin.

    There a millimetre that the head is off shows hair, a scarf or what is behind, and skin is seen at a slant.

    Args:
        albedo: (N, 3) linear, seen. usual: (N, 3) this person's there. certain: (N,) in [0, 1], 1 where skin is seen
            straight on. rim: between which of these the rim ends.
    """
    apart = _log_apart(albedo, usual)
    light, hue = np.abs(apart @ LUMINANCE), np.linalg.norm(hue_of(apart), axis=1)
    strange = np.maximum(smoothstep(light, *_STRANGE["light"]), smoothstep(hue, *_STRANGE["hue"]))
    return (strange * (1 - smoothstep(certain, *rim))).astype(np.float32)


def plain_rims(bearded: float, model: FaceModel) -> np.ndarray:
    """(V_skin,) float32 in [0, 1]: where the face's rim is bare skin, and no beard; ``bearded``: in [0, 1]."""
    rest = model.skin.of(model.mean)
    base = float(model.landmarks68.points(model.mean)[_NOSE_BASE, 1])
    face = model.in_region(*FACE_REGIONS) & ~model.in_region("socket", "mouth", "eyes", "nose")
    return (face * (1 - bearded * smoothstep(base - rest[:, 1], *_BEARD_MM))).astype(np.float32)


def collars(albedo: np.ndarray, usual: np.ndarray, skin: np.ndarray, model: FaceModel) -> np.ndarray:
    """(V_skin,) float32 in [0, 1]: around the face, what has a hue of its own: collars and scarves.

    What is only greyer than skin is hair, or shade; what is beyond grey, on the other side of it, is neither, whatever
    the mask says, whose borders are coarse. Beside jaw and ears red is a beard.

    Args:
        albedo: (V, 3) linear, seen. usual: (V, 3) this person's there. skin: (V,) the mask of it, may be NaN.
    """
    rest = model.skin.of(model.mean)
    base = float(model.landmarks68.points(model.mean)[_NOSE_BASE, 1])
    near = np.zeros((2, len(albedo)), np.float32)
    for row, (regions, reach) in zip(near, _COLLAR_MM.items(), strict=True):
        edge = model.in_region(*regions)
        if edge.any():
            row[:] = 1 - smoothstep(distance_within(rest, rest[edge], reach[1]), *reach)
    near[1] *= 1 - smoothstep(base - rest[:, 1], *_BEARD_MM)
    apart = hue_of(_log_apart(albedo, usual))
    grey = -hue_of(np.log(usual + _FLOOR))
    size = np.linalg.norm(grey, axis=1, keepdims=True)
    grey /= np.maximum(size, 1e-6)
    greyer = (apart * grey).sum(axis=1, keepdims=True)
    beyond_grey = smoothstep((greyer - size)[:, 0], *_BEYOND_GREY)
    greyer = greyer.clip(0, size)
    other = smoothstep(np.linalg.norm(apart - greyer * grey, axis=1), *_COLLAR_HUE)
    return near.max(axis=0) * np.maximum(other * (1 - smoothstep(np.nan_to_num(skin), *_SURE)), beyond_grey)


def steady(weight: np.ndarray, certain: np.ndarray, model: FaceModel, atlas: Atlas) -> np.ndarray:
    """(V_skin,) float32 in [0, 1]: on neck, ears and scalp, where enough around is seen; scraps would be stains.

    Args:
        weight: (V,) in [0, 1] of seen colours. certain: (V,) in [0, 1], 1 where skin is seen straight on.
    """
    edges = -atlas.laplacian.tocsr()
    edges.setdiag(0)
    total = np.asarray(edges.sum(axis=1)).ravel() + 1e-9
    around = weight = weight * smoothstep(certain, *_STRAIGHT)
    for _ in range(_STEADY_STEPS):
        around = edges @ around / total
    out = smoothstep(around, *_STEADY) * smoothstep(certain, *_STRAIGHT)
    return np.where(model.in_region("neck", "ears", "scalp"), out, 1).astype(np.float32)


def not_bluer(colour: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(N, 3) linear albedo whose darker places are hardly bluer than (N, 3) skin: they lie in the sky's light.

    None is bluer than grey, as white hair and what is left of shine would be in warm light that was divided out. What
    is very blue is paint, and stays.
    """
    light, usual = colour @ LUMINANCE + _FLOOR, skin @ LUMINANCE + _FLOOR
    bluer = np.log((colour[:, 2] + _FLOOR) * usual / ((skin[:, 2] + _FLOOR) * light))
    some = np.flatnonzero((bluer > 0) & (light < usual))
    bluer = bluer[some]
    amount = smoothstep(np.log(usual[some] / light[some]), *_DARKER) * (1 - smoothstep(bluer, *_BLUER))
    out = colour.copy()
    out[some, 2] *= np.exp(-(1 - _BLUE_LEFT) * amount * bluer)
    blue = np.flatnonzero(out[:, 2] > out[:, 0])
    than_grey = np.log(out[blue, 2] / out[blue, 0])
    out[blue, 2] *= np.exp(-(1 - smoothstep(than_grey, *_BLUER)) * than_grey)
    return out


def correction(
    albedo: np.ndarray,
    usual: np.ndarray,
    confidence: np.ndarray,
    certain: np.ndarray,
    shading: np.ndarray,
    photo: np.ndarray,
    model: FaceModel,
    atlas: Atlas,
    hairy: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Log factors on seen albedo that draw its smooth part to the person's where the photo tells little of it.

    Args:
        albedo: (V, 3) linear, seen. usual: (V, 3) this person's there. confidence: (V,) in [0, 1] of the albedo.
        certain: (V,) in [0, 1], 1 where skin is seen straight on. shading: (V,) luminance of the light.
        photo: (V, 3) linear, what the photo shows, light and all.
        hairy: (V,) in [0, 1], where brows grow: they are made as much lighter or darker as the skin beside them.

    Returns:
        (V, 3) float32; near 0 where skin is well lit, seen straight on and as even as skin is. Of what is far from all
        that is seen, nothing.
    """
    apart = _log_apart(albedo, usual)
    hue_apart = hue_of(apart)

    smoothed, smoothed_light, smoothed_hue = (
        atlas.smoother(weight, size_mm, _REACH_MM, certain > 0)
        for weight, size_mm in zip(
            (confidence, confidence * (1 - hairy), confidence), (_SMOOTH_MM, *_UNEVEN_MM), strict=True
        )
    )
    smooth = smoothed(apart)
    hue = hue_of(smooth)
    face = model.in_region(*FACE_REGIONS)
    trust = np.where(face, *(smoothstep(certain, *_CERTAIN[name]) for name in ("face", "beside")))[:, None]
    lit = smoothstep(shading / float(np.median(shading)), *_LIT)[:, None]
    of_light = (1 - trust) * (1 - _LEFT_LIGHT) * (smooth - hue)
    of_hue = (1 - lit * (_LEFT_HUE_SLANT + (1 - _LEFT_HUE_SLANT) * trust)) * (1 - _LEFT_HUE_SHADE) * hue
    left_light = smoothed_light((apart - hue_apart)[:, :1]) - of_light
    left_hue = smoothed_hue(hue_apart) - of_hue
    weight = confidence * face
    painted = (_PAINT_BORDER * smoothed(paint(left_hue, usual, photo, weight))).clip(0, 1)
    light_excess = _excess(np.abs(left_light), _UNEVEN[0], weight)
    hue_excess = _excess(np.linalg.norm(left_hue, axis=1, keepdims=True), _UNEVEN[1], weight)
    uneven = (1 - painted) * (light_excess * left_light + hue_excess * left_hue)
    return -(of_light + of_hue + uneven).astype(np.float32)


def corrected(albedo: np.ndarray, correction: np.ndarray) -> np.ndarray:
    """Linear albedo with log factors of :func:`correction`, which compares colours over a floor; both of any shape.

    A colour that saturated light or a camera's curves have left next to nothing of takes what it lacks.
    """
    factor = np.exp(correction)
    return albedo * factor + np.float32(_FLOOR) * np.maximum(factor - 1, 0)


def _misunderstood(size: np.ndarray, usual: float, weight: np.ndarray) -> np.ndarray:
    """(1,) in [0, 1], whether most of a face differs by more than skin does; arguments as of :func:`_excess`."""
    return smoothstep(weighted_median(size, weight, np.zeros(1)), *(np.array(_MISUNDERSTOOD) * usual))


def _excess(size: np.ndarray, usual: float, weight: np.ndarray) -> np.ndarray:
    """(V, 1) share in [0, 1] of what skin differs by that is more than it does, where most of a face differs so much.

    What differs in one place alone is a mark, and stays.

    Args:
        size: (V, 1) logarithms. usual: that of skin. weight: (V,), how well the face is seen.
    """
    return _misunderstood(size, usual, weight) * (1 - np.tanh(size / usual) * usual / np.maximum(size, 1e-6))


def _log_apart(albedo: np.ndarray, usual: np.ndarray) -> np.ndarray:
    apart = np.log(albedo + _FLOOR) - np.log(usual + _FLOOR)
    return apart * np.minimum(1, _MAX_LOG / np.maximum(np.abs(apart).max(axis=1, keepdims=True), _FLOOR))
