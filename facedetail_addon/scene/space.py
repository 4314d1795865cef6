# SPDX-License-Identifier: GPL-3.0-or-later
"""From the head frame in millimetres to Blender's axes in metres."""

import numpy as np

METRES_PER_MM = 0.001
# +X stays the subject's left, up turns from +Y to +Z, and the face looks along -Y.
HEAD_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def to_blender(points_mm: np.ndarray) -> np.ndarray:
    """(..., 3) mm in the head frame to (..., 3) float64 metres in Blender's axes; works for offsets too."""
    return np.asarray(points_mm, np.float64) @ HEAD_TO_BLENDER.T * METRES_PER_MM
