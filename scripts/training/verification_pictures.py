# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures on which converted networks are compared with the originals."""

from pathlib import Path

import cv2
import numpy as np


def verification_pictures(photos: list[Path]) -> list[np.ndarray]:
    """scikit-image's astronaut, then the photos, (H, W, 3) uint8 RGB each."""
    from skimage.data import astronaut

    pictures = [astronaut()]
    for path in photos:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise SystemExit(f"error: {path} is not a readable picture")
        pictures.append(np.ascontiguousarray(picture[:, :, ::-1]))
    return pictures
