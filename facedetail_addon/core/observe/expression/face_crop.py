# SPDX-License-Identifier: GPL-3.0-or-later
"""The upright square of a face that emotion and appearance are read from, the same for photos and renders."""

import cv2
import numpy as np

from ..region import Region

# Points that bone holds: outer and inner corners of both eyes, and the nose's base. Numbers of the face mesh.
_EYE_CORNERS = (33, 133, 362, 263)
_OUTER_CORNERS = (33, 263)
_NOSE_BASE = 2
# Chosen so that the crop frames a face as FER2013 does: the outer corners of the eyes are 0.53 of the side apart, and
# the centre lies between eyes and nose.
_EYES_TO_NOSE = 1.79
_SIDE = 1.9
_CENTER = 0.43


def face_region(mesh_px: np.ndarray) -> Region:
    """The square around a face.

    Its size comes from distances between eyes and nose with depth, so that turning the head hardly changes it, and
    neither the mouth nor the brows move it.

    Args:
        mesh_px: (478, 3) px, as in ``FaceLandmarks.mesh_px``.
    """
    points = np.asarray(mesh_px, np.float64)
    right, left = points[list(_OUTER_CORNERS)]
    eyes, nose = points[list(_EYE_CORNERS)].mean(0), points[_NOSE_BASE]
    across, down = np.linalg.norm(left - right), _EYES_TO_NOSE * np.linalg.norm(nose - eyes)
    side = _SIDE * float(np.hypot(across, down)) / np.sqrt(2)
    angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
    center = eyes[:2] + _CENTER * (nose - eyes)[:2]
    return Region(center, max(side, 1.0), angle)


def crop_face(image: np.ndarray, mesh_px: np.ndarray, size: int) -> np.ndarray:
    """(size, size) uint8 grey crop of :func:`face_region` from an (H, W, 3) uint8 RGB or (H, W) uint8 grey picture."""
    crop = face_region(mesh_px).crop(image, size, cv2.BORDER_REPLICATE)
    return crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
