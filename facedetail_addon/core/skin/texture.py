# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of one person's skin: the photo without its light, completed, and how the skin reflects."""

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
from .completion import Completion, complete, well_known
from .hair import short_hair
from .highlights import SIDE, find_highlights
from .types import AlbedoBasis, SkinMaps

_BAND_ROWS = 128  # rows of the texture worked on at a time, to stay small in memory
_SURE = (0.0, 0.15)  # confidence at which the photo begins to count, and counts alone
_LEAST_DIFFUSE = 0.35  # of a texel's colour stays diffuse, however much gloss was expected: hair has less of it
_DARK = (0.04, 0.12)  # shading relative to its usual value, below which the photo tells nothing of the skin
_NOOK = (0.45, 0.8)  # and relative to its surroundings: beside the nose a shift of a millimetre would show as paint
_NOOK_MM = 12.0
_CLIPPED = (248, 254)  # 8-bit values between which a texel's colour is no longer trusted
_RANGE = (0.004, 0.95)
_BURIED = (0.3, 0.6)  # share of white in the seen albedo, beyond which the skin under it is not seen
_TINTED = (0.03, 0.2)  # share of white from which on its hue is taken from the skin beside
_HIGHLIGHT = 0.06  # of white in albedo: so much more gloss than expected changes the skin's reflection fully
_LEVEL_RISE, _ROUGHNESS_FALL = 0.35, 0.10
_LEVEL_RANGE, _ROUGHNESS_RANGE = (0.2, 1.0), (0.25, 0.7)
_CALM_TEXELS = 3.0  # of SIDE, about 4 mm: reflection changes slowly over the skin


def make_skin_maps(
    unwrapped: UnwrappedPhoto,
    light: LightEstimate,
    basis: AlbedoBasis,
    gloss: SkinGloss,
    model: FaceModel,
    atlas: Atlas,
) -> SkinMaps:
    """Albedo, roughness and specular level, complete.

    Each texel takes, in this order and softly blended: the photo's colour without light and gloss; that of the mirrored
    place; the statistical albedo of this person, drawn to what was seen; a smooth continuation where there is none.

    Args:
        unwrapped: what the photo shows. light: on the head. basis, gloss, atlas: of the face model ``model``.
    """
    statistical, statistical_map = _statistical(basis, light)
    trusted = _shading_trust(light.shading, atlas)
    # Interpolated per texel: own light (6) and trust, the mirrored place's, then the completion's fields.
    own = np.column_stack([light.shading, light.gloss, trusted]).astype(np.float32)
    highlights = _highlights(unwrapped, np.column_stack([own, basis.known]), statistical_map, light.monochrome, atlas)
    known = well_known(basis.known, model, atlas)
    fields = _completion(unwrapped, own, at_vertices(highlights, model), statistical, known, model, atlas)
    values = np.column_stack(
        [own, atlas.mirror.points(own), fields.gain, fields.offset, fields.colour, known, fields.hair]
    ).astype(np.float32)

    side = atlas.resolution
    albedo = np.zeros((side, side, 3), np.uint8)
    wide = cv2.resize(statistical_map, (side, side), interpolation=cv2.INTER_CUBIC).clip(*_RANGE)
    white = cv2.resize(highlights, (side, side), interpolation=cv2.INTER_LINEAR)
    short = short_hair(side)
    covered = atlas.covered
    for start in range(0, side, _BAND_ROWS):
        rows = slice(start, min(start + _BAND_ROWS, side))
        here = covered[rows]
        albedo[rows][here] = to_srgb8(_compose(atlas.texels(values, rows), unwrapped, rows, here, (wide, white, short)))
    pad_islands(albedo, covered)
    roughness, specular = _reflection(highlights, gloss, atlas)
    return SkinMaps(albedo, roughness, specular, unwrapped.confidence)


def _completion(
    unwrapped: UnwrappedPhoto,
    own: np.ndarray,
    white: np.ndarray,
    statistical: np.ndarray,
    known: np.ndarray,
    model: FaceModel,
    atlas: Atlas,
) -> Completion:
    """What joins seen and unseen skin, from the vertices: (V, 7) their light and trust, (V,) the white over them."""
    albedo = _delit(unwrapped.vertex_color, own[:, :3], own[:, 3:6])
    buried = smoothstep(white / np.maximum(albedo @ LUMINANCE, 1e-3), *_BURIED)
    trust = smoothstep(unwrapped.vertex_confidence, *_SURE) * own[:, 6] * (1 - unwrapped.vertex_clipped) * (1 - buried)
    bare = _without_highlight(albedo, white, statistical)
    return complete(bare, trust, statistical, known, model, atlas)


