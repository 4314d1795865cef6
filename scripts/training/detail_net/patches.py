# SPDX-License-Identifier: GPL-3.0-or-later
"""Training patches of the detail networks in few bytes."""

import cv2
import numpy as np

from facedetail_addon.core.detail.inputs import DetailInputs

SEED = 31
HELD_OUT = 20
"""Every so manyth head is for validation only."""
PATCH = 256
"""Texels per side."""
SMOOTH = 32
"""Samples per side of what is smooth: light, shadow."""
MEDIUM = 64
"""Samples per side of the medium relief and the mask."""
LIMIT = 4.0
"""Inputs of the photo lie within ± this."""
STEP_MM = 5e-5
"""Relief is kept in multiples of this."""


def encode(
    inputs: DetailInputs, mask: np.ndarray, medium: np.ndarray, fine: np.ndarray, window: tuple[slice, slice]
) -> dict[str, np.ndarray]:
    """One patch.

    Returns:
        value, chroma: (256, 256) int8 of LIMIT/127. level: (256, 256) uint8. light: (3, 32, 32) float16: light_x,
        light_y, lit. mask: (64, 64) uint8. medium: (64, 64), fine: (256, 256) int16 of STEP_MM.
    """
    light = [_reduced(channel[window], SMOOTH) for channel in (inputs.light_x, inputs.light_y, inputs.direct_fraction)]
    return {
        "value": np.round(inputs.value[window].clip(-LIMIT, LIMIT) * (127 / LIMIT)).astype(np.int8),
        "chroma": np.round(inputs.chroma[window].clip(-LIMIT, LIMIT) * (127 / LIMIT)).astype(np.int8),
        "level": np.round(inputs.level[window].clip(0, 1) * 255).astype(np.uint8),
        "light": np.stack(light).astype(np.float16),
        "mask": np.round(_reduced(mask[window], MEDIUM) * 255).astype(np.uint8),
        "medium": _steps(_reduced(medium[window], MEDIUM)),
        "fine": _steps(fine[window]),
    }


def _reduced(values: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(values.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)


def _steps(height: np.ndarray) -> np.ndarray:
    return np.round(height / STEP_MM).clip(-32767, 32767).astype(np.int16)
