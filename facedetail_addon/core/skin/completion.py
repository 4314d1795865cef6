# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin that the photo does not show: the other side of the face, the statistical albedo, hair, and flesh.

Seams are solved in the gradient domain, over the mesh and not over the texture, so that UV borders do not matter: what
is added takes the gradients of its source, and the difference to what was seen, known where both meet, goes on as a
membrane (Pérez, Gangnet and Blake 2003). Differences are those of logarithms.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..colour import LUMINANCE
from ..face_model.model import FACE_REGIONS, FaceModel
from ..geometry.nearest import distance_within
from ..image import smoothstep
from ..robust import geman_mcclure, weighted_median
from ..uv.types import Atlas
from .beard import Beard
from .hair import find_hair, softened
from .paint import hue_of

_GAIN_MM, _FIELD_MM, _COLOUR_MM = 4.0, 3.0, 0.8  # smoothness of the two membranes and of continued colours
_BEARD_MM = 3.0
_REACH_MM = {"skin": 45.0, "hair": 6.0, "beard": 30.0}  # how far beyond what was seen its colour reaches
_MAX_LOG, _MAX_GAIN = 1.2, 0.5  # what differs more is not skin
_OUTLIER = 0.3  # log difference from the person's tone that skin seldom has
_OTHER_HUE = 0.15  # the same of hue
_MAX_OFFSET = 0.4  # from that tone, anywhere: rims of lips and nostrils are seen badly
_AS_BRIGHT = (-0.4, -0.15)  # log luminance from the skin, at which another place is no such skin, and is it
_FLOOR = 0.004  # linear, so that logarithms stay finite
_BORDER_MM = (4.0, 16.0)  # inside the border of the statistical albedo it begins to count, and counts fully
_INSIDE = (0.7, 1.0)  # what the basis knows on nose and mouth: nothing inside nostrils and lips
_SIDE_MM = 50.0  # so far from the middle skin takes its colour from its own side alone
_FLESH = np.float32([0.26, 0.06, 0.05])  # inside of the mouth relative to the skin, linear
_CHROMA = (0.04, 0.35)  # of the skin, at which the flesh's hue begins to count, and counts fully
_PLAIN, _LEAST_PLAIN = ("forehead", "cheeks", "nose", "chin"), 30.0  # regions that tell the tone, vertices at least
_RIMMED = ("eyes", "nose", "mouth")  # whose unknown rims are as dark as what is seen there
_OTHER_TONES = {"ears": np.float32([0.0, -0.04, -0.05]), "neck": np.float32([-0.07, -0.1, -0.16])}
# Logs from that tone, medians of people whose ears and necks textures show: ears are redder, necks a little darker.
_DEEP_MM = (3.0, 14.0)  # so far inside the flesh's colour begins and is full
_LIP_LINE_MM = (1.0, 2.5)  # from the lips' inner sides
_LIPS_MM = 4.0  # beside these they are red
_RIM_REACH_MM = 2.0  # how far colours of the rim reach inside


@dataclass(frozen=True)
class Completion:
    """Fields over the skin's vertices.

    Attributes:
        gain: (V, 3) float32, log factors that match the mirrored side to the side it fills.
        offset: (V, 3) float32, log factors that match the statistical albedo to what was seen.
        colour: (V, 3) float32 linear, where there is no statistical albedo.
        hair: (V,) float32 in [0, 1], how much of that colour is short hair.
    """

    gain: np.ndarray
    offset: np.ndarray
    colour: np.ndarray
    hair: np.ndarray