def _compose(
    values: np.ndarray,
    unwrapped: UnwrappedPhoto,
    rows: slice,
    here: np.ndarray,
    maps: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    """(N, 3) linear albedo of the covered texels of some rows; ``maps``: statistical albedo, highlights, short hair."""
    statistical, highlights, short = maps
    own, other = values[:, :7], values[:, 7:14]
    gain, offset, known, hair = values[:, 14:17], values[:, 17:20], values[:, 23:24], values[:, 24:25]
    colour = values[:, 20:23] * np.exp(hair * short[rows][here][:, None])
    skin = colour + known * (statistical[rows][here] * np.exp(offset) - colour)
    out = skin.copy()
    mirrored_highlights = highlights[:, ::-1]  # the canonical UV is symmetric
    for photo, confidence, place, white, factor in (
        (unwrapped.mirrored_color, unwrapped.mirrored_confidence, other, mirrored_highlights, np.exp(gain)),
        (unwrapped.color, unwrapped.confidence, own, highlights, 1.0),
    ):
        texel = photo[rows][here]
        weight = smoothstep(confidence[rows][here], *_SURE) * place[:, 6]
        weight *= 1 - smoothstep(texel.max(axis=1), *_CLIPPED)
        seen = np.flatnonzero(weight > 0)
        if len(seen) == 0:
            continue
        bare = _delit(to_linear(texel[seen]), place[seen, :3], place[seen, 3:6])
        over = white[rows][here][seen]
        share = weight[seen] * (1 - smoothstep(over / np.maximum(bare @ LUMINANCE, 1e-3), *_BURIED))
        bare = _without_highlight(bare, over, skin[seen])
        bare *= factor if np.isscalar(factor) else factor[seen]
        out[seen] += share[:, None] * (bare - out[seen])
    return out.clip(*_RANGE)


def _without_highlight(colour: np.ndarray, white: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """(N, 3) colours less the white over them; what is left takes its hue from the skin beside.

    A highlight's own hue is seldom quite the light's that was divided out, and what is left over is small.
    """
    left = np.maximum(colour - white[:, None], 0.3 * colour)
    light = left @ LUMINANCE
    hued = beside * (light / np.maximum(beside @ LUMINANCE, 1e-3))[:, None]
    share = smoothstep(white / np.maximum(colour @ LUMINANCE, 1e-3), *_TINTED)
    return left + share[:, None] * (hued - left)


def _delit(colour: np.ndarray, shading: np.ndarray, gloss: np.ndarray) -> np.ndarray:
    """(N, 3) linear colours without light; finite and bounded."""
    diffuse = np.maximum(colour - gloss, _LEAST_DIFFUSE * colour)
    return (diffuse / np.maximum(shading, 1e-4)).clip(*_RANGE).astype(np.float32)


def _statistical(basis: AlbedoBasis, light: LightEstimate) -> tuple[np.ndarray, np.ndarray]:
    """The basis at this γ, per vertex and as a map; grey for a photo without colours."""
    basis = basis.grey() if light.monochrome else basis
    return basis.albedo(light.gamma), basis.albedo_map(light.gamma)


def _shading_trust(shading: np.ndarray, atlas: Atlas) -> np.ndarray:
    """(V,) float32: 0 in shadows so deep, or so narrow, that dividing by them would only show noise."""
    light = np.maximum(shading @ LUMINANCE, 1e-6)
    logarithm = np.log(light)[:, None]
    around = smooth_field(atlas.laplacian, atlas.areas, logarithm, np.ones(len(light)), _NOOK_MM)
    nook = smoothstep(np.exp(logarithm - around)[:, 0], *_NOOK)
    return smoothstep(light / float(np.median(light)), *_DARK) * nook


def _highlights(
    unwrapped: UnwrappedPhoto, values: np.ndarray, statistical: np.ndarray, monochrome: bool, atlas: Atlas
) -> np.ndarray:
    """(SIDE, SIDE) float32 white in the seen albedo."""
    side = atlas.resolution
    bare, trust = np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.float32)
    for start in range(0, side, _BAND_ROWS):
        rows = slice(start, min(start + _BAND_ROWS, side))
        here = atlas.covered[rows]
        place = atlas.texels(values, rows)
        bare[rows][here] = _delit(to_linear(unwrapped.color[rows][here]), place[:, :3], place[:, 3:6])
        trust[rows][here] = smoothstep(unwrapped.confidence[rows][here], *_SURE) * place[:, 6] * place[:, 7]
    size = (SIDE, SIDE)
    weight = cv2.resize(trust, size, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(bare * trust[..., None], size, interpolation=cv2.INTER_AREA)
    colour /= np.maximum(weight, 1e-3)[..., None]
    skin = cv2.resize(statistical, size, interpolation=cv2.INTER_LINEAR)
    return find_highlights(colour, weight, skin, monochrome)


def _reflection(highlights: np.ndarray, gloss: SkinGloss, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """(R, R) uint8 roughness and specular level: usual skin, glossier where the photo shows highlights."""
    side = atlas.resolution
    shine = cv2.GaussianBlur((highlights / _HIGHLIGHT).clip(0, 1), (0, 0), _CALM_TEXELS)
    shine = cv2.resize(shine, (side, side), interpolation=cv2.INTER_LINEAR)
    out = [np.zeros((side, side, 3), np.uint8) for _ in range(2)]
    usual = np.column_stack([gloss.roughness, gloss.specular]).astype(np.float32)
    for start in range(0, side, _BAND_ROWS):
        rows = slice(start, min(start + _BAND_ROWS, side))
        here = atlas.covered[rows]
        at = atlas.texels(usual, rows)
        roughness = (at[:, 0] - _ROUGHNESS_FALL * shine[rows][here]).clip(*_ROUGHNESS_RANGE)
        level = (at[:, 1] + _LEVEL_RISE * shine[rows][here]).clip(*_LEVEL_RANGE)
        for image, found in zip(out, (roughness, level), strict=True):
            image[rows][here] = np.round(found * 255).astype(np.uint8)[:, None]
    for image in out:
        pad_islands(image, atlas.covered)
    return np.ascontiguousarray(out[0][..., 0]), np.ascontiguousarray(out[1][..., 0])
