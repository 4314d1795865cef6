# SPDX-License-Identifier: GPL-3.0-or-later
"""What is medium and what is fine relief; what is coarser belongs to the proxy's shape."""

import cv2
import numpy as np

from .space import TEXEL_MM

FINE_MM = 0.4
"""Standard deviation of the Gaussian between fine and medium: waves of 2.1 mm are halved by it."""
COARSE_MM = 2.4
"""That between medium and the proxy's shape: waves of 12.8 mm."""


def split_bands(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) mm on texels of TEXEL_MM to its medium and its fine part, float32."""
    smooth = cv2.GaussianBlur(height, (0, 0), FINE_MM / TEXEL_MM, borderType=cv2.BORDER_REPLICATE)
    coarse = cv2.GaussianBlur(height, (0, 0), COARSE_MM / TEXEL_MM, borderType=cv2.BORDER_REPLICATE)
    return smooth - coarse, height - smooth
