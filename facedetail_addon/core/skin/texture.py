# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of one person's skin: the photo without its light, completed, and how the skin reflects."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from torch import nn

from ..colour import LUMINANCE, to_linear, to_srgb8
from ..face_model.model import FaceModel
from ..geometry.mesh_fields import smooth_field
from ..image import enlarged_rows, pad_islands, smoothstep
from ..lighting.types import LightEstimate
from ..rendering.types import SkinGloss
from ..uv.types import Atlas, UnwrappedPhoto
from .basis import at_vertices
from .beard import find_beard
from .completion import complete, outside_openings, persons_colour, share_of_mirrored
from .creases import CREASES_SIDE, FineLight, plain_creases, unexpected_creases
from .doubt import beside_covers, collars, corrected, correction, not_bluer, shown, steady
from .fill import Fill, generated_fill, statistical_fill
from .grain import skin_grain
from .hair import diffuse_colour, short_hair
from .highlights import SIDE, Highlights, find_highlights, without_highlights
from .types import AlbedoBasis, SkinMaps

_CONFIDENT = (0.0, 0.15)  # confidence at which the photo begins to count, and counts alone
_LEAST_DIFFUSE = 0.35  # of a texel's colour stays diffuse, however much gloss was expected: hair has less of it
_SHADOW = (0.04, 0.12)  # shading relative to its median, below which the photo tells nothing of the skin
_CAVITY = (0.45, 0.8)  # and relative to its surroundings: beside the nose a shift of a millimetre would show as paint
_CAVITY_MM = 12.0  # radius of these surroundings
_CLIPPED = (248, 254)  # 8-bit values between which a texel's colour stops counting
_ALBEDO_RANGE = (0.004, 0.95)  # linear
_UNDER_HIGHLIGHT = 0.5  # what the smooth colour under a highlight counts beside seen skin
_HAIRY = (0.3, 0.7)  # probability of hair between which shine on it is no longer skin's
_BROW_LANDMARKS = (slice(17, 22), slice(22, 27))  # of iBUG
_LID_LANDMARKS = (slice(36, 42), slice(42, 48))
_BROW_TEXELS, _LASH_TEXELS = 13, 9  # of SIDE, across a brow, 10 mm, and lashes and what is painted beside them
_HIGHLIGHT = 0.06  # of white in albedo: so much more gloss than expected changes the skin's reflection fully
_LEVEL_RISE, _ROUGHNESS_FALL = 0.35, 0.10  # by that much
_LEVEL_RANGE, _ROUGHNESS_RANGE = (0.2, 1.0), (0.25, 0.7)  # of Specular IOR Level and roughness
_GLOSS_SIGMA_TEXELS = 6.0  # of SIDE, about 4 mm: reflection changes slowly over the skin
# Columns of what is interpolated per texel: shading, gloss, confidence and correction of the place, and of the mirrored
# one; then the completion's fields, and where skin has grain.
_OWN, _MIRRORED, _GAIN, _OFFSET, _COLOUR, _KNOWN, _HAIR, _GRAINY = (
    slice(0, 10), slice(10, 20), slice(20, 23), slice(23, 26), slice(26, 29), slice(29, 30), slice(30, 31), 31,
)  # fmt: skip


