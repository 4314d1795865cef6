# SPDX-License-Identifier: GPL-3.0-or-later
"""Small helpers for pictures and textures."""

from dataclasses import dataclass

import cv2
import numpy as np

TEXTURE_MM = 409.6
"""A texture's side measured on the face: a texel there is this over the resolution."""
_AT_ONCE = 1 << 16  # texels that are softened, to stay small in memory
_PAD_TEXELS = 16  # exact copies of the border this far out, softer beyond


def sample(image: np.ndarray, at: np.ndarray, interpolation: int, border: int = cv2.BORDER_CONSTANT) -> np.ndarray:
    """(h, w[, C]) image at (N, 2) float32 positions (first pixel's centre at 0); zeros outside by default. Any N."""
    if len(at) == 0:
        return np.zeros((0, *image.shape[2:]), image.dtype)
    row = 8192  # OpenCV's remap takes at most 32767 columns
    padded = np.full((-(-len(at) // row) * row, 2), -10.0, np.float32)
    padded[: len(at)] = at
    out = cv2.remap(image, padded.reshape(-1, row, 2), None, interpolation, borderMode=border)
    return out.reshape(-1, *image.shape[2:])[: len(at)]


def smoothstep(x: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 below ``start``, 1 above ``end``, smooth between; float32."""
    x = np.asarray(x, np.float32)
    t = np.subtract(x, np.float32(start), out=np.empty_like(x))  # in place: textures are large
    t *= np.float32(1 / (end - start))
    t.clip(0, 1, out=t)
    rise = np.multiply(-2, t, out=np.empty_like(t))
    rise += 3
    t *= t
    t *= rise
    return t[()]


def blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W[, C]) float32 Gaussian means of as many texels' standard deviation."""
    return cv2.GaussianBlur(values, (0, 0), sigma)


def enlarged_rows(values: np.ndarray, rows: slice, side: int) -> np.ndarray:
    """(rows, R[, C]) of some rows of a square map, (S, S[, C]) float32, enlarged to R = ``side`` texels."""
    scale = len(values) / side
    matrix = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale * (rows.start + 0.5) - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = side, rows.stop - rows.start
    return cv2.warpAffine(values, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def framed(seen: np.ndarray, step: int) -> tuple[slice, slice]:
    """The rows and columns of (H, W) that hold all that is not 0, and a little beside it, in whole steps."""
    frame = []
    for axis in (1, 0):
        at, length = np.flatnonzero(seen.any(axis=axis)), seen.shape[1 - axis]
        first, last = (at[0], at[-1] + 1) if len(at) else (0, 1)
        frame.append(slice(max(first // step - 1, 0) * step, min((-(-last // step) + 1) * step, length)))
    return frame[0], frame[1]


def texel_centres(texel: np.ndarray, side: int) -> np.ndarray:
    """(N, 2) float32 in [0, 1], across and down, of (N,) of the R² texels of a square map; R = ``side``."""
    out = np.empty((len(texel), 2), np.float32)
    np.divmod(texel, side, out=(out[:, 1], out[:, 0]), casting="unsafe")
    out += np.float32(0.5)
    out *= np.float32(1 / side)
    return out


def enlarged_at(values: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(N[, C]) of a square map, (S, S[, C]) float32, C ≤ 4, at (N, 2) of :func:`texel_centres` of a larger one."""
    at = centres * np.float32(len(values)) - np.float32(0.5)
    return sample(values, at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


@dataclass(frozen=True)
class Surroundings:
    """What lies outside the islands of a texture of R texels a side.

    Attributes:
        side: R. outside: (M,) int32 texels, nearer ones first. nearest: (M,) int32 the islands' nearest texel to each.
        softness: (F,) uint8, 255 = 1, how much the last F of them, which lie far out, are softened.
    """

    side: int
    outside: np.ndarray
    nearest: np.ndarray
    softness: np.ndarray


def surroundings(covered: np.ndarray) -> Surroundings:
    """Of islands, (R, R) bool; made once for many textures."""
    if covered.all() or not covered.any():
        none = np.zeros(0, np.int32)
        return Surroundings(len(covered), none, none, np.zeros(0, np.uint8))
    distance, labels = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    outside = ~covered
    far = distance[outside]
    del distance
    softness = np.concatenate([_softness(far[at : at + _AT_ONCE]) for at in range(0, len(far), _AT_ONCE)])
    far = softness > 0
    nearest = np.zeros(int(labels.max()) + 1, np.int32)
    nearest[labels[covered]] = np.flatnonzero(covered)
    nearest = nearest[labels[outside]]
    del labels
    outside = np.flatnonzero(outside).astype(np.int32)
    outside, nearest = (np.concatenate([texel[~far], texel[far]]) for texel in (outside, nearest))
    return Surroundings(len(covered), outside, nearest, softness[far])


def _softness(distance: np.ndarray) -> np.ndarray:
    return np.round(255 * smoothstep(distance, _PAD_TEXELS, 5 * _PAD_TEXELS)).astype(np.uint8)


def pad_islands(colour: np.ndarray, around: Surroundings) -> None:
    """Fill the texels outside the islands in place: copies of the nearest border texel, softened further out.

    Args:
        colour: (R, R, C) uint8, written outside the islands. around: these.
    """
    if len(around.outside) == 0:
        return
    flat = colour.reshape(-1, colour.shape[2])
    flat[around.outside] = flat.take(around.nearest, axis=0)
    small = cv2.resize(colour, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 4, borderType=cv2.BORDER_REPLICATE)
    soft = cv2.resize(small, colour.shape[1::-1], interpolation=cv2.INTER_LINEAR).reshape(flat.shape)
    far = around.outside[len(around.outside) - len(around.softness) :]
    for start in range(0, len(far), _AT_ONCE):
        texels, share = far[start : start + _AT_ONCE], around.softness[start : start + _AT_ONCE, None]
        copied = flat[texels].astype(np.float32)
        flat[texels] = np.round(copied + (soft[texels] - copied) * (share * np.float32(1 / 255))).astype(np.uint8)
