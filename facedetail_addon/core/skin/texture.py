# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of one person's skin: the photo without its light, completed, and how the skin reflects."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..colour import LUMINANCE, to_linear, to_srgb8
from ..face_model.model import FaceModel
from ..geometry.mesh_fields import smooth_field
from ..image import pad_islands, smoothstep
from ..lighting.types import LightEstimate
from ..rendering.types import SkinGloss
from ..uv.types import Atlas, UnwrappedPhoto
from .basis import at_vertices
from .completion import Completion, complete, share_of_mirrored, well_known
from .hair import short_hair
from .highlights import SIDE, find_highlights
from .types import AlbedoBasis, SkinMaps

_CONFIDENT = (0.0, 0.15)  # confidence at which the photo begins to count, and counts alone
_LEAST_DIFFUSE = 0.35  # of a texel's colour stays diffuse, however much gloss was expected: hair has less of it
_SHADOW = (0.04, 0.12)  # shading relative to its median, below which the photo tells nothing of the skin
_CAVITY = (0.45, 0.8)  # and relative to its surroundings: beside the nose a shift of a millimetre would show as paint
_CAVITY_MM = 12.0  # radius of these surroundings
_CLIPPED = (248, 254)  # 8-bit values between which a texel's colour stops counting
_ALBEDO_RANGE = (0.004, 0.95)  # linear
_GLARE = (0.3, 0.6)  # share of highlight in the seen albedo, beyond which the skin under it is not seen
_GROOVE_TINT = np.float32([0.8, 1.05, 1.1])  # exponents of red, green and blue, chosen on portraits
_HUED = (0.03, 0.2)  # share of highlight from which on the skin's hue is taken from beside
_LEFT_UNDER_HIGHLIGHT = 0.3  # of a colour, whatever highlight was found
_HIGHLIGHT = 0.06  # of white in albedo: so much more gloss than expected changes the skin's reflection fully
_LEVEL_RISE, _ROUGHNESS_FALL = 0.35, 0.10  # by that much
_LEVEL_RANGE, _ROUGHNESS_RANGE = (0.2, 1.0), (0.25, 0.7)  # of Specular IOR Level and roughness
_GLOSS_SIGMA_TEXELS = 3.0  # of SIDE, about 4 mm: reflection changes slowly over the skin
# Columns of what is interpolated per texel: shading, gloss and confidence of the place, and of the mirrored one; then
# the completion's fields.
_OWN, _MIRRORED, _GAIN, _OFFSET, _COLOUR, _KNOWN, _HAIR = (
    slice(0, 7), slice(7, 14), slice(14, 17), slice(17, 20), slice(20, 23), slice(23, 24), slice(24, 25),
)  # fmt: skip


def make_skin_maps(
    unwrapped: UnwrappedPhoto,
    light: LightEstimate,
    basis: AlbedoBasis,
    gloss: SkinGloss,
    model: FaceModel,
    atlas: Atlas,
    relief_shading: np.ndarray | None = None,
) -> SkinMaps:
    """Albedo, roughness and specular level, complete.

    Each texel takes, in this order and softly blended: the photo's colour without light and gloss; that of the mirrored
    place; the statistical albedo of this person, drawn to what was seen; a smooth continuation where there is none.

    Args:
        unwrapped: what the photo shows. light: on the head. basis, gloss, atlas: of the face model ``model``.
        relief_shading: (R, R) float32 factor by which relief changes that light, so that lines are not paint as well.
    """
    if relief_shading is None:
        relief_shading = np.ones((atlas.resolution,) * 2, np.float32)
    statistical, statistical_map = _statistical(basis, light)
    shading_confidence = _shading_confidence(light.shading, atlas)
    own = np.column_stack([light.shading, light.gloss, shading_confidence]).astype(np.float32)
    at_skin = np.column_stack([own, basis.known])
    highlights = _highlights(unwrapped, at_skin, relief_shading, statistical_map, light.monochrome, atlas)
    known = well_known(basis.known, model, atlas)
    fields = _completion(unwrapped, own, at_vertices(highlights, model), statistical, known, model, atlas)
    values = np.column_stack(  # columns: _OWN, _MIRRORED and so on
        [own, atlas.mirror.points(own), fields.gain, fields.offset, fields.colour, known, fields.hair]
    ).astype(np.float32)

    side = atlas.resolution
    albedo = np.zeros((side, side, 3), np.uint8)
    maps = (
        cv2.resize(statistical_map, (side, side), interpolation=cv2.INTER_CUBIC).clip(*_ALBEDO_RANGE),
        cv2.resize(highlights, (side, side), interpolation=cv2.INTER_LINEAR),
        short_hair(side),
        relief_shading,
    )
    covered = atlas.covered
    for rows in atlas.bands():
        here = covered[rows]
        albedo[rows][here] = to_srgb8(
            _compose(atlas.texels(values, rows), unwrapped, rows, here, maps, light.monochrome)
        )
    pad_islands(albedo, covered)
    roughness, specular = _reflection(highlights, gloss, atlas)
    return SkinMaps(albedo, roughness, specular, unwrapped.confidence)


