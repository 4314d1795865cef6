# SPDX-License-Identifier: GPL-3.0-or-later
"""What the skin looks like in canonical UV: relief shaded, light that wanders under the skin, gloss, pigment."""

import cv2
import numpy as np

from facedetail_addon.core.detail.space import BOX, SIDE, TEXEL_MM
from scripts.training.skin.pigment import add_pigment
from scripts.training.skin.strokes import wide_noise
from scripts.training.studio.light import LitHead
from scripts.training.studio.studio import Studio, onto_texels

# Shares of light that comes out where it went in, after about 0.4 mm, and after about 1.2 mm of skin, by channel: after
# the profiles of Christensen and Burley (2015) for the mean free paths of Jensen et al. (2001).
_WANDERED = np.array([[0.15, 0.25, 0.60], [0.35, 0.35, 0.30], [0.50, 0.35, 0.15]], np.float32)
_WANDER_TEXELS = (2.0, 6.0)
_WALLS = 0.4  # of a lamp's light that a groove shuts out as it does the sky's


def skin_texture(
    studio: Studio, head: LitHead, relief: np.ndarray, gamma: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(H, W, 3) linear colour of the skin over BOX as the camera sees it."""
    fields = onto_texels(studio, head.fields)
    down, right = np.gradient(relief)
    length = np.sqrt(1 + (down**2 + right**2) / np.float32(TEXEL_MM**2))
    wander = rng.uniform(0.3, 1.1)
    light = np.zeros((*relief.shape, 3), np.float32)
    gloss = np.zeros_like(light)
    power, shine = np.exp(rng.uniform(np.log(6), np.log(60))), rng.uniform(0, 0.12) * rng.random()
    patchy = (1 + 0.6 * wide_noise(relief.shape, 30, rng)).clip(0)
    shut = np.exp(-_hollow(relief) * np.float32(rng.uniform(0.4, 2.2)))  # of the sky, by the groove's own walls
    for number, (shadow, colour) in enumerate(zip(head.shadows, head.colours[:-2], strict=True)):
        cosine, x, y, half, half_x, half_y = np.moveaxis(fields[..., 6 * number : 6 * number + 6], -1, 0)
        falls = ((cosine + x * right + y * down) / length).clip(0) * shadow * (1 - _WALLS + _WALLS * shut)
        light += _wander(falls, wander) * colour
        mirrored = ((half + half_x * right + half_y * down) / length).clip(0, 1)
        lobe = shine * (power + 2) / 8 * patchy * mirrored ** np.float32(power) * falls.clip(0, 1)
        gloss += lobe[..., None] * colour
    share, x, y, free = np.moveaxis(fields[..., -4:], -1, 0)
    tilt = (share + x * right + y * down).clip(0, 1)
    free = free * shut
    light += _wander(tilt * free, wander) * head.colours[-2] + _wander((1 - tilt) * free, wander) * head.colours[-1]
    return add_pigment(studio.skin, _bare(studio, gamma, rng), rng) * light + gloss


def _hollow(relief: np.ndarray) -> np.ndarray:
    """(H, W) mm that a place lies below its surroundings, narrow grooves counting more than wide ones."""
    narrow, wide = (cv2.GaussianBlur(relief, (0, 0), sigma) - relief for sigma in (4, 12))
    return narrow.clip(0) + 0.3 * wide.clip(0)


def _bare(studio: Studio, gamma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) statistical albedo; its own small structure, which has real wrinkles in it, is blurred."""
    albedo = studio.models.basis.albedo_map(gamma)
    albedo = cv2.GaussianBlur(albedo, (0, 0), 0.7)
    x0, y0, x1, y1 = BOX
    step = SIDE / albedo.shape[0]
    x, y = ((np.arange(a, b, dtype=np.float32) + 0.5) / step - 0.5 for a, b in ((x0, x1), (y0, y1)))
    grid = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return cv2.remap(albedo, *grid, cv2.INTER_CUBIC).clip(0.004, 0.95)


def _wander(light: np.ndarray, amount: float) -> np.ndarray:
    """(H, W) light on the skin to (H, W, 3) that comes out of it again."""
    layers = [light, *(cv2.GaussianBlur(light, (0, 0), sigma) for sigma in _WANDER_TEXELS)]
    shares = np.array([1, 0, 0], np.float32) * (1 - amount) + _WANDERED * amount
    return np.stack(
        [sum(layer * share for layer, share in zip(layers, row, strict=True)) for row in shares], axis=-1
    ).clip(0)
