# SPDX-License-Identifier: GPL-3.0-or-later
"""Names on the built-in skin: regions and the 68 landmarks."""

import numpy as np
from scipy.sparse import csr_matrix

from facedetail_addon.core.face_model.model import PointEmbedding, split_quads
from facedetail_addon.core.geometry.nearest import ClosestPoints
from facedetail_addon.core.rendering.normals import vertex_normals

from .assemble import EAR_CENTRE, EYE_CENTRE, MOUTH_CENTRE
from .source import SKIN_STOP, SourceHead

REGIONS = ("forehead", "cheeks", "nose", "mouth", "chin", "eyes", "ears", "neck", "scalp", "socket")


def label_regions(points: np.ndarray, socket: np.ndarray) -> np.ndarray:
    """(V,) uint8 index into ``REGIONS`` of each skin vertex of the mean head; boundaries in mm of the head frame."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    label = np.full(len(points), REGIONS.index("cheeks"), np.uint8)

    def put(name: str, where: np.ndarray) -> None:
        label[where] = REGIONS.index(name)

    put("forehead", y > 50)
    put("chin", (y < -54) & (x < 32))
    put("nose", (x < 11 + np.clip(30 - y, 0, 30) * 0.32) & (y > -13) & (y < 42) & (z > 84))
    put("mouth", ((x - MOUTH_CENTRE[0]) / 31) ** 2 + ((y - MOUTH_CENTRE[1]) / 16.5) ** 2 < 1)
    put("eyes", ((x - EYE_CENTRE[0]) / 20) ** 2 + ((y - EYE_CENTRE[1]) / 14) ** 2 < 1)
    put("neck", y < -86 + (85 - z) * 0.53)
    put("scalp", 0.8 * y - 0.75 * z > 9)
    put("ears", (((z - EAR_CENTRE[0]) / 23) ** 2 + ((y - EAR_CENTRE[1]) / 31) ** 2 < 1) & (x > 60))
    put("socket", socket)
    return label


def embed_landmarks(source: SourceHead, weights: csr_matrix, faces: np.ndarray, socket: np.ndarray) -> PointEmbedding:
    """The kit's 68 landmark vertices as points on our skin (closest point that faces the same way)."""
    kit = source.neutral[:SKIN_STOP].astype(float)
    points = weights @ kit
    outside = faces[~socket[faces].all(axis=1)]
    triangles = split_quads(outside)
    kit_normals = vertex_normals(kit, split_quads(source.skin_faces))
    ids = source.landmarks68
    found = ClosestPoints(points, triangles).query(kit[ids], kit_normals[ids], candidates=24)
    if found.distance.max() > 1.0:
        raise ValueError(f"a landmark is {found.distance.max():.2f} mm off the skin")
    return PointEmbedding(triangles[found.triangle].astype(np.int32), found.weights.astype(np.float32))
