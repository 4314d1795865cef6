# SPDX-License-Identifier: GPL-3.0-or-later
"""Between sRGB at the borders and linear Rec. 709 inside (IEC 61966-2-1)."""

import numpy as np

LUMINANCE = np.float32([0.2126, 0.7152, 0.0722])
"""Weights of linear Rec. 709."""


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB, uint8 or float in [0, 1], to linear float32 of the same shape."""
    if srgb.dtype == np.uint8:
        return _LINEAR_OF_BYTES.take(srgb)
    values = np.asarray(srgb, np.float32)
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear to sRGB in [0, 1], float32; what lies beyond is clipped."""
    values = np.clip(np.asarray(linear, np.float32), 0, 1)
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055).astype(np.float32)


def to_srgb8(linear: np.ndarray) -> np.ndarray:
    """Linear to 8-bit sRGB; from a table in steps of 1/65535, a thirtieth of a level where these are the widest."""
    steps = np.clip(np.asarray(linear, np.float32), 0, 1) * np.float32(_STEPS) + np.float32(0.5)
    return _BYTES_OF_LINEAR.take(steps.astype(np.uint16))


_STEPS = 65535
_LINEAR_OF_BYTES = to_linear(np.arange(256, dtype=np.float32) / 255)
_BYTES_OF_LINEAR = (to_srgb(np.arange(_STEPS + 1, dtype=np.float32) / _STEPS) * 255 + 0.5).astype(np.uint8)