def _completion(
    unwrapped: UnwrappedPhoto,
    light: np.ndarray,
    highlight: np.ndarray,
    statistical: np.ndarray,
    known: np.ndarray,
    model: FaceModel,
    atlas: Atlas,
) -> Completion:
    """What joins seen and unseen skin, from the vertices: (V, 7) shading, gloss and confidence, (V,) highlights."""
    albedo = _delighted(unwrapped.vertex_color, light[:, :3], light[:, 3:6])
    glare = smoothstep(highlight / np.maximum(albedo @ LUMINANCE, 1e-3), *_GLARE)
    confidence = smoothstep(unwrapped.vertex_confidence, *_CONFIDENT) * light[:, 6]
    in_view = confidence
    confidence = confidence * (1 - unwrapped.vertex_clipped) * (1 - glare)
    bare = _without_highlight(albedo, highlight, statistical)
    return complete(bare, confidence, statistical, known, model, atlas, dazzled=in_view - confidence)


def _compose(
    values: np.ndarray,
    unwrapped: UnwrappedPhoto,
    rows: slice,
    here: np.ndarray,
    maps: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    monochrome: bool,
) -> np.ndarray:
    """(N, 3) linear albedo of the covered texels of some rows.

    Args:
        values: (N, 25) interpolated from the vertices. here: (rows, R) bool covered.
        maps: (R, R, 3) statistical albedo, (R, R) highlights, (R, R) short hair, (R, R) the relief's shading.
    """
    statistical, highlights, hair_factors, relief = maps
    colour = values[:, _COLOUR] * np.exp(values[:, _HAIR] * hair_factors[rows][here][:, None])
    skin = colour + values[:, _KNOWN] * (statistical[rows][here] * np.exp(values[:, _OFFSET]) - colour)
    own = _side(
        unwrapped.color[rows][here],
        unwrapped.confidence[rows][here],
        _on_relief(values[:, _OWN], relief[rows][here], monochrome),
        highlights[rows][here],
        skin,
    )
    mirrored_highlights, mirrored_relief = highlights[:, ::-1], relief[:, ::-1]  # the canonical UV is symmetric
    other = _side(
        unwrapped.mirrored_color[rows][here],
        unwrapped.mirrored_confidence[rows][here],
        _on_relief(values[:, _MIRRORED], mirrored_relief[rows][here], monochrome),
        mirrored_highlights[rows][here],
        skin,
    )
    out = skin.copy()
    matched = other.colour * np.exp(values[:, _GAIN])[other.seen]
    share = other.share * share_of_mirrored(matched, skin[other.seen], own.dazzled[other.seen])
    out[other.seen] += share[:, None] * (matched - out[other.seen])
    out[own.seen] += own.share[:, None] * (own.colour - out[own.seen])
    return out.clip(*_ALBEDO_RANGE)


def _on_relief(light: np.ndarray, factor: np.ndarray, monochrome: bool) -> np.ndarray:
    """(N, 7) light whose shading is changed by (N,) factors; what is dark is red, too, for light there is skin's."""
    change = factor[:, None]
    if not monochrome:
        change = np.where(change < 1, change**_GROOVE_TINT, change)
    return np.column_stack([light[:, :3] * change, light[:, 3:]])


@dataclass(frozen=True)
class _Side:
    """What the photo shows of N texels, or of the mirrored ones.

    Attributes:
        seen: (M,) which of them it shows. colour: (M, 3) linear, without light and highlights. share: (M,) of it.
        dazzled: (N,) float32 in [0, 1], how much of what would be seen is lost to highlights.
    """

    seen: np.ndarray
    colour: np.ndarray
    share: np.ndarray
    dazzled: np.ndarray


def _side(
    texel: np.ndarray, confidence: np.ndarray, light: np.ndarray, highlight: np.ndarray, skin: np.ndarray
) -> _Side:
    """Of (N, 3) uint8 texels with (N,) confidence, (N, 7) light, (N,) highlights and (N, 3) skin beside them."""
    in_view = smoothstep(confidence, *_CONFIDENT) * light[:, 6]
    weight = in_view * (1 - smoothstep(texel.max(axis=1), *_CLIPPED))
    seen = np.flatnonzero(weight > 0)
    bare = _delighted(to_linear(texel[seen]), light[seen, :3], light[seen, 3:6])
    share = weight[seen] * (1 - smoothstep(highlight[seen] / np.maximum(bare @ LUMINANCE, 1e-3), *_GLARE))
    dazzled = in_view.copy()
    dazzled[seen] -= share
    return _Side(seen, _without_highlight(bare, highlight[seen], skin[seen]), share, dazzled)


