# SPDX-License-Identifier: GPL-3.0-or-later
"""What all photos share: the head, the product's models, and the skin's texels."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from facedetail_addon.core.detail.space import BOX, SIDE
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.models import Models
from facedetail_addon.settings import NO_DETAIL, Settings
from scripts.training.heads.painter import Painter, make_painter
from scripts.training.skin.space import SkinSpace, skin_space

SETTINGS = Settings(resolution=SIDE, detail=NO_DETAIL)
"""The product's; what is trained here is not there yet."""


@dataclass(frozen=True)
class Studio:
    """What all photos share.

    Attributes:
        models: of the product, for :data:`SETTINGS`.
        texels: (N, V_skin) sparse weights of the covered texels of BOX. covered: (H, W) bool.
        uv: (V, 2) texels of BOX, (x, y); far away for other parts than skin.
    """

    models: Models
    painter: Painter
    skin: SkinSpace
    texels: csr_matrix
    covered: np.ndarray
    uv: np.ndarray

    @property
    def model(self) -> FaceModel:
        """The head of all photos."""
        return self.models.model


def open_studio() -> Studio:
    """Load models and networks once."""
    models = Models.load(SETTINGS)
    model, atlas = models.model, models.atlas
    x0, y0, x1, y1 = BOX
    covered = atlas.covered[y0:y1, x0:x1]
    weights = atlas.raster.interpolation(atlas.triangles, model.skin.stop, atlas.raster.covered_of(slice(y0, y1)))
    inside = np.nonzero(atlas.covered[y0:y1])[1]
    uv = np.full((len(model.mean), 2), -1e6)
    uv[model.skin.rows] = (model.skin.vertex_uv() * [1, -1] + [0, 1]) * SIDE - [x0, y0]
    return Studio(
        models=models,
        painter=make_painter(model),
        skin=skin_space(model, atlas.raster.triangle),
        texels=weights[(inside >= x0) & (inside < x1)],
        covered=covered,
        uv=uv.astype(np.float32),
    )


def onto_texels(studio: Studio, values: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """(V_skin, C) at the vertices to (H, W, C) float32 over BOX."""
    out = np.full((*studio.covered.shape, values.shape[1]), outside, np.float32)
    out[studio.covered] = studio.texels @ values.astype(np.float32)
    return out
