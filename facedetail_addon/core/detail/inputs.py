# SPDX-License-Identifier: GPL-3.0-or-later
"""What the detail networks look at: the photo's fine brightness, and how the light would change it with the slope."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from ..colour import LUMINANCE, to_linear
from ..image import TEXTURE_MM, blurred, smoothstep
from ..lighting.types import LightEstimate
from ..rendering.types import Transfer
from ..uv.types import Atlas, UnwrappedPhoto
from .space import BOX, SIDE, TEXEL_MM, VALUE_UNIT, DetailSpace, box_at, texel_gradients

CHROMA_UNIT = 0.1
"""The networks see logarithms of red over green in this unit."""
_MEAN_MM = 8.0  # the local mean that is taken off
_FLOOR = 0.01  # linear, so that noise in the dark stays small
_CONFIDENT = (0.15, 0.6)  # confidence at which the photo begins to count, and counts alone
_STEEPEST = 3.0  # of the light's channels
_CLIPPED = (248, 254)  # 8-bit values between which a texel stops counting
_GLARE_MM, _GLARE = 4.0, (0.05, 0.25)  # around a texel; share that is clipped, from which on it lies at glare's border
_DARK = (0.7, 1.1)  # logarithms darker than the skin at which hair begins, and is certain
_BLACK, _BESIDE_FRAME_MM = (1.4, 1.8), 6.0  # the same of glasses, however narrow; what is beside them is shadow
_DARK_MM = 7.0  # narrower dark places may be furrows
_HAIR = (0.15, 0.4)  # probability of the photo's mask at which hair begins, and is certain
_BROW_MM = (-4.0, -1.5)  # inside of a brow's border, from where on there may be single hairs, and are
_BROW, _GREY_BROW = (0.1, 0.35), (0.05, 0.15)  # the same there: thin ones are seen between skin; log by which white
# and shining hair is less red than the skin
_BESIDE_BROW_MM, _IN_BROW_MM = 1.2, 5.0  # skin so near to a brow is half hidden, and none of it seen in so small gaps
_HAIR_MM = 1.2  # narrower lines may be grooves
_COARSE_TEXEL_MM = 0.4  # fine enough to look for hair
_ROWS = 64  # whose logarithms are taken at a time
_NEAR = 0.05  # share of skin around a texel, below which it is not looked at


@dataclass(frozen=True)
class DetailInputs:
    """Maps over BOX, texels of SIDE; (H, W) float32 each.

    Attributes:
        value: logarithm of the photo's luminance less its local mean. chroma: the same of red over green.
        light_x, light_y: what a slope of the relief to the right, and down, changes of the logarithm of shading; the
            linear term of the shading's series in the tangent plane.
        direct_fraction: share of the direct light that the head's own shadow leaves.
        mask: 1 where the photo shows skin that may have relief.
        level: (H, W) HSV value of the photo in [0, 1], the input of Chen et al.
        resolvable_mm: size of the smallest thing that photo and texture show there, mm.
        lined: 1 where lines may be looked for. beard: 1 where beards grow.
        shading: logarithm of the luminance that the smooth head has in the photo's light.
        metric: (H, W, 3) xx, xy, yy: how slopes in texels tilt the posed skin, of
            :class:`.relief_shading.ReliefLight`.
        unseen: 1 where skin may have relief, but lies out of the photo's view, or hidden: a cheek that is turned away,
            a forehead under a hat. Where the photo shows something that grows on the skin, as a beard, it is 0.
    """

    value: np.ndarray
    chroma: np.ndarray
    light_x: np.ndarray
    light_y: np.ndarray
    direct_fraction: np.ndarray
    mask: np.ndarray
    level: np.ndarray
    resolvable_mm: np.ndarray
    lined: np.ndarray
    beard: np.ndarray
    shading: np.ndarray
    metric: np.ndarray
    unseen: np.ndarray


def detail_inputs(
    unwrapped: UnwrappedPhoto,
    light: LightEstimate,
    transfer: Transfer,
    vertices: np.ndarray,
    resolvable_mm: np.ndarray,
    hair: np.ndarray,
    space: DetailSpace,
    atlas: Atlas,
    frames: np.ndarray | None = None,
    brows: np.ndarray | None = None,
) -> DetailInputs:
    """Gather the networks' inputs from what earlier stages found.

    Args:
        unwrapped: the photo in canonical UV, any resolution. light: on the head. transfer: of the posed head.
        vertices: (V_skin, 3) mm, posed. resolvable_mm: (V_skin,) of :func:`.resolvable_size.resolvable_size`.
        hair: (V_skin,) probability that the photo shows hair there.
        space, atlas: of the model.
        frames: (R, R) float32 in [0, 1], how far glasses hide the skin; None where there are none.
        brows: (V_skin,) mm of :func:`..face_model.brows.brows_on_skin`; None: they lie where people's do.
    """
    gradients = [gradient * TEXEL_MM for gradient in texel_gradients(vertices, space)]
    channels = _light_channels(light, transfer, gradients)
    weighed = {
        "allowed": space.allowed,
        "hairless": 1 - smoothstep(hair, *_HAIR),
        "shading": np.log(np.maximum(light.shading @ LUMINANCE, _FLOOR)),
        "brows": smoothstep(space.brows if brows is None else brows, *_BROW_MM),
    }
    handed_on = {
        "light_x": channels[:, 0],
        "light_y": channels[:, 1],
        "direct_fraction": channels[:, 2],
        "resolvable": resolvable_mm,
        "lined": space.lined,
        "beard": space.beard,
        "metric": _metric(*gradients),
    }
    rows, columns = box_at(atlas.resolution)
    texel_mm = TEXTURE_MM / atlas.resolution
    colour, confidence = unwrapped.color[rows, columns], unwrapped.confidence[rows, columns]
    # What is only handed on is drawn at SIDE; of the rest few maps of the texture's own size are there at a time.
    at = _over_box(handed_on, atlas, reduced=True)
    at["resolvable"] = np.maximum(at["resolvable"], texel_mm if atlas.resolution < SIDE else 0)
    at = {name: _to_side(field) for name, field in at.items()} | _over_box(weighed, atlas)
    value, chroma = (_to_side(channel) for channel in _photo_channels(colour, confidence > 0.02, texel_mm))
    in_view = smoothstep(confidence, *_CONFIDENT)
    in_view *= at.pop("hairless")
    brightest = np.maximum(np.maximum(colour[..., 0], colour[..., 1]), colour[..., 2])
    mask = at["allowed"] * in_view
    mask *= _not_glaring(brightest, texel_mm)
    if frames is not None:
        mask *= 1 - frames[rows, columns]
    mask *= _bare(colour, at["shading"], at.pop("brows"), mask, texel_mm)
    np.subtract(1, in_view, out=in_view)
    in_view *= at.pop("allowed")
    return DetailInputs(
        value=value,
        chroma=chroma,
        light_x=at["light_x"],
        light_y=at["light_y"],
        direct_fraction=at["direct_fraction"],
        mask=_to_side(mask),
        level=_to_side(brightest / np.float32(255)),
        resolvable_mm=at["resolvable"],
        lined=at["lined"],
        beard=at["beard"],
        shading=_to_side(at["shading"]),
        metric=at["metric"],
        unseen=_to_side(in_view),
    )


def _over_box(fields: dict[str, np.ndarray], atlas: Atlas, reduced: bool = False) -> dict[str, np.ndarray]:
    """(V,) or (V, C) at the skin's vertices to (h, w) or (h, w, C) float32 over BOX, 0 outside the islands.

    Args:
        reduced: to texels of SIDE, where the texture has a whole number of its own in each.
    """
    rows, columns = box_at(atlas.resolution)
    step = atlas.resolution // SIDE if reduced and atlas.resolution % SIDE == 0 else 1
    high, wide = (rows.stop - rows.start) // step, (columns.stop - columns.start) // step
    stacked = np.column_stack(list(fields.values())).astype(np.float32)
    out = {name: np.zeros((high, wide, *field.shape[1:]), np.float32) for name, field in fields.items()}
    for band in atlas.bands(rows.start, rows.stop):
        covered = atlas.covered[band]
        inside = np.zeros_like(covered)
        inside[:, columns] = covered[:, columns]
        which = atlas.raster.covered_of(band).start + np.flatnonzero(inside[covered])
        values = atlas.covered_texels(stacked, which)
        at, channel = slice((band.start - rows.start) // step, (band.stop - rows.start) // step), 0
        for name, field in fields.items():
            part = np.zeros((len(covered), wide * step, *field.shape[1:]), np.float32)
            width = field.shape[1] if field.ndim > 1 else 1
            part[covered[:, columns]] = values[:, channel : channel + width].reshape(-1, *field.shape[1:])
            channel += width
            size = wide, at.stop - at.start
            out[name][at] = part if step == 1 else cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return out


def _not_glaring(brightest: np.ndarray, texel_mm: float) -> np.ndarray:
    """(h, w) 1 where the photo is not clipped, and does not lie at glare's border; of (h, w) uint8."""
    clipped = smoothstep(brightest, *_CLIPPED)
    glare = smoothstep(blurred(clipped, _GLARE_MM / texel_mm), *_GLARE)
    np.maximum(clipped, glare, out=clipped)
    return np.subtract(1, clipped, out=clipped)