def complete(
    albedo: np.ndarray,
    confidence: np.ndarray,
    statistical: np.ndarray,
    known: np.ndarray,
    model: FaceModel,
    atlas: Atlas,
    dazzled: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    beard: Beard | None = None,
    haired: float = 0.0,
) -> Completion:
    """Solve for what joins seen and unseen skin.

    Args:
        albedo: (V_skin, 3) float32 linear, seen. confidence: (V_skin,) in [0, 1]; 1 = the photo alone counts.
        statistical: (V_skin, 3) of the albedo basis. known: (V_skin,) where it is skin.
        dazzled: (V_skin,) in [0, 1], how much of the confidence highlights have taken; none where None.
        hair: (V_skin,) probability of hair in the photo, NaN where nobody has looked; by colour alone where None.
        beard: that goes on below the jaw. haired: of :func:`.hair.find_hair`.
    """
    mirrored, mirrored_confidence = atlas.mirror.points(albedo), atlas.mirror.points(confidence[:, None])[:, 0]
    both = np.minimum(confidence, mirrored_confidence)
    sides = _log_ratio(albedo, mirrored).clip(-_MAX_GAIN, _MAX_GAIN)
    mirrored_share = mirrored_confidence * (1 - confidence)
    gain = atlas.smoother(both, _GAIN_MM, where=mirrored_confidence > 0, beyond=8)(sides)
    if dazzled is not None:
        own = _log_ratio(albedo, statistical)
        person = statistical * np.exp(weighted_median(own, confidence * known, np.zeros(3)))
        mirrored_share = mirrored_share * share_of_mirrored(mirrored * np.exp(gain), person, dazzled)
    share = confidence + mirrored_share
    mixed = confidence[:, None] * albedo + mirrored_share[:, None] * mirrored * np.exp(gain)
    mixed /= np.maximum(share, 1e-6)[:, None]
    ratio = _log_ratio(mixed, statistical)
    tone = weighted_median(ratio, share * known, np.zeros(3))
    # Where a brow is higher than most, or hair lies over the skin, the difference says nothing of the skin beside it.
    weight = share * known * geman_mcclure((ratio - tone) @ LUMINANCE / _OUTLIER)
    offset = atlas.smoother(weight, _FIELD_MM, _REACH_MM["skin"], known > 0)(ratio, tone)
    offset = offset.clip(tone - _MAX_OFFSET, tone + _MAX_OFFSET).astype(np.float32)
    prior, reach, hairy = _colour_prior(model, mixed, share, statistical * np.exp(tone), known, atlas, hair, haired)
    if beard is not None:
        expected = prior + known[:, None] * (statistical * np.exp(tone) - prior)
        apart, seen = _log_ratio(mixed, expected), share * beard.jaw
        apart = atlas.smoother(seen, _BEARD_MM, _REACH_MM["beard"], beard.under > 0)(apart)
        apart *= beard.under[:, None]
        offset, prior = (offset + apart).astype(np.float32), (prior * np.exp(apart)).astype(np.float32)
        hairy = np.maximum(hairy, beard.contrast * beard.under)
    # Other beards, hair, shade, and what is left of clothes' light are no colour for the skin beside them.
    scalp, off = model.in_region("scalp"), _log_ratio(mixed, prior)
    skin = ~model.in_region("socket") & ~(scalp & hairy[scalp].any())  # a bald head's scalp is skin
    weight = share * np.where(skin, geman_mcclure(off @ LUMINANCE / _OUTLIER), 1)
    weight *= np.where(skin, geman_mcclure(np.linalg.norm(hue_of(off), axis=1) / _OTHER_HUE), 1)
    # What goes on beyond the border is how seen colours differ from the prior: hair beside ears stays beside them.
    colour = prior + atlas.smoother(weight, _COLOUR_MM, reach, known < 1)(mixed - prior)
    return Completion(gain, offset, colour.clip(_FLOOR, 1), hairy)


def persons_colour(
    albedo: np.ndarray, confidence: np.ndarray, statistical: np.ndarray, known: np.ndarray, model: FaceModel
) -> np.ndarray:
    """(V_skin, 3) float32 linear: statistical albedo in this person's tone, and that tone where there is none.

    Args:
        albedo, confidence, statistical, known: as of :func:`complete`.
    """
    face = model.in_region(*FACE_REGIONS)
    tone = weighted_median(_log_ratio(albedo, statistical), confidence * known, np.zeros(3))
    plain = (
        np.median(statistical[face & (known > 0.5)], axis=0) if (face & (known > 0.5)).any() else statistical.mean(0)
    )
    return ((plain + known[:, None] * (statistical - plain)) * np.exp(tone)).astype(np.float32)


def share_of_mirrored(mirrored: np.ndarray, skin: np.ndarray, dazzled: np.ndarray) -> np.ndarray:
    """How much the other side may fill in: where a highlight hides skin that is in view, only what is skin as bright.

    Args:
        mirrored: (N, 3) linear, matched to this side. skin: (N, 3) of this person, there. dazzled: (N,) in [0, 1].

    Returns:
        (N,) in [0, 1].
    """
    darker = np.log((mirrored @ LUMINANCE + _FLOOR) / (skin @ LUMINANCE + _FLOOR))
    return 1 - dazzled * (1 - smoothstep(darker, *_AS_BRIGHT))


