# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of one person's skin: the photo without its light, completed, and how the skin reflects."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from torch import nn

from ..colour import LUMINANCE, to_linear
from ..face_model.brows import usual_brows
from ..face_model.model import FaceModel
from ..image import framed, pad_islands, smoothstep
from ..lighting.types import LightEstimate
from ..rendering.types import SkinGloss
from ..uv.types import Atlas, UnwrappedPhoto
from .basis import at_vertices
from .beard import dark_below_nose, find_beard
from .brow_fill import brow_map, look_of_hair, with_brows
from .brow_shine import shine_of_brows
from .brows import without_lines
from .completion import complete, outside_openings, persons_colour
from .composition import ALBEDO_RANGE, CONFIDENT, Paints, composed, freed_of_light
from .creases import FineLight, plain_creases, unexpected_creases
from .doubt import (
    SMOOTH_RIM,
    beside_covers,
    black_shade,
    collars,
    corrected,
    correction,
    plain_rims,
    shown,
    steady,
    unlike_skin,
)
from .eye_skin import LINED_PARTS, as_people_are, how_lined, with_eye_lines
from .fill import Fill, generated_fill, statistical_fill
from .grain import seen_pieces, skin_grain
from .hair import diffuse_colour, scraps, short_hair
from .highlights import SIDE, Highlights, find_highlights, without_highlights
from .lash_line import paint_lid_rims
from .mottle import mottle
from .types import AlbedoBasis, SkinMaps

