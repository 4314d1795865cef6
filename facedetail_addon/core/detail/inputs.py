# SPDX-License-Identifier: GPL-3.0-or-later
"""What the detail networks look at: the photo's fine brightness, and how the light would change it with the slope."""

from dataclasses import dataclass
from dataclasses import fields as dataclass_fields

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
_BROW = (0.1, 0.35)  # the same where brows grow: thin ones are seen between skin
_BESIDE_BROW_MM = 1.2  # skin so near to a brow is half hidden
_HAIR_MM = 1.2  # narrower lines may be grooves
_COARSE_TEXEL_MM = 0.4  # fine enough to look for hair
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
) -> DetailInputs:
    """Gather the networks' inputs from what earlier stages found.

    Args:
        unwrapped: the photo in canonical UV, any resolution. light: on the head. transfer: of the posed head.
        vertices: (V_skin, 3) mm, posed. resolvable_mm: (V_skin,) of :func:`.resolvable_size.resolvable_size`.
        hair: (V_skin,) probability that the photo shows hair there.
        space, atlas: of the model.
        frames: (R, R) float32 in [0, 1], how far glasses hide the skin; None where there are none.
    """
    gradients = [gradient * TEXEL_MM for gradient in texel_gradients(vertices, space)]
    fields = {
        "light": _light_channels(light, transfer, gradients),
        "allowed": space.allowed,
        "hairless": 1 - smoothstep(hair, *_HAIR),
        "shading": np.log(np.maximum(light.shading @ LUMINANCE, _FLOOR)),
        "resolvable": resolvable_mm,
        "brows": space.brows,
        "lined": space.lined,
        "beard": space.beard,
        "metric": _metric(*gradients),
    }
    at = _over_box(fields, atlas)
    rows, columns = box_at(atlas.resolution)
    texel_mm = TEXTURE_MM / atlas.resolution
    colour, confidence = unwrapped.color[rows, columns], unwrapped.confidence[rows, columns]
    in_view = at["hairless"] * smoothstep(confidence, *_CONFIDENT)
    brightest = np.maximum(np.maximum(colour[..., 0], colour[..., 1]), colour[..., 2])
    clipped = smoothstep(brightest, *_CLIPPED)
    glare = smoothstep(blurred(clipped, _GLARE_MM / texel_mm), *_GLARE)
    mask = at["allowed"] * in_view * (1 - np.maximum(clipped, glare))
    if frames is not None:
        mask = mask * (1 - frames[rows, columns])
    value, chroma = _photo_channels(colour, confidence > 0.02, texel_mm)
    found = DetailInputs(
        value=value,
        chroma=chroma,
        light_x=at["light"][..., 0],
        light_y=at["light"][..., 1],
        direct_fraction=at["light"][..., 2],
        mask=mask * _bare(colour, at["shading"], at["brows"], mask, texel_mm),
        level=brightest / np.float32(255),
        resolvable_mm=np.maximum(at["resolvable"], texel_mm if atlas.resolution < SIDE else 0),
        lined=at["lined"],
        beard=at["beard"],
        shading=at["shading"],
        metric=at["metric"],
        unseen=at["allowed"] * (1 - in_view),
    )
    return DetailInputs(*(_to_side(getattr(found, channel.name)) for channel in dataclass_fields(found)))


def _over_box(fields: dict[str, np.ndarray], atlas: Atlas) -> dict[str, np.ndarray]:
    """(V,) or (V, C) at the skin's vertices to (h, w) or (h, w, C) float32 over BOX, 0 outside the islands."""
    rows, columns = box_at(atlas.resolution)
    stacked = np.column_stack(list(fields.values())).astype(np.float32)
    values = np.zeros((rows.stop - rows.start, atlas.resolution, stacked.shape[1]), np.float32)
    flat, first = values.reshape(-1, stacked.shape[1]), rows.start * atlas.resolution

    def draw(texel: np.ndarray, covered: slice) -> None:
        flat[texel - first] = atlas.covered_texels(stacked, covered)

    atlas.each_band(draw, rows.start, rows.stop)
    out, start = {}, 0
    for name, field in fields.items():
        channels = field.shape[1] if field.ndim > 1 else 1
        part = values[:, columns, start : start + channels]
        out[name], start = part if field.ndim > 1 else part[..., 0], start + channels
    return out


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
        colour: (h, w, 3) uint8. shading: (h, w) its logarithm. brows: (h, w) 1 where brows grow, and less is enough.
        mask: (h, w) where skin may be.
    """
    if not (mask > 0.5).any():
        return np.ones_like(mask)
    height, width = mask.shape
    step = max(int(_COARSE_TEXEL_MM / texel_mm), 1)
    darkness = shading - np.log(to_linear(colour) @ LUMINANCE + np.float32(_FLOOR))
    fields = np.dstack([darkness * mask, mask, brows])
    fields = cv2.resize(fields, (width // step, height // step), interpolation=cv2.INTER_AREA)
    texel_mm *= step
    weight = cv2.GaussianBlur(fields[..., 1], (0, 0), _HAIR_MM / texel_mm)
    darkness = cv2.GaussianBlur(fields[..., 0], (0, 0), _HAIR_MM / texel_mm) / np.maximum(weight, 1e-3)
    darker = darkness - np.median(darkness[fields[..., 1] > 0.5])
    reach = 2 * round(_BESIDE_BROW_MM / texel_mm) + 1
    brow = cv2.dilate(smoothstep(darker, *_BROW) * fields[..., 2], _disc(reach))
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
    linear = to_linear(colour) + np.float32(_FLOOR)
    logs = np.dstack([np.log(linear @ LUMINANCE), np.log(linear[..., 0] / linear[..., 1])])
    weight = seen.astype(np.float32)
    mean = _local_mean(logs * weight[..., None], texel_mm) / np.maximum(_local_mean(weight, texel_mm), 1e-3)[..., None]
    fine = (logs - mean) * weight[..., None] / np.float32([VALUE_UNIT, CHROMA_UNIT])
    return fine[..., 0].astype(np.float32), fine[..., 1].astype(np.float32)


def _local_mean(values: np.ndarray, texel_mm: float) -> np.ndarray:
    """Gaussian blur over _MEAN_MM, on a smaller map."""
    height, width = values.shape[:2]
    step = max(int(_MEAN_MM / texel_mm / 5), 1)
    small = cv2.resize(values, (max(width // step, 1), max(height // step, 1)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _MEAN_MM / texel_mm / step, borderType=cv2.BORDER_CONSTANT)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _to_side(channel: np.ndarray) -> np.ndarray:
    """(h, w) map of BOX at any resolution to texels of SIDE."""
    size = (BOX[2] - BOX[0], BOX[3] - BOX[1])
    if channel.shape[::-1] == size:
        return np.ascontiguousarray(channel, np.float32)
    way = cv2.INTER_AREA if channel.shape[1] > size[0] else cv2.INTER_CUBIC
    return cv2.resize(channel.astype(np.float32), size, interpolation=way).clip(channel.min(), channel.max())
