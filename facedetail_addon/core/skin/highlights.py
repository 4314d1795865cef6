# SPDX-License-Identifier: GPL-3.0-or-later
"""Specular highlights on skin: what is brighter than the skin around it, and whiter than skin can be.

Shafer's dichromatic model (1985): light from a highlight keeps the light's colour, light from below the surface takes
the skin's. In albedo, where the light's colour is divided out, a highlight is white: colour = d · skin + s · (1, 1, 1).
"""

import cv2
import numpy as np

from ..colour import LUMINANCE
from ..image import smoothstep

SIDE = 256
"""Texels per side of the maps in which highlights are looked for."""
_SOFT = 1.2  # texels; finer than this a highlight is not told from pores
_WIDEST = 11  # texels of radius; what is wider and bright is skin
_EXCESS = (0.06, 0.22)  # of the surroundings' brightness at which an excess begins to count, and counts fully
_MONOCHROME_EXCESS = (0.25, 0.6)  # without colours only a strong one counts
_LEAST_CONFIDENCE = 0.15  # of texels that count
_LEAST_TONE = 0.9  # of the statistical albedo's brightness; what is darker, in a beard for example, is no highlight


def find_highlights(albedo: np.ndarray, confidence: np.ndarray, skin: np.ndarray, monochrome: bool) -> np.ndarray:
    """How much white lies over the skin's own colour.

    Args:
        albedo: (S, S, 3) float32 linear, the photo freed of light and of the reflection that was expected.
        confidence: (S, S) float32 in [0, 1], where the photo shows skin. monochrome: neither it nor skin has colours.
        skin: (S, S, 3) float32 the colour that skin has there (statistical albedo): only its hue counts.

    Returns:
        (S, S) float32 ≥ 0, to be subtracted from each channel of the albedo.
    """
    seen = confidence > _LEAST_CONFIDENCE
    if not seen.any():
        return np.zeros(confidence.shape, np.float32)
    colour = _blur(albedo, confidence, _SOFT)
    light = colour @ LUMINANCE
    around = np.maximum(
        _surroundings(light, seen), _LEAST_TONE * cv2.GaussianBlur(skin @ LUMINANCE, (0, 0), _WIDEST / 3)
    )
    excess = light - around
    share = smoothstep(excess / np.maximum(around, 1e-3), *(_MONOCHROME_EXCESS if monochrome else _EXCESS))
    specular = excess if monochrome else np.minimum(_specular_part(colour, skin), excess)
    found = np.maximum(specular, 0) * share * seen
    # Never so much that the whole skin would be gone.
    return cv2.GaussianBlur(np.minimum(found, 0.8 * light), (0, 0), 0.7).astype(np.float32)


def _specular_part(colour: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(S, S) s of colour ≈ d · skin + s · (1, 1, 1), least squares."""
    hue = skin / np.maximum(np.linalg.norm(skin, axis=2, keepdims=True), 1e-6)
    across = hue.sum(axis=2)  # of the hue and white, whose squared length is 3
    along_hue, along_white = (colour * hue).sum(axis=2), colour.sum(axis=2)
    determinant = np.maximum(3 - across**2, 1e-2)
    return (along_white - across * along_hue) / determinant


def _surroundings(light: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(S, S) brightness without what is bright and narrow: a morphological opening, smoothed."""
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _WIDEST + 1,) * 2)
    low = cv2.erode(np.where(seen, light, np.float32(10)).astype(np.float32), shape)
    opened = cv2.dilate(np.where(low < 9, low, np.float32(0)), shape)
    return np.minimum(_blur(opened[..., None], seen.astype(np.float32), _WIDEST / 3)[..., 0], np.maximum(light, opened))


def _blur(image: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """(S, S, C) averaged over what has weight; unchanged where nothing near has."""
    total = cv2.GaussianBlur(weight.astype(np.float32), (0, 0), sigma)[..., None]
    soft = cv2.GaussianBlur((image * weight[..., None]).astype(np.float32), (0, 0), sigma)
    return np.where(total > 1e-3, soft.reshape(image.shape) / np.maximum(total, 1e-3), image).astype(np.float32)
