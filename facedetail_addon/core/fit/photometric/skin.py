# SPDX-License-Identifier: GPL-3.0-or-later
"""What the photometric term needs of a face model alone."""

from dataclasses import dataclass

import numpy as np

from ...face_model.model import FACE_REGIONS, FaceModel
from ...geometry.mesh_fields import vertex_areas
from .pigment import pigment_modes


@dataclass(frozen=True)
class PhotometricSkin:
    """The skin of a face model as photos show it.

    Attributes:
        mean: (V, 3) float32 mm. triangles: (T, 3) int32.
        motion: (V, 3, K + E) float32 mm, how a vertex moves with α and β.
        pigment: (V, P) float32 modes of :func:`.pigment.pigment_modes`.
        areas: (V,) float64 mm². face: (V,) bool, vertices that may be compared.
    """

    mean: np.ndarray
    triangles: np.ndarray
    motion: np.ndarray
    pigment: np.ndarray
    areas: np.ndarray
    face: np.ndarray

    def posed(self, values: np.ndarray) -> np.ndarray:
        """(K + E,) to (V, 3) float32 mm."""
        return self.mean + self.motion @ values.astype(np.float32)


def photometric_skin(model: FaceModel) -> PhotometricSkin:
    """A tenth of a second's work."""
    skin, triangles = model.skin, model.skin.triangles()
    mean = skin.of(model.mean)
    motion = np.concatenate([skin.of(model.identity_basis), skin.of(model.expression_basis)]).transpose(1, 2, 0)
    face = model.in_region(*FACE_REGIONS)  # elsewhere light and albedo are less sure
    return PhotometricSkin(
        mean,
        triangles,
        np.ascontiguousarray(motion, np.float32),
        pigment_modes(mean),
        vertex_areas(mean, triangles),
        face,
    )
