# SPDX-License-Identifier: GPL-3.0-or-later
"""How much pixels look like the skin of one face, learned from that face alone: no skin is the usual one."""

import cv2
import numpy as np

from ...colour import LUMINANCE, to_linear
from ...image import smoothstep
from ..landmarks.mesh_points import LEFT_EYE, LIPS, RIGHT_EYE

_FLOOR = 0.01  # linear, so that the logarithms of dark pixels do not tell their noise
_ROUNDS, _INSIDE = 4, 2.5  # of the robust estimate; standard deviations that count as the face's own
# Standard deviations that a face has at least, of log R/G, log B/G and log luminance: flat light on a face must not
# make its neck, its ears and the shaded side something else. Light changes brightness far more than colour.
_LEAST = np.array([0.06, 0.08, 0.45])
_LIKE = (2.5, 4.0)  # standard deviations: still skin, no longer skin
_HIGHLIGHT = 0.06  # of the picture's side, how wide a highlight may be


def face_pixels(mesh: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(side, side) bool: inside the face's outline, and the same without eyes, brows and lips.

    Args:
        mesh: (478, 2) px of that picture.
    """
    outline = np.zeros((side, side), np.uint8)
    points = np.round(mesh - 0.5).astype(np.int32)
    cv2.fillConvexPoly(outline, cv2.convexHull(points), 1)
    cheeks = outline.copy()
    for part in (RIGHT_EYE, LEFT_EYE, LIPS):
        cv2.fillConvexPoly(cheeks, cv2.convexHull(points[list(part)]), 0)
    return outline.astype(bool), cheeks.astype(bool)


def skin_likeness(picture: np.ndarray, face: np.ndarray, bare: np.ndarray) -> np.ndarray:
    """Whether each pixel has the colour of the face's skin, as a robust Gaussian of logarithms.

    Highlights on the face, which have the light's colour, count where skin lies around them; deep shadows do not.

    Args:
        picture: (H, W, 3) uint8 sRGB. face: (H, W) bool, where most is skin.
        bare: (H, W) float32 in 0..1, what may be skin at all.

    Returns:
        (H, W) float32 in 0..1.
    """
    linear = np.log(to_linear(picture) + _FLOOR)
    red, green, blue = np.moveaxis(linear, -1, 0)
    features = np.stack([red - green, blue - green, np.log(to_linear(picture) @ LUMINANCE + _FLOOR)], axis=-1)
    features = features.astype(np.float64)
    known = face & (bare > 0.5)
    if known.sum() < 0.1 * face.sum():  # all covered, or the networks are at a loss
        known = face
    mean, inverse = _robust_gaussian(features[known])
    off = features - mean
    distance = np.sqrt(np.einsum("hwi,ij,hwj->hw", off, inverse, off))
    like = 1 - smoothstep(distance, *_LIKE)
    size = round(_HIGHLIGHT * len(face))
    around = cv2.morphologyEx(like, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return np.where(face & (off[..., 2] > 0), around, like)


def _robust_gaussian(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (3,) and inverse covariance (3, 3) of those samples that agree with each other."""
    least = np.diag(_LEAST**2)
    mean = np.median(samples, axis=0)
    spread = 1.4826 * np.median(np.abs(samples - mean), axis=0)
    inverse = np.linalg.inv(np.diag(spread**2) + least)
    for _ in range(_ROUNDS):
        off = samples - mean
        inside = samples[np.einsum("ni,ij,nj->n", off, inverse, off) < _INSIDE**2]
        mean = inside.mean(axis=0)
        inverse = np.linalg.inv(np.cov(inside.T) + least)
    return mean, inverse