_SHADOW = (0.04, 0.12)  # shading relative to its median, below which the photo tells nothing of the skin
_CAVITY = (0.45, 0.8)  # and relative to its surroundings: beside the nose a shift of a millimetre would show as paint
_CAVITY_MM, _CAVITY_EDGES = 12.0, 8  # radius of these surroundings, and how far beyond seen skin they count
_UNSEEN, _CLEAR = (0.0, 0.5), 0.9  # confidence of both sides at which skin is unseen; of skin that pieces are taken of
_FRAME = 32  # texels of SIDE beside what is seen, at least, where highlights are looked for
_ROWS = 64  # of the reduced photo worked on at a time, to stay in the processor's cache
_STRAIGHT = 0.6  # confidence of skin that tells a beard
_UNDER_HIGHLIGHT = 0.5  # what the smooth colour under a highlight counts beside seen skin
_HAIRY = (0.3, 0.7)  # probability of hair between which shine on it is no longer skin's
_LID_LANDMARKS = (slice(36, 42), slice(42, 48))  # of iBUG
_LASH_TEXELS = 9  # of SIDE, across lashes and what is painted beside them
_BESIDE_BROW_MM, _BESIDE_BROW_EDGES = 4.0, 8  # smoothness of what goes on over brows, and how far around it is asked
_STRANDS = (0.05, 0.3)  # the same on brows, between which dark is no longer theirs
# Inside of a brow's border: where shine is hair's, where dark is hair, and where there may be single hairs.
_BROW_MM = {"within": (-0.5, 1.0), "hairs": (-2.0, -0.5), "beside": (-4.0, -1.5)}
_HIGHLIGHT = 0.06  # of white in albedo: so much more gloss than expected changes the skin's reflection fully
_LEVEL_RISE, _ROUGHNESS_FALL = 0.35, 0.10  # by that much
_LEVEL_RANGE, _ROUGHNESS_RANGE = (0.2, 1.0), (0.25, 0.7)  # of Specular IOR Level and roughness
_GLOSS_SIGMA_TEXELS = 6.0  # of SIDE, about 4 mm: reflection changes slowly over the skin


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
    brows: np.ndarray | None = None,
    haired: float = 0.0,
) -> SkinMaps:
    """Albedo, roughness and specular level, complete.

    Each texel takes, in this order and softly blended: the photo's colour without light and gloss; that of the mirrored
    place; what this person's skin probably is, drawn to what was seen; a smooth continuation where that is unknown.

    Args:
        unwrapped: what the photo shows. light: on the head. basis, gloss, atlas: of the face model ``model``.
        relief_shading: (R, R) float32 factor by which relief changes that light, so that lines are not paint as well.
        masks: (V_skin, 3) float32 probabilities of person, hair and skin in the photo, NaN where nobody has looked.
        generator: makes this person's skin; None: it is the statistical albedo. tell_known: whether to tell ``known``.
        brows: (V_skin,) mm of :func:`..face_model.brows.brows_on_skin`; None: they lie where people's do.
        haired: of :func:`.hair.find_hair`.
    """
    brows = usual_brows(model) if brows is None else brows
    relief_shading = np.ones((atlas.resolution,) * 2, np.float32) if relief_shading is None else relief_shading
    masks = np.full((model.skin.stop, 3), np.nan, np.float32) if masks is None else masks
    basis = basis.grey() if light.monochrome else basis
    usual = statistical_fill(basis, light.gamma, model, atlas)
    confidence = _shading_confidence(light.shading, unwrapped.vertex_confidence > 0, atlas) * shown(masks, model, atlas)
    confidence *= outside_openings(basis.known, model)
    shine = shine_of_brows(unwrapped, brows)
    gloss = replace(gloss, specular=gloss.specular * shine)
    lit = np.column_stack([light.shading, light.gloss * shine[:, None], confidence]).astype(np.float32)
    bare = bare_skin(masks, basis, model)
    fine = FineLight(relief_shading, plain_creases(), light.monochrome)
    seen = _seen(unwrapped, np.column_stack([lit, bare]), fine, atlas)
    within, hairy = (_of_small(smoothstep(brows, *_BROW_MM[name]), atlas) for name in ("within", "hairs"))
    highlights = _highlights(seen, usual.picture, light.monochrome, within)
    noise = skin_grain(seen.albedo @ LUMINANCE, seen.confidence, atlas.resolution, _closer(unwrapped, lit, fine, atlas))
    hairy = np.maximum(hairy, _lashes(model))
    fine = replace(fine, creases=_creases(seen, usual.picture, hairy, highlights))
    _without_creases(seen.albedo, fine.creases)
    beard = find_beard(seen.albedo, seen.confidence, model)
    browed = smoothstep(brows, *_BROW_MM["beside"])
    hairs = np.column_stack([browed, np.maximum(browed, at_vertices(hairy, model))])
    bearded = 0.0 if beard is None else float(beard.under.max())
    trusted = _trusted(unwrapped, lit, fine.creases, highlights, usual, masks, model, atlas, hairs, bearded, haired)
    fill, persons = usual, confidence * bare * trusted.skin
    known = _known(smoothstep(unwrapped.confidence, *CONFIDENT), persons, highlights, atlas) if tell_known else None
    if generator is not None:
        told = _known(_reduced(unwrapped, len(seen.bare))[1], persons, highlights, atlas.reduced)
        fill = generated_fill(seen.albedo, told, usual, basis, light.monochrome, generator, model, atlas)
    plain = trusted.weight * (1 - browed)  # brows are no skin that goes on beside them
    fields = complete(
        trusted.albedo, plain, fill.colours, fill.known, model, atlas, trusted.dazzled, masks[:, 1], beard, haired
    )
    own = np.column_stack([lit[:, :6], lit[:, 6] * trusted.skin, trusted.correction, trusted.plain])
    grainy = (1 - fields.hair) * ~model.in_region("socket")
    uneven = mottle(trusted.albedo, trusted.weight, model, atlas) * grainy[:, None]
    matte = _matte(seen, highlights)
    clear = _clear(matte, hairy, basis, atlas)
    grain = _grain(noise, seen, matte, clear, fill.known, atlas)
    skin = np.column_stack([fields.offset + uneven, fields.colour * np.exp(uneven), fill.known, fields.hair, grainy])
    mirrored = np.column_stack([atlas.mirror.points(own), fields.gain])
    values = (part.astype(np.float32) for part in (skin, own, mirrored))
    picture = fill.picture if generator is not None else as_people_are(fill.picture, basis.eyes, light.monochrome)
    colour = look_of_hair(fields, fill, basis, model)
    picture = with_brows(picture, (seen.albedo, seen.confidence), brows, colour, model, atlas)
    statistical = _around_eyes(picture, seen, clear, brows, basis, light.monochrome, model, atlas)
    statistical = _resized(statistical, min(len(statistical), atlas.resolution))
    maps = statistical, highlights, fine, short_hair(atlas.resolution), grain
    albedo = composed(Paints(*values, unwrapped, *maps), atlas)
    paint_lid_rims(albedo, model, light.monochrome)
    pad_islands(albedo, atlas.surroundings)
    roughness, specular = _reflection(highlights.white, gloss, atlas)
    return SkinMaps(albedo, roughness, specular, unwrapped.confidence, fine.creases, known)