def _metric(right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(V, 3) products of two (V, 3) gradients."""
    return np.column_stack([(one * other).sum(1) for one, other in ((right, right), (right, down), (down, down))])


def _light_channels(light: LightEstimate, transfer: Transfer, gradients: list[np.ndarray]) -> np.ndarray:
    """(V, 3): light_x, light_y, direct_fraction.

    A relief h perturbs the normal by −∇h, and the light by the product with the light vector.
    """
    vector = transfer.vector @ (light.radiance @ LUMINANCE)
    along = [(vector * gradient).sum(1) for gradient in gradients]
    shading = np.maximum(light.shading @ LUMINANCE, 1e-4)
    slopes = -np.column_stack(along) * (transfer.transmission / shading)[:, None]
    direct = transfer.diffuse @ (light.radiance @ LUMINANCE)
    direct_fraction = (transfer.transmission * direct / shading).clip(0, 1)
    return np.column_stack([slopes.clip(-_STEEPEST, _STEEPEST), direct_fraction])


def _bare(colour: np.ndarray, shading: np.ndarray, brows: np.ndarray, mask: np.ndarray, texel_mm: float) -> np.ndarray:
    """(h, w) 1 on bare skin, 0 where something far darker is seen than this person's skin: hair, or a hard shadow.

    Furrows are as dark, but narrow. Nothing of it is finer than the blur, so that a smaller map will do.

    Args:
        colour: (h, w, 3) uint8. shading: (h, w) its logarithm. brows: (h, w) 1 where brows grow, and less is
            enough, or a greyer hue. mask: (h, w) where skin may be.
    """
    if not (mask > 0.5).any():
        return np.ones_like(mask)
    height, width = mask.shape
    step = max(int(_COARSE_TEXEL_MM / texel_mm), 1)
    linear = to_linear(colour) + np.float32(_FLOOR)
    darkness, greyness = shading - np.log(linear @ LUMINANCE), np.log(linear[..., 1] / linear[..., 0])
    fields = np.dstack([darkness * mask, greyness * mask, mask, brows])
    fields = cv2.resize(fields, (width // step, height // step), interpolation=cv2.INTER_AREA)
    texel_mm *= step
    soft = cv2.GaussianBlur(fields[..., :3], (0, 0), _HAIR_MM / texel_mm)
    weight, skin = soft[..., 2], fields[..., 2] > 0.5
    darker, greyer = (
        one - np.median(one[skin]) for one in np.moveaxis(soft[..., :2] / np.maximum(weight, 1e-3)[..., None], 2, 0)
    )
    reach = 2 * round(_BESIDE_BROW_MM / texel_mm) + 1
    hair = np.maximum(smoothstep(darker, *_BROW), smoothstep(greyer, *_GREY_BROW))
    brow = cv2.dilate((hair * fields[..., 3]).astype(np.float32), _disc(reach))
    brow = cv2.morphologyEx(brow, cv2.MORPH_CLOSE, _disc(2 * round(_IN_BROW_MM / texel_mm / 2) + 1))
    wide, beside = (2 * round(size / texel_mm / 2) + 1 for size in (_DARK_MM, _BESIDE_FRAME_MM))
    darker = np.where(weight > _NEAR, darker, 0).astype(np.float32)
    frame = cv2.dilate(smoothstep(darker, *_BLACK), _disc(beside))
    darker = cv2.morphologyEx(darker, cv2.MORPH_OPEN, _disc(wide))
    covered = np.maximum.reduce([smoothstep(darker, *_DARK), frame, brow])
    return (1 - cv2.resize(covered, (width, height), interpolation=cv2.INTER_LINEAR)).clip(0, 1)


def _disc(texels: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (texels, texels))


def _photo_channels(colour: np.ndarray, seen: np.ndarray, texel_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) value and chroma of (h, w, 3) uint8 colours, less their means nearby."""
    logs = np.empty((*seen.shape, 2), np.float32)
    for start in range(0, len(seen), _ROWS):
        rows = slice(start, start + _ROWS)
        linear = to_linear(colour[rows]) + np.float32(_FLOOR)
        logs[rows, :, 0] = np.log(linear @ LUMINANCE)
        logs[rows, :, 1] = np.log(linear[..., 0] / linear[..., 1])
    mean = _local_mean((logs[..., channel] * seen for channel in (0, 1)), seen.shape, texel_mm)
    mean /= np.maximum(_local_mean([seen.astype(np.float32)], seen.shape, texel_mm), 1e-3)[..., None]
    logs -= mean
    logs *= seen[..., None]
    logs /= np.float32([VALUE_UNIT, CHROMA_UNIT])
    return logs[..., 0], logs[..., 1]


def _local_mean(channels: Iterable[np.ndarray], shape: tuple[int, int], texel_mm: float) -> np.ndarray:
    """(h, w[, C]) Gaussian blur over _MEAN_MM of C channels of that shape, on smaller maps."""
    height, width = shape
    step = max(int(_MEAN_MM / texel_mm / 5), 1)
    size = max(width // step, 1), max(height // step, 1)
    small = np.dstack([cv2.resize(channel, size, interpolation=cv2.INTER_AREA) for channel in channels])
    small = cv2.GaussianBlur(small, (0, 0), _MEAN_MM / texel_mm / step, borderType=cv2.BORDER_CONSTANT)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _to_side(channel: np.ndarray) -> np.ndarray:
    """(h, w) map of BOX at any resolution to texels of SIDE."""
    size = (BOX[2] - BOX[0], BOX[3] - BOX[1])
    if channel.shape[::-1] == size:
        return np.ascontiguousarray(channel, np.float32)
    way = cv2.INTER_AREA if channel.shape[1] > size[0] else cv2.INTER_CUBIC
    return cv2.resize(channel.astype(np.float32), size, interpolation=way).clip(channel.min(), channel.max())
