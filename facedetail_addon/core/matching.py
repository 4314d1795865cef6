# SPDX-License-Identifier: GPL-3.0-or-later
"""Places of the skin that two photos of a person show, found by their looks: optical flow in canonical UV."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from .alignment import band, flow_picture, moved
from .colour import LUMINANCE, to_linear
from .face_model.model import FACE_REGIONS, FaceModel
from .fit.types import HeadFit, PoseFit, SkinMatches
from .image import TEXTURE_MM, blurred, smoothstep
from .observe.types import Observation
from .skin.basis import at_vertices
from .uv.atlas import coarser
from .uv.types import Atlas
from .uv.unwrap import unwrap

_FLOOR = 0.004  # linear, so that logarithms stay finite
_SMOOTH_MM = 3.0
_EVEN_MM, _LEAST_VARIANCE = 6.0, 0.05  # contrast is evened over so much, where there is any
_LEAST_CONFIDENCE = 0.15
_THERE_AND_BACK_MM = 1.0  # at which a place counts a quarter
_LEAST_AGREEMENT = 0.3  # correlation around a place, from which on it counts; in full at twice as much
_AROUND_MM = 8.0
_LEAST_WEIGHT, _LEAST_PLACES = 0.05, 300.0  # of a place, and of all together
_LEAST_TURN_DEG = 10.0  # between photos, for parallax
_SIDE = 512  # texels


@dataclass(frozen=True)
class SkinView:
    """One photo on the posed head, in canonical UV.

    Attributes:
        fine: (S, S) float32 fine log luminance, in standard deviations of its surroundings; 0 where nothing is seen.
        seen: (S, S) in [0, 1]. px: (S, S, 2) float32, where the photo shows the texels.
        vertex_px: (V, 2) where it shows the vertices.
    """

    fine: np.ndarray
    seen: np.ndarray
    px: np.ndarray
    vertex_px: np.ndarray


def seen_luminance(pixels: np.ndarray, pose: PoseFit, model: FaceModel, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """(S, S) float32 log luminance of a photo, (H, W, 3) uint8, with its light, and (S, S) where it shows skin."""
    seen = unwrap(pixels, pose, model, atlas)
    return np.log(to_linear(seen.color) @ LUMINANCE + _FLOOR).astype(np.float32), seen.confidence


def skin_view(pixels: np.ndarray, pose: PoseFit, model: FaceModel, atlas: Atlas) -> SkinView:
    """Look at a photo, (H, W, 3) uint8, through the head that was fitted to it."""
    luminance, seen = seen_luminance(pixels, pose, model, atlas)
    vertex_px = pose.perspective.project(model.skin.of(pose.vertices).astype(np.float64))
    px = np.zeros((*luminance.shape, 2), np.float32)
    for rows in atlas.bands():
        px[rows][atlas.covered[rows]] = atlas.texels(vertex_px.astype(np.float32), rows)
    return SkinView(_even(band(luminance, seen), seen), seen, px, vertex_px)


def matched(
    views: tuple[int, int], one: SkinView, other: SkinView, model: FaceModel, atlas: Atlas
) -> SkinMatches | None:
    """Places that both photos show; None where there are too few.

    Args:
        views: which photos they are.
    """
    texel_mm = TEXTURE_MM / len(one.fine)
    there, back = flow_between(one, other), flow_between(other, one)
    apart = np.linalg.norm(there + moved(back, there), axis=2) * texel_mm
    agreement = _agreement(one.fine, moved(other.fine, there), texel_mm)
    seen = np.minimum(one.seen, moved(other.seen, there))
    sure = smoothstep(seen, _LEAST_CONFIDENCE, 2 * _LEAST_CONFIDENCE)
    sure *= smoothstep(agreement, _LEAST_AGREEMENT, 2 * _LEAST_AGREEMENT)
    sure *= 1 / (1 + (apart / _THERE_AND_BACK_MM) ** 2) ** 2
    sure *= cv2.erode(atlas.covered.astype(np.uint8), np.ones((5, 5), np.uint8))
    second_px = at_vertices(moved(other.px, there), model)
    weights = at_vertices(sure.astype(np.float32), model) * model.in_region(*FACE_REGIONS)
    rows = np.flatnonzero(weights > _LEAST_WEIGHT)
    if weights.sum() < _LEAST_PLACES:
        return None
    second_px, weights = second_px[rows].astype(np.float64), weights[rows].astype(np.float64)
    return SkinMatches(views, rows, one.vertex_px[rows], second_px, weights)


def flow_between(one: SkinView, other: SkinView) -> np.ndarray:
    """(S, S, 2) texels, where in ``other`` the things of ``one`` are (Kroeger et al. 2016: dense inverse search)."""
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    flow = search.calc(flow_picture(one.fine), flow_picture(other.fine), None)
    weight = np.minimum(one.seen, moved(other.seen, flow)) * np.minimum(np.abs(one.fine), 1)
    sigma = _SMOOTH_MM * len(one.fine) / TEXTURE_MM
    return blurred(flow * weight[..., None], sigma) / (blurred(weight, sigma) + 1e-2)[..., None]


def _even(fine: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The same with as much contrast in shade as in light."""
    sigma = _EVEN_MM * len(fine) / TEXTURE_MM
    inside = smoothstep(seen, 0.1, 0.5)
    variance = blurred(fine**2, sigma) / np.maximum(blurred(inside, sigma), 1e-2)
    return (fine / np.sqrt(variance + _LEAST_VARIANCE)).astype(np.float32)


