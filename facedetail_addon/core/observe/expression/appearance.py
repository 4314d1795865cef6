# SPDX-License-Identifier: GPL-3.0-or-later
"""Appearance features of a face after Baltrušaitis, Mahmoud and Robinson (2015): gradients and landmark geometry.

Their sections 2.2 to 2.4: histograms of oriented gradients of the aligned face, and the shape of the landmarks with the
pose taken out, here as distances that facial action units change.
"""

import cv2
import numpy as np

CROP = 96
_CELL, _BINS = 8, 9
_SIDES = CROP // _CELL - 1
HOG_SIZE = _SIDES * _SIDES * 4 * _BINS

# Distances of the face mesh's points, (from, to): the subject's right side, then the same on the left, then the middle.
_DISTANCES = (
    (55, 133), (285, 362), (52, 159), (282, 386), (46, 33), (276, 263), (55, 285), (55, 6), (285, 6),  # brows
    (159, 145), (386, 374), (158, 153), (385, 380), (145, 119), (374, 348), (133, 98), (362, 327),  # lids, cheeks
    (98, 2), (327, 2), (98, 327), (98, 50), (327, 280), (98, 6), (327, 6),  # nose
    (61, 33), (291, 263), (61, 98), (291, 327), (61, 152), (291, 152), (61, 291), (40, 98), (270, 327),  # mouth corners
    (61, 132), (291, 361), (61, 205), (291, 425), (205, 33), (425, 263),
    (0, 2), (13, 14), (82, 87), (312, 317), (0, 13), (37, 82), (267, 312), (14, 17), (17, 152), (0, 17), (78, 308),
    (2, 152), (152, 234), (152, 454), (17, 61), (17, 291), (0, 61), (0, 291),
)  # fmt: skip
# Points whose place across (x) and towards the viewer (z) tells of a mouth or jaw pushed sideways, puffed or pursed.
_SIDEWAYS = (152, 17, 0, 14)
_DEPTHS = (205, 425, 50, 280, 61, 291, 0, 17, 152, 101, 330)
_DEPTH_ORIGIN = 168
GEOMETRY_SIZE = len(_DISTANCES) + len(_SIDEWAYS) + len(_DEPTHS)


def gradient_histograms(crops: np.ndarray) -> np.ndarray:
    """(B, HOG_SIZE) float32 histograms of oriented gradients (Dalal and Triggs 2005) of (B, 96, 96) uint8 grey crops.

    Cells of 8 px, 9 unsigned directions, blocks of 2×2 cells normalised with clipping.
    """
    block = (2 * _CELL, 2 * _CELL)
    histogram = cv2.HOGDescriptor((CROP, CROP), block, (_CELL, _CELL), (_CELL, _CELL), _BINS)
    out = np.empty((len(crops), HOG_SIZE), np.float32)
    for row, crop in zip(out, crops, strict=True):
        row[:] = histogram.compute(np.ascontiguousarray(crop)).ravel()
    return out


def landmark_geometry(points: np.ndarray) -> np.ndarray:
    """(B, GEOMETRY_SIZE) float32 mm of (B, 478, 3) landmarks in the head frame, of ``normalise_landmarks``."""
    pairs = np.array(_DISTANCES)
    distances = np.linalg.norm(points[:, pairs[:, 0]] - points[:, pairs[:, 1]], axis=-1)
    sideways = points[:, list(_SIDEWAYS), 0] - points[:, [_DEPTH_ORIGIN], 0]
    depths = points[:, list(_DEPTHS), 2] - points[:, [_DEPTH_ORIGIN], 2]
    return np.concatenate([distances, sideways, depths], axis=1).astype(np.float32)
