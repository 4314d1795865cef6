# SPDX-License-Identifier: GPL-3.0-or-later
"""The relief of one person from several photos.

A line that all photos show is the person's. A line that one photo shows and another, with another expression, does not,
belongs to its expression. The first photo's relief is kept where it shows the skin well, for the head wears its
expression; elsewhere the relief is that of the photo that shows it best.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..alignment import moved
from ..face_model.model import FaceModel
from ..image import TEXTURE_MM, blurred, sample, smoothstep
from ..uv.types import Atlas
from .expression_shares import expression_strengths, sides
from .normal_map import skin_normals
from .types import DetailMaps

_FIRST = 1.5  # how much more the first photo counts
_POWER = 6  # of weights: the better photo counts nearly alone
_SOFT_MM = 2.0  # width of the borders
_SMALL = 512  # texels: where lines are compared
_NEAR_MM, _SLIGHT_MM = 3.0, 0.008  # how far around lines are compared; RMS of heights that do not matter
_LIKELY = 0.85  # share of lines that only the first photo shows


@dataclass(frozen=True)
class ReliefLayer:
    """What one photo, or some, tell of the relief.

    Attributes:
        medium, fine, unseen: (R, R) float32 mm, as of :class:`.types.DetailMaps`.
        weight: (R, R) float32, how well the photo shows each place.
    """

    medium: np.ndarray
    fine: np.ndarray
    unseen: np.ndarray
    weight: np.ndarray

    def moved(self, flow: np.ndarray) -> "ReliefLayer":
        """By (S, S, 2) texels of S."""
        return ReliefLayer(*(moved(part, flow) for part in (self.medium, self.fine, self.unseen, self.weight)))


def joined_relief(one: ReliefLayer, other: ReliefLayer, first: bool) -> ReliefLayer:
    """Both together; ``first``: whether ``one`` is the first photo's."""
    sigma = _SOFT_MM * len(one.weight) / TEXTURE_MM
    weights = one.weight * (_FIRST if first else 1), other.weight
    powers = [blurred(part, sigma) ** _POWER for part in weights]
    share = powers[1] / np.maximum(powers[0] + powers[1], 1e-12)
    heights = (here + share * (there - here) for here, there in ((one.medium, other.medium), (one.fine, other.fine)))
    seen = smoothstep(other.weight, 0.0, 0.3)
    return ReliefLayer(*heights, one.unseen * (1 - seen), np.maximum(one.weight, other.weight))


def relief_maps(
    layer: ReliefLayer, first: DetailMaps, vertices: np.ndarray, model: FaceModel, atlas: Atlas
) -> DetailMaps:
    """Maps of the joined relief; what it makes of the light stays the first photo's.

    Args:
        vertices: (V, 3) mm, neutral.
    """
    heights = layer.medium + layer.fine, layer.fine, layer.unseen
    normals = skin_normals(heights, model, atlas, vertices)
    return DetailMaps(layer.medium, layer.fine, normals[0], normals[1], layer.unseen, normals[2], first.shading)


def shares_by_photos(
    shares: np.ndarray,
    layers: Sequence[ReliefLayer],
    betas: Sequence[np.ndarray],
    model: FaceModel,
) -> np.ndarray:
    """Shares of the first photo's lines that belong to its expression, by what others show where they differ.

    Args:
        shares: (V_skin, G) of the first photo alone. layers: of each photo, moved onto the first. betas: (E,) of each.

    Returns:
        (V_skin, G) float32.
    """
    strengths = [expression_strengths(model, beta) for beta in betas]  # (G, 2) each
    uv = model.skin.vertex_uv()
    own, told, targets = _energy(layers[0].medium), [], []
    known = _at(layers[0].weight, uv)
    for layer, strength in zip(layers[1:], strengths[1:], strict=True):
        common = _common(layers[0].medium, layer.medium)
        kept = _at((_SLIGHT_MM**2 + common) / (_SLIGHT_MM**2 + own), uv).clip(0, 1)
        seen = smoothstep(np.minimum(known, _at(layer.weight, uv)), 0.1, 0.4)
        calmer = (sides(model) @ (strengths[0] - strength).T).clip(0, 1)  # (V, G): the other pulls less there
        told.append(seen[:, None] * smoothstep(calmer, 0.1, 0.4))
        targets.append(told[-1] * np.minimum(1 - kept[:, None], _LIKELY) * (shares > 0))
    if not told:
        return shares.copy()
    mean = np.sum(targets, axis=0) / np.maximum(np.sum(told, axis=0), 1e-6)
    return (shares + np.max(told, axis=0) * (mean - shares)).clip(0, 1).astype(np.float32)


def _small(values: np.ndarray) -> np.ndarray:
    return cv2.resize(values, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)


def _energy(medium: np.ndarray) -> np.ndarray:
    return blurred(_small(medium) ** 2, _NEAR_MM * _SMALL / TEXTURE_MM)


def _common(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return blurred(_small(one) * _small(other), _NEAR_MM * _SMALL / TEXTURE_MM).clip(0)


def _at(values: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(V,) of a square map."""
    side = len(values)
    at = (np.column_stack([uv[:, 0], 1 - uv[:, 1]]) * side - 0.5).astype(np.float32)
    return sample(values, at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
