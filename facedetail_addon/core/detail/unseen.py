# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief of skin that the photo does not show: lines of the other side of the face, and pores like the person's own.

The canonical UV is symmetric, so a mirrored place is a mirrored column. Faces are not quite: where both sides are seen
their lines are brought together by optical flow (Farnebäck 2003, "Two-frame motion estimation based on polynomial
expansion"), which goes on a little beyond the border of what is seen; where the lines beside the border disagree all
the same, the mirrored ones begin further away, so that none is there twice; and the less alike both sides are, the
weaker they are. Pores are the mirrored ones, or else pieces
of seen skin that overlap at random, as high as pores are in that part of the face.
"""

import cv2
import numpy as np

from ..image import blurred, smoothstep
from .inputs import DetailInputs
from .shape_from_shading import LineRelief
from .space import FINE_MM, TEXEL_MM

_STEP = 4  # texels of SIDE per texel of the maps that only weigh
_STEP_MM = TEXEL_MM * _STEP
_MASK = (0.0, 0.5)  # over which measured relief fades in, and this fades out
_BORDER_MM, _BORDER = 1.5, (0.4, 0.9)  # and how soft that is at the least
_WELL_SEEN, _WELL_SEEN_MM = (0.6, 0.95), 2.0  # of the mirrored place
_LINE_SHARE = (0.05, 0.4)  # of places that may have lines
_FLOW_MM, _MOST_FLOW_MM = 8.0, 5.0  # how far flow is smoothed and goes on; how far it goes at the most
_FLOW_LEVEL = 255 / 0.6  # grey levels per mm of heights that are brought together
_FLOW = {"pyr_scale": 0.5, "levels": 4, "winsize": 15, "iterations": 3, "poly_n": 7, "poly_sigma": 1.5, "flags": 0}
_ALIKE, _LEAST_STRENGTH = (0.0, 0.3), 0.3  # correlation of both sides' lines; share of them that is always shown
_USUALLY_ALIKE, _USUAL_ENERGY = 0.1, 5.0  # what is taken for it without lines; the sum of squares that weighs as much
_MIDDLE_MM = 15.0  # so near to the middle every line is much like its own mirror image
_AGREE_MM, _SLIGHT_MM = 6.0, 0.006  # how far around lines must agree; RMS of heights that do not matter
_BEARDED = 0.3  # share of seen places where beards grow, from which on unseen ones have no pores
_CLEAR = 0.9  # of the mask, where pores may be looked at
_NEAR_MM = 8.0  # over which their height is averaged
_PATCH, _STRIDE = 64, 32  # texels of pieces, 13 mm, and between them
_WHOLE = 0.97  # share of a piece that must be clear


def unseen_relief(inputs: DetailInputs, lines: LineRelief, pores: np.ndarray) -> np.ndarray:
    """What may be where the photo shows nothing, 0 where it shows skin, and where it shows that something grows there.

    Args:
        inputs: of the photo. lines: found on it, as they are shown. pores: (H, W) float32 mm, the same.

    Returns:
        (H, W) float32 mm over BOX.
    """
    share = inputs.unseen * (1 - smoothstep(inputs.mask, *_MASK))
    if not share.any():
        return np.zeros_like(share)
    return mirrored_lines(inputs, lines, share) + own_pores(inputs, lines, pores, share)


def mirrored_lines(inputs: DetailInputs, lines: LineRelief, share: np.ndarray) -> np.ndarray:
    """(H, W) float32 mm: the other side's lines, as far as it was well seen; (H, W) ``share``: 1 where unseen."""
    height = cv2.GaussianBlur(lines.height_mm, (0, 0), FINE_MM / TEXEL_MM)  # finer waves are never alike
    small = {
        "share": share,
        "seen": inputs.mask * (1 - lines.hairy),
        "lined": inputs.lined,
        "height": height,
    }
    small = {name: _shrunk(part) for name, part in small.items()}
    if not small["height"].any():
        return np.zeros_like(share)
    other = {name: _mirrored(part) for name, part in small.items()}
    both = np.minimum(smoothstep(small["seen"], *_MASK), smoothstep(other["seen"], *_MASK))
    flow = _flow(small["height"] * both, other["height"] * both, both)
    other = {name: _moved(part, flow) for name, part in other.items()}
    weight = small["share"] * smoothstep(blurred(small["share"], _BORDER_MM / _STEP_MM), *_BORDER)
    weight *= smoothstep(blurred(other["seen"], _WELL_SEEN_MM / _STEP_MM), *_WELL_SEEN)
    weight *= smoothstep(small["lined"], *_LINE_SHARE) * _agreement(small["height"], other["height"], both)
    weight *= _strength(small["height"], other["height"], both)
    weight = _enlarged(weight, share.shape) * (share > 0)
    flow = _enlarged(flow, share.shape)
    flow *= _STEP
    return _moved(_mirrored(height), flow) * weight


def own_pores(inputs: DetailInputs, lines: LineRelief, pores: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(H, W) float32 mm: pores like those of the skin that is seen; (H, W) ``share``: 1 where unseen."""
    clear = (inputs.mask > _CLEAR) & (lines.hairy < 0.1) & (lines.likelihood < 0.1)
    bare = np.minimum(inputs.mask, 1 - lines.hairy)
    shown = 1 - _mirrored(inputs.unseen)
    mirrored = smoothstep(_mirrored(bare), *_MASK)
    invented = (1 - mirrored) * (1 - shown)  # where neither side is in view
    if _share(inputs.beard * inputs.lined * (1 - inputs.unseen), 1 - bare) > _BEARDED:
        invented *= 1 - inputs.beard
    # Both parts are uncorrelated: their squares add up.
    weight = np.sqrt(share)
    out = _mirrored(pores) * np.sqrt(mirrored)
    if (invented * weight).any() and clear.any():
        out += _pieces(pores, clear, invented * weight > 0) * _pore_height(pores, clear) * np.sqrt(invented)
    return out * weight


def _flow(height: np.ndarray, other: np.ndarray, both: np.ndarray) -> np.ndarray:
    """(h, w, 2) texels, where in ``other`` the lines of a place are."""
    images = [(128 + _FLOW_LEVEL * part).clip(0, 255).astype(np.uint8) for part in (height, other)]
    flow = cv2.calcOpticalFlowFarneback(*images, None, **_FLOW)
    weight = np.abs(height * other) * both
    weight /= max(float(weight.max()), 1e-12)
    sigma = _FLOW_MM / _STEP_MM
    flow = blurred(flow * weight[..., None], sigma) / (blurred(weight, sigma) + 1e-3)[..., None]
    most = _MOST_FLOW_MM / _STEP_MM
    return flow.clip(-most, most)


def _strength(height: np.ndarray, other: np.ndarray, both: np.ndarray) -> float:
    """How much of the mirrored lines is shown: all where those that both sides show are alike."""
    away_mm = np.abs(np.arange(both.shape[1]) + 0.5 - both.shape[1] / 2) * _STEP_MM
    both = both * (away_mm > _MIDDLE_MM).astype(np.float32)
    common = float((both * height * other).sum()) + _USUALLY_ALIKE * _USUAL_ENERGY
    alike = common / (float((both * (height**2 + other**2)).sum()) / 2 + _USUAL_ENERGY)
    return _LEAST_STRENGTH + (1 - _LEAST_STRENGTH) * float(smoothstep(np.float32(alike), *_ALIKE))


def _agreement(height: np.ndarray, other: np.ndarray, both: np.ndarray) -> np.ndarray:
    """(h, w) 1 where lines beside a place are the same on both sides, or there are none; 0 where they differ."""
    sigma = _AGREE_MM / _STEP_MM
    energy = blurred(both * (height**2 + other**2), sigma)
    common = blurred(both * 2 * height * other, sigma).clip(0)
    slight = np.float32(_SLIGHT_MM**2)
    return ((slight + common) / (slight + energy)).clip(0, 1)


def _pore_height(pores: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """(H, W) RMS of pores in that part of the face on both sides, that of all where neither is seen."""
    weight = _shrunk(clear.astype(np.float32))
    square = _shrunk(pores**2 * clear)
    usual = float(square.sum() / max(weight.sum(), 1e-6))
    square, weight = (blurred(part + _mirrored(part), _NEAR_MM / _STEP_MM) for part in (square, weight))
    return _enlarged(np.sqrt((square + 0.01 * usual) / (weight + 0.01)), pores.shape)


def _pieces(pores: np.ndarray, clear: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(H, W) pieces of clear skin of RMS 1 that overlap, where they are wanted."""
    high, wide = pores.shape
    share = cv2.boxFilter(clear.astype(np.float32), -1, (_PATCH, _PATCH), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    share = share[: high - _PATCH + 1 : _STRIDE // 2, : wide - _PATCH + 1 : _STRIDE // 2]
    corners = np.argwhere(share >= min(_WHOLE, float(share.max()))) * (_STRIDE // 2)
    ramp = np.sin(np.pi * (np.arange(_PATCH, dtype=np.float32) + 0.5) / _PATCH) ** 2
    window = np.outer(ramp, ramp)
    total, weight = np.zeros_like(pores), np.full_like(pores, 1e-6)
    chosen = np.random.default_rng(0)  # the same photo gives the same relief
    for y in range(0, high - _PATCH + 1, _STRIDE):
        for x in range(0, wide - _PATCH + 1, _STRIDE):
            if not wanted[y : y + _PATCH, x : x + _PATCH].any():
                continue
            row, column = corners[chosen.integers(len(corners))]
            piece = pores[row : row + _PATCH, column : column + _PATCH]
            factor = 1 / max(float(np.sqrt((piece**2).mean())), 1e-6)
            total[y : y + _PATCH, x : x + _PATCH] += window * piece * np.float32(factor)
            weight[y : y + _PATCH, x : x + _PATCH] += window**2
    return total / np.sqrt(weight)


def _share(where: np.ndarray, of: np.ndarray) -> float:
    """Mean of ``of`` where, 0 where there is nothing."""
    return float((where * of).sum() / max(where.sum(), 1e-6))


def _mirrored(values: np.ndarray) -> np.ndarray:
    """The canonical UV, and BOX in it, are symmetric about their middle column."""
    return np.ascontiguousarray(values[:, ::-1])


def _moved(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    high, wide = values.shape
    columns, rows = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    columns += flow[..., 0]
    rows += flow[..., 1]
    return cv2.remap(values, columns, rows, cv2.INTER_LINEAR)


def _shrunk(values: np.ndarray) -> np.ndarray:
    size = values.shape[1] // _STEP, values.shape[0] // _STEP
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _enlarged(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return cv2.resize(values, shape[::-1], interpolation=cv2.INTER_LINEAR)
