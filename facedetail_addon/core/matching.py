# SPDX-License-Identifier: GPL-3.0-or-later
"""Places of the skin that two photos of a person show, found by their looks: optical flow in canonical UV."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .alignment import band, moved
from .colour import LUMINANCE, to_linear
from .face_model.model import FACE_REGIONS, FaceModel
from .fit.types import PoseFit
from .image import blurred, smoothstep
from .skin.basis import at_vertices
from .uv.types import Atlas
from .uv.unwrap import unwrap

_FLOOR = 0.004  # linear, so that logarithms stay finite
_TEXEL_MM = 0.2 * 2048  # over the side: of a texel on the face
_GREY = 40.0  # levels per standard deviation
_SMOOTH_MM = 3.0
_LEAST_CONFIDENCE = 0.15
_THERE_AND_BACK_MM = 1.0  # at which a place counts a quarter
_LEAST_AGREEMENT = 0.3  # correlation around a place, from which on it counts; in full at twice as much
_AROUND_MM = 8.0
_LEAST_PLACES = 60


@dataclass(frozen=True)
class SkinView:
    """One photo on the posed head, in canonical UV.

    Attributes:
        fine: (S, S) float32 fine log luminance, in standard deviations; 0 where nothing is seen.
        seen: (S, S) in [0, 1]. px: (S, S, 2) float32, where the photo shows the texels.
        vertex_px: (V, 2) where it shows the vertices. facing: (V,) cosine between skin and line of sight.
    """

    fine: np.ndarray
    seen: np.ndarray
    px: np.ndarray
    vertex_px: np.ndarray


@dataclass(frozen=True)
class Matches:
    """Places of the skin in two photos.

    Attributes:
        rows: (N,) vertices of the skin near them. first_px, second_px: (N, 2) float64, in the photos.
        weights: (N,) in (0, 1], how sure they are.
    """

    rows: np.ndarray
    first_px: np.ndarray
    second_px: np.ndarray
    weights: np.ndarray


def skin_view(pixels: np.ndarray, pose: PoseFit, model: FaceModel, atlas: Atlas) -> SkinView:
    """Look at a photo, (H, W, 3) uint8, through the head that was fitted to it."""
    seen = unwrap(pixels, pose, model, atlas)
    luminance = np.log(to_linear(seen.color) @ LUMINANCE + _FLOOR).astype(np.float32)
    vertex_px = pose.perspective.project(model.skin.of(pose.vertices).astype(np.float64))
    px = np.zeros((*luminance.shape, 2), np.float32)
    for rows in atlas.bands():
        px[rows][atlas.covered[rows]] = atlas.texels(vertex_px.astype(np.float32), rows)
    return SkinView(band(luminance, seen.confidence), seen.confidence, px, vertex_px)


def matched(one: SkinView, other: SkinView, model: FaceModel, atlas: Atlas) -> Matches | None:
    """Places that both show; None where there are too few."""
    texel_mm = _TEXEL_MM / len(one.fine)
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
    rows = np.flatnonzero(weights > 0.05)
    if len(rows) < _LEAST_PLACES:
        return None
    return Matches(rows, one.vertex_px[rows], second_px[rows].astype(np.float64), weights[rows].astype(np.float64))


def flow_between(one: SkinView, other: SkinView) -> np.ndarray:
    """(S, S, 2) texels, where in ``other`` the things of ``one`` are (Kroeger et al. 2016: dense inverse search)."""
    pictures = [(128 + _GREY * view.fine).clip(0, 255).astype(np.uint8) for view in (one, other)]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    flow = search.calc(*pictures, None)
    weight = np.minimum(one.seen, moved(other.seen, flow)) * np.minimum(np.abs(one.fine), 1)
    sigma = _SMOOTH_MM * len(one.fine) / _TEXEL_MM
    return blurred(flow * weight[..., None], sigma) / (blurred(weight, sigma) + 1e-2)[..., None]


def _agreement(one: np.ndarray, other: np.ndarray, texel_mm: float) -> np.ndarray:
    """(S, S) correlation around each texel."""
    sigma = _AROUND_MM / 2 / texel_mm
    across = blurred(one * other, sigma)
    return across / np.sqrt(blurred(one**2, sigma) * blurred(other**2, sigma) + 1e-4)


def pairs_of(yaws: Sequence[float]) -> list[tuple[int, int]]:
    """Photos to compare, the more frontal one of each pair first: neighbours by yaw, and each with the most frontal."""
    order = np.argsort(yaws)
    middle = int(np.argmin(np.abs(yaws)))
    pairs = {tuple(sorted((int(a), int(b)), key=lambda view: abs(yaws[view]))) for a, b in zip(order, order[1:])}
    pairs |= {(middle, view) for view in range(len(yaws)) if view != middle}
    return sorted(pairs)