@dataclass(frozen=True)
class _Seen:
    """What the photo shows of the skin, without light and expected gloss, as fine as it is looked through; S ≤ R.

    Attributes:
        albedo: (S, S, 3) float32 linear, 0 outside the island. confidence: (S, S) float32, where it is bare skin.
        bare: (S, S) float32, the same however little its light is known.
        light: (S, S, 3) float32, what it was freed of. relief: (S, S) float32, the part of it that relief makes.
        gloss: (S, S) float32 luminance of what the surface was expected to reflect.
    """

    albedo: np.ndarray
    confidence: np.ndarray
    bare: np.ndarray
    light: np.ndarray
    relief: np.ndarray
    gloss: np.ndarray


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
    small = atlas.reduced
    side = small.resolution
    photo, confident = _reduced(unwrapped, side)
    fine = replace(fine, relief=_resized(fine.relief, side))
    albedo, shading = np.zeros((side * side, 3), np.float32), np.ones((side * side, 3), np.float32)
    confidence, bare, gloss = (np.zeros(side * side, np.float32) for _ in range(3))
    for rows in small.bands():
        texel = small.raster.texels_of(rows)
        light = np.ascontiguousarray(small.texels(values.astype(np.float32), rows).T)
        under = light[:3] * fine.factor(texel)
        albedo[texel] = freed_of_light(photo.reshape(-1, 3).take(texel, axis=0).T, under, light[3:6]).T
        shading[texel] = under.T
        bare[texel] = confident.take(texel) * light[7]
        confidence[texel] = bare[texel] * light[6]
        gloss[texel] = LUMINANCE @ light[3:6]
    square = (side, side)
    return _Seen(
        albedo.reshape(*square, 3), confidence.reshape(square), bare.reshape(square), shading.reshape(*square, 3),
        fine.relief, gloss.reshape(square),
    )  # fmt: skip


