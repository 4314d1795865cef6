# SPDX-License-Identifier: GPL-3.0-or-later
"""What the landmarker returns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FaceLandmarks:
    """One face found in a photo.

    Attributes:
        mesh_px: (478, 3) float32, the face mesh with irises (468..472 and 473..477), x and y in photo pixels,
            z in pixels towards the viewer negative (MediaPipe's sign), relative depth only.
        sparse_px: (68, 2) float32, iBUG order, photo pixels.
        box_px: (4,) float32, x0, y0, x1, y1 of the detector, photo pixels (of the upright photo).
        score: the detector's score, 0 to 1.
        rotation: how many quarter turns counter-clockwise the photo was turned for the best detection (0..3).
        yaw_deg: rough head yaw, positive when the subject turns to their own left.
        sparse_scores: (68,) float32, 0 to 1, how sure each of ``sparse_px`` is; None where all are alike.
        seen: whether the landmarks were seen; else they are those of the mean head, placed by points of the whole head.
    """

    mesh_px: np.ndarray
    sparse_px: np.ndarray
    box_px: np.ndarray
    score: float
    rotation: int
    yaw_deg: float
    sparse_scores: np.ndarray | None = None
    seen: bool = True
