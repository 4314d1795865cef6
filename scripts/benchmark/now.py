# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan-to-mesh distance by the protocol of the NoW challenge (Sanyal et al., CVPR 2019).

Seven landmarks give a first similarity; the scan is cropped around the face; the similarity is refined by iterated
closest points; then each scan point's distance to the mesh's surface counts, in the scan's millimetres.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

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
        candidates = closest_on_triangles(points[:, None], self.corners[near])
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


def closest_on_triangles(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Closest points of (..., 3) points on (..., 3, 3) triangles: in the plane where inside, else on an edge."""
    points = np.broadcast_to(points, corners.shape[:-2] + (3,))
    a, b, c = (corners[..., i, :] for i in range(3))
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
    determinant = np.maximum(d00 * d11 - d01 * d01, 1e-12)
    v, w = (d11 * d20 - d01 * d21) / determinant, (d00 * d21 - d01 * d20) / determinant
    inside = (v >= 0) & (w >= 0) & (v + w <= 1)
    best = a + v[..., None] * ab + w[..., None] * ac
    best_distance = np.where(inside, ((best - points) ** 2).sum(-1), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge = end - start
        along = ((points - start) * edge).sum(-1) / np.maximum((edge * edge).sum(-1), 1e-12)
        on_edge = start + along.clip(0, 1)[..., None] * edge
        distance = ((on_edge - points) ** 2).sum(-1)
        closer = distance < best_distance
        best = np.where(closer[..., None], on_edge, best)
        best_distance = np.where(closer, distance, best_distance)
    return best


def similarity(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation (3, 3), translation (3,) that map (N, 3) source to target in least squares (Umeyama 1991)."""
    weights = np.ones(len(source)) if weights is None else weights
    weights = weights / weights.sum()
    source_mean, target_mean = weights @ source, weights @ target
    centred_source, centred_target = source - source_mean, target - target_mean
    u, singular, vt = np.linalg.svd((centred_target * weights[:, None]).T @ centred_source)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * flip) @ vt
    scale = (singular * flip).sum() / (weights @ (centred_source**2).sum(1))
    return float(scale), rotation, target_mean - scale * rotation @ source_mean


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
