# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan-to-mesh distance by the protocol of the NoW challenge (Sanyal et al., CVPR 2019).

Seven landmarks give a first similarity; the scan is cropped around the face; the similarity is refined by iterated
closest points; then each scan point's distance to the mesh's surface counts, in the scan's millimetres.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from facedetail_addon.core.face_model.normalise import similarity
from facedetail_addon.core.geometry.nearest import closest_weights

SEVEN_OF_68 = (36, 39, 42, 45, 33, 48, 54)
CROP_FACTOR = 1.4
CANDIDATES = 8
REFINEMENT_POINTS = 1000
MAX_EDGE_MM = 6.0


@dataclass(frozen=True)
class Surface:
    """A triangle surface ready for closest-point queries; ``corners`` is (T, 3, 3)."""

    corners: np.ndarray
    tree: cKDTree

    def closest(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) closest surface points of (N, 3) points, over the triangles with the nearest centroids."""
        _, near = self.tree.query(points, k=CANDIDATES)
        corners = self.corners[near].reshape(-1, 3, 3)
        weights = closest_weights(np.repeat(points, CANDIDATES, axis=0), corners)
        candidates = np.einsum("nk,nkc->nc", weights, corners).reshape(len(points), CANDIDATES, 3)
        distance = ((candidates - points[:, None]) ** 2).sum(-1)
        return candidates[np.arange(len(points)), distance.argmin(1)]


def make_surface(vertices: np.ndarray, triangles: np.ndarray) -> Surface:
    """A :class:`Surface` of (V, 3) mm and (T, 3); triangles with long edges are split, so that centroids are near."""
    corners = vertices[triangles].astype(np.float64)
    while True:
        edge = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(1)
        long = edge > MAX_EDGE_MM
        if not long.any():
            return Surface(corners, cKDTree(corners.mean(1)))
        a, b, c = corners[long].transpose(1, 0, 2)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        pieces = [np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        corners = np.concatenate([corners[~long], *pieces])


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
    surface = make_surface(scale * vertices @ rotation.T + translation, triangles)
    chosen = np.random.default_rng(0).permutation(len(points))[:REFINEMENT_POINTS]
    some = moved = points[chosen]
    for _ in range(rounds):
        # The scan moves to the mesh, so that the search tree is built once; robust weights make it a sum of distances.
        closest = surface.closest(moved)
        distance = np.linalg.norm(moved - closest, axis=1)
        scale, rotation, translation = similarity(closest, some, 1 / np.maximum(distance, 0.2))
        moved = (some - translation) @ rotation / scale
    moved = (points - translation) @ rotation / scale
    return np.linalg.norm(moved - surface.closest(moved), axis=1) * scale