def _without_highlight(colour: np.ndarray, highlight: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """(N, 3) colours less the highlight (N,) over them; what is left takes its hue from the skin beside.

    A highlight's own hue is seldom quite the light's that was divided out, and what is left over is small.
    """
    left = np.maximum(colour - highlight[:, None], _LEFT_UNDER_HIGHLIGHT * colour)
    luminance = left @ LUMINANCE
    hued = beside * (luminance / np.maximum(beside @ LUMINANCE, 1e-3))[:, None]
    share = smoothstep(highlight / np.maximum(colour @ LUMINANCE, 1e-3), *_HUED)
    return left + share[:, None] * (hued - left)


def _delighted(colour: np.ndarray, shading: np.ndarray, gloss: np.ndarray) -> np.ndarray:
    """(N, 3) linear colours without light; finite and bounded."""
    diffuse = np.maximum(colour - gloss, _LEAST_DIFFUSE * colour)
    return (diffuse / np.maximum(shading, 1e-4)).clip(*_ALBEDO_RANGE).astype(np.float32)


def _statistical(basis: AlbedoBasis, light: LightEstimate) -> tuple[np.ndarray, np.ndarray]:
    """The basis at this γ, per vertex and as a map; grey for a photo without colours."""
    basis = basis.grey() if light.monochrome else basis
    return basis.albedo(light.gamma), basis.albedo_map(light.gamma)


def _shading_confidence(shading: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(V,) float32: 0 in shadows so deep, or so narrow, that dividing by them would only show noise."""
    light = np.maximum(shading @ LUMINANCE, 1e-6)
    logarithm = np.log(light)[:, None]
    around = smooth_field(atlas.laplacian, atlas.areas, logarithm, np.ones(len(light)), _CAVITY_MM)
    cavity = smoothstep(np.exp(logarithm - around)[:, 0], *_CAVITY)
    return smoothstep(light / float(np.median(light)), *_SHADOW) * cavity


def _highlights(
    unwrapped: UnwrappedPhoto,
    values: np.ndarray,
    relief: np.ndarray,
    statistical: np.ndarray,
    monochrome: bool,
    atlas: Atlas,
) -> np.ndarray:
    """(SIDE, SIDE) float32 highlights in the seen albedo; ``values``: (V, 8) as ``_completion``'s, and known skin."""
    side = atlas.resolution
    bare, confidence = np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.float32)
    for rows in atlas.bands():
        here = atlas.covered[rows]
        light = _on_relief(atlas.texels(values, rows), relief[rows][here], monochrome)
        bare[rows][here] = _delighted(to_linear(unwrapped.color[rows][here]), light[:, :3], light[:, 3:6])
        confidence[rows][here] = smoothstep(unwrapped.confidence[rows][here], *_CONFIDENT) * light[:, 6] * light[:, 7]
    size = (SIDE, SIDE)
    weight = cv2.resize(confidence, size, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(bare * confidence[..., None], size, interpolation=cv2.INTER_AREA)
    colour /= np.maximum(weight, 1e-3)[..., None]
    skin = cv2.resize(statistical, size, interpolation=cv2.INTER_LINEAR)
    return find_highlights(colour, weight, skin, monochrome)


def _reflection(highlights: np.ndarray, gloss: SkinGloss, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """(R, R) uint8 roughness and specular level: the prior's, glossier where the photo shows highlights."""
    side = atlas.resolution
    excess = cv2.GaussianBlur((highlights / _HIGHLIGHT).clip(0, 1), (0, 0), _GLOSS_SIGMA_TEXELS)
    excess = cv2.resize(excess, (side, side), interpolation=cv2.INTER_LINEAR)
    out = [np.zeros((side, side, 3), np.uint8) for _ in range(2)]
    prior = np.column_stack([gloss.roughness, gloss.specular]).astype(np.float32)
    for rows in atlas.bands():
        here = atlas.covered[rows]
        at = atlas.texels(prior, rows)
        roughness = (at[:, 0] - _ROUGHNESS_FALL * excess[rows][here]).clip(*_ROUGHNESS_RANGE)
        level = (at[:, 1] + _LEVEL_RISE * excess[rows][here]).clip(*_LEVEL_RANGE)
        for image, value in zip(out, (roughness, level), strict=True):
            image[rows][here] = np.round(value * 255).astype(np.uint8)[:, None]
    for image in out:
        pad_islands(image, atlas.covered)
    return np.ascontiguousarray(out[0][..., 0]), np.ascontiguousarray(out[1][..., 0])
