# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan-to-mesh distance by the protocol of the NoW challenge (Sanyal et al., CVPR 2019).

Seven landmarks give a first similarity; the scan is cropped around the face; the similarity is refined by iterated
closest points; then each scan point's distance to the mesh's surface counts, in the scan's millimetres.
"""

import numpy as np

from facedetail_addon.core.face_model.normalise import similarity
from facedetail_addon.core.geometry.nearest import ClosestPoints

SEVEN_OF_68 = (36, 39, 42, 45, 33, 48, 54)
CROP_FACTOR = 1.4
CANDIDATES = 8
REFINEMENT_POINTS = 1000
MAX_EDGE_MM = 6.0


def crop_scan(points: np.ndarray, seven: np.ndarray) -> np.ndarray:
    """(N,) bool: scan points inside the protocol's ball; ``seven`` are the scan's landmarks (7, 3)."""
    nose_bridge, nose_base = (seven[1] + seven[2]) / 2, seven[4]
    center = nose_base + 0.3 * (nose_bridge - nose_base)
    radius = CROP_FACTOR * (np.linalg.norm(seven[0] - seven[3]) + np.linalg.norm(nose_bridge - nose_base)) / 2
    return np.linalg.norm(points - center, axis=1) <= radius


def scan_to_mesh(
    scan: np.ndarray,
    scan_seven: np.ndarray,
    vertices: np.ndarray,
    triangles: np.ndarray,
    seven: np.ndarray,
    rounds: int = 40,
) -> np.ndarray:
    """Distances in mm of the cropped scan points to a mesh of any scale and place.

    Args:
        scan: (N, 3) mm. scan_seven: (7, 3) its landmarks.
        vertices: (V, 3). triangles: (T, 3). seven: (7, 3) the mesh's landmarks.
        rounds: iterations of the refinement.
    """
    points = scan[crop_scan(scan, scan_seven)].astype(np.float64)
    scale, rotation, translation = similarity(seven.astype(np.float64), scan_seven.astype(np.float64))
    surface = ClosestPoints(scale * vertices @ rotation.T + translation, triangles, MAX_EDGE_MM)
    chosen = np.random.default_rng(0).permutation(len(points))[:REFINEMENT_POINTS]
    some = moved = points[chosen]
    for _ in range(rounds):
        # The scan moves to the mesh, so that the search tree is built once; robust weights make it a sum of distances.
        closest = surface.query(moved, candidates=CANDIDATES).position
        distance = np.linalg.norm(moved - closest, axis=1)
        scale, rotation, translation = similarity(closest, some, 1 / np.maximum(distance, 0.2))
        moved = (some - translation) @ rotation / scale
    moved = (points - translation) @ rotation / scale
    return surface.query(moved, candidates=CANDIDATES).distance * scale
