# SPDX-License-Identifier: GPL-3.0-or-later
"""How well the middle forms of a face are found, which distances hardly tell: cheeks, folds, the sides of the nose.

What is compared are heights along the normals after a similarity, in a band of wavelengths from about 10 to 100 mm, as
slopes: they are what light sees.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags

from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel, PointEmbedding
from facedetail_addon.core.face_model.normalise import similarity
from facedetail_addon.core.geometry.mesh_fields import smooth_field
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.uv.types import Atlas
from scripts.training.landmark_calibration.embedding import closest_embedding, visible_skin

BAND_MM = (2.5, 12.0)  # detail d of the smoothings that part the band: each leaves 1 / (1 + (2π d / λ)²) of a wave


@dataclass(frozen=True)
class SlopeRuler:
    """Compares heads of a model with true ones.

    Attributes:
        model: of the heads. face: (F,) its vertices that count. truth: their places on true heads.
        atlas: of the model. within: (F, F) Laplacian of the face alone.
    """

    model: FaceModel
    face: np.ndarray
    truth: PointEmbedding
    atlas: Atlas
    within: csr_matrix

    def error_deg(self, vertices: np.ndarray, true: np.ndarray) -> float:
        """RMS slope of the difference in height, in degrees.

        Args:
            vertices: (V, 3) mm, neutral head of the model. true: (V', 3) mm, that of the reference.
        """
        skin, target = self.model.skin.of(vertices).astype(np.float64), self.truth.points(true).astype(np.float64)
        scale, rotation, translation = similarity(skin[self.face], target)
        placed = scale * skin @ rotation.T + translation
        normals = vertex_normals(placed.astype(np.float32), self.atlas.triangles)[self.face]
        return self.slope_deg(((placed[self.face] - target) * normals).sum(1))

    def slope_deg(self, heights: np.ndarray) -> float:
        """RMS slope in degrees of (F,) mm on the face, in the band."""
        known = np.zeros(len(self.atlas.areas))
        field, areas = known.copy(), self.atlas.areas
        known[self.face], field[self.face] = 1, heights
        fine, coarse = (
            smooth_field(self.atlas.laplacian, areas, field[:, None], known, detail)[self.face, 0].astype(np.float64)
            for detail in BAND_MM
        )
        band = fine - coarse
        return float(np.degrees(np.sqrt(band @ (self.within @ band) / areas[self.face].sum())))


def slope_ruler(model: FaceModel, reference: FaceModel, atlas: Atlas) -> SlopeRuler:
    """Of a model whose mean head lies on the reference's."""
    face = np.flatnonzero(model.in_region(*FACE_REGIONS))
    inner = atlas.laplacian.tocsr()[face][:, face]
    within = inner - diags(np.asarray(inner.sum(axis=1)).ravel())
    return SlopeRuler(
        model, face, closest_embedding(model.mean[face], reference.mean, visible_skin(reference)), atlas, within.tocsr()
    )
