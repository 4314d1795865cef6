# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin of one person from several photos, each of which has been freed of its own light.

Photos are joined one after the other. What both show decides how bright and of what hue the next one's light really
was (a membrane over the mesh), and where its pores and spots lie beside the others' (optical flow); then each place is
taken from the photo that shows it best, with a soft border, so that nothing is there twice.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..alignment import moved, shift_between
from ..colour import LUMINANCE, to_linear, to_srgb8
from ..face_model.model import FaceModel
from ..geometry.mesh_fields import smooth_field
from ..image import TEXTURE_MM, blurred, pad_islands, smoothstep
from ..robust import geman_mcclure
from ..uv.types import Atlas
from .basis import at_vertices
from .types import SkinMaps

_SMALL = 512  # texels: where colours and shifts are compared
_FLOOR = 0.004  # linear, so that logarithms stay finite
_GAIN_MM, _REACH_MM, _MOST_GAIN = 6.0, 60.0, 0.7  # smoothness and reach of what colours differ by; logarithms
_OUTLIER = 0.3  # log difference that no error of the light makes: a spot, hair, shine
_POWER = 4  # of weights: the better photo counts nearly alone
_SOFT_MM = 3.0  # width of the borders
_LEAST = 1e-3


@dataclass(frozen=True)
class SkinLayer:
    """What some photos tell of the skin.

    Attributes:
        maps: complete ones. weight: (R, R) float32, how well they show each place; 0 where it was filled in.
    """

    maps: SkinMaps
    weight: np.ndarray


@dataclass(frozen=True)
class Joint:
    """How the next photo was joined.

    Attributes:
        share: (R, R) float32 in [0, 1], of it. flow: (S, S, 2) texels of where its things are.
    """

    share: np.ndarray
    flow: np.ndarray


def skin_layer(maps: SkinMaps, size_mm: np.ndarray, atlas: Atlas) -> SkinLayer:
    """What one photo tells.

    Args:
        maps: with ``known``. size_mm: (V_skin,) of the smallest thing that the photo shows.
    """
    weight = maps.known * maps.confidence
    sharp = (1 / np.maximum(size_mm, 0.1)).astype(np.float32)
    for rows in atlas.bands():
        here = atlas.covered[rows]
        weight[rows][here] *= atlas.texels(sharp[:, None], rows)[:, 0]
    return SkinLayer(maps, weight)


def joined(one: SkinLayer, other: SkinLayer, model: FaceModel, atlas: Atlas) -> tuple[SkinLayer, Joint]:
    """Both together; what neither shows stays as the first has filled it in."""
    small = [_shrunk(layer) for layer in (one, other)]
    both = np.minimum(smoothstep(small[0][1], 0, 0.3), smoothstep(small[1][1], 0, 0.3))
    gain = _gain(small, both, model, atlas)
    light = [np.log(picture @ LUMINANCE + _FLOOR).astype(np.float32) for picture, _ in small]
    flow = shift_between(*light, both)
    weights = one.weight, moved(other.weight, flow)
    share = _share(*weights, atlas.resolution)
    albedo = _mixed(one.maps.albedo, other.maps.albedo, share, gain, flow, atlas)
    maps = replace(
        one.maps,
        albedo=albedo,
        roughness=_blended(one.maps.roughness, other.maps.roughness, share, flow),
        specular=_blended(one.maps.specular, other.maps.specular, share, flow),
        confidence=np.maximum(one.maps.confidence, moved(other.maps.confidence, flow)),
        known=np.maximum(one.maps.known, moved(other.maps.known, flow)),
    )
    return SkinLayer(maps, np.maximum(*weights)), Joint(share, flow)


def seam_contrast(albedo: np.ndarray, share: np.ndarray, inside: np.ndarray) -> tuple[float, float]:
    """Median |∇ log luminance| along merge borders, and of the skin beside them.

    Args:
        albedo: (R, R, 3) uint8 sRGB. share: (R, R) of the second photo. inside: (R, R) bool, skin that counts.
    """
    log = np.log(to_linear(albedo) @ LUMINANCE + _FLOOR).astype(np.float32)
    slope = np.hypot(*np.gradient(cv2.GaussianBlur(log, (0, 0), 1.0)))
    border = inside & (share > 0.2) & (share < 0.8)
    beside = inside & ~border & (cv2.dilate(border.astype(np.uint8), np.ones((31, 31), np.uint8)) > 0)
    if not border.any() or not beside.any():
        return 0.0, 0.0
    return float(np.median(slope[border])), float(np.median(slope[beside]))


def _shrunk(layer: SkinLayer) -> tuple[np.ndarray, np.ndarray]:
    size = (_SMALL, _SMALL)
    picture = cv2.resize(to_linear(layer.maps.albedo), size, interpolation=cv2.INTER_AREA)
    return picture, cv2.resize(layer.weight, size, interpolation=cv2.INTER_AREA)


def _gain(small: list[tuple[np.ndarray, np.ndarray]], both: np.ndarray, model: FaceModel, atlas: Atlas) -> np.ndarray:
    """(V, 3) log factors that bring the second photo's colours to the first's."""
    colours = [at_vertices(picture, model) for picture, _ in small]
    weight = at_vertices(both, model)
    apart = np.log(colours[0] + _FLOOR) - np.log(colours[1] + _FLOOR)
    if weight.sum() < _LEAST:
        return np.zeros_like(apart)
    usual = np.average(apart, axis=0, weights=weight)
    robust = weight * geman_mcclure((apart - usual) @ LUMINANCE / _OUTLIER)
    gain = smooth_field(atlas.laplacian, atlas.areas, apart, robust, _GAIN_MM, usual[None], _REACH_MM)
    return gain.clip(usual - _MOST_GAIN, usual + _MOST_GAIN).astype(np.float32)


def _share(one: np.ndarray, other: np.ndarray, side: int) -> np.ndarray:
    """(R, R) of the second, soft."""
    sigma = _SOFT_MM * side / TEXTURE_MM
    powers = [blurred(weight, sigma) ** _POWER * smoothstep(weight, 0, 0.02) for weight in (one, other)]
    return powers[1] / np.maximum(powers[0] + powers[1], 1e-12) * (powers[1] > 0)


def _mixed(
    one: np.ndarray, other: np.ndarray, share: np.ndarray, gain: np.ndarray, flow: np.ndarray, atlas: Atlas
) -> np.ndarray:
    """(R, R, 3) uint8 sRGB: mean of logarithms."""
    there = moved(other.astype(np.float32), flow)
    out = one.copy()
    for rows in atlas.bands():
        here = atlas.covered[rows] & (share[rows] > 0)
        if not here.any():
            continue
        factor = np.zeros((*here.shape, 3), np.float32)
        factor[atlas.covered[rows]] = atlas.texels(gain, rows)
        logs = [np.log(to_linear(part[rows][here] / np.float32(255)) + _FLOOR) for part in (one, there)]
        mixed = logs[0] + share[rows][here][:, None] * (logs[1] + factor[here] - logs[0])
        out[rows][here] = to_srgb8((np.exp(mixed) - _FLOOR).clip(0, 1))
    pad_islands(out, atlas.surroundings)
    return out


def _blended(one: np.ndarray, other: np.ndarray, share: np.ndarray, flow: np.ndarray) -> np.ndarray:
    there = moved(other.astype(np.float32), flow)
    return np.round(one + share * (there - one)).astype(np.uint8)