def make_skin_maps(
    unwrapped: UnwrappedPhoto,
    light: LightEstimate,
    basis: AlbedoBasis,
    gloss: SkinGloss,
    model: FaceModel,
    atlas: Atlas,
    relief_shading: np.ndarray | None = None,
    masks: np.ndarray | None = None,
    generator: nn.Module | None = None,
    tell_known: bool = False,
) -> SkinMaps:
    """Albedo, roughness and specular level, complete.

    Each texel takes, in this order and softly blended: the photo's colour without light and gloss; that of the mirrored
    place; what this person's skin probably is, drawn to what was seen; a smooth continuation where that is unknown.

    Args:
        unwrapped: what the photo shows. light: on the head. basis, gloss, atlas: of the face model ``model``.
        relief_shading: (R, R) float32 factor by which relief changes that light, so that lines are not paint as well.
        masks: (V_skin, 3) float32 probabilities of person, hair and skin in the photo, NaN where nobody has looked.
        generator: makes this person's skin; None: it is the statistical albedo. tell_known: whether to tell ``known``.
    """
    if relief_shading is None:
        relief_shading = np.ones((atlas.resolution,) * 2, np.float32)
    if masks is None:
        masks = np.full((model.skin.stop, 3), np.nan, np.float32)
    basis = basis.grey() if light.monochrome else basis
    usual = statistical_fill(basis, light.gamma, model, atlas)
    confidence = _shading_confidence(light.shading, atlas) * shown(masks, model, atlas)
    confidence *= outside_openings(basis.known, model)
    lit = np.column_stack([light.shading, light.gloss, confidence]).astype(np.float32)
    at_skin = np.column_stack([lit, bare_skin(masks, basis, model)])
    fine = FineLight(relief_shading, plain_creases(), light.monochrome)
    seen = _seen(unwrapped, at_skin, fine, atlas)
    highlights = _highlights(seen, usual.picture, light.monochrome, model)
    grain = skin_grain(seen.albedo @ LUMINANCE, seen.confidence)
    fine = replace(fine, creases=_creases(seen, usual.picture, relief_shading, highlights, model))
    _without_creases(seen.albedo, fine.creases, atlas)
    trusted = _trusted(unwrapped, lit, fine.creases, highlights, usual, masks, model, atlas)
    fill, known = usual, None
    if generator is not None or tell_known:
        known = _known(seen, highlights, trusted.skin, atlas)
    if generator is not None:
        fill = generated_fill(seen.albedo, known, usual, basis, light.monochrome, generator, model, atlas)
    fields = complete(
        trusted.albedo, trusted.weight, fill.colours, fill.known, model, atlas, trusted.dazzled, hair=masks[:, 1],
        beard=find_beard(seen.albedo, seen.confidence, model),
    )  # fmt: skip
    own = np.column_stack([lit[:, :6], lit[:, 6] * trusted.skin, trusted.correction])
    grainy = (1 - fields.hair) * ~model.in_region("socket")
    values = np.column_stack(  # columns: _OWN, _MIRRORED and so on
        [own, atlas.mirror.points(own), fields.gain, fields.offset, fields.colour, fill.known, fields.hair, grainy]
    ).astype(np.float32)

    side = atlas.resolution
    albedo = np.zeros((side, side, 3), np.uint8)
    maps = _Maps(
        cv2.resize(fill.picture, (side, side), interpolation=cv2.INTER_CUBIC).clip(*_ALBEDO_RANGE),
        highlights,
        highlights.mirrored(),
        short_hair(side),
        grain,
        fine,
        fine.mirrored(),
    )
    covered = atlas.covered
    for rows in atlas.bands():
        here = covered[rows]
        albedo[rows][here] = to_srgb8(_compose(atlas.texels(values, rows), unwrapped, seen, rows, here, maps))
    pad_islands(albedo, covered)
    roughness, specular = _reflection(highlights.white, gloss, atlas)
    return SkinMaps(albedo, roughness, specular, unwrapped.confidence, fine.creases, known)


@dataclass(frozen=True)
class _Seen:
    """What the photo shows of the skin, without light and expected gloss.

    Attributes:
        albedo: (R, R, 3) float32 linear, 0 outside the island. confidence: (R, R) float32, where it is bare skin.
        bare: (R, R) float32, the same however little its light is known.
        light: (R, R, 3) float32, what it was freed of.
        gloss: (R, R) float32 luminance of what the surface was expected to reflect.
    """

    albedo: np.ndarray
    confidence: np.ndarray
    bare: np.ndarray
    light: np.ndarray
    gloss: np.ndarray


@dataclass(frozen=True)
class _Maps:
    """What texels are painted with, (R, R[, 3]); highlights and fine light have their own size."""

    statistical: np.ndarray
    highlights: Highlights
    mirrored_highlights: Highlights
    hair: np.ndarray
    grain: np.ndarray
    fine: FineLight
    mirrored_fine: FineLight


def bare_skin(masks: np.ndarray, basis: AlbedoBasis, model: FaceModel) -> np.ndarray:
    """(V,) float32: where shine is skin's, and not hair's or teeth's.

    Args:
        masks: (V_skin, 3) float32 probabilities of person, hair and skin in the photo, NaN where nobody has looked.
    """
    hair = masks[:, 1]
    bare = np.where(np.isnan(hair), basis.known, 1 - smoothstep(np.nan_to_num(hair), *_HAIRY))
    return bare * ~model.in_region("socket")