def well_known(
    known: np.ndarray, model: FaceModel, atlas: Atlas, beyond: tuple[str, ...] = ("neck", "ears", "scalp")
) -> np.ndarray:
    """(V_skin,) float32: where the statistical albedo may fill in; its outer border is learned from few people.

    Args:
        known: (V_skin,) of the basis. atlas: of the model. beyond: regions that are outside of that border.
    """
    unknown = np.flatnonzero((known < 0.5) & ~model.in_region("socket"))
    if len(unknown) == 0:
        return known
    # Nostrils and the lips' inner sides are not known either: the border is that of the largest area.
    _, labels = connected_components(atlas.laplacian[unknown][:, unknown])
    rest = model.skin.of(model.mean)
    outside = model.in_region(*beyond)
    outside[unknown[labels == np.bincount(labels).argmax()]] = True
    outside = rest[outside]
    known = known * outside_openings(known, model)
    inner = model.in_region("mouth") & (known == 0)
    if inner.any():  # beside them it is learned from teeth
        known = known * smoothstep(distance_within(rest, rest[inner], _LIP_LINE_MM[1]), *_LIP_LINE_MM)
    return known * smoothstep(distance_within(rest, outside, _BORDER_MM[1]), *_BORDER_MM)


def outside_openings(known: np.ndarray, model: FaceModel) -> np.ndarray:
    """(V_skin,) in [0, 1]: 0 inside nostrils and lips, where neither the (V_skin,) basis nor photos know the skin."""
    return np.where(model.in_region("nose", "mouth"), smoothstep(known, *_INSIDE), 1)


def _colour_prior(
    model: FaceModel,
    colours: np.ndarray,
    weights: np.ndarray,
    skin: np.ndarray,
    known: np.ndarray,
    atlas: Atlas,
    seen_hair: np.ndarray | None,
    haired: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What unseen places probably look like: skin, hair colour on the scalp, flesh inside mouth and eye sockets.

    Args:
        colours: (V, 3) seen ones. weights: (V,) their confidence.
        skin: (V, 3) statistical albedo in this person's tone. known: (V,) where that is skin.
        seen_hair: (V,) probability of hair, or None.

    Returns:
        (V, 3) float32 colours; (V,) float32 mm how far other colours reach against them; (V,) float32 share of hair.
    """
    rest = model.skin.of(model.mean)
    inside = {name: model.in_region(name) for name in ("scalp", "neck", "ears", "socket")}
    face = ~np.logical_or.reduce(list(inside.values()))
    typical = face & (known > 0.5)
    fallback = np.median(skin[typical], axis=0) if typical.any() else np.median(skin, axis=0)
    plain = weights * (typical & model.in_region(*_PLAIN))  # lids, lips and the jaw's shade are darker
    counts = plain if plain.sum() > _LEAST_PLAIN else weights * face
    tone, whole = (weighted_median(colours, some, fallback) for some in (counts, weights * face))
    chroma = float(smoothstep((tone.max() - tone.min()) / max(float(tone.max()), 1e-3), *_CHROMA))
    left = smoothstep(rest[:, 0], -_SIDE_MM, _SIDE_MM)  # what is left of light from one side stays on its side
    sides = [weighted_median(colours, counts * share**2, tone) for share in (left, 1 - left)]
    prior = left[:, None] * sides[0] + (1 - left[:, None]) * sides[1]
    prior += softened(model.in_region(*_RIMMED), atlas)[:, None] * (whole - prior)
    for name, other in _OTHER_TONES.items():
        prior *= np.exp(softened(inside[name], atlas)[:, None] * (hue_of(other[None]) * chroma + other @ LUMINANCE))
    reach = np.full(len(rest), _REACH_MM["skin"], np.float32)
    hair = find_hair(colours, weights, prior, rest, inside["scalp"], atlas, seen_hair, haired)
    share = np.zeros(len(rest), np.float32)
    if hair is not None:
        share = softened(hair.share, atlas)
        prior += share[:, None] * (hair.colour - prior)
        reach[inside["scalp"]] = _REACH_MM["hair"]
    socket = inside["socket"]
    if socket.any() and not socket.all():
        flesh = _FLESH * chroma + (_FLESH @ LUMINANCE) * (1 - chroma)
        distance, nearest = cKDTree(rest[~socket]).query(rest[socket])
        mouth = model.in_region("mouth")
        inner = mouth & (known < 0.5)
        red = mouth & ~inner
        if inner.any():
            red[red] = distance_within(rest[red], rest[inner], _LIPS_MM) < _LIPS_MM
        lips = weighted_median(skin[red], known[red], whole * flesh**0.3)  # seen ones shine, or are teeth
        rim = np.where(mouth[~socket][nearest, None], lips, whole)
        prior[inner], reach[inner] = lips, _RIM_REACH_MM
        deep = smoothstep(distance, *_DEEP_MM)[:, None]
        prior[socket] = (1 - deep) * rim + deep * whole * flesh
        reach[socket] = _RIM_REACH_MM
    return prior.astype(np.float32), reach, share


def _log_ratio(values: np.ndarray, to: np.ndarray) -> np.ndarray:
    return (np.log(values + _FLOOR) - np.log(to + _FLOOR)).clip(-_MAX_LOG, _MAX_LOG)