def _reduced(unwrapped: UnwrappedPhoto, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(S, S, 3) linear colours, the mean of seen texels, and (S, S) mean of how much the photo counts; S ≤ R."""
    step = len(unwrapped.confidence) // side
    if step == 1:
        return to_linear(unwrapped.color), smoothstep(unwrapped.confidence, *CONFIDENT)
    colour, confident = np.empty((side, side, 3), np.float32), np.empty((side, side), np.float32)
    for row in range(0, side, _ROWS):
        rows = slice(row * step, (row + _ROWS) * step)
        confidence = unwrapped.confidence[rows]
        seen = (confidence > 0).astype(np.uint8)
        size = side, len(seen) // step
        pixels = to_linear(cv2.copyTo(unwrapped.color[rows], seen))
        share = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        mean = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        colour[row : row + _ROWS] = mean / np.maximum(share, 1e-3)[..., None]
        confident[row : row + _ROWS] = cv2.resize(
            smoothstep(confidence, *CONFIDENT), size, interpolation=cv2.INTER_AREA
        )
    return colour, confident


def _resized(values: np.ndarray, side: int) -> np.ndarray:
    """(R, R[, C]) float32 to (S, S[, C])."""
    if len(values) == side:
        return values
    way = cv2.INTER_AREA if side < len(values) else cv2.INTER_LINEAR
    return cv2.resize(values, (side, side), interpolation=way)


def _of_small(values: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(SIDE, SIDE) of (V,) values."""
    return _resized(atlas.reduced.picture(values), SIDE)


def _matte(seen: _Seen, highlights: Highlights) -> np.ndarray:
    """(S, S) float32 in [0, 1], seen skin that does not shine."""
    return seen.confidence * (1 - _resized(highlights.share, len(seen.confidence)))


def _clear(matte: np.ndarray, hairy: np.ndarray, basis: AlbedoBasis, atlas: Atlas) -> np.ndarray:
    """(S, S) bool, plain skin that is well seen; ``hairy``: (SIDE, SIDE) where brows and lashes grow."""
    plain = atlas.reduced.picture((basis.plain * basis.known).astype(np.float32))
    return (matte > _CLEAR) & (plain > _CLEAR) & (_resized(hairy, len(matte)) < 1 - _CLEAR)


def _grain(
    noise: np.ndarray, seen: _Seen, matte: np.ndarray, clear: np.ndarray, known: np.ndarray, atlas: Atlas
) -> np.ndarray:
    """(R, R) log factors: noise, but pieces of the face's own skin where neither side of it is seen.

    Args:
        noise: (R, R) of :func:`.grain.skin_grain`. clear: (S, S) bool, plain skin that is well seen. known: (V,) where
            it is the face.
    """
    side = len(matte)
    face = atlas.reduced.picture(known)
    wanted = (1 - smoothstep(np.maximum(matte, matte[:, ::-1]), *_UNSEEN)) * face
    pieces = seen_pieces(seen.albedo @ LUMINANCE, clear, wanted > 1 - _CLEAR)
    if pieces is None:
        return noise
    part, step = framed(wanted > 0, _FRAME), atlas.resolution // side
    large = tuple(slice(one.start * step, one.stop * step) for one in part)
    pieces, wanted, here = pieces[part], wanted[part], noise[large]
    if step > 1:  # what is finer than pieces is noise
        pieces, wanted = (cv2.resize(one, here.shape[::-1], interpolation=cv2.INTER_LINEAR) for one in (pieces, wanted))
        pieces += here - cv2.GaussianBlur(here, (0, 0), step / 2)
    noise[large] += wanted * (pieces - here)
    return noise


def _around_eyes(
    picture: np.ndarray,
    seen: _Seen,
    clear: np.ndarray,
    brows: np.ndarray,
    basis: AlbedoBasis,
    grey: bool,
    model: FaceModel,
    atlas: Atlas,
) -> np.ndarray:
    """(1024, 1024, 3) float32 linear of skin: with lids and lines as seen skin has.

    Args:
        picture: (1024, 1024, 3) of that. clear: (S, S) bool, plain skin that is well seen. brows: (V,), which keep
            their hairs.
    """
    parts = np.column_stack([model.in_region(name) for name in LINED_PARTS]).astype(np.float32)
    parts = np.moveaxis(atlas.reduced.picture(parts), 2, 0) > _CLEAR
    lined = how_lined(seen.albedo @ LUMINANCE, tuple(parts & clear))
    lines = with_eye_lines(picture, basis.eyes, lined, grey)
    return without_lines(lines, picture, brow_map(brows, atlas))


def _closer(
    unwrapped: UnwrappedPhoto, light: np.ndarray, fine: FineLight, atlas: Atlas
) -> Callable[[int, int, int], np.ndarray]:
    """Of :func:`.grain.skin_grain`; ``light``: (V, 7) shading, gloss and confidence."""

    def luminance(row: int, column: int, count: int) -> np.ndarray:
        rows, side = slice(row, row + count), atlas.resolution
        texel = atlas.raster.texels_of(rows)
        at = atlas.texels(light, rows).T
        colour = to_linear(unwrapped.color.reshape(-1, 3).take(texel, axis=0)).T
        out = np.zeros(count * side, np.float32)
        out[texel - row * side] = LUMINANCE @ freed_of_light(colour, at[:3] * fine.factor(texel), at[3:6])
        return out.reshape(count, side)[:, column : column + count]

    return luminance


def _creases(seen: _Seen, skin: np.ndarray, hairy: np.ndarray, highlights: Highlights) -> np.ndarray:
    """Of :class:`.creases.FineLight`; none under highlights, whose colour comes from beside.

    Args:
        skin: (T, T, 3) the statistical albedo. hairy: (SIDE, SIDE) where brows and lashes grow.
    """
    shine = cv2.resize(highlights.share, seen.bare.shape, interpolation=cv2.INTER_LINEAR)
    shining, matte = shine > 0, seen.albedo.copy()
    if shining.any():
        flat = highlights.enlarged(slice(0, len(shine)), shining)
        matte[shining] = without_highlights(matte[shining], flat)
    found = unexpected_creases(matte, seen.light, skin, seen.bare, seen.confidence, seen.relief, hairy)
    shine = _resized(shine, len(found))
    return found * (1 - shine)[..., None]


def _without_creases(albedo: np.ndarray, creases: np.ndarray) -> None:
    """Change (S, S, 3) albedo in place."""
    albedo *= np.exp(-creases)
    albedo.clip(*ALBEDO_RANGE, out=albedo)


def _highlights(seen: _Seen, statistical: np.ndarray, monochrome: bool, brows: np.ndarray) -> Highlights:
    size = (SIDE, SIDE)
    weight = cv2.resize(seen.confidence, size, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(seen.albedo * seen.confidence[..., None], size, interpolation=cv2.INTER_AREA)
    colour /= np.maximum(weight, 1e-3)[..., None]
    skin = cv2.resize(statistical, size, interpolation=cv2.INTER_LINEAR)
    gloss = cv2.resize(seen.gloss, size, interpolation=cv2.INTER_AREA)
    part = framed(weight, _FRAME)  # beside what is seen none are found
    parts = (one[part] for one in (colour, weight, skin))
    found = find_highlights(*parts, monochrome, brows[part], gloss[part])
    return found.framed(part, SIDE)


def _lashes(model: FaceModel) -> np.ndarray:
    """(SIDE, SIDE) float32: where lids have lashes, or are painted."""
    uv = model.landmarks68.points(model.skin.vertex_uv())
    out = np.zeros((SIDE, SIDE), np.float32)
    for part in _LID_LANDMARKS:
        at = np.column_stack([uv[part, 0], 1 - uv[part, 1]]) * SIDE * 16
        cv2.polylines(out, [np.round(at).astype(np.int32)], True, 1.0, _LASH_TEXELS, cv2.LINE_8, 4)
    return cv2.GaussianBlur(out, (0, 0), _LASH_TEXELS / 6)


@dataclass(frozen=True)
class _Trusted:
    """Of V vertices, which seen colours are this person's skin.

    Attributes:
        albedo: (V, 3) float32 linear, corrected, without highlights. weight: (V,) of it. skin: (V,) in [0, 1], no
            collar and no doubtful place. correction: (V, 3) log factors. dazzled: (V,) of :func:`complete`.
        plain: (V,) of :func:`.doubt.plain_rims`.
    """

    albedo: np.ndarray
    weight: np.ndarray
    skin: np.ndarray
    correction: np.ndarray
    dazzled: np.ndarray
    plain: np.ndarray


def _trusted(
    unwrapped: UnwrappedPhoto,
    light: np.ndarray,
    creases: np.ndarray,
    highlights: Highlights,
    usual: Fill,
    masks: np.ndarray,
    model: FaceModel,
    atlas: Atlas,
    hairs: np.ndarray,
    bearded: float,
    haired: float,
) -> _Trusted:
    """What counts of the photo, vertex by vertex.

    Args:
        light: (V, 7) shading, gloss and confidence. creases: (S, S, 3) of :class:`.creases.FineLight`.
        hairs: (V, 2) in [0, 1], where brows grow, low ones, too; and where they or lashes do. bearded: in [0, 1],
            whether a beard is seen. haired: of :func:`.hair.find_hair`.
    """
    shaded = light[:, :3] * np.exp(at_vertices(creases, model))
    albedo = freed_of_light(unwrapped.vertex_color, shaded, light[:, 3:6])
    share, beside = at_vertices(highlights.share, model), at_vertices(highlights.beside, model)
    albedo += share[:, None] * (beside - albedo)
    in_view = smoothstep(unwrapped.vertex_confidence, *CONFIDENT) * light[:, 6]
    counts = in_view * (1 - unwrapped.vertex_clipped * (1 - share)) * (1 - (1 - _UNDER_HIGHLIGHT) * share)
    persons = persons_colour(albedo, counts, usual.colours, usual.known, model)
    covered = np.maximum(collars(albedo, persons, masks[:, 2], model), beside_covers(albedo, persons, masks, model))
    scalp, told = model.in_region("scalp"), np.nan_to_num(masks[:, 1])
    hairy = scalp * smoothstep(told, *_HAIRY)
    covered *= 1 - haired * hairy  # a head of hair is no scarf, whatever its hue
    skin = 1 - covered * (1 - hairs[:, 0] * (1 - smoothstep(told, *_STRANDS)))
    darker = np.log((persons @ LUMINANCE + ALBEDO_RANGE[0]) / (albedo @ LUMINANCE + ALBEDO_RANGE[0]))
    sure = (unwrapped.vertex_confidence > _STRAIGHT) & (counts > 0)
    plain = plain_rims(max(bearded, dark_below_nose(darker, sure, model)), model)
    skin *= 1 - plain * unlike_skin(albedo, persons, unwrapped.vertex_confidence, SMOOTH_RIM)
    skin *= 1 - black_shade(albedo, persons, counts, hairs[:, 1], bearded, model)
    skin *= steady(counts * skin, unwrapped.vertex_confidence, model, atlas)
    skin *= 1 - scraps(albedo, counts * skin, persons, masks[:, 1], scalp, atlas, haired)
    hair = diffuse_colour(albedo, counts * unwrapped.vertex_confidence * atlas.areas * hairy)
    persons += hairy[:, None] * (hair - persons)
    shading = light[:, :3] @ LUMINANCE
    correcting = correction(
        albedo, persons, counts * skin, unwrapped.vertex_confidence, shading, unwrapped.vertex_color, model, atlas,
        hairs[:, 0],
    )  # fmt: skip
    correcting = _as_beside(correcting, hairs[:, 0], counts * skin, atlas)
    albedo = corrected(albedo, correcting).clip(*ALBEDO_RANGE)
    return _Trusted(albedo, counts * skin, skin, correcting, in_view * unwrapped.vertex_clipped * (1 - share), plain)


def _as_beside(correction: np.ndarray, brows: np.ndarray, weight: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(V, 3) log factors that are on (V,) brows those of the skin beside them: what differs there is hair."""
    if not (brows > 0).any():
        return correction
    beside = atlas.smoother(weight * (1 - brows) + 1e-4, _BESIDE_BROW_MM, where=brows > 0, beyond=_BESIDE_BROW_EDGES)
    return correction + brows[:, None] * (beside(correction) - correction)


def _known(confident: np.ndarray, skin: np.ndarray, highlights: Highlights, atlas: Atlas) -> np.ndarray:
    """(R, R) float32: where the photo shows this person's skin without shine.

    Args:
        confident: (R, R) in [0, 1], how much the photo counts. skin: (V,) in [0, 1], where it shows this person's.
    """
    shine = cv2.resize(highlights.share, (atlas.resolution,) * 2, interpolation=cv2.INTER_LINEAR)
    return confident * (1 - shine) * atlas.picture(skin)


def _shading_confidence(shading: np.ndarray, seen: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(V,) float32: 0 in shadows so deep, or so narrow, that dividing by them would only show noise.

    In coloured light that is so where one of the colours has none. Only (V,) bool ``seen`` vertices are asked for.
    """
    light = np.maximum(shading @ LUMINANCE, 1e-6)
    logarithm = np.log(light)[:, None]
    around = atlas.smoother(np.ones(len(light)), _CAVITY_MM, where=seen, beyond=_CAVITY_EDGES)(logarithm)
    cavity = smoothstep(np.exp(logarithm - around)[:, 0], *_CAVITY)
    darkest = (shading / np.median(shading, axis=0)).min(axis=1)
    return smoothstep(darkest, *_SHADOW) * cavity


def _reflection(white: np.ndarray, gloss: SkinGloss, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """(R, R) uint8 roughness and specular level: the prior's, glossier where the photo shows highlights."""
    small = atlas.reduced
    excess = cv2.GaussianBlur((white / _HIGHLIGHT).clip(0, 1), (0, 0), _GLOSS_SIGMA_TEXELS)
    excess = cv2.resize(excess, (small.resolution,) * 2, interpolation=cv2.INTER_LINEAR)
    roughness = small.picture(gloss.roughness) - _ROUGHNESS_FALL * excess
    level = small.picture(gloss.specular) + _LEVEL_RISE * excess
    out = np.dstack([roughness.clip(*_ROUGHNESS_RANGE), level.clip(*_LEVEL_RANGE)])
    out = np.round(out * 255).astype(np.uint8)
    pad_islands(out, small.surroundings)
    if small is not atlas:  # both are smooth
        out = cv2.resize(out, (atlas.resolution,) * 2, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(out[..., 0]), np.ascontiguousarray(out[..., 1])
