# SPDX-License-Identifier: GPL-3.0-or-later
"""What all photos share: the head, what the pipeline needs, and the skin's texels."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from facedetail_addon.core.detail.space import BOX, SIDE, DetailSpace, make_detail_space
from facedetail_addon.core.face_model.calibration import LandmarkCalibration, load_calibration
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.skin.basis import load_basis
from facedetail_addon.core.skin.gloss import skin_gloss
from facedetail_addon.core.skin.types import AlbedoBasis, SkinGloss
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.core.uv.types import Atlas
from scripts.training.heads.painter import Painter, make_painter
from scripts.training.skin.space import SkinSpace, skin_space


@dataclass(frozen=True)
class Studio:
    """What all photos share.

    Attributes:
        texels: (N, V_skin) sparse weights of the covered texels of BOX. covered: (H, W) bool.
        triangles: (T, 3) of all parts. uv: (V, 2) texels of BOX, (x, y); far away for other parts than skin.
    """

    model: FaceModel
    painter: Painter
    landmarker: MeshLandmarker
    calibration: LandmarkCalibration
    atlas: Atlas
    basis: AlbedoBasis
    gloss: SkinGloss
    space: DetailSpace
    skin: SkinSpace
    texels: csr_matrix
    covered: np.ndarray
    uv: np.ndarray


def open_studio() -> Studio:
    """Load models and networks once."""
    model = load_named_model(BUILTIN)
    atlas = make_atlas(model, SIDE)
    x0, y0, x1, y1 = BOX
    covered = atlas.covered[y0:y1, x0:x1]
    weights = atlas.raster.interpolation(atlas.triangles, model.skin.stop, slice(y0, y1))
    inside = np.nonzero(atlas.covered[y0:y1])[1]
    uv = np.full((len(model.mean), 2), -1e6)
    uv[: model.skin.stop] = (model.skin.vertex_uv() * [1, -1] + [0, 1]) * SIDE - [x0, y0]
    return Studio(
        model=model, painter=make_painter(model), landmarker=MeshLandmarker.load(), calibration=load_calibration(),
        atlas=atlas, basis=load_basis(model), gloss=skin_gloss(model), space=make_detail_space(model),
        skin=skin_space(model, atlas.raster.triangle), texels=weights[(inside >= x0) & (inside < x1)],
        covered=covered, uv=uv.astype(np.float32),
    )  # fmt: skip


def onto_texels(studio: Studio, values: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """(V_skin, C) at the vertices to (H, W, C) float32 over BOX."""
    out = np.full((*studio.covered.shape, values.shape[1]), outside, np.float32)
    out[studio.covered] = studio.texels @ values.astype(np.float32)
    return out