def _seen(unwrapped: UnwrappedPhoto, values: np.ndarray, fine: FineLight, atlas: Atlas) -> _Seen:
    """The photo in UV freed of light; ``values``: (V, 8) shading, gloss, confidence, and where skin is bare."""
    side = atlas.resolution
    albedo, shading = np.zeros((side, side, 3), np.float32), np.ones((side, side, 3), np.float32)
    confidence, bare, gloss = (np.zeros((side, side), np.float32) for _ in range(3))
    for rows in atlas.bands():
        here = atlas.covered[rows]
        light = atlas.texels(values, rows)
        colour = to_linear(unwrapped.color[rows][here])
        shading[rows][here] = light[:, :3] * fine.factor(rows, here)
        albedo[rows][here] = _delighted(colour, shading[rows][here], light[:, 3:6])
        bare[rows][here] = smoothstep(unwrapped.confidence[rows][here], *_CONFIDENT) * light[:, 7]
        confidence[rows][here] = bare[rows][here] * light[:, 6]
        gloss[rows][here] = light[:, 3:6] @ LUMINANCE
    return _Seen(albedo, confidence, bare, shading, gloss)


def _creases(seen: _Seen, skin: np.ndarray, relief: np.ndarray, highlights: Highlights, model: FaceModel) -> np.ndarray:
    """Of :class:`.creases.FineLight`; none under highlights, whose colour comes from beside.

    Args:
        skin: (S, S, 3) the statistical albedo. relief: (R, R) factor on the light.
    """
    hairy = np.maximum(_brows(model), _lashes(model))
    matte = _matte(seen.albedo, highlights)
    found = unexpected_creases(matte, seen.light, skin, seen.bare, seen.confidence, relief, hairy)
    shine = cv2.resize(highlights.share, found.shape[:2], interpolation=cv2.INTER_LINEAR)
    return found * (1 - shine)[..., None]


def _matte(albedo: np.ndarray, highlights: Highlights) -> np.ndarray:
    """(S, S, 3) of (R, R, 3) albedo without highlights, as creases are looked for; S ≤ R."""
    side = min(len(albedo), CREASES_SIDE)
    small = cv2.resize(albedo, (side, side), interpolation=cv2.INTER_AREA)
    everywhere = np.ones((side, side), bool)
    flat = highlights.enlarged(slice(0, side), everywhere)
    return without_highlights(small.reshape(-1, 3), flat).reshape(small.shape)


def _without_creases(albedo: np.ndarray, creases: np.ndarray, atlas: Atlas) -> None:
    """Change (R, R, 3) albedo in place."""
    for rows in atlas.bands():
        albedo[rows] *= np.exp(-enlarged_rows(creases, rows, atlas.resolution))
    albedo[atlas.covered] = albedo[atlas.covered].clip(*_ALBEDO_RANGE)