def _agreement(one: np.ndarray, other: np.ndarray, texel_mm: float) -> np.ndarray:
    """(S, S) correlation around each texel."""
    sigma = _AROUND_MM / 2 / texel_mm
    across = blurred(one * other, sigma)
    return across / np.sqrt(blurred(one**2, sigma) * blurred(other**2, sigma) + 1e-4)


def matches_between(
    observations: Sequence[Observation], head: HeadFit, model: FaceModel, atlas: Atlas
) -> tuple[SkinMatches, ...]:
    """Places of the skin that pairs of photos show, of those that are turned to each other: neighbours by yaw, and each
    with the most frontal one.

    Args:
        head: fitted to the observations. atlas: of any resolution.
    """
    pairs = [pair for pair in _pairs(head) if _turn_deg(head, pair) > _LEAST_TURN_DEG]
    if not pairs:
        return ()
    atlas = coarser(atlas, model, _SIDE)
    views = {
        view: skin_view(observations[view].pixels, head.poses[view], model, atlas)
        for view in sorted({view for pair in pairs for view in pair})
        if observations[view].pixels is not None
    }
    found = [
        matched(pair, views[pair[0]], views[pair[1]], model, atlas) for pair in pairs if all(v in views for v in pair)
    ]
    return tuple(one for one in found if one is not None)


def _pairs(head: HeadFit) -> list[tuple[int, int]]:
    """The more frontal photo of each pair first."""
    towards = [pose.perspective.rotation[2] for pose in head.poses]  # in the head's axes, away from the camera
    yaws = np.array([np.arctan2(-axis[0], -axis[2]) for axis in towards])
    turned = np.array([np.arccos(np.clip(-axis[2], -1, 1)) for axis in towards])
    order, middle = np.argsort(yaws), int(np.argmin(turned))
    pairs = {tuple(sorted(map(int, both), key=lambda view: turned[view])) for both in pairwise(order)}
    return sorted(pairs | {(middle, view) for view in range(len(yaws)) if view != middle})


def _turn_deg(head: HeadFit, pair: tuple[int, int]) -> float:
    one, other = (head.poses[view].perspective.rotation for view in pair)
    return float(np.degrees(np.arccos(np.clip(one[2] @ other[2], -1, 1))))
