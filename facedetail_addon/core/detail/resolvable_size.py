# SPDX-License-Identifier: GPL-3.0-or-later
"""How small a thing on the skin a photo shows: the size of its pixels there, and how many of them are one.

Photos that were enlarged or blurred have more pixels than they have to say. The power spectrum of natural pictures
falls with about the square of the frequency (Field 1987, J. Opt. Soc. Am. A 4); where a face's falls far below that,
nothing is resolved any more.
"""

import numpy as np

from ..colour import LUMINANCE
from ..fit.types import PoseFit
from ..rendering.normals import vertex_normals

_SLOPE = 2.5  # of the power spectrum's fall in faces, measured on sharp portraits
_REFERENCE = (8.0, 20.0)  # cycles per face width that any face shows
_LEAST_POWER = 0.06  # of what the slope lets expect
_BANDS = 64  # of frequency, over which power is averaged
_LONGEST = 0.01  # cycles per pixel
_LARGEST_BOX = 1024  # px; larger faces are looked at in the middle
_LEAST_FACING = 0.2  # cosine of the viewing angle; skin that turns away more is taken for that


def resolvable_size(
    photo: np.ndarray, mesh_px: np.ndarray, fit: PoseFit, triangles: np.ndarray, skin: int
) -> np.ndarray:
    """Size of the smallest thing that a photo shows at each vertex of the skin.

    Args:
        photo: (H, W, 3) uint8 sRGB. mesh_px: (N, 2 or 3) landmarks of the face. fit: of the head.
        triangles: (T, 3) of the skin. skin: its number of vertices.

    Returns:
        (V_skin,) float32 mm: a pixel on the skin there, which is longer where the skin turns away (square root of its
        area), times the pixels that one needs to resolve something.
    """
    posed = fit.vertices[:skin].astype(np.float64)
    camera = fit.perspective
    towards = camera.position() - posed
    towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-9)
    facing = (vertex_normals(posed, triangles) * towards).sum(1)
    depth = posed @ camera.rotation[2] + camera.translation[2]
    size = depth / camera.focal_px / np.sqrt(facing.clip(_LEAST_FACING, 1))
    return (size * resolved_px(photo, mesh_px)).astype(np.float32)


def resolved_px(photo: np.ndarray, mesh_px: np.ndarray) -> float:
    """How many pixels across the smallest thing is that a photo of a face resolves; 1 where it is sharp.

    Args:
        photo: (H, W, 3) uint8 sRGB. mesh_px: (N, 2 or 3) landmarks, x and y first.
    """
    luminance, width = _face(photo, mesh_px)
    if min(luminance.shape) < 16:
        return 1.0
    frequency, power = _spectrum(luminance)
    flattened = power * frequency**_SLOPE
    reference = (frequency * width > _REFERENCE[0]) & (frequency * width < _REFERENCE[1])
    if not reference.any() or np.median(flattened[reference]) <= 0:
        return 1.0
    level = np.log(np.maximum(flattened / np.median(flattened[reference]), 1e-12))
    level = np.convolve(np.pad(level, 1, mode="edge"), np.full(3, 1 / 3), "valid")
    unresolved = np.flatnonzero((level < np.log(_LEAST_POWER)) & (frequency * width > _REFERENCE[1]))
    return float(0.5 / frequency[unresolved[0]]) if len(unresolved) else 1.0


def _face(photo: np.ndarray, mesh_px: np.ndarray) -> tuple[np.ndarray, float]:
    """(h, w) float64 brightness of the face's box, or of its middle; and the face's width in pixels."""
    low, high = mesh_px[:, :2].min(axis=0), mesh_px[:, :2].max(axis=0)
    half = np.minimum((high - low) / 2, _LARGEST_BOX / 2)
    (x0, y0), (x1, y1) = ((low + high) / 2 - half).astype(int).clip(0), ((low + high) / 2 + half).astype(int).clip(0)
    return photo[y0:y1, x0:x1].astype(np.float32) @ LUMINANCE.astype(np.float32) / 255, float(high[0] - low[0])


def _spectrum(luminance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in cycles per pixel, and the mean power there; those that the box does not have are left out."""
    window = np.outer(np.hanning(luminance.shape[0]), np.hanning(luminance.shape[1]))
    power = np.abs(np.fft.rfft2((luminance - np.average(luminance, weights=window)) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(luminance.shape[0])[:, None], np.fft.rfftfreq(luminance.shape[1])[None])
    edges = np.geomspace(_LONGEST, 0.5, _BANDS + 1)
    band = np.digitize(frequency.ravel(), edges) - 1
    inside = (band >= 0) & (band < _BANDS)
    count = np.bincount(band[inside], minlength=_BANDS)
    total = np.bincount(band[inside], power.ravel()[inside], minlength=_BANDS)
    held = count > 0
    return np.sqrt(edges[1:] * edges[:-1])[held], total[held] / count[held]