def _highlights(seen: _Seen, statistical: np.ndarray, monochrome: bool, model: FaceModel) -> Highlights:
    size = (SIDE, SIDE)
    weight = cv2.resize(seen.confidence, size, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(seen.albedo * seen.confidence[..., None], size, interpolation=cv2.INTER_AREA)
    colour /= np.maximum(weight, 1e-3)[..., None]
    skin = cv2.resize(statistical, size, interpolation=cv2.INTER_LINEAR)
    gloss = cv2.resize(seen.gloss, size, interpolation=cv2.INTER_AREA)
    return find_highlights(colour, weight, skin, monochrome, _brows(model), gloss)


def _brows(model: FaceModel) -> np.ndarray:
    """(SIDE, SIDE) float32: where brows grow."""
    return _lines(_BROW_LANDMARKS, False, _BROW_TEXELS, model)


def _lashes(model: FaceModel) -> np.ndarray:
    """(SIDE, SIDE) float32: where lids have lashes, or are painted."""
    return _lines(_LID_LANDMARKS, True, _LASH_TEXELS, model)


def _lines(parts: tuple[slice, ...], closed: bool, width: int, model: FaceModel) -> np.ndarray:
    """(SIDE, SIDE) float32: lines through some of iBUG's landmarks, with soft borders."""
    uv = model.landmarks68.points(model.skin.vertex_uv())
    out = np.zeros((SIDE, SIDE), np.float32)
    for part in parts:
        at = np.column_stack([uv[part, 0], 1 - uv[part, 1]]) * SIDE * 16
        cv2.polylines(out, [np.round(at).astype(np.int32)], closed, 1.0, width, cv2.LINE_8, 4)
    return cv2.GaussianBlur(out, (0, 0), width / 6)


@dataclass(frozen=True)
class _Trusted:
    """Of V vertices, which seen colours are this person's skin.

    Attributes:
        albedo: (V, 3) float32 linear, corrected, without highlights. weight: (V,) of it. skin: (V,) in [0, 1], no
            collar and no doubtful place. correction: (V, 3) log factors. dazzled: (V,) of :func:`complete`.
    """

    albedo: np.ndarray
    weight: np.ndarray
    skin: np.ndarray
    correction: np.ndarray
    dazzled: np.ndarray


def _trusted(
    unwrapped: UnwrappedPhoto,
    light: np.ndarray,
    creases: np.ndarray,
    highlights: Highlights,
    usual: Fill,
    masks: np.ndarray,
    model: FaceModel,
    atlas: Atlas,
) -> _Trusted:
    """What counts of the photo, vertex by vertex.

    Args:
        light: (V, 7) shading, gloss and confidence. creases: (S, S, 3) of :class:`.creases.FineLight`.
    """
    albedo = _delighted(unwrapped.vertex_color, light[:, :3] * np.exp(at_vertices(creases, model)), light[:, 3:6])
    share, beside = at_vertices(highlights.share, model), at_vertices(highlights.beside, model)
    albedo += share[:, None] * (beside - albedo)
    in_view = smoothstep(unwrapped.vertex_confidence, *_CONFIDENT) * light[:, 6]
    counts = in_view * (1 - unwrapped.vertex_clipped * (1 - share)) * (1 - (1 - _UNDER_HIGHLIGHT) * share)
    persons = persons_colour(albedo, counts, usual.colours, usual.known, model)
    skin = 1 - np.maximum(collars(albedo, persons, masks[:, 2], model), beside_covers(albedo, persons, masks, model))
    skin *= steady(counts * skin, unwrapped.vertex_confidence, model, atlas)
    hairy = model.in_region("scalp") * smoothstep(np.nan_to_num(masks[:, 1]), *_HAIRY)
    hair = diffuse_colour(albedo, counts * unwrapped.vertex_confidence * atlas.areas * hairy)
    persons += hairy[:, None] * (hair - persons)
    shading = light[:, :3] @ LUMINANCE
    hair = at_vertices(_brows(model), model)
    correcting = correction(albedo, persons, counts * skin, unwrapped.vertex_confidence, shading, model, atlas, hair)
    albedo = corrected(albedo, correcting).clip(*_ALBEDO_RANGE)
    return _Trusted(albedo, counts * skin, skin, correcting, in_view * unwrapped.vertex_clipped * (1 - share))


def _known(seen: _Seen, highlights: Highlights, skin: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(R, R) float32: where the photo shows this person's skin without shine; ``skin``: (V,) of :class:`_Trusted`."""
    shine = cv2.resize(highlights.share, (atlas.resolution,) * 2, interpolation=cv2.INTER_LINEAR)
    known = seen.confidence * (1 - shine)
    for rows in atlas.bands():
        here = atlas.covered[rows]
        known[rows][here] *= atlas.texels(skin[:, None].astype(np.float32), rows)[:, 0]
    return known


def _compose(
    values: np.ndarray,
    unwrapped: UnwrappedPhoto,
    seen: _Seen,
    rows: slice,
    here: np.ndarray,
    maps: _Maps,
) -> np.ndarray:
    """(N, 3) linear albedo of the covered texels of some rows.

    Args:
        values: (N, 32) interpolated from the vertices. here: (rows, R) bool covered.
    """
    colour = values[:, _COLOUR]
    skin = colour + values[:, _KNOWN] * (maps.statistical[rows][here] * np.exp(values[:, _OFFSET]) - colour)
    skin *= np.exp(values[:, _HAIR] * maps.hair[rows][here][:, None])
    grain = values[:, _GRAINY] * maps.grain[rows][here]
    own_light, other_light = values[:, _OWN], values[:, _MIRRORED]
    own = _side(
        seen.albedo[rows][here],
        unwrapped.color[rows][here],
        unwrapped.confidence[rows][here],
        own_light,
        maps.highlights.enlarged(rows, here),
        grain,
        skin,
    )
    factor = maps.mirrored_fine.factor(rows, here)
    texel, confidence = unwrapped.mirrored_color[rows][here], unwrapped.mirrored_confidence[rows][here]
    bare = np.zeros_like(skin)
    some = confidence > 0
    bare[some] = _delighted(to_linear(texel[some]), (other_light[:, :3] * factor)[some], other_light[some, 3:6])
    other = _side(bare, texel, confidence, other_light, maps.mirrored_highlights.enlarged(rows, here), grain, skin)
    out = skin * np.exp(grain)[:, None]
    matched = other.colour * np.exp(values[:, _GAIN])[other.seen]
    share = other.share * share_of_mirrored(matched, skin[other.seen], own.dazzled[other.seen])
    out[other.seen] += share[:, None] * (matched - out[other.seen])
    out[own.seen] += own.share[:, None] * (own.colour - out[own.seen])
    return out.clip(*_ALBEDO_RANGE)


@dataclass(frozen=True)
class _Side:
    """What the photo shows of N texels, or of the mirrored ones.

    Attributes:
        seen: (M,) which of them it shows. colour: (M, 3) linear, without light and highlights. share: (M,) of it.
        dazzled: (N,) float32 in [0, 1], how much of what would be seen is lost to light that was too bright.
    """

    seen: np.ndarray
    colour: np.ndarray
    share: np.ndarray
    dazzled: np.ndarray


def _side(
    bare: np.ndarray,
    texel: np.ndarray,
    confidence: np.ndarray,
    light: np.ndarray,
    highlights: np.ndarray,
    grain: np.ndarray,
    skin: np.ndarray,
) -> _Side:
    """Of (N, 3) albedo and uint8 texels with (N,) confidence, (N, 10) light, (N, 6) highlights, (N,) grain, and
    (N, 3) this person's skin there."""
    in_view = smoothstep(confidence, *_CONFIDENT) * light[:, 6]
    clipped = smoothstep(texel.max(axis=1), *_CLIPPED)
    weight = in_view * (1 - clipped * (1 - highlights[:, 0]))
    seen = np.flatnonzero(weight > 0)
    colour = corrected(without_highlights(bare[seen], highlights[seen]), light[seen, 7:10])
    colour *= np.exp(grain[seen] * clipped[seen] * highlights[seen, 0])[:, None]
    return _Side(seen, not_bluer(colour, skin[seen]), weight[seen], in_view - weight)


def _delighted(colour: np.ndarray, shading: np.ndarray, gloss: np.ndarray) -> np.ndarray:
    """(N, 3) linear colours without light; finite and bounded."""
    diffuse = np.maximum(colour - gloss, _LEAST_DIFFUSE * colour)
    return (diffuse / np.maximum(shading, 1e-4)).clip(*_ALBEDO_RANGE).astype(np.float32)


def _shading_confidence(shading: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(V,) float32: 0 in shadows so deep, or so narrow, that dividing by them would only show noise.

    In coloured light that is so where one of the colours has none.
    """
    light = np.maximum(shading @ LUMINANCE, 1e-6)
    logarithm = np.log(light)[:, None]
    around = smooth_field(atlas.laplacian, atlas.areas, logarithm, np.ones(len(light)), _CAVITY_MM)
    cavity = smoothstep(np.exp(logarithm - around)[:, 0], *_CAVITY)
    darkest = (shading / np.median(shading, axis=0)).min(axis=1)
    return smoothstep(darkest, *_SHADOW) * cavity


def _reflection(white: np.ndarray, gloss: SkinGloss, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """(R, R) uint8 roughness and specular level: the prior's, glossier where the photo shows highlights."""
    side = atlas.resolution
    excess = cv2.GaussianBlur((white / _HIGHLIGHT).clip(0, 1), (0, 0), _GLOSS_SIGMA_TEXELS)
    excess = cv2.resize(excess, (side, side), interpolation=cv2.INTER_LINEAR)
    out = np.zeros((side, side, 3), np.uint8)
    prior = np.column_stack([gloss.roughness, gloss.specular]).astype(np.float32)
    for rows in atlas.bands():
        here = atlas.covered[rows]
        at = atlas.texels(prior, rows)
        roughness = (at[:, 0] - _ROUGHNESS_FALL * excess[rows][here]).clip(*_ROUGHNESS_RANGE)
        level = (at[:, 1] + _LEVEL_RISE * excess[rows][here]).clip(*_LEVEL_RANGE)
        out[rows][here, :2] = np.round(np.column_stack([roughness, level]) * 255).astype(np.uint8)
    pad_islands(out, atlas.covered)
    return np.ascontiguousarray(out[..., 0]), np.ascontiguousarray(out[..., 1])
