# SPDX-License-Identifier: GPL-3.0-or-later
"""What the detail networks look at: the photo's fine brightness, and how the light would change it with the slope."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..colour import LUMINANCE, to_linear
from ..image import smoothstep
from ..lighting.types import LightEstimate
from ..rendering.types import Transfer
from ..uv.types import Atlas, UnwrappedPhoto
from .space import BOX, SIDE, TEXEL_MM, VALUE_UNIT, DetailSpace, box_at, texel_gradients

_MEAN_MM = 8.0  # the local mean that is taken off
_FLOOR = 0.01  # linear, so that noise in the dark stays small
_CHROMA_UNIT = 0.1  # of logarithms; inputs are about 1
_LIMIT = 4.0  # of value and chroma, in their units
_CONFIDENT = (0.15, 0.6)  # confidence at which the photo begins to count, and counts alone
_STEEPEST = 3.0  # of the light's channels
_CLIPPED = (248, 254)  # 8-bit values between which a texel stops counting
_HAIR = (0.7, 1.1)  # logarithms darker than the skin at which hair begins, and is certain
_BROW = (0.1, 0.35)  # the same where brows grow: thin ones are seen between skin
_BESIDE_BROW_MM = 1.2  # skin so near to a brow is half hidden
_HAIR_MM = 1.2  # narrower lines may be grooves


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
    """

    value: np.ndarray
    chroma: np.ndarray
    light_x: np.ndarray
    light_y: np.ndarray
    direct_fraction: np.ndarray
    mask: np.ndarray
    level: np.ndarray
    resolvable_mm: np.ndarray


def detail_inputs(
    unwrapped: UnwrappedPhoto,
    light: LightEstimate,
    transfer: Transfer,
    vertices: np.ndarray,
    resolvable_mm: np.ndarray,
    space: DetailSpace,
    atlas: Atlas,
) -> DetailInputs:
    """Gather the networks' inputs from what earlier stages found.

    Args:
        unwrapped: the photo in canonical UV, any resolution. light: on the head. transfer: of the posed head.
        vertices: (V_skin, 3) mm, posed. resolvable_mm: (V_skin,) of :func:`.resolvable_size.resolvable_size`.
        space, atlas: of the model.
    """
    shading = np.log(np.maximum(light.shading @ LUMINANCE, _FLOOR))
    fields = np.column_stack(
        [_light_channels(light, transfer, vertices, space), space.allowed, shading, resolvable_mm, space.brows]
    )
    side = atlas.resolution
    rows, columns = box_at(side)
    covered = atlas.covered
    values = np.zeros((side, side, fields.shape[1]), np.float32)
    for band in atlas.bands(rows.start, rows.stop):
        values[band][covered[band]] = atlas.texels(fields.astype(np.float32), band)
    colour = unwrapped.color[rows, columns]
    mask = values[rows, columns, 3] * smoothstep(unwrapped.confidence[rows, columns], *_CONFIDENT)
    mask = mask * (1 - smoothstep(colour.max(axis=2), *_CLIPPED))
    texel_mm = TEXEL_MM * SIDE / side
    mask = mask * _bare(colour, values[rows, columns, 4], values[rows, columns, 6], mask, texel_mm)
    value, chroma = _photo_channels(colour, unwrapped.confidence[rows, columns] > 0.02, texel_mm)
    level = colour.max(axis=2) / np.float32(255)
    resolvable = np.maximum(values[rows, columns, 5], texel_mm if side < SIDE else 0)
    out = [value, chroma, *np.moveaxis(values[rows, columns, :3], -1, 0), mask, level, resolvable]
    return DetailInputs(*(_to_side(channel) for channel in out))


def _light_channels(light: LightEstimate, transfer: Transfer, vertices: np.ndarray, space: DetailSpace) -> np.ndarray:
    """(V, 3): light_x, light_y, direct_fraction.

    A relief h perturbs the normal by −∇h, and the light by the product with the light vector.
    """
    vector = transfer.vector @ (light.radiance @ LUMINANCE)
    along = [(vector * gradient).sum(1) for gradient in texel_gradients(vertices, space)]
    shading = np.maximum(light.shading @ LUMINANCE, 1e-4)
    slopes = -np.column_stack(along) * (TEXEL_MM * transfer.transmission / shading)[:, None]
    direct = transfer.diffuse @ (light.radiance @ LUMINANCE)
    direct_fraction = (transfer.transmission * direct / shading).clip(0, 1)
    return np.column_stack([slopes.clip(-_STEEPEST, _STEEPEST), direct_fraction])


def _bare(colour: np.ndarray, shading: np.ndarray, brows: np.ndarray, mask: np.ndarray, texel_mm: float) -> np.ndarray:
    """(h, w) 1 on bare skin, 0 where something far darker is seen than this person's skin: hair, or a hard shadow.

    Args:
        colour: (h, w, 3) uint8. shading: (h, w) its logarithm. brows: (h, w) 1 where brows grow, and less is enough.
        mask: (h, w) where skin may be.
    """
    if not (mask > 0.5).any():
        return np.ones_like(mask)
    darkness = shading - np.log(to_linear(colour) @ LUMINANCE + np.float32(_FLOOR))
    weight = cv2.GaussianBlur(mask, (0, 0), _HAIR_MM / texel_mm)
    darkness = cv2.GaussianBlur(darkness * mask, (0, 0), _HAIR_MM / texel_mm) / np.maximum(weight, 1e-3)
    darker = darkness - np.median(darkness[mask > 0.5])
    reach = 2 * round(_BESIDE_BROW_MM / texel_mm) + 1
    brow = cv2.dilate(smoothstep(darker, *_BROW) * brows, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return 1 - np.maximum(smoothstep(darker, *_HAIR), brow)


def _photo_channels(colour: np.ndarray, seen: np.ndarray, texel_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) value and chroma of (h, w, 3) uint8 colours, less their means nearby."""
    linear = to_linear(colour) + np.float32(_FLOOR)
    logs = np.dstack([np.log(linear @ LUMINANCE), np.log(linear[..., 0] / linear[..., 1])])
    weight = seen.astype(np.float32)
    mean = _local_mean(logs * weight[..., None], texel_mm) / np.maximum(_local_mean(weight, texel_mm), 1e-3)[..., None]
    fine = (logs - mean) * weight[..., None] / np.float32([VALUE_UNIT, _CHROMA_UNIT])
    fine = fine.clip(-_LIMIT, _LIMIT).astype(np.float32)
    return fine[..., 0], fine[..., 1]


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
